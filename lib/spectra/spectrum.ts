import { MropeRangeError, show } from '../errors.js'

/**
 * The frequencies of a scheme, as explicit numbers. Nothing recomputes them from a base: orders differ between schemes.
 */
export interface Spectrum {
  readonly name: string
  /** Radians a position, one for each pair; zero does not turn. float64. */
  readonly invFreq: Float64Array
  /** Multiplies cos and sin, so logits are scaled by its square. */
  readonly attentionFactor: number
  /** The numbers it was made from. */
  readonly parameters: Readonly<Record<string, unknown>>
  /**
   * Schemes that change with the length (dynamic NTK, LongRoPE): the spectrum for a largest position id of `length` − 1.
   * Keys rotated by one must never meet queries rotated by another: fix the length before the first key is cached.
   */
  readonly atLength?: (length: number) => Spectrum
}

export interface Geometric {
  /** `rope_theta`. */
  readonly base: number
  /** Rotary dimension: twice the number of pairs. */
  readonly dim: number
}

/** `base^(−2i/dim)`, i = 0 … dim/2 − 1. */
export function geometric({ base, dim }: Geometric, pairs = dim / 2): Float64Array {
  checkGeometric({ base, dim })
  return Float64Array.from({ length: pairs }, (_, i) => base ** ((-2 * i) / dim))
}

export function checkGeometric({ base, dim }: Geometric): void {
  if (!(Number.isFinite(base) && base > 0)) {
    throw new MropeRangeError('ERR_MROPE_CONFIG', `spectrum: the base is a positive number, got ${show(base)}`, base)
  }
  if (!Number.isSafeInteger(dim) || dim < 0 || dim % 2 !== 0 || dim > 65536) {
    const message = `spectrum: the rotary dimension is even, from 0 to 65536, got ${show(dim)}`
    throw new MropeRangeError('ERR_MROPE_CONFIG', message, dim)
  }
}

export function checkPositive(value: unknown, name: string): number {
  if (typeof value !== 'number' || !Number.isFinite(value) || value <= 0) {
    throw new MropeRangeError('ERR_MROPE_CONFIG', `spectrum: ${name} is a positive number, got ${show(value)}`, value)
  }
  return value
}

export function spectrum(
  name: string,
  invFreq: Float64Array,
  parameters: Record<string, unknown>,
  attentionFactor = 1,
): Spectrum {
  return { name, invFreq, attentionFactor, parameters: Object.freeze(parameters) }
}
