import { fileURLToPath } from 'node:url'
import { median } from '../harness.js'
import type { Request } from './contestant.js'
import type { Contest, Entrant } from './entrants.js'
import { Remote } from './remote.js'

/** The largest difference from float64 of an element, about 0.1 large, of attention or, about 1 large, of a rotation. */
const tolerances = { float32: 1e-3, float16: 5e-3 } as const

/** A process that has loaded the problem and done it right. */
export interface Player {
  readonly name: string
  readonly what: string
  readonly error: number
  readonly firstMs: number
  readonly budget: number
  run(times: number): Promise<readonly number[]>
  stop(): void
}

/** Starts a process, checks what it computes, and warms it up. */
export async function start(entrant: Entrant, contest: Contest, report: (progress: string) => void): Promise<Player> {
  const { problem, threads } = contest
  report(`starting and checking ${entrant.name}`)
  const file = fileURLToPath(new URL(entrant.file, import.meta.url))
  const remote = new Remote(process.execPath, [...process.execArgv, file], { MROPE_THREADS: String(threads) })
  const ask = async <T>(request: Request): Promise<T> => {
    const answer = await remote.ask<T | { readonly failed: string }>(JSON.stringify(request))
    if (typeof answer === 'object' && answer !== null && 'failed' in answer) throw new Error(answer.failed)
    return answer as T
  }
  const run = async (times: number) => (await ask<{ ms: readonly number[] }>({ ask: 'run', times })).ms
  try {
    const { what } = await ask<{ what: string }>({ ask: 'load', problem, threads })
    const { error } = await ask<{ error: number }>({ ask: 'check' })
    const tolerance = tolerances[problem.cache ?? 'float32']
    if (!(error <= tolerance)) throw new Error(`its result is off by ${error}, more than ${tolerance}`)
    const firstMs = median(await run(3))
    return { name: entrant.name, what, error, firstMs, budget: entrant.budget, run, stop: () => remote.stop() }
  } catch (error) {
    remote.stop()
    throw error
  }
}
