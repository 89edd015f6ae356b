import { MropeRangeError, MropeTypeError, show } from '../errors.js'
import { Tensor, type TensorData } from './tensor.js'

type TensorLike = Pick<Tensor, 'type' | 'dims' | 'data' | 'location'>

/** Refuses options of the wrong kind and keys that nobody reads, so that a misspelt option is never silent. */
export function checkOptions(caller: string, options: unknown, known: readonly string[]): void {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw new MropeTypeError('ERR_MROPE_ARGUMENT', `${caller}: expected an object, got ${show(options)}`, options)
  }
  for (const key of Object.keys(options)) {
    if (known.includes(key)) continue
    const text = `${caller}: unknown option ${show(key)}; known are ${known.join(', ')}`
    throw new MropeTypeError('ERR_MROPE_ARGUMENT', text, key)
  }
}

/**
 * A host tensor of a given rank whose memory is still there.
 * Goes by shape, not by class, so that a tensor of the CommonJS copy is a tensor for the ESM copy too.
 */
export function asTensor(caller: string, name: string, value: unknown, rank: number): Tensor {
  if (!isHostTensor(value)) {
    const got = value instanceof Object ? `an object with keys ${show(Object.keys(value))}` : show(value)
    throw new MropeTypeError(
      'ERR_MROPE_ARGUMENT',
      `${caller}: ${name} must be a Tensor in host memory, got ${got}`,
      value,
    )
  }
  if (value.dims.length !== rank) {
    const text = `${caller}: ${name} must have ${rank} dimensions (${name}.dims = ${show(value.dims)})`
    throw new MropeRangeError('ERR_MROPE_SHAPE', text, value.dims)
  }
  let length = 1
  for (const d of value.dims) length *= d
  if (value.data.length !== length) {
    const text = `${caller}: the memory of ${name} is gone: dims ${show(value.dims)} need ${length} elements, ${value.data.length} are left`
    throw new MropeRangeError('ERR_MROPE_SHAPE', text, value.dims)
  }
  return value instanceof Tensor ? value : new Tensor(value.type, value.data, value.dims)
}

/** True when two arrays share at least one byte. */
export function overlap(a: TensorData, b: TensorData): boolean {
  if (a.buffer !== b.buffer) return false
  const start = Math.max(a.byteOffset, b.byteOffset)
  return start < Math.min(a.byteOffset + a.byteLength, b.byteOffset + b.byteLength)
}

/** True when two arrays are the same bytes. */
export function sameMemory(a: TensorData, b: TensorData): boolean {
  return a.buffer === b.buffer && a.byteOffset === b.byteOffset && a.byteLength === b.byteLength
}

/** A non-negative integer, or an error that names it. */
export function checkCount(caller: string, name: string, value: unknown, least = 0): number {
  if (typeof value !== 'number') {
    throw new MropeTypeError('ERR_MROPE_ARGUMENT', `${caller}: ${name} must be an integer, got ${show(value)}`, value)
  }
  if (!Number.isSafeInteger(value) || value < least) {
    throw new MropeRangeError(
      'ERR_MROPE_ARGUMENT',
      `${caller}: ${name} must be an integer of at least ${least}, got ${value}`,
      value,
    )
  }
  return value
}

/** Something with numbers in it that can be indexed: an array or a typed array, not a string. */
export function isArrayLike(value: unknown): value is ArrayLike<unknown> {
  if (typeof value !== 'object' || value === null || !('length' in value)) return false
  return Number.isSafeInteger(value.length) && (value.length as number) >= 0
}

/** Refuses what is not an AbortSignal; goes by shape, so that signals of other realms pass. */
export function checkSignal(caller: string, signal: unknown): void {
  if (signal === undefined) return
  if (typeof signal === 'object' && signal !== null && 'aborted' in signal && typeof signal.aborted === 'boolean')
    return
  throw new MropeTypeError(
    'ERR_MROPE_ARGUMENT',
    `${caller}: signal must be an AbortSignal, got ${show(signal)}`,
    signal,
  )
}

function isHostTensor(value: unknown): value is TensorLike {
  if (typeof value !== 'object' || value === null) return false
  const { type, dims, data, location } = value as Partial<TensorLike>
  if ((location ?? 'cpu') !== 'cpu' || !Array.isArray(dims)) return false
  return type === 'float32' ? data instanceof Float32Array : isHalf(type) && data instanceof Uint16Array
}

function isHalf(type: unknown): boolean {
  return type === 'float16' || type === 'bfloat16'
}
