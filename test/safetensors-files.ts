import type { StorableTensor, StoredType } from '../lib/io/safetensors-types.js'

/** The array of each type, written down once more so that a wrong table in the library shows. */
export const arrays = {
  bool: Uint8Array,
  uint8: Uint8Array,
  int8: Int8Array,
  int16: Int16Array,
  uint16: Uint16Array,
  float16: Uint16Array,
  bfloat16: Uint16Array,
  int32: Int32Array,
  uint32: Uint32Array,
  float32: Float32Array,
  float64: Float64Array,
  int64: BigInt64Array,
  uint64: BigUint64Array,
} as const
export const types = Object.keys(arrays) as StoredType[]

/** Names, types, dims and bytes, without regard to order. Bytes, because equal NaNs may differ in their bits. */
export function picture(tensors: ReadonlyMap<string, StorableTensor>): Map<string, unknown> {
  return new Map([...tensors].map(([name, { type, dims, data }]) => [name, { type, dims, bytes: hexOf(data) }]))
}

export function bytesOf(data: ArrayBufferView): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
}

function hexOf(data: ArrayBufferView): string {
  return Buffer.from(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength).toString('hex')
}

/** A file of a header and data that need not fit. */
export function file(header: string | Uint8Array, data: Uint8Array = new Uint8Array(0)): Uint8Array {
  const text = Buffer.from(header as string)
  return Buffer.concat([prefixed(BigInt(text.length), text), data])
}

export function prefixed(length: bigint, header: string | Uint8Array): Uint8Array {
  const prefix = Buffer.alloc(8)
  prefix.writeBigUInt64LE(length)
  return Buffer.concat([prefix, Buffer.from(header as string)])
}

export function headerEnd(bytes: Uint8Array): number {
  return 8 + Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true))
}
