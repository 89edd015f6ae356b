import type { Pairing, RotaryTable } from '../../lib/rotary/table.js'
import { bfloat16ToFloat32, float16ToFloat32, toBfloat16, toFloat16 } from '../../lib/tensors/half.js'
import { Tensor, type TensorType } from '../../lib/tensors/tensor.js'

export const tensorTypes: readonly TensorType[] = ['float32', 'float16', 'bfloat16']

/** Uniform numbers in [0, 1) that depend on the seed alone (mulberry32). */
export function randomNumbers(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** A tensor of numbers in [−size, size). */
export function randomTensor(type: TensorType, dims: readonly number[], seed: number, size = 1): Tensor {
  const next = randomNumbers(seed)
  const length = dims.reduce((product, d) => product * d, 1)
  return Tensor.from(
    type,
    Float64Array.from({ length }, () => size * (2 * next() - 1)),
    dims,
  )
}

/** A table of random angles. */
export function randomTable(
  [heads, tokens, pairs]: readonly [number, number, number],
  pairing: Pairing,
  seed: number,
  attentionFactor = 1,
): RotaryTable {
  const next = randomNumbers(seed)
  const angles = Float64Array.from({ length: heads * tokens * pairs }, () => 2 * Math.PI * next())
  return {
    cos: Float32Array.from(angles, (angle) => attentionFactor * Math.cos(angle)),
    sin: Float32Array.from(angles, (angle) => attentionFactor * Math.sin(angle)),
    shape: [heads, tokens, pairs],
    pairing,
  }
}

/** Rounds to a storage type and back. */
export function roundTo(type: TensorType, value: number): number {
  if (type === 'float32') return Math.fround(value)
  return type === 'float16' ? float16ToFloat32(toFloat16(value)) : bfloat16ToFloat32(toBfloat16(value))
}

/** Largest absolute difference; Infinity where one is NaN and the other is not. */
export function maxError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (actual.length !== expected.length) return Infinity
  let worst = 0
  for (let i = 0; i < actual.length; i++) {
    if (Object.is(actual[i], expected[i])) continue
    const error = Math.abs(actual[i] - expected[i])
    worst = Math.max(worst, Number.isNaN(error) ? Infinity : error)
  }
  return worst
}

/** Rotation as the formula says, channel by channel, in float64 or with every step rounded. */
export function naiveRotate(
  x: Tensor,
  table: RotaryTable,
  pairing: Pairing = table.pairing,
  round: (value: number) => number = (value) => value,
): Float64Array {
  const [tokens, heads, headDim] = x.dims
  const [tableHeads, , pairs] = table.shape
  const values = Float64Array.from(x.toFloat32())
  for (let token = 0; token < tokens; token++) {
    for (let head = 0; head < heads; head++) {
      const tableHead = Math.floor(head / (heads / tableHeads))
      for (let f = 0; f < pairs; f++) {
        const angle = (tableHead * tokens + token) * pairs + f
        const start = (token * heads + head) * headDim
        const first = start + (pairing === 'adjacent' ? 2 * f : f)
        const second = start + (pairing === 'adjacent' ? 2 * f + 1 : f + pairs)
        const [a, b] = [values[first], values[second]]
        values[first] = round(round(a * table.cos[angle]) - round(b * table.sin[angle]))
        values[second] = round(round(b * table.cos[angle]) + round(a * table.sin[angle]))
      }
    }
  }
  return values
}

export interface NaiveAttention {
  q: ArrayLike<number>
  k: ArrayLike<number>
  v: ArrayLike<number>
  queries: number
  keys: number
  heads: number
  kvHeads: number
  headDim: number
  valueDim: number
  /** Whether query row i sees key j. */
  sees: (i: number, j: number) => boolean
  bias?: (head: number, i: number, j: number) => number
  scale?: (i: number) => number
  /** Rounds every intermediate; the identity by default, which makes it the float64 oracle. */
  round?: (value: number) => number
}

/** Attention in three loops over all pairs of tokens; keys that are not seen are skipped. */
export function naiveAttend(request: NaiveAttention): Float64Array {
  const { q, k, v, queries, keys, heads, kvHeads, headDim, valueDim, sees } = request
  const { bias = () => 0, scale = () => 1 / Math.sqrt(headDim), round = (value: number) => value } = request
  const out = new Float64Array(queries * heads * valueDim)
  for (let head = 0; head < heads; head++) {
    const kvHead = Math.floor(head / (heads / kvHeads))
    for (let i = 0; i < queries; i++) {
      const seen: number[] = []
      const scores: number[] = []
      for (let j = 0; j < keys; j++) {
        if (!sees(i, j)) continue
        let dot = 0
        for (let d = 0; d < headDim; d++) {
          dot = round(dot + round(q[(i * heads + head) * headDim + d] * k[(j * kvHeads + kvHead) * headDim + d]))
        }
        seen.push(j)
        scores.push(round(round(dot * round(scale(i))) + bias(head, i, j)))
      }
      const largest = scores.reduce((a, b) => Math.max(a, b), -Infinity)
      if (largest === -Infinity) continue
      const weights = scores.map((score) => round(Math.exp(round(score - largest))))
      const total = weights.reduce((a, b) => round(a + b), 0)
      for (let c = 0; c < valueDim; c++) {
        let sum = 0
        seen.forEach((j, at) => {
          sum = round(sum + round(round(weights[at] / total) * v[(j * kvHeads + kvHead) * valueDim + c]))
        })
        out[(i * heads + head) * valueDim + c] = sum
      }
    }
  }
  return out
}
