import { MropeRangeError, MropeTypeError, show } from '../errors.js'

/**
 * Which axis turns which pair: the direction weights `u[h][f][a]` of the one formula
 *
 *     angle(h, n, f) = inv[f] · Σ_a u[h][f][a] · P[a][n]
 *
 * One-hot weights are an axis map; pairs that do not turn have axis −1. Dense weights are `directions`.
 */
export interface Allocation {
  readonly name: string
  readonly axes: number
  readonly pairs: number
  /** 1 when all heads are alike, otherwise the number of KV heads. */
  readonly heads: number
  /** Axis of each pair, `(heads × pairs)`; −1 does not turn. */
  readonly axisOf: Int8Array
  /** Dense weights `(heads × pairs × axes)`, where no single axis turns a pair. Then `axisOf` is not used. */
  readonly directions?: Float64Array
  /** Index into the list of frequencies of each pair, where pairs do not take them in order. */
  readonly frequencyOf?: Int32Array
}

/** An allocation in which all heads are alike, from the axis of each pair. */
export function axisMap(
  name: string,
  axes: number,
  axisOf: ArrayLike<number>,
  frequencyOf?: ArrayLike<number>,
): Allocation {
  return {
    name,
    axes,
    pairs: axisOf.length,
    heads: 1,
    axisOf: Int8Array.from(axisOf),
    ...(frequencyOf ? { frequencyOf: Int32Array.from(frequencyOf) } : {}),
  }
}

/** Half of the largest rotary dimension. */
const maxPairs = 32768

/**
 * Sections as whole, non-negative numbers of pairs.
 * @throws MropeRangeError ERR_MROPE_SECTIONS when they are not, or do not sum to `pairs`
 */
export function checkSections(sections: readonly number[], pairs: number, name: string): void {
  checkPairs(pairs, name)
  const whole = areCounts(sections) && sections.length > 0
  const sum = whole ? sections.reduce((total, n) => total + n, 0) : Number.NaN
  if (sum !== pairs) {
    const message = `${name}: sections ${show(sections)} must be whole numbers that sum to ${pairs} pairs, half the rotary dimension`
    throw new MropeRangeError('ERR_MROPE_SECTIONS', message, sections)
  }
}

/** Whether a value is a list of whole numbers that are not negative, without holes. */
export function areCounts(list: unknown): list is readonly number[] {
  return Array.isArray(list) && Array.from(list).every((n) => Number.isSafeInteger(n) && n >= 0)
}

/** @throws MropeRangeError ERR_MROPE_SECTIONS for anything but a whole number of pairs that a head can have */
export function checkPairs(pairs: number, name: string): number {
  if (Number.isSafeInteger(pairs) && pairs >= 0 && pairs <= maxPairs) return pairs
  const message = `${name}: the number of pairs is an integer from 0 to ${maxPairs}, got ${show(pairs)}`
  throw new MropeRangeError('ERR_MROPE_SECTIONS', message, pairs)
}

/**
 * Holds the parts of an allocation against each other, for those that are not made here.
 * @throws MropeTypeError ERR_MROPE_ARGUMENT, MropeRangeError ERR_MROPE_SECTIONS
 */
export function checkAllocation(allocation: Allocation): void {
  const { name, axes, pairs, heads, axisOf, directions, frequencyOf } = Object(allocation) as Allocation
  if (!(axisOf instanceof Int8Array) || (directions !== undefined && !(directions instanceof Float64Array))) {
    const text = `allocation: expected one of allocations.…(), got ${show(allocation)}`
    throw new MropeTypeError('ERR_MROPE_ARGUMENT', text, allocation)
  }
  checkPairs(pairs, name)
  const wrong = (what: string, value: unknown): MropeRangeError =>
    new MropeRangeError('ERR_MROPE_SECTIONS', `allocation ${name}: ${what}, got ${show(value)}`, value)
  if (!Number.isSafeInteger(heads) || heads < 1) throw wrong('heads is a positive integer', heads)
  if (axisOf.length !== heads * pairs) throw wrong(`axisOf has ${heads} × ${pairs} entries`, axisOf.length)
  const axis = axisOf.find((a) => a < -1 || a >= axes)
  if (axis !== undefined) throw wrong(`axisOf is from −1 to ${axes - 1}`, axis)
  if (directions && directions.length !== heads * pairs * axes) {
    throw wrong(`directions has ${heads} × ${pairs} × ${axes} entries`, directions.length)
  }
  if (!frequencyOf) return
  if (frequencyOf.length !== pairs) throw wrong(`frequencyOf has ${pairs} entries`, frequencyOf.length)
  const frequency = frequencyOf.find((f) => f < 0 || f >= pairs)
  if (frequency !== undefined) throw wrong(`frequencyOf is from 0 to ${pairs - 1}`, frequency)
}

/** One letter for each pair, in the order of the frequencies: `THWTHW…`; `-` does not turn. Heads are separated by `|`. */
export function axisLetters({ axisOf, directions, heads, pairs }: Allocation, axes: readonly string[]): string {
  if (directions) return 'dense'
  const letter = (axis: number): string => (axis < 0 ? '-' : axes[axis].toUpperCase())
  return Array.from({ length: heads }, (_, h) =>
    Array.from(axisOf.subarray(h * pairs, (h + 1) * pairs), letter).join(''),
  ).join('|')
}
