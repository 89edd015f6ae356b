import type { Encoding } from '../encodings/encoding.js'
import { MropeRangeError, MropeTypeError, show } from '../errors.js'
import { checkOptions, isArrayLike } from '../tensors/check.js'
import { checkEncoding } from './options.js'

export interface DecayOptions {
  /** Differences of ids. Default: powers of 4 from 1 to 65536. */
  readonly distances?: readonly number[]
}

/** How an upper bound of attention falls with the distance along one axis; 1 at distance 0. */
export interface DecayCurve {
  /** Name of the axis; `text` is all axes together, as text moves. */
  readonly axis: string
  /** Pairs that turn, of one head. Without any, nothing decays. */
  readonly pairs: number
  readonly values: readonly number[]
}

export interface Decay {
  readonly distances: readonly number[]
  readonly text: DecayCurve
  readonly axes: readonly DecayCurve[]
}

/** Powers of 4, from one token to a long context. */
export const usualDistances: readonly number[] = Array.from({ length: 9 }, (_, i) => 4 ** i)

const farthest = 2 ** 53

/**
 * `B(Δ) / B(0)` with `B(Δ) = 1/n · Σ_{j=1..n} |Σ_{k<j} exp(iΔθ_k)|`: by Abel summation no score of a query with a key at
 * distance Δ is above the largest step between neighbouring products of channels times n · B(Δ). It bounds attention
 * and is not attention: compare shapes only. The order of the frequencies counts.
 *
 * @param frequencies radians a position, in the order of the pairs
 * @throws MropeTypeError, MropeRangeError ERR_MROPE_ARGUMENT
 * @see RoFormer, arXiv 2104.09864, section 3.4.3; arXiv 2510.23095, appendix D.2
 */
export function decayBound(frequencies: ArrayLike<number>, distance: number): number {
  if (!isArrayLike(frequencies) || !Array.prototype.every.call(frequencies, Number.isFinite)) {
    const message = `decayBound: frequencies must be a list of finite numbers, got ${show(frequencies)}`
    throw new MropeTypeError('ERR_MROPE_ARGUMENT', message, frequencies)
  }
  checkDistance('decayBound', distance)
  return bound(frequencies, distance)
}

/**
 * Decay along every axis of an encoding: the pairs of this axis alone, with no distance on the others. Where heads
 * differ, those of the first head that has the axis.
 *
 * @throws MropeTypeError, MropeRangeError ERR_MROPE_ARGUMENT
 */
export function decay(encoding: Encoding, options: DecayOptions = {}): Decay {
  checkEncoding('decay', 'encoding', encoding)
  checkOptions('decay', options, ['distances'])
  const distances = readDistances('decay', options.distances)
  const curve = (axis: string, frequencies: number[]): DecayCurve => ({
    axis,
    pairs: frequencies.length,
    values: distances.map((distance) => bound(frequencies, distance)),
  })
  const { axes } = encoding
  return {
    distances,
    text: curve(
      'text',
      turning(encoding, () => true),
    ),
    axes: axes.map((name, a) =>
      curve(
        name,
        turning(encoding, (axis) => axis === a),
      ),
    ),
  }
}

/** Frequencies other than 0 along a set of axes, of the first head that has any. */
function turning({ allocation, invFreq }: Encoding, wanted: (axis: number) => boolean): number[] {
  const { axes, axisOf, directions, heads, pairs } = allocation
  for (let head = 0; head < heads; head++) {
    const own: number[] = []
    for (let f = 0; f < pairs; f++) {
      const at = head * pairs + f
      let weight = 0
      for (let a = 0; a < axes; a++) {
        if (wanted(a)) weight += directions ? directions[at * axes + a] : axisOf[at] === a ? 1 : 0
      }
      if (weight * invFreq[f] !== 0) own.push(weight * invFreq[f])
    }
    if (own.length > 0) return own
  }
  return []
}

function bound(frequencies: ArrayLike<number>, distance: number): number {
  const n = frequencies.length
  if (n === 0) return 1
  let [real, imaginary, sum] = [0, 0, 0]
  for (let k = 0; k < n; k++) {
    const angle = distance * frequencies[k]
    real += Math.cos(angle)
    imaginary += Math.sin(angle)
    sum += Math.hypot(real, imaginary)
  }
  return sum / ((n * (n + 1)) / 2)
}

/** @throws MropeTypeError, MropeRangeError ERR_MROPE_ARGUMENT for anything but a list of distances */
export function readDistances(caller: string, distances: unknown = usualDistances): readonly number[] {
  if (!Array.isArray(distances) || distances.length === 0) {
    const message = `${caller}: distances must be a list of numbers, got ${show(distances)}`
    throw new MropeTypeError('ERR_MROPE_ARGUMENT', message, distances)
  }
  // Array.from, because a loop of forEach would leave the holes of a sparse list unchecked.
  return Array.from(distances, (distance) => checkDistance(caller, distance))
}

function checkDistance(caller: string, distance: unknown): number {
  if (typeof distance !== 'number') {
    const message = `${caller}: a distance must be a number, got ${show(distance)}`
    throw new MropeTypeError('ERR_MROPE_ARGUMENT', message, distance)
  }
  if (Math.abs(distance) <= farthest) return distance
  const message = `${caller}: a distance must be at most 2^53, got ${distance}`
  throw new MropeRangeError('ERR_MROPE_ARGUMENT', message, distance)
}
