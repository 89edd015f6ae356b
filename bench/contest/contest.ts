import { setTimeout as sleep } from 'node:timers/promises'
import { type BenchCase, median, type Outcome } from '../harness.js'
import { type Contest, ours, peers } from './entrants.js'
import { copyPeak, copyTimes, fmaPeak, gemmPeak, readPeak, startPeaks } from './peaks.js'
import { type Player, start } from './player.js'
import { bytesOf, flopOf, type Problem } from './problem.js'

const turnMs = 40
/** Threads of a library go on spinning for a while after its turn. */
const restMs = 15

/** Ratios over every peer, in pairs; the value is the ratio over the best one. */
export function contestCase(contest: Contest): BenchCase {
  return {
    name: `${contest.name}, ${threadsText(contest.threads)}`,
    bar: { least: contest.bar, unit: '× the best peer' },
    async run(report) {
      const { problem, threads } = contest
      const players: Player[] = []
      const notes: string[] = []
      const missing: string[] = []
      try {
        const mrope = await start(ours, contest, report)
        players.push(mrope)
        for (const peer of peers) {
          const why = peer.absent?.(contest)
          if (why !== undefined) {
            notes.push(`${peer.name} left out: ${why}`)
            continue
          }
          try {
            players.push(await start(peer, contest, report))
          } catch (error) {
            missing.push(`${peer.name}: ${reason(error)}`)
          }
        }
        if (players.length === 1) throw new Error(`no peer takes part: ${missing.join('; ')}`)
        const pairs = []
        for (const peer of players.slice(1)) pairs.push({ peer, ...(await duel(mrope, peer, report)) })
        const oursMs = median(pairs.flatMap((pair) => pair.oursMs))
        // The peak is the best of some runs, so it is held against our best turn.
        const bestMs = Math.min(...pairs.flatMap((pair) => pair.oursMs))
        const share = await shareOfPeak(problem, threads, bestMs).catch((error) => {
          notes.push(`peaks not measured: ${firstLine(error)}`)
          return {}
        })
        const figures: Record<string, number | readonly number[]> = { 'mrope ms': oursMs, 'mrope best ms': bestMs }
        for (const { peer, peerMs, ratios } of pairs) {
          figures[`${peer.name} ms`] = median(peerMs)
          figures[`× ${peer.name}`] = median(ratios)
          figures[`ratios over ${peer.name}`] = ratios
        }
        Object.assign(figures, share)
        for (const { name, what, error } of players) notes.push(`${name}: ${what}, error ${error.toExponential(1)}`)
        return { value: Math.min(...pairs.map(({ ratios }) => median(ratios))), figures, notes, missing }
      } finally {
        for (const player of players) player.stop()
      }
    },
  }
}

/** Against a plain copy of as many bytes: 100 % is a rotation that costs nothing beside its memory. */
export function copyCase(name: string, problem: Problem, threads: number, bar: number): BenchCase {
  return {
    name: `${name}, ${threadsText(threads)}`,
    bar: { least: bar, unit: '% of the speed of a copy' },
    async run(report): Promise<Outcome> {
      const mrope = await start(ours, { name, problem, threads, bar }, report)
      const peaks = await startPeaks().catch((error) => {
        mrope.stop()
        throw error
      })
      try {
        const run = (times: number) => copyTimes(peaks, threads, bytesOf(problem) / 2, times)
        const firstMs = median(await run(3))
        const copy: Player = { name: 'copy', what: '', error: 0, firstMs, budget: 5000, run, stop: () => undefined }
        const { oursMs, peerMs, ratios } = await duel(mrope, copy, report)
        const figures = { 'mrope ms': median(oursMs), 'copy ms': median(peerMs), ratios }
        return { value: 100 * median(ratios), figures, notes: [`mrope: ${mrope.what}`] }
      } finally {
        mrope.stop()
        peaks.stop()
      }
    },
  }
}

/** Turns in pairs, A B A B; a turn is some runs and counts by their median. */
async function duel(mrope: Player, peer: Player, report: (progress: string) => void) {
  const times = (player: Player) => Math.min(Math.max(Math.ceil(turnMs / player.firstMs), 1), 100)
  const [ourTimes, peerTimes] = [times(mrope), times(peer)]
  const pairMs = ourTimes * mrope.firstMs + peerTimes * peer.firstMs + 2 * restMs
  const rounds = Math.min(Math.max(Math.floor(peer.budget / pairMs), 3), 21)
  const oursMs: number[] = []
  const peerMs: number[] = []
  for (let round = 1; round <= rounds; round++) {
    report(`${peer.name}, pair ${round} of ${rounds}`)
    oursMs.push(median(await mrope.run(ourTimes)))
    await sleep(restMs)
    peerMs.push(median(await peer.run(peerTimes)))
    await sleep(restMs)
  }
  return { oursMs, peerMs, ratios: peerMs.map((ms, i) => ms / oursMs[i]) }
}

async function shareOfPeak(problem: Problem, threads: number, ms: number): Promise<Record<string, number>> {
  if (problem.work === 'attend') {
    const rate = (1000 * flopOf(problem)) / ms
    const [peak, product] = [await fmaPeak(threads), await gemmPeak(threads)]
    return {
      'GFLOP/s': rate / 1e9,
      'peak GFLOP/s': peak / 1e9,
      '% of FMA peak': (100 * rate) / peak,
      '% of a packed matrix product': (100 * rate) / product,
    }
  }
  const rate = (1000 * bytesOf(problem)) / ms
  const decode = problem.work === 'decode'
  const peak = await (decode ? readPeak(threads, bytesOf(problem)) : copyPeak(threads, bytesOf(problem) / 2))
  const name = decode ? '% of reading K and V' : '% of copying'
  return { 'GB/s': rate / 1e9, 'peak GB/s': peak / 1e9, [name]: (100 * rate) / peak }
}

function threadsText(threads: number): string {
  return threads === 1 ? '1 thread' : `${threads} threads`
}

function reason(error: unknown): string {
  const line = firstLine(error)
  return line.startsWith('Cannot find') ? `${line} (npm run bench:peers)` : line
}

function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n')[0]
}
