import { MropeRangeError, MropeTypeError, show } from '../errors.js'

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
  /**
   * `float32`: every step is rounded to float32, as the buffers of transformers are made; those differ from the formula by
   * up to 3e-7 relative, which is 1e-5 in cos at position 150. Default `float64`.
   */
  readonly precision?: 'float64' | 'float32'
}

const f32 = Math.fround

/** `base^(−2i/dim)`, i = 0 … dim/2 − 1. */
export function geometric({ base, dim, precision = 'float64' }: Geometric): Float64Array {
  checkGeometric({ base, dim })
  return Float64Array.from({ length: dim / 2 }, (_, i) =>
    precision === 'float32' ? f32(1 / f32(base ** f32((2 * i) / dim))) : base ** ((-2 * i) / dim),
  )
}

/** Options that are not numbers, by name. */
const kinds: Readonly<Record<string, (value: unknown) => boolean>> = {
  truncate: (value) => typeof value === 'boolean',
  range: (value) => typeof value === 'string',
  precision: (value) => value === 'float64' || value === 'float32',
  shortFactor: Array.isArray,
  longFactor: Array.isArray,
}

/** Numbers of a spectrum come as one object. @throws MropeTypeError ERR_MROPE_ARGUMENT */
export function checkOptions<O extends object>(options: O, name: string): O {
  if (typeof options !== 'object' || options === null) {
    const message = `${name}: expected an object of numbers, got ${show(options)}`
    throw new MropeTypeError('ERR_MROPE_ARGUMENT', message, options)
  }
  for (const [key, value] of Object.entries(options)) {
    const isKind = Object.hasOwn(kinds, key) ? kinds[key] : (x: unknown) => typeof x === 'number'
    if (value === undefined || isKind(value)) continue
    const message = `${name}: ${key} cannot be ${show(value)}`
    throw new MropeTypeError('ERR_MROPE_ARGUMENT', message, value)
  }
  return options
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

const largestFactor = 2 ** 64
const largestFrequency = 2 ** 256

/** @throws MropeRangeError ERR_MROPE_CONFIG when the numbers together give no finite frequencies or factor */
export function spectrum(
  name: string,
  invFreq: Float64Array,
  parameters: Record<string, unknown>,
  attentionFactor = 1,
): Spectrum {
  // Larger ones overflow when an id multiplies them.
  const bad = invFreq.findIndex((f) => !(Math.abs(f) <= largestFrequency))
  if (bad >= 0) {
    const message = `spectrum ${name}: frequency ${bad} is ${invFreq[bad]} with ${show(parameters)}`
    throw new MropeRangeError('ERR_MROPE_CONFIG', message, invFreq[bad])
  }
  checkPositive(attentionFactor, `attention factor of ${name}`)
  if (attentionFactor > largestFactor || attentionFactor < 1 / largestFactor) {
    const message = `spectrum ${name}: the attention factor is from 2^-64 to 2^64, so that a float32 table can hold it; got ${attentionFactor}`
    throw new MropeRangeError('ERR_MROPE_CONFIG', message, attentionFactor)
  }
  return { name, invFreq, attentionFactor, parameters: Object.freeze(parameters) }
}
