import { isMap } from 'node:util/types'
import { MropeRangeError, MropeTypeError, show } from '../errors.js'
import {
  compareUtf8,
  type HeaderEntry,
  maxHeaderBytes,
  maxMetadata,
  maxRank,
  maxTensors,
  prefixBytes,
  tensorName,
  writeHeader,
} from './safetensors-header.js'
import { byteLength, type Dtype, dtypes, elementBytes, type StorableTensors, storage } from './safetensors-types.js'

/** Header and data of the file, in order. The data is not copied. */
export function layOut(caller: string, tensors: StorableTensors, metadata: unknown = {}): Uint8Array[] {
  if (typeof tensors !== 'object' || tensors === null || Array.isArray(tensors) || ArrayBuffer.isView(tensors)) {
    const message = `${caller}: tensors must be a Map or an object of tensors by name, got ${show(tensors)}`
    throw new MropeTypeError('ERR_MROPE_ARGUMENT', message, tensors)
  }
  const named: [string, unknown][] = isMap(tensors) ? [...tensors] : Object.entries(tensors)
  checkCount(caller, 'tensors', named.length, maxTensors)
  const parts = named.map(([name, tensor]) => ({ name, ...checkTensor(caller, name, tensor) }))
  parts.sort((a, b) => dtypes.indexOf(b.dtype) - dtypes.indexOf(a.dtype) || compareUtf8(a.name, b.name))
  let begin = 0
  const entries = parts.map(({ name, dtype, shape, bytes }) => {
    const end = begin + bytes.length
    const entry: HeaderEntry = { name, dtype, shape, begin, end }
    begin = end
    return entry
  })
  const header = buildHeader(caller, entries, checkMetadata(caller, metadata))
  return [header, ...parts.map((part) => part.bytes)]
}

function buildHeader(caller: string, entries: HeaderEntry[], metadata: Record<string, string>): Uint8Array {
  const tooLong = (cause?: unknown) => {
    const message = `${caller}: names and metadata are too long, the header may have ${maxHeaderBytes} bytes`
    return new MropeRangeError('ERR_MROPE_ARGUMENT', message, entries.length, { cause })
  }
  let header: Uint8Array
  try {
    header = writeHeader({ entries, metadata })
  } catch (error) {
    // The text of the header did not even fit in a string.
    throw tooLong(error)
  }
  if (header.length - prefixBytes > maxHeaderBytes) throw tooLong()
  return header
}

function checkTensor(caller: string, name: unknown, tensor: unknown) {
  if (typeof name !== 'string') {
    throw new MropeTypeError(
      'ERR_MROPE_ARGUMENT',
      `${caller}: a tensor's name must be a string, got ${show(name)}`,
      name,
    )
  }
  checkText(caller, `${tensorName(name)}: the name`, name)
  if (name === '__metadata__' || name === '__proto__') throw reserved(caller, tensorName(name), name)
  const where = `${caller}: ${tensorName(name)}`
  if (typeof tensor !== 'object' || tensor === null) {
    const message = `${where}: expected an object with type, dims and data, got ${show(tensor)}`
    throw new MropeTypeError('ERR_MROPE_ARGUMENT', message, tensor)
  }
  const { type, dims, data } = tensor as { type?: unknown; dims?: unknown; data?: unknown }
  const dtype = dtypes.find((candidate) => storage[candidate].type === type)
  if (dtype === undefined) {
    const types = dtypes.map((candidate) => storage[candidate].type).join(', ')
    throw new MropeTypeError('ERR_MROPE_DTYPE', `${where}: type ${show(type)} is not one of ${types}`, type)
  }
  const { array } = storage[dtype]
  const kind = Object.prototype.toString.call(data).slice(8, -1)
  if (!ArrayBuffer.isView(data) || (kind !== array.name && !(type === 'float16' && kind === 'Float16Array'))) {
    throw new MropeTypeError('ERR_MROPE_DTYPE', `${where}: ${type} takes a ${array.name}, got ${show(data)}`, data)
  }
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
  return { dtype, shape: checkShape(where, dims, dtype, bytes.length), bytes }
}

function checkShape(where: string, dims: unknown, dtype: Dtype, bytes: number): number[] {
  // A copy first: `every` passes over the holes of a sparse array.
  const shape: unknown[] = Array.isArray(dims) ? [...dims] : []
  if (!Array.isArray(dims) || shape.length > maxRank || !shape.every(isSize)) {
    const message = `${where}: dims must be at most ${maxRank} non-negative integers, got ${show(dims)}`
    throw new MropeTypeError('ERR_MROPE_SHAPE', message, dims)
  }
  const needed = byteLength(dtype, shape)
  if (needed !== bytes) {
    const count = needed === undefined ? 'too many elements' : `${needed / elementBytes(dtype)} elements`
    const message = `${where}: dims ${show(dims)} need ${count}, the data has ${bytes / elementBytes(dtype)}`
    throw new MropeRangeError('ERR_MROPE_SHAPE', message, dims)
  }
  return shape
}

function isSize(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

function checkMetadata(caller: string, metadata: unknown): Record<string, string> {
  if (typeof metadata !== 'object' || metadata === null || Array.isArray(metadata) || isMap(metadata)) {
    const message = `${caller}: metadata must be an object of strings, got ${show(metadata)}`
    throw new MropeTypeError('ERR_MROPE_ARGUMENT', message, metadata)
  }
  const checked: Record<string, string> = {}
  const pairs = Object.entries(metadata)
  checkCount(caller, 'metadata', pairs.length, maxMetadata)
  for (const [key, value] of pairs) {
    const where = `metadata ${JSON.stringify(key.slice(0, 80))}`
    if (typeof value !== 'string') {
      throw new MropeTypeError('ERR_MROPE_ARGUMENT', `${caller}: ${where} must be a string, got ${show(value)}`, value)
    }
    checkText(caller, `${where}: the key`, key)
    if (key === '__proto__') throw reserved(caller, where, key)
    checkText(caller, where, value)
    checked[key] = value
  }
  return checked
}

function checkCount(caller: string, what: string, count: number, limit: number): void {
  if (count <= limit) return
  const message = `${caller}: ${what} has ${count} entries, the limit is ${limit}`
  throw new MropeRangeError('ERR_MROPE_ARGUMENT', message, count)
}

function checkText(caller: string, what: string, text: string): void {
  if (!/\p{Surrogate}/u.test(text)) return
  const message = `${caller}: ${what} holds half of a surrogate pair, which UTF-8 cannot express`
  throw new MropeRangeError('ERR_MROPE_ARGUMENT', message, text)
}

function reserved(caller: string, what: string, text: string): MropeRangeError {
  return new MropeRangeError('ERR_MROPE_ARGUMENT', `${caller}: ${what} is a reserved word`, text)
}
