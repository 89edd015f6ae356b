import { MropeRangeError, MropeTypeError, show } from '../errors.js'

/** @throws MropeTypeError, MropeRangeError ERR_MROPE_ARGUMENT */
export function checkSeed(caller: string, seed: unknown): number {
  if (typeof seed !== 'number') {
    throw new MropeTypeError('ERR_MROPE_ARGUMENT', `${caller}: seed must be an integer, got ${show(seed)}`, seed)
  }
  if (Number.isSafeInteger(seed) && seed >= 0 && seed < 2 ** 32) return seed
  throw new MropeRangeError('ERR_MROPE_ARGUMENT', `${caller}: seed must be 0 … 2^32 − 1, got ${seed}`, seed)
}

/** Uniform numbers in [0, 1) that depend on the seed alone. mulberry32. */
export function uniforms(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** Standard normal numbers, by Box and Muller. */
export function gaussians(count: number, seed: number): Float64Array {
  const next = uniforms(seed)
  return Float64Array.from({ length: count }, () => {
    return Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next())
  })
}
