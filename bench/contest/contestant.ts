import { createInterface } from 'node:readline'
import { largestError } from './exact.js'
import { type Inputs, inputsOf, type Problem } from './problem.js'

/** One way to do a problem. It lives in a process of its own, started as `file` and spoken to by `Remote`. */
export interface Contestant {
  /** Prepares everything that a program would prepare once. Gives what will run, with its version. */
  load(problem: Problem, inputs: Inputs, threads: number): Promise<string>
  /** Undoes what the last queue left behind, such as a longer cache. Not timed. */
  reset?(): unknown
  /** One queue of runs, from inputs to outputs: `problem.queue` of them, one by default. May be repeated. */
  run(): unknown
  /** What other clocks say of the last queue. */
  clocks?(): Clocks
  /** What the last run gave; see `largestError`. */
  result(): readonly Float32Array[] | Promise<readonly Float32Array[]>
  /** Milliseconds of the GPU for copying so many bytes to another place. */
  copy?(bytes: number): Promise<number>
}

/** Milliseconds of a whole queue. */
export interface Clocks {
  /** Wall time, where the work is done behind a pipe. */
  readonly wallMs?: number
  /** From GPUStartTime to GPUEndTime, all command buffers added: those that overlap count twice. */
  readonly gpuMs?: number
}

/** What a library has no means for; it is then left out, not missing. */
export class Unable extends Error {}

/** Requests, one JSON object a line on stdin. */
export type Request =
  | { readonly ask: 'load'; readonly problem: Problem; readonly threads: number }
  | { readonly ask: 'check' }
  /** So many queues. */
  | { readonly ask: 'run'; readonly times: number }
  | { readonly ask: 'copy'; readonly bytes: number }

/** Answers, one JSON object a line on stdout. */
export type Answer =
  | { readonly what: string }
  | { readonly error: number }
  | Turn
  | { readonly copyMs: number }
  | { readonly failed: string }
  | { readonly unable: string }

/** Milliseconds of one run, for every queue of a turn. */
export interface Turn {
  readonly ms: readonly number[]
  /** Empty where no clock of the GPU is to be had. */
  readonly gpuMs: readonly number[]
}

/** Runs before a turn that are not timed: what counts is a library at work, layer after layer. */
const warmUpMs = 30

/** Answers requests until stdin ends. */
export async function serve(contestant: Contestant): Promise<void> {
  let problem: Problem | undefined
  let inputs: Inputs | undefined
  for await (const line of createInterface({ input: process.stdin })) {
    let answer: Answer
    try {
      answer = await respond(JSON.parse(line))
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error)
      answer = error instanceof Unable ? { unable: text } : { failed: text }
    }
    process.stdout.write(`${JSON.stringify(answer)}\n`)
  }
  // Threads of a library must not keep the process.
  process.exit()

  async function respond(request: Request): Promise<Answer> {
    if (request.ask === 'load') {
      const made = inputsOf(request.problem)
      const what = await contestant.load(request.problem, made, request.threads)
      problem = request.problem
      inputs = made
      return { what }
    }
    if (problem === undefined || inputs === undefined) throw new Error('nothing is loaded')
    if (request.ask === 'copy') {
      if (contestant.copy === undefined) throw new Unable('it copies nothing')
      return { copyMs: await contestant.copy(request.bytes) }
    }
    if (request.ask === 'check') {
      await contestant.reset?.()
      await contestant.run()
      return { error: largestError(problem, inputs, await contestant.result()) }
    }
    // A system takes a while to spread threads over processors that were idle, and to raise the clock of a GPU.
    const until = performance.now() + warmUpMs
    do {
      await contestant.reset?.()
      await contestant.run()
    } while (performance.now() < until)
    return turn(request.times, problem.queue ?? 1)
  }

  async function turn(times: number, queue: number): Promise<Turn> {
    const ms: number[] = []
    const gpuMs: number[] = []
    for (let i = 0; i < times; i++) {
      await contestant.reset?.()
      const since = performance.now()
      await contestant.run()
      const elapsed = performance.now() - since
      const clocks = contestant.clocks?.()
      ms.push((clocks?.wallMs ?? elapsed) / queue)
      if (clocks?.gpuMs !== undefined) gpuMs.push(clocks.gpuMs / queue)
    }
    return { ms, gpuMs }
  }
}
