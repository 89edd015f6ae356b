import { float16ToFloat32, toFloat16 } from '../../lib/tensors/half.js'
import type { TensorType } from '../../lib/tensors/tensor.js'

/** What every contestant does in one run; plain data, so that it can be sent to another process. */
export interface Problem {
  /**
   * `attend`: rotate all of q and k, attend. `decode`: rotate one query and one key, put the key and the value at the
   * end of the cache, attend. `rotate`: rotate q and k.
   */
  readonly work: 'attend' | 'decode' | 'rotate'
  /** Tokens; for `decode` those of the cache, the new one included. */
  readonly tokens: number
  readonly heads: number
  readonly kvHeads: number
  readonly headDim: number
  readonly causal: boolean
  /** A rotation writes over what it reads, where a library can do that. */
  readonly inPlace?: boolean
  /** Consecutive tokens that see one another and no others; all by default. */
  readonly segment?: number
  /** Lengths of the segments, where they differ. */
  readonly segments?: readonly number[]
  /** `text`: one id per token. `grid`: row and column of a picture 32 patches wide, half of the pairs each. */
  readonly positions: 'text' | 'grid'
  /** Storage of q, k and v and of what comes out; float32 by default. */
  readonly type?: Storage
  /** Storage of the keys and values of `decode`, where it is another one. */
  readonly cache?: Storage
  /**
   * Runs that are given to a library before one wait, as the layers of a model are; one by default. All read the same
   * q, k and v; each has outputs of its own, and for `decode` a cache of its own.
   */
  readonly queue?: number
}

export type Storage = TensorType & ('float32' | 'float16')

export function storageOf({ type = 'float32', cache = type }: Problem): {
  readonly type: Storage
  readonly cache: Storage
} {
  return { type, cache }
}

/** The first token of every segment, and the end of the last one. */
export function bordersOf({ tokens, segment = tokens, segments }: Problem): number[] {
  const borders = [0]
  for (let i = 0; borders[i] < tokens; i++) borders.push(borders[i] + (segments?.[i] ?? segment))
  return borders
}

export const gridWidth = 32
export const textBase = 1e6
export const gridBase = 1e4

export interface Inputs {
  /** `(queries, heads, headDim)`; one query for `decode`, the last token. */
  readonly q: Float32Array
  /** `(tokens, kvHeads, headDim)`. For `decode` all keys but the last are rotated, and rounded as the cache stores them. */
  readonly k: Float32Array
  /** `(tokens, kvHeads, headDim)` */
  readonly v: Float32Array
  /** `(tokens, headDim / 2)`, half-split */
  readonly cos: Float32Array
  readonly sin: Float32Array
}

/** The same numbers in every process. */
export function inputsOf(problem: Problem): Inputs {
  const { tokens, heads, kvHeads, headDim, work } = problem
  const { type, cache } = storageOf(problem)
  const pairs = headDim / 2
  const cos = new Float32Array(tokens * pairs)
  const sin = new Float32Array(cos.length)
  for (let token = 0, i = 0; token < tokens; token++) {
    for (let f = 0; f < pairs; f++, i++) {
      const angle = angleOf(problem, token, f)
      cos[i] = Math.cos(angle)
      sin[i] = Math.sin(angle)
    }
  }
  const q = numbers((work === 'decode' ? 1 : tokens) * heads * headDim, 1)
  const k = numbers(tokens * kvHeads * headDim, 2)
  const v = numbers(tokens * kvHeads * headDim, 3)
  if (type === 'float16') [q, k, v].forEach(roundToHalf)
  if (work === 'decode') {
    const newRow = (tokens - 1) * kvHeads
    for (let row = 0; row < newRow; row++) {
      k.set(turned(problem, k, row, Math.floor(row / kvHeads)), row * headDim)
    }
    if (cache === 'float16') {
      roundToHalf(k.subarray(0, newRow * headDim))
      roundToHalf(v)
    }
  }
  return { q, k, v, cos, sin }
}

/** The angle of a token and a pair, in radians. */
export function angleOf({ positions, headDim }: Problem, token: number, pair: number): number {
  if (positions === 'text') return token * textBase ** ((-2 * pair) / headDim)
  const half = headDim / 4
  const id = pair < half ? Math.floor(token / gridWidth) : token % gridWidth
  return id * gridBase ** ((-4 * (pair % half)) / headDim)
}

/** One rotated vector, half-split, in float64. */
export function turned(problem: Problem, from: Float32Array, row: number, token: number): Float64Array {
  const { headDim } = problem
  const pairs = headDim / 2
  const line = new Float64Array(headDim)
  for (let f = 0, i = row * headDim; f < pairs; f++, i++) {
    const angle = angleOf(problem, token, f)
    const [c, s] = [Math.cos(angle), Math.sin(angle)]
    line[f] = from[i] * c - from[i + pairs] * s
    line[f + pairs] = from[i + pairs] * c + from[i] * s
  }
  return line
}

/** Multiplications and additions of the attention, two per product; the rotation is not counted. */
export function flopOf(problem: Problem): number {
  const { work, tokens, heads, headDim, causal } = problem
  if (work === 'rotate') return 0
  const borders = bordersOf(problem)
  const lengths = borders.slice(1).map((end, i) => end - borders[i])
  const pairs = lengths.reduce((sum, length) => sum + length * (causal ? (length + 1) / 2 : length), 0)
  return 4 * (work === 'decode' ? tokens : pairs) * heads * headDim
}

/** Bytes that have to be read and written at least. */
export function bytesOf(problem: Problem): number {
  const { work, tokens, heads, kvHeads, headDim } = problem
  const { type, cache } = storageOf(problem)
  if (work === 'decode') return 2 * tokens * kvHeads * headDim * bytesPer[cache]
  return 2 * tokens * (heads + kvHeads) * headDim * bytesPer[type]
}

const bytesPer: Readonly<Record<Storage, number>> = { float32: 4, float16: 2 }

export function halves(values: Float32Array): Uint16Array {
  return Uint16Array.from(values, toFloat16)
}

function numbers(length: number, seed: number): Float32Array {
  const data = new Float32Array(length)
  let state = seed
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0
    data[i] = state / 2 ** 31
  }
  return data
}

function roundToHalf(values: Float32Array): void {
  for (let i = 0; i < values.length; i++) values[i] = halfOf(values[i])
}

function halfOf(value: number): number {
  return float16ToFloat32(toFloat16(value))
}
