import type { AttentionBias } from '../../lib/biases/bias.js'
import { biases } from '../../lib/biases/index.js'
import { randomNumbers, randomTensor } from './tensors.js'

export interface BiasCase {
  readonly name: string
  /** A bias for `heads` query heads of dim `headDim` over `tokens` tokens, with random parameters. */
  make(sizes: { heads: number; headDim: number; tokens: number }): AttentionBias
}

const numbers = (seed: number, count: number): number[] => Array.from({ length: count }, randomNumbers(seed))

/** Examples of every entry of `biases`. A new one is tested by having an example here, and a test asks for it. */
export const biasExamples: Readonly<Record<keyof typeof biases, readonly BiasCase['make'][]>> = {
  alibi: [({ heads }) => biases.alibi({ heads })],
  bloom: [({ heads }) => biases.bloom({ heads })],
  mpt: [({ heads }) => biases.mpt({ heads }), ({ heads }) => biases.mpt({ heads, biasMax: 4 })],
  t5: [
    ({ heads }) => biases.t5({ table: randomTensor('float32', [32, heads], 1) }),
    ({ heads }) =>
      biases.t5({
        table: randomTensor('bfloat16', [9, heads], 2),
        buckets: 9,
        maxDistance: 21,
        bidirectional: false,
      }),
  ],
  kerpleLog: [({ heads }) => biases.kerpleLog({ p: numbers(3, heads), a: numbers(4, heads) })],
  kerplePower: [({ heads }) => biases.kerplePower({ p: numbers(5, heads), a: numbers(6, heads) })],
  kerpleWeight: [({ heads }) => biases.kerpleWeight({ p: numbers(20, heads), a: numbers(21, heads) })],
  cable: [({ heads, tokens }) => biases.cable({ gates: randomTensor('float16', [tokens, heads], 7) })],
  fire: [1000, 8].map((threshold) => ({ heads }) => {
    const [a, b, c] = [randomTensor('float32', [6, 1], 8), randomTensor('float32', [6, 6], 9), [heads, 6]]
    return biases.fire({ weights: [a, b, randomTensor('float32', c, 10)], threshold })
  }),
  swin: [({ heads }) => biases.swin({ window: [3, 5], table: randomTensor('float32', [5 * 9, heads], 11) })],
  swinV2: [
    ({ heads }) =>
      biases.swinV2({
        window: [5, 2],
        pretrainedWindow: [3, 4],
        weight0: randomTensor('float32', [16, 2], 12),
        bias0: randomTensor('float32', [16], 13),
        weight2: randomTensor('float32', [heads, 16], 14),
      }),
  ],
  beit: [({ heads }) => biases.beit({ window: [3, 4], from: [2, 3], table: randomTensor('float32', [18, heads], 15) })],
  shaw: [({ headDim }) => biases.shaw({ embeddings: randomTensor('float32', [12, headDim], 16), left: 8, right: 3 })],
  transformerXL: [
    ({ heads, headDim, tokens }) =>
      biases.transformerXL({
        relative: randomTensor('float32', [2 * tokens + 3, heads, headDim], 17, 0.5),
        farthest: tokens + 1,
        u: randomTensor('float32', [heads, headDim], 18, 0.5),
        v: randomTensor('float32', [heads, headDim], 19, 0.5),
      }),
  ],
}

export const biasCases: readonly BiasCase[] = Object.entries(biasExamples).flatMap(([name, makes]) =>
  makes.map((make, i) => ({ name: i === 0 ? name : `${name} (${i + 1})`, make })),
)
