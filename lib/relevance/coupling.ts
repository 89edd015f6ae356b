import { MropeRangeError, show } from '../errors.js'
import { asTensor, checkOptions } from '../tensors/check.js'
import { checkNumber, checkWindow } from '../tensors/parameters.js'
import type { Tensor } from '../tensors/tensor.js'
import { linspace } from './channels.js'
import { checkFractions } from './check.js'

/** A part of the picture: borders in 0 … 1 from the top and from the left. */
export type Box = readonly [top: number, left: number, bottom: number, right: number]

/**
 * Parts of a picture that queries name. The bottom-right corner is that of ARR-COC's example, h > 0.7 and w > 0.7; the
 * others follow by symmetry.
 */
export const namedPlaces = {
  'top-left': [0, 0, 0.3, 0.3],
  top: [0, 0, 0.3, 1],
  'top-right': [0, 0.7, 0.3, 1],
  left: [0, 0, 1, 0.3],
  center: [0.3, 0.3, 0.7, 0.7],
  right: [0, 0.7, 1, 1],
  'bottom-left': [0.7, 0, 1, 0.3],
  bottom: [0.7, 0, 1, 1],
  'bottom-right': [0.7, 0.7, 1, 1],
} as const satisfies Readonly<Record<string, Box>>

export type NamedPlace = keyof typeof namedPlaces

export interface CouplingOptions {
  /** How fast the coupling falls outside of the box, in sides of the picture. Default 0.2. */
  readonly spread?: number
}

/**
 * Query–position coupling of every cell of a grid where the query names a place: 1 inside, less with the distance.
 *
 *     exp(−(d / spread)² / 2),   d = distance of [y, x] = linspace(0, 1, n) from the box
 *
 * The text gives the example only, not the formula (unverified). `attentionCoupling` takes learned vectors instead.
 * @param query a name of `namedPlaces`, or a box
 * @returns `(rows · columns)` in raster order, in 0 … 1
 * @throws MropeTypeError ERR_MROPE_ARGUMENT, MropeRangeError ERR_MROPE_ARGUMENT | ERR_MROPE_GRID
 */
export function coupling(
  query: NamedPlace | Box,
  grid: readonly [rows: number, columns: number],
  options: CouplingOptions = {},
): Float32Array {
  const caller = 'coupling'
  checkOptions(caller, options, ['spread'])
  const [top, left, bottom, right] = checkBox(caller, query)
  const [rows, columns] = checkWindow(caller, 'grid', grid)
  const spread = checkNumber(caller, 'spread', options.spread ?? 0.2, 1e-6, 1e6)
  const outside = (at: number, from: number, to: number): number => Math.max(0, from - at, at - to)
  return Float32Array.from({ length: rows * columns }, (_, i) => {
    const down = outside(linspace(Math.floor(i / columns), rows), top, bottom)
    const across = outside(linspace(i % columns, columns), left, right)
    return Math.exp(-(down * down + across * across) / (2 * spread * spread))
  })
}

export interface AttentionCouplingOptions {
  /**
   * `attention`: mean over queries and heads of `softmax over the cells of q·k / sqrt(headDim)`; the sum is 1.
   * `cosine`: mean over queries and heads of `(cos(q, k) + 1) / 2`.
   */
  readonly score?: 'attention' | 'cosine'
}

/**
 * Query–position coupling from vectors: what the query's tokens attend to among the cells. Rotate queries and keys by
 * their positions first (`rotate`), and the coupling knows places as the model does. Its projections are learned and
 * not part of mrope. Source: ARR-COC-0-1 knowing.py as quoted (unverified): cosine, and cross-attention in the text.
 * @param query `(tokens, heads, headDim)`
 * @param keys `(cells, kvHeads, headDim)`; kvHeads divides heads
 * @returns one number for each cell
 * @throws MropeTypeError ERR_MROPE_ARGUMENT, MropeRangeError ERR_MROPE_SHAPE | ERR_MROPE_HEADS | ERR_MROPE_ARGUMENT
 */
