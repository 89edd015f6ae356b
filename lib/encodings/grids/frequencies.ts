import type { Allocation } from '../../allocations/allocation.js'
import { axisMap } from '../../allocations/allocation.js'
import { MropeRangeError, MropeTypeError, show } from '../../errors.js'
import { type Spectrum, spectrum } from '../../spectra/spectrum.js'
import { isArrayLike } from '../../tensors/check.js'

/** Channels of each axis, one run behind the other, each with all frequencies of its own base. */
export function chunkedAxes(
  caller: string,
  dims: readonly number[],
  bases: readonly number[],
): { readonly spectrum: Spectrum; readonly allocation: Allocation } {
  const good = Array.isArray(dims) && Array.from(dims).every((d) => Number.isSafeInteger(d) && d >= 0 && d % 2 === 0)
  if (!good || dims.length === 0 || dims.length > 127) {
    const text = `${caller}: the channels of the axes must be even counts, got ${show(dims)}`
    throw new MropeRangeError('ERR_MROPE_SECTIONS', text, dims)
  }
  const pairs = dims.flatMap((dim, axis) => Array.from({ length: dim / 2 }, (_, i) => ({ axis, i, dim })))
  const invFreq = Float64Array.from(pairs, ({ axis, i, dim }) => bases[axis] ** ((-2 * i) / dim))
  return {
    spectrum: spectrum('axial', invFreq, { dims, bases }),
    allocation: axisMap(
      'chunked',
      dims.length,
      pairs.map(({ axis }) => axis),
    ),
  }
}

export interface Range {
  /** Lowest frequency, radians a unit. */
  readonly min: number
  /** Highest frequency. */
  readonly max: number
  /** Share of the pairs that do not turn. */
  readonly zeroShare: number
}

/** Golden Gate: pairs that do not turn first, then `min · (max/min)^linspace(0, 1)`: the order is ascending. */
export function rangeSpectrum(caller: string, count: number, { min, max, zeroShare }: Range): Spectrum {
  positive(caller, 'min', min)
  positive(caller, 'max', max)
  if (typeof zeroShare !== 'number' || !(zeroShare >= 0 && zeroShare <= 1)) {
    const text = `${caller}: zeroShare must be a part from 0 to 1, got ${show(zeroShare)}`
    throw new MropeRangeError('ERR_MROPE_ARGUMENT', text, zeroShare)
  }
  const zeros = Math.round(zeroShare * count)
  const turning = geometricRange(min, max, count - zeros)
  return spectrum('range', Float64Array.from([...new Float64Array(zeros), ...turning]), { min, max, zeroShare })
}

/** From `first` to `last`, both included, by equal factors. */
export function geometricRange(first: number, last: number, count: number): Float64Array {
  return Float64Array.from({ length: count }, (_, i) => first * (last / first) ** (count === 1 ? 0 : i / (count - 1)))
}

/** @throws MropeTypeError, MropeRangeError ERR_MROPE_ARGUMENT */
export function positive(caller: string, name: string, value: unknown): number {
  if (typeof value !== 'number') {
    throw new MropeTypeError('ERR_MROPE_ARGUMENT', `${caller}: ${name} must be a number, got ${show(value)}`, value)
  }
  if (Number.isFinite(value) && value > 0) return value
  throw new MropeRangeError('ERR_MROPE_ARGUMENT', `${caller}: ${name} must be a positive number, got ${value}`, value)
}

/** @throws MropeTypeError, MropeRangeError ERR_MROPE_CONFIG for a head dim that is not a multiple of `multiple` */
export function checkHeadDim(caller: string, headDim: unknown, multiple: number): number {
  if (typeof headDim !== 'number') {
    const text = `${caller}: headDim must be an integer, got ${show(headDim)}`
    throw new MropeTypeError('ERR_MROPE_ARGUMENT', text, headDim)
  }
  if (Number.isSafeInteger(headDim) && headDim > 0 && headDim <= 65536 && headDim % multiple === 0) return headDim
  const text = `${caller}: headDim must be a multiple of ${multiple} up to 65536, got ${headDim}`
  throw new MropeRangeError('ERR_MROPE_CONFIG', text, headDim)
}

/** A list of finite numbers, `count` of them. @throws MropeTypeError, MropeRangeError ERR_MROPE_ARGUMENT */
export function numbers(caller: string, name: string, list: unknown, count?: number): Float64Array {
  if (!isArrayLike(list)) {
    const text = `${caller}: ${name} must be a list of numbers, got ${show(list)}`
    throw new MropeTypeError('ERR_MROPE_ARGUMENT', text, list)
  }
  if (list.length !== (count ?? list.length)) {
    const text = `${caller}: ${name} must be ${count} numbers, got ${show(list)}`
    throw new MropeRangeError('ERR_MROPE_ARGUMENT', text, list)
  }
  return Float64Array.from(list as ArrayLike<unknown>, (x, i) => {
    if (typeof x === 'number' && Number.isFinite(x)) return x
    const text = `${caller}: ${name}[${i}] must be a finite number, got ${show(x)}`
    throw new MropeRangeError('ERR_MROPE_ARGUMENT', text, x)
  })
}
