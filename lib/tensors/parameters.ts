import { MropeRangeError, MropeTypeError, show } from '../errors.js'
import { asTensor, isArrayLike } from './check.js'
import type { Tensor } from './tensor.js'

const mostHeads = 4096

/** @throws MropeTypeError ERR_MROPE_ARGUMENT, MropeRangeError ERR_MROPE_HEADS */
export function checkHeads(caller: string, heads: unknown): number {
  if (typeof heads !== 'number') {
    throw new MropeTypeError('ERR_MROPE_ARGUMENT', `${caller}: heads must be an integer, got ${show(heads)}`, heads)
  }
  if (Number.isSafeInteger(heads) && heads >= 1 && heads <= mostHeads) return heads
  throw new MropeRangeError('ERR_MROPE_HEADS', `${caller}: heads must be 1 … ${mostHeads}, got ${heads}`, heads)
}

/** A finite number from `least` to `most`. @throws MropeTypeError, MropeRangeError ERR_MROPE_ARGUMENT */
export function checkNumber(caller: string, name: string, value: unknown, least: number, most = 2 ** 64): number {
  if (typeof value !== 'number') {
    throw new MropeTypeError('ERR_MROPE_ARGUMENT', `${caller}: ${name} must be a number, got ${show(value)}`, value)
  }
  if (Number.isFinite(value) && value >= least && value <= most) return value
  const text = `${caller}: ${name} must be a number from ${least} to ${most}, got ${value}`
  throw new MropeRangeError('ERR_MROPE_ARGUMENT', text, value)
}

/**
 * Learned parameters as float32, a copy: `dims` with a length for each axis, or undefined where any is taken.
 * @throws MropeTypeError ERR_MROPE_ARGUMENT, MropeRangeError ERR_MROPE_SHAPE | ERR_MROPE_ARGUMENT (not finite)
 */
export function parameters(
  caller: string,
  name: string,
  value: Tensor,
  dims: readonly (number | undefined)[],
): Float32Array {
  const tensor = asTensor(caller, name, value, dims.length)
  if (tensor.dims.some((d, axis) => d !== (dims[axis] ?? d))) {
    const wanted = dims.map((d) => d ?? 'any').join(', ')
    const text = `${caller}: ${name} must be (${wanted}), its dims are ${show(tensor.dims)}`
    throw new MropeRangeError('ERR_MROPE_SHAPE', text, tensor.dims)
  }
  const numbers = Float32Array.from(tensor.toFloat32())
  const bad = numbers.findIndex((x) => !Number.isFinite(x))
  if (bad >= 0) {
    const text = `${caller}: ${name} must be finite numbers, number ${bad} is ${numbers[bad]}`
    throw new MropeRangeError('ERR_MROPE_ARGUMENT', text, numbers[bad])
  }
  return numbers
}

/** One finite number of at least `least` for each head. @throws MropeTypeError, MropeRangeError ERR_MROPE_ARGUMENT */
export function perHead(caller: string, name: string, list: unknown, least: number, heads?: number): Float64Array {
  if (!isArrayLike(list)) {
    const text = `${caller}: ${name} must be a list of one number for each head, got ${show(list)}`
    throw new MropeTypeError('ERR_MROPE_ARGUMENT', text, list)
  }
  if (list.length !== checkHeads(caller, heads ?? list.length)) {
    const text = `${caller}: ${list.length} numbers in ${name} for ${heads} heads`
    throw new MropeRangeError('ERR_MROPE_HEADS', text, list.length)
  }
  return Float64Array.from(list as ArrayLike<unknown>, (x, h) => checkNumber(caller, `${name}[${h}]`, x, least))
}

/** Rows and columns of a window. @throws MropeTypeError ERR_MROPE_ARGUMENT, MropeRangeError ERR_MROPE_GRID */
export function checkWindow(caller: string, name: string, window: unknown): readonly [rows: number, columns: number] {
  if (!Array.isArray(window) || window.length !== 2) {
    const text = `${caller}: ${name} must be [rows, columns], got ${show(window)}`
    throw new MropeTypeError('ERR_MROPE_ARGUMENT', text, window)
  }
  const bad = Array.from(window).find((side) => !Number.isSafeInteger(side) || side < 1 || side > 16384)
  if (bad === undefined && !Array.from(window).includes(undefined)) return [window[0], window[1]]
  const text = `${caller}: ${name} must be rows and columns of 1 … 16384, got ${show(window)}`
  throw new MropeRangeError('ERR_MROPE_GRID', text, window)
}

/** Names of axes, each once. @throws MropeTypeError ERR_MROPE_ARGUMENT */
export function checkAxes(caller: string, axes: unknown): readonly string[] {
  const names = Array.isArray(axes) ? Array.from(axes) : []
  const good = names.length > 0 && names.length <= 8 && names.every((axis) => typeof axis === 'string')
  if (good && new Set(names).size === names.length) return names
  const text = `${caller}: axes must be 1 to 8 different names, got ${show(axes)}`
  throw new MropeTypeError('ERR_MROPE_ARGUMENT', text, axes)
}
