import { MropeRangeError, show } from '../errors.js'

/**
 * A number drawn anew for every block, as training with random strides does it. The seed and the ordinal of the block
 * decide it, so that positions stay a function of the sequence and a longer prompt does not change earlier blocks.
 */
export interface Drawn {
  readonly among: readonly number[]
  readonly seed: number
}

export type Stride = number | Drawn

export function isDrawn(stride: unknown): stride is Drawn {
  return typeof stride === 'object' && stride !== null
}

/**
 * A positive number, or a list of them to draw from with a whole seed; a frozen copy of it.
 * @throws MropeRangeError ERR_MROPE_CONFIG
 */
export function checkStride(stride: Stride, layout: string, name = 'stride'): Stride {
  const wrong = (what: string, value: unknown): MropeRangeError =>
    new MropeRangeError('ERR_MROPE_CONFIG', `layout ${layout}: ${what}, got ${show(value)}`, value)
  if (!isDrawn(stride)) {
    if (isPositive(stride)) return stride
    throw wrong(`${name} is a positive number`, stride)
  }
  const { among, seed } = stride
  if (!Array.isArray(among) || among.length === 0) throw wrong(`${name} is drawn among a list of numbers`, among)
  const bad = Array.from(among).findIndex((value) => !isPositive(value))
  if (bad >= 0) throw wrong(`${name} ${bad} of those to draw is a positive number`, among[bad])
  if (!Number.isSafeInteger(seed)) throw wrong(`the seed of ${name} is an integer`, seed)
  return Object.freeze({ among: Object.freeze([...among]), seed })
}

/** The stride of a block. */
export function strideOf(stride: Stride, block: number): number {
  return isDrawn(stride) ? stride.among[mix(stride.seed, block) % stride.among.length] : stride
}

function isPositive(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value > 0
}

/** 32 well mixed bits of two integers: the finaliser of MurmurHash3 over a Weyl sequence. */
function mix(seed: number, block: number): number {
  let x = (Math.imul(seed | 0, 0x9e3779b1) + Math.imul(Math.floor(seed / 2 ** 32) | 0, 0x85ebca77)) | 0
  x = (x + Math.imul(block + 1, 0x6d2b79f5)) | 0
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b)
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35)
  return (x ^ (x >>> 16)) >>> 0
}
