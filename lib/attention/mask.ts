import { MropeRangeError, MropeTypeError, show } from '../errors.js'
import { checkCount, checkOptions, isArrayLike } from '../tensors/check.js'

export interface MaskOptions {
  /** A query sees only keys up to its own index in the sequence. Rope ids play no part. */
  readonly causal: boolean
  /** Sliding window: causal, a query sees the last `window` keys, itself included; otherwise keys with |i − j| < window. */
  readonly window?: number
  /** Borders of packed segments, from 0 to the number of tokens; a token sees only its own segment. Segments may be empty. */
  readonly cuSeqlens?: ArrayLike<number>
  /**
   * Left padding of the sequence: its first `padding` keys are invisible and its first `padding` queries give zeros. May
   * be more than there are keys, in the first chunks of a prefill.
   */
  readonly padding?: number
}

export type Mask = 'causal' | 'bidirectional' | MaskOptions

/** Every mask of `Mask` leaves a query one run of keys: query i sees `first[i] ≤ key < end[i]`, nothing if they are equal. */
export interface VisibleKeys {
  readonly first: Int32Array
  readonly end: Int32Array
}

/**
 * Resolves a mask. Query i is token `queryOffset + i` of the sequence, key j is token j.
 *
 * @throws MropeTypeError ERR_MROPE_ARGUMENT, MropeRangeError ERR_MROPE_ARGUMENT, ERR_MROPE_SEGMENT
 */
export function visibleKeys(mask: Mask | undefined, queries: number, keys: number, queryOffset: number): VisibleKeys {
  return new Ranges(checkMask(mask, queries, keys), queries, keys, queryOffset)
}

/** The ranges of a checked mask, made when they are asked for: native kernels make their own. */
class Ranges implements VisibleKeys {
  readonly #make: () => VisibleKeys
  #made: VisibleKeys | undefined

  constructor(mask: CheckedMask, queries: number, keys: number, queryOffset: number) {
    this.#make = () => rangesOf(mask, queries, keys, queryOffset)
  }

  get first(): Int32Array {
    this.#made ??= this.#make()
    return this.#made.first
  }

  get end(): Int32Array {
    this.#made ??= this.#make()
    return this.#made.end
  }
}

function rangesOf(mask: CheckedMask, queries: number, keys: number, queryOffset: number): VisibleKeys {
  const { causal, window, padding, cuSeqlens } = mask
  const first = new Int32Array(queries)
  const end = new Int32Array(queries).fill(keys)
  for (let query = 0, segment = 0; query < queries; query++) {
    const token = queryOffset + query
    let from = padding
    let to = token < padding ? 0 : keys
    if (causal) to = Math.min(to, token + 1)
    if (window !== undefined) {
      from = Math.max(from, token - window + 1)
      to = Math.min(to, token + window)
    }
    if (cuSeqlens !== undefined) {
      while (cuSeqlens[segment + 1] <= token) segment++
      from = Math.max(from, cuSeqlens[segment])
      to = Math.min(to, cuSeqlens[segment + 1])
    }
    first[query] = from
    end[query] = Math.max(from, to)
  }
  return { first, end }
}

/** True when the mask depends on where in the sequence the queries stand. */
export function isPositional(mask: Mask | undefined): boolean {
  if (mask === 'bidirectional') return false
  if (typeof mask !== 'object' || mask === null) return true
  return (
    mask.causal !== false || mask.window !== undefined || mask.cuSeqlens !== undefined || mask.padding !== undefined
  )
}

interface CheckedMask {
  causal: boolean
  window?: number
  padding: number
  cuSeqlens?: Float64Array
}

function checkMask(mask: Mask | undefined, queries: number, keys: number): CheckedMask {
  if (mask === undefined || mask === 'causal') return { causal: true, padding: 0 }
  if (mask === 'bidirectional') return { causal: false, padding: 0 }
  if (typeof mask !== 'object' || mask === null) {
    const text = `attend: mask must be 'causal', 'bidirectional' or an object, got ${show(mask)}`
    throw new MropeTypeError('ERR_MROPE_ARGUMENT', text, mask)
  }
  checkOptions('attend: mask', mask, ['causal', 'window', 'cuSeqlens', 'padding'])
  if (typeof mask.causal !== 'boolean') {
    const text = `attend: mask.causal must be true or false, got ${show(mask.causal)}`
    throw new MropeTypeError('ERR_MROPE_ARGUMENT', text, mask.causal)
  }
  const window = mask.window === undefined ? undefined : checkCount('attend', 'mask.window', mask.window, 1)
  const padding = mask.padding === undefined ? 0 : checkCount('attend', 'mask.padding', mask.padding)
  if (mask.cuSeqlens === undefined) return { causal: mask.causal, window, padding }
  if (queries !== keys) {
    const text = `attend: mask.cuSeqlens needs as many queries as keys, got ${queries} and ${keys}`
    throw new MropeRangeError('ERR_MROPE_SEGMENT', text, queries)
  }
  return { causal: mask.causal, window, padding, cuSeqlens: checkSegments(mask.cuSeqlens, keys) }
}

function checkSegments(cuSeqlens: ArrayLike<number>, keys: number): Float64Array {
  if (!isArrayLike(cuSeqlens)) {
    const text = `attend: mask.cuSeqlens must be an array of integers, got ${show(cuSeqlens)}`
    throw new MropeTypeError('ERR_MROPE_ARGUMENT', text, cuSeqlens)
  }
  const count = cuSeqlens.length
  for (let i = 0; i < count; i++) {
    const border = cuSeqlens[i]
    if (!Number.isSafeInteger(border) || border < (i === 0 ? 0 : cuSeqlens[i - 1])) {
      const text = `attend: mask.cuSeqlens must be integers that never fall, entry ${i} is ${show(border)}`
      throw new MropeRangeError('ERR_MROPE_SEGMENT', text, border)
    }
  }
  if (count === 0 || cuSeqlens[0] !== 0 || cuSeqlens[count - 1] !== keys) {
    const text = `attend: mask.cuSeqlens must go from 0 to the number of keys ${keys}, got ${show(cuSeqlens)}`
    throw new MropeRangeError('ERR_MROPE_SEGMENT', text, cuSeqlens)
  }
  return Float64Array.from(cuSeqlens)
}
