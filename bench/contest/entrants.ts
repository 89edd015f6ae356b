import { flopOf, type Problem, storageOf } from './problem.js'

/** A problem that mrope and its peers do against each other. */
export interface Contest {
  readonly name: string
  /** The backend of mrope; the peers are those for the same processor. */
  readonly backend: 'cpu' | 'metal'
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

type Entrants = Readonly<Record<Contest['backend'], readonly Entrant[]>>

/** What nobody would choose on a machine with the others is measured in short. */
const briefly = 1500

export const ours: Readonly<Record<Contest['backend'], Entrant>> = {
  cpu: { name: 'mrope', file: './mrope.ts', budget: 0 },
  metal: { name: 'mrope', file: './mrope-metal.ts', budget: 0 },
}

/*
 * What is fair between libraries on a GPU. Each is given `queue` runs, as the layers of a model, in the way that its
 * own interface has for that, and is waited for once; what counts is the wall time of the queue, divided by its runs.
 * MLX gets one lazy graph, ggml one graph, mrope all calls before the first is awaited. Inputs, outputs and caches stay
 * on the device, except with ONNX Runtime, which in Node.js takes and gives host memory, copies it, and has no queue.
 * None of the peers tells GPUStartTime and GPUEndTime, so no ratio is made from them: the time of the GPU is a figure
 * beside, of mrope only, and shows what its calls cost above it.
 */
export const peers: Entrants = {
  cpu: [
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
  ],
  metal: [
    { name: 'MLX', file: '../peers/mlx-python.ts', budget: 5000 },
    { name: 'MLX in Node.js', file: '../peers/mlx.ts', budget: 2500 },
    { name: 'ggml-metal', file: '../peers/ggml-metal.ts', budget: 5000 },
    { name: 'onnxruntime webgpu', file: '../peers/onnxruntime-webgpu.ts', budget: briefly, absent: uneven },
    {
      name: 'onnxruntime coreml',
      file: '../peers/onnxruntime-coreml.ts',
      budget: briefly,
      absent: (contest) => uneven(contest) ?? unfit(contest),
    },
  ],
}

function uneven({ problem }: Contest): string | undefined {
  return problem.segments && 'its segments are batches, of one length'
}

function unfit({ problem }: Contest): string | undefined {
  if (problem.work === 'decode') return 'Core ML wants shapes that never change'
  return problem.work === 'attend' && problem.causal ? 'it would compute the masked half too' : undefined
}

/** Without threads and without SIMD or with little of it. */
function slow({ threads, problem }: Contest, most: number): string | undefined {
  if (threads > 1) return 'one thread only'
  if (storageOf(problem).cache === 'float16') return 'float32 only'
  return flopOf(problem) > most ? 'would take seconds a run' : undefined
}
