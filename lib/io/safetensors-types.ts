/** Element types of a file and what holds them in memory, in the order in which the format's own library ranks them. */
export const storage = {
  BOOL: { type: 'bool', array: Uint8Array },
  U8: { type: 'uint8', array: Uint8Array },
  I8: { type: 'int8', array: Int8Array },
  I16: { type: 'int16', array: Int16Array },
  U16: { type: 'uint16', array: Uint16Array },
  F16: { type: 'float16', array: Uint16Array },
  BF16: { type: 'bfloat16', array: Uint16Array },
  I32: { type: 'int32', array: Int32Array },
  U32: { type: 'uint32', array: Uint32Array },
  F32: { type: 'float32', array: Float32Array },
  F64: { type: 'float64', array: Float64Array },
  I64: { type: 'int64', array: BigInt64Array },
  U64: { type: 'uint64', array: BigUint64Array },
} as const

export type Dtype = keyof typeof storage
export const dtypes = Object.keys(storage) as Dtype[]

export function isDtype(name: string): name is Dtype {
  return Object.hasOwn(storage, name)
}

export function elementBytes(dtype: Dtype): number {
  return storage[dtype].array.BYTES_PER_ELEMENT
}

/** Bytes of a tensor of non-negative integer dimensions; undefined when a product on the way is beyond 2^53 - 1. */
export function byteLength(dtype: Dtype, shape: readonly number[]): number | undefined {
  let bytes = elementBytes(dtype)
  for (const size of shape) {
    bytes *= size
    if (!Number.isSafeInteger(bytes)) return undefined
  }
  return bytes
}

/** What holds the elements of each type: bits for the two half types, one byte for bool. */
export interface StoredArrays {
  bool: Uint8Array
  uint8: Uint8Array
  int8: Int8Array
  int16: Int16Array
  uint16: Uint16Array
  float16: Uint16Array
  bfloat16: Uint16Array
  int32: Int32Array
  uint32: Uint32Array
  float32: Float32Array
  float64: Float64Array
  int64: BigInt64Array
  uint64: BigUint64Array
}

export type StoredType = keyof StoredArrays

/** A row-major tensor of a file. The float32, float16 and bfloat16 ones have the fields that `Tensor` takes. */
export type StoredTensor = {
  [T in StoredType]: { readonly type: T; readonly dims: readonly number[]; readonly data: StoredArrays[T] }
}[StoredType]

/** What can be written: a `Tensor`, a `StoredTensor`, or a float16 tensor on a `Float16Array`. */
export interface StorableTensor {
  readonly type: StoredType
  readonly dims: readonly number[]
  readonly data: ArrayBufferView
}

export type StorableTensors = ReadonlyMap<string, StorableTensor> | Readonly<Record<string, StorableTensor>>
