import { listBackends } from '../../lib/backends/open.js'
import { type BenchCase, median, type Outcome } from '../harness.js'
import { Unable } from './contestant.js'
import { type Contest, ours, peers } from './entrants.js'
import { copyTimes, startPeaks } from './peaks.js'
import { type Player, start } from './player.js'
import { bytesOf, type Problem } from './problem.js'
import { shareOfCpu, shareOfGpu } from './shares.js'

/** A GPU is given enough work to raise its clock. */
const turnMs = { cpu: 40, metal: 100 } as const

/** Ratios over every peer, in pairs; the value is the ratio over the best one. */
export function contestCase(contest: Contest): BenchCase {
  return {
    name: contest.backend === 'cpu' ? `${contest.name}, ${threadsText(contest.threads)}` : contest.name,
    bar: { least: contest.bar, unit: '× the best peer' },
    absent: () => (contest.backend === 'cpu' ? undefined : whyNot(contest.backend)),
    async run(report) {
      const players: Player[] = []
      const notes: string[] = []
      const missing: string[] = []
      try {
        const mrope = await start(ours[contest.backend], contest, report)
        players.push(mrope)
        for (const peer of peers[contest.backend]) {
          const why = peer.absent?.(contest)
          if (why !== undefined) {
            notes.push(`${peer.name} left out: ${why}`)
            continue
          }
          try {
            players.push(await start(peer, contest, report))
          } catch (error) {
            if (error instanceof Unable) notes.push(`${peer.name} left out: ${firstLine(error)}`)
            else missing.push(`${peer.name}: ${reason(error)}`)
          }
        }
        if (players.length === 1) throw new Error(`no peer takes part: ${[...notes, ...missing].join('; ')}`)
        const pairs = []
        for (const peer of players.slice(1)) {
          pairs.push({ peer, ...(await duel(mrope, peer, turnMs[contest.backend], report)) })
        }
        const oursMs = median(pairs.flatMap((pair) => pair.oursMs))
        const bestMs = Math.min(...pairs.flatMap((pair) => pair.oursMs))
        const gpuMs = pairs.flatMap((pair) => pair.gpuMs)
        const figures: Record<string, number | readonly number[]> = { 'mrope ms': oursMs, 'mrope best ms': bestMs }
        if (gpuMs.length > 0) figures['mrope gpu ms'] = median(gpuMs)
        for (const { peer, peerMs, ratios } of pairs) {
          figures[`${peer.name} ms`] = median(peerMs)
          figures[`× ${peer.name}`] = median(ratios)
          figures[`ratios over ${peer.name}`] = ratios
        }
        const share = await shareOf(contest, mrope, bestMs, gpuMs).catch((error) => {
          notes.push(`peaks not measured: ${firstLine(error)}`)
          return {}
        })
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
      const mrope = await start(ours.cpu, { name, backend: 'cpu', problem, threads, bar }, report)
      const peaks = await startPeaks().catch((error) => {
        mrope.stop()
        throw error
      })
      try {
        const run = async (times: number) => ({
          ms: await copyTimes(peaks, threads, bytesOf(problem) / 2, times),
          gpuMs: [],
        })
        const firstMs = median((await run(3)).ms)
        const copy = { name: 'copy', firstMs, budget: 5000, run }
        const { oursMs, peerMs, ratios } = await duel(mrope, copy, turnMs.cpu, report)
        const figures = { 'mrope ms': median(oursMs), 'copy ms': median(peerMs), ratios }
        return { value: 100 * median(ratios), figures, notes: [`mrope: ${mrope.what}`] }
      } finally {
        mrope.stop()
        peaks.stop()
      }
    },
  }
}

type Runner = Pick<Player, 'name' | 'firstMs' | 'budget' | 'run'>

/** Turns in pairs, A B A B; a turn is some queues of runs and counts by their median. */
async function duel(mrope: Runner, peer: Runner, ofMs: number, report: (progress: string) => void) {
  const times = (player: Runner) => Math.min(Math.max(Math.ceil(ofMs / player.firstMs), 1), 100)
  const [ourTimes, peerTimes] = [times(mrope), times(peer)]
  const pairMs = ourTimes * mrope.firstMs + peerTimes * peer.firstMs
  const rounds = Math.min(Math.max(Math.floor(peer.budget / pairMs), 3), 21)
  const oursMs: number[] = []
  const gpuMs: number[] = []
  const peerMs: number[] = []
  for (let round = 1; round <= rounds; round++) {
    report(`${peer.name}, pair ${round} of ${rounds}`)
    const turn = await mrope.run(ourTimes)
    oursMs.push(median(turn.ms))
    if (turn.gpuMs.length > 0) gpuMs.push(median(turn.gpuMs))
    peerMs.push(median((await peer.run(peerTimes)).ms))
  }
  return { oursMs, gpuMs, peerMs, ratios: peerMs.map((ms, i) => ms / oursMs[i]) }
}

/** A peak is the best of some runs, so it is held against our best turn. */
function shareOf(contest: Contest, mrope: Player, bestMs: number, gpuMs: readonly number[]) {
  const { backend, problem, threads } = contest
  if (backend === 'cpu') return shareOfCpu(problem, threads, bestMs)
  return shareOfGpu(mrope, problem, gpuMs.length > 0 ? Math.min(...gpuMs) : bestMs)
}

function whyNot(backend: Contest['backend']): string | undefined {
  const status = listBackends().find(({ name }) => name === backend)
  return status?.available ? undefined : `backend ${backend}: ${status?.why}`
}

function threadsText(threads: number): string {
  return threads === 1 ? '1 thread' : `${threads} threads`
}

function reason(error: unknown): string {
  const line = firstLine(error)
  return /^Cannot find|No module named/.test(line) ? `${line} (npm run bench:peers)` : line
}

function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n')[0]
}
