import { createInterface } from 'node:readline'
import { largestError } from './exact.js'
import { type Inputs, inputsOf, type Problem } from './problem.js'

/** One way to do a problem. It lives in a process of its own, started as `file` and spoken to by `Remote`. */
export interface Contestant {
  /** Prepares everything that a program would prepare once. Gives what will run, with its version. */
  load(problem: Problem, inputs: Inputs, threads: number): Promise<string>
  /** One run, from inputs to outputs. May be repeated. */
  run(): unknown
  /** What the last run gave; see `largestError`. */
  result(): readonly Float32Array[]
}

/** Requests, one JSON object a line on stdin. */
export type Request =
  | { readonly ask: 'load'; readonly problem: Problem; readonly threads: number }
  | { readonly ask: 'check' }
  | { readonly ask: 'run'; readonly times: number }

/** Answers, one JSON object a line on stdout. */
export type Answer =
  | { readonly what: string }
  | { readonly error: number }
  | { readonly ms: readonly number[] }
  | { readonly failed: string }

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
      answer = { failed: error instanceof Error ? error.message : String(error) }
    }
    process.stdout.write(`${JSON.stringify(answer)}\n`)
  }
  // Threads of a library must not keep the process.
  process.exit()

  async function respond(request: Request): Promise<Answer> {
    if (request.ask === 'load') {
      problem = request.problem
      inputs = inputsOf(problem)
      return { what: await contestant.load(problem, inputs, request.threads) }
    }
    if (problem === undefined || inputs === undefined) throw new Error('nothing is loaded')
    if (request.ask === 'check') {
      await contestant.run()
      return { error: largestError(problem, inputs, contestant.result()) }
    }
    // A system takes a while to spread threads over processors that were idle.
    const until = performance.now() + warmUpMs
    do await contestant.run()
    while (performance.now() < until)
    const ms: number[] = []
    for (let i = 0; i < request.times; i++) {
      const since = performance.now()
      await contestant.run()
      ms.push(performance.now() - since)
    }
    return { ms }
  }
}
