import { flopOf, type Problem } from './problem.js'

/** A problem that mrope and its peers do against each other. */
export interface Contest {
  readonly name: string
  readonly problem: Problem
  readonly threads: number
  /** How many times as fast as the best peer mrope has to be. */
  readonly bar: number
}

/** Someone who takes part. */
export interface Entrant {
  readonly name: string
  readonly file: string
  /** Milliseconds for all pairs with it. */
  readonly budget: number
  /** Why it does not take part, if it does not. */
  readonly absent?: (contest: Contest) => string | undefined
}

/** What nobody would choose on a machine with the others is measured in short. */
const briefly = 1500

export const ours: Entrant = { name: 'mrope', file: './mrope.ts', budget: 0 }
export const peers: readonly Entrant[] = [
  { name: 'onnxruntime', file: '../peers/onnxruntime-node.ts', budget: 5000 },
  {
    name: 'onnxruntime opset 23',
    file: '../peers/onnxruntime-opset23.ts',
    budget: 2500,
    absent: ({ problem }) => (problem.work === 'attend' ? undefined : 'its Attention has no cache in place'),
  },
  { name: 'ggml', file: '../peers/ggml.ts', budget: 5000 },
  { name: 'onnxruntime-web', file: '../peers/onnxruntime-web.ts', budget: briefly, absent: (c) => slow(c, 6e9) },
  { name: 'plain loops', file: './loops.ts', budget: briefly, absent: (c) => slow(c, 2e9) },
]

/** Without threads and without SIMD or with little of it. */
function slow({ threads, problem }: Contest, most: number): string | undefined {
  if (threads > 1) return 'one thread only'
  if (problem.cache === 'float16') return 'float32 only'
  return flopOf(problem) > most ? 'would take seconds a run' : undefined
}
