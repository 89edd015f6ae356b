import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

/** What a case has to reach. A ratio is "so many times as fast as the peer": more is better. */
export type Bar = { readonly least: number; readonly unit: string } | { readonly most: number; readonly unit: string }

/** One measured case. Its file stands in `bench/cases` and is listed in `bench/cases/index.ts`. */
export interface BenchCase {
  readonly name: string
  readonly bar: Bar
  /** Why it cannot be run on this machine, if it cannot. */
  absent?(): string | undefined
  /** Measures; `report` takes a few words of progress. */
  run(report: (progress: string) => void): Promise<Outcome>
}

export interface Outcome {
  /** The number that is held against the bar, in its unit. */
  readonly value: number
  /** Everything else that was measured, by name. */
  readonly figures: Readonly<Record<string, number | readonly number[]>>
  /** What took part and what did not, in words. */
  readonly notes?: readonly string[]
  /** Who should have taken part and could not, with the reason. The bar is then not reached, whatever the value. */
  readonly missing?: readonly string[]
}

/** Work that is timed; it may be async. */
export type Work = () => unknown

/**
 * Times two pieces of work in pairs, A B A B, in this process: on a shared machine only the ratio inside a pair means
 * anything. One pair is run before, unmeasured.
 *
 * @returns the median of `peer / ours` as the value, and both medians and all times in milliseconds
 */
export async function paired(
  ours: Work,
  peer: Work,
  rounds: number,
  report: (progress: string) => void,
): Promise<Outcome> {
  const oursMs: number[] = []
  const peerMs: number[] = []
  for (let round = 0; round <= rounds; round++) {
    report(round === 0 ? 'warm-up' : `pair ${round} of ${rounds}`)
    const pair = [await time(ours), await time(peer)]
    if (round === 0) continue
    oursMs.push(pair[0])
    peerMs.push(pair[1])
  }
  const value = median(peerMs.map((ms, i) => ms / oursMs[i]))
  return { value, figures: { 'ours ms': median(oursMs), 'peer ms': median(peerMs), oursMs, peerMs } }
}

/** Times one piece of work by itself; the value is the median in milliseconds. */
export async function alone(work: Work, rounds: number, report: (progress: string) => void): Promise<Outcome> {
  const all: number[] = []
  for (let round = 0; round <= rounds; round++) {
    report(round === 0 ? 'warm-up' : `round ${round} of ${rounds}`)
    const ms = await time(work)
    if (round > 0) all.push(ms)
  }
  return { value: median(all), figures: { 'best ms': Math.min(...all), all } }
}

/** Runs a file in a fresh process, with the loader of this one, and reads the JSON that it prints. */
export async function inChild(file: URL, args: readonly (string | number)[]): Promise<Record<string, number>> {
  const command = [...process.execArgv, fileURLToPath(file), ...args.map(String)]
  const { stdout } = await promisify(execFile)(process.execPath, command)
  return JSON.parse(stdout)
}

export function reaches({ value, missing = [] }: Outcome, bar: Bar): boolean {
  return missing.length === 0 && ('least' in bar ? value >= bar.least : value <= bar.most)
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

async function time(work: Work): Promise<number> {
  const since = performance.now()
  await work()
  return performance.now() - since
}
