import { MropeRangeError, MropeTypeError, show } from '../errors.js'
import { bfloat16ToFloat32, float16ToFloat32, toBfloat16, toFloat16 } from './half.js'

/** Storage types, in the words of ONNX Runtime. Sums are always made in float32 or better. */
export type TensorType = 'float32' | 'float16' | 'bfloat16'

/** `float16` may be a `Float16Array` where the runtime has one; mrope itself keeps the bits in a `Uint16Array`. */
export type TensorData = Float32Array | Uint16Array

/**
 * A dense row-major tensor in host memory. `dims` of queries, keys and values are `(tokens, heads, headDim)`.
 * The data is not copied: the tensor is a view of the caller's array.
 */
export class Tensor {
  readonly type: TensorType
  readonly dims: readonly number[]
  readonly data: TensorData
  readonly location = 'cpu' as const

  /**
   * @param type storage type
   * @param data `Float32Array` for float32; `Uint16Array` (bits) or `Float16Array` for float16; `Uint16Array` for bfloat16
   * @param dims row-major dimensions; their product is the length of `data`
   * @throws MropeTypeError ERR_MROPE_DTYPE, MropeRangeError ERR_MROPE_SHAPE
   */
  constructor(type: TensorType, data: ArrayLike<number> | TensorData, dims: readonly number[]) {
    if (!Array.isArray(dims) || ![...dims].every((d) => Number.isSafeInteger(d) && d >= 0)) {
      throw new MropeTypeError('ERR_MROPE_SHAPE', `Tensor: dims must be non-negative integers, got ${show(dims)}`, dims)
    }
    const length = dims.reduce((product, d) => product * d, 1)
    const storage = asStorage(type, data)
    if (storage.length !== length) {
      throw new MropeRangeError(
        'ERR_MROPE_SHAPE',
        `Tensor: dims ${show(dims)} need ${length} elements, the data has ${storage.length}`,
        dims,
      )
    }
    this.type = type
    this.dims = Object.freeze([...dims])
    this.data = storage
  }

  /** A tensor of zeros. */
  static zeros(type: TensorType, dims: readonly number[]): Tensor {
    const length = Array.isArray(dims) ? dims.reduce((product, d) => product * d, 1) : Number.NaN
    if (!Number.isSafeInteger(length) || length < 0 || length > 2 ** 32) {
      const message = `Tensor.zeros: dims are counts with a product up to 2^32, got ${show(dims)}`
      throw new MropeRangeError('ERR_MROPE_SHAPE', message, dims)
    }
    return new Tensor(type, type === 'float32' ? new Float32Array(length) : new Uint16Array(length), dims)
  }

  /** Rounds float values to the storage type. */
  static from(type: TensorType, values: ArrayLike<number>, dims: readonly number[]): Tensor {
    if (type === 'float32') return new Tensor(type, Float32Array.from(values), dims)
    const round = type === 'float16' ? toFloat16 : toBfloat16
    return new Tensor(type, Uint16Array.from(values as number[], round), dims)
  }

  /** The values as float32: a view for float32, a converted copy otherwise. */
  toFloat32(): Float32Array {
    if (this.type === 'float32') return this.data as Float32Array
    const widen = this.type === 'float16' ? float16ToFloat32 : bfloat16ToFloat32
    return Float32Array.from(this.data, widen)
  }
}

function asStorage(type: TensorType, data: unknown): TensorData {
  if (type === 'float32' && data instanceof Float32Array) return data
  if ((type === 'float16' || type === 'bfloat16') && data instanceof Uint16Array) return data
  if (type === 'float16' && ArrayBuffer.isView(data) && data.constructor.name === 'Float16Array') {
    return new Uint16Array(data.buffer, data.byteOffset, data.byteLength / 2)
  }
  if (type !== 'float32' && type !== 'float16' && type !== 'bfloat16') {
    const message = `Tensor: type is float32, float16 or bfloat16, got ${show(type)}`
    throw new MropeTypeError('ERR_MROPE_DTYPE', message, type)
  }
  throw new MropeTypeError(
    'ERR_MROPE_DTYPE',
    `Tensor: ${show(type)} takes ${type === 'float32' ? 'a Float32Array' : 'a Uint16Array of its bits'}, got ${show(data)}`,
    data,
  )
}

/** Tokens `start` to `end` of a tensor `(tokens, heads, dim)`, as a view. */
export function rows({ type, data, dims }: Tensor, start: number, end: number): Tensor {
  const row = dims[1] * dims[2]
  return new Tensor(type, data.subarray(start * row, end * row), [end - start, dims[1], dims[2]])
}