export function attentionCoupling(query: Tensor, keys: Tensor, options: AttentionCouplingOptions = {}): Float32Array {
  const caller = 'attentionCoupling'
  checkOptions(caller, options, ['score'])
  const { score = 'attention' } = options
  if (score !== 'attention' && score !== 'cosine') {
    const text = `${caller}: score is attention or cosine, got ${show(score)}`
    throw new MropeRangeError('ERR_MROPE_ARGUMENT', text, score)
  }
  const q = asTensor(caller, 'query', query, 3)
  const k = asTensor(caller, 'keys', keys, 3)
  const [tokens, heads, headDim] = q.dims
  const [cells, kvHeads, keyDim] = k.dims
  if (tokens < 1 || heads < 1 || headDim < 1 || keyDim !== headDim) {
    const text = `${caller}: query has dims ${show(q.dims)}, keys ${show(k.dims)}: both need one headDim, and query a token`
    throw new MropeRangeError('ERR_MROPE_SHAPE', text, k.dims)
  }
  if (kvHeads < 1 || heads % kvHeads !== 0) {
    const text = `${caller}: query has ${heads} heads, which ${kvHeads} heads of keys do not divide`
    throw new MropeRangeError('ERR_MROPE_HEADS', text, kvHeads)
  }
  const [qs, ks] = [q.toFloat32(), k.toFloat32()]
  const sums = new Float64Array(cells)
  const scores = new Float64Array(cells)
  for (let row = 0; row < tokens * heads; row++) {
    const head = Math.floor((row % heads) / (heads / kvHeads))
    const from = qs.subarray(row * headDim, (row + 1) * headDim)
    for (let cell = 0; cell < cells; cell++) {
      const start = (cell * kvHeads + head) * headDim
      scores[cell] = pairScore(from, ks.subarray(start, start + headDim), score)
      if (!Number.isFinite(scores[cell])) {
        const text = `${caller}: the score of query row ${row} and cell ${cell} is ${scores[cell]}`
        throw new MropeRangeError('ERR_MROPE_ARGUMENT', text, scores[cell])
      }
    }
    if (score === 'attention') softmax(scores)
    for (let cell = 0; cell < cells; cell++) sums[cell] += scores[cell]
  }
  return Float32Array.from(sums, (sum) => sum / (tokens * heads))
}

function pairScore(q: Float32Array, k: Float32Array, score: 'attention' | 'cosine'): number {
  let [dot, qq, kk] = [0, 0, 0]
  for (let i = 0; i < q.length; i++) {
    dot += q[i] * k[i]
    qq += q[i] * q[i]
    kk += k[i] * k[i]
  }
  if (score === 'attention') return dot / Math.sqrt(q.length)
  // A vector of zeros has no direction: neither near nor far. Rounding must not take a cosine out of its range.
  if (qq === 0 || kk === 0) return 0.5
  const cosine = dot / (Math.sqrt(qq) * Math.sqrt(kk))
  return Number.isNaN(cosine) ? cosine : (Math.min(1, Math.max(-1, cosine)) + 1) / 2
}

function softmax(scores: Float64Array): void {
  const largest = scores.reduce((a, b) => Math.max(a, b), -Infinity)
  let sum = 0
  for (let i = 0; i < scores.length; i++) {
    scores[i] = Math.exp(scores[i] - largest)
    sum += scores[i]
  }
  for (let i = 0; i < scores.length; i++) scores[i] /= sum
}

function checkBox(caller: string, query: unknown): Box {
  if (typeof query === 'string') {
    if (Object.hasOwn(namedPlaces, query)) return namedPlaces[query as NamedPlace]
    const text = `${caller}: the place is one of ${Object.keys(namedPlaces).join(', ')}, got ${show(query)}`
    throw new MropeRangeError('ERR_MROPE_ARGUMENT', text, query)
  }
  const [top, left, bottom, right] = checkFractions(caller, 'query', query, ['top', 'left', 'bottom', 'right'])
  if (top <= bottom && left <= right) return [top, left, bottom, right]
  const text = `${caller}: query has its top above its bottom and its left before its right, got ${show(query)}`
  throw new MropeRangeError('ERR_MROPE_ARGUMENT', text, query)
}
