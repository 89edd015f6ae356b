import { fileURLToPath } from 'node:url'
import { median } from '../harness.js'
import { type Request, type Turn, Unable } from './contestant.js'
import type { Contest, Entrant } from './entrants.js'
import { storageOf } from './problem.js'
import { Remote } from './remote.js'

/** The largest difference from float64 of an element, about 0.1 large, of attention or, about 1 large, of a rotation. */
const tolerances = { float32: 1e-3, float16: 5e-3 } as const

/** A process that has loaded the problem and done it right. */
export interface Player {
  readonly name: string
  readonly what: string
  readonly error: number
  /** Of a queue of runs. */
  readonly firstMs: number
  readonly budget: number
  /** So many queues. */
  run(times: number): Promise<Turn>
  /** Milliseconds of the GPU for a copy; only our player knows them. */
  copy(bytes: number): Promise<number>
  stop(): void
}

/** Starts a process, checks what it computes, and warms it up. @throws Unable where the library cannot do it */
export async function start(entrant: Entrant, contest: Contest, report: (progress: string) => void): Promise<Player> {
  const { problem, threads } = contest
  report(`starting and checking ${entrant.name}`)
  const file = fileURLToPath(new URL(entrant.file, import.meta.url))
  const remote = new Remote(process.execPath, [...process.execArgv, file], { MROPE_THREADS: String(threads) })
  const ask = async <T extends object>(request: Request): Promise<T> => {
    const answer = await remote.ask<T | { readonly failed: string } | { readonly unable: string }>(
      JSON.stringify(request),
    )
    if ('failed' in answer) throw new Error(answer.failed)
    if ('unable' in answer) throw new Unable(answer.unable)
    return answer
  }
  const run = (times: number) => ask<Turn>({ ask: 'run', times })
  const copy = async (bytes: number) => (await ask<{ copyMs: number }>({ ask: 'copy', bytes })).copyMs
  try {
    const { what } = await ask<{ what: string }>({ ask: 'load', problem, threads })
    const { error } = await ask<{ error: number }>({ ask: 'check' })
    const tolerance = tolerances[storageOf(problem).cache]
    if (!(error <= tolerance)) throw new Error(`its result is off by ${error}, more than ${tolerance}`)
    const firstMs = median((await run(3)).ms) * (problem.queue ?? 1)
    const { name, budget } = entrant
    return { name, what, error, firstMs, budget, run, copy, stop: () => remote.stop() }
  } catch (error) {
    remote.stop()
    throw error
  }
}
