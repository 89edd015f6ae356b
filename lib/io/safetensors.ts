import { isUint8Array } from 'node:util/types'
import { MropeRangeError, MropeTypeError, show } from '../errors.js'
import { quotePath, withInputFile, writeFileAtomic } from './files.js'
import { type HeaderEntry, headerLength, prefixBytes, readHeader } from './safetensors-header.js'
import { layOut } from './safetensors-layout.js'
import { type StorableTensors, type StoredTensor, storage } from './safetensors-types.js'

export type { StorableTensor, StorableTensors, StoredArrays, StoredTensor, StoredType } from './safetensors-types.js'

/** `tensors` are in the order of the header. */
export interface SafetensorsFile {
  readonly tensors: Map<string, StoredTensor>
  readonly metadata: Record<string, string>
}

export interface ReadSafetensorsOptions {
  /** Which tensors to load, by name; all of the file is checked nevertheless. */
  readonly filter?: (name: string) => boolean
  /** Ends the work early: the promise rejects with the reason of the signal. */
  readonly signal?: AbortSignal
}

export interface EncodeSafetensorsOptions {
  readonly metadata?: Readonly<Record<string, string>>
}

export interface WriteSafetensorsOptions extends EncodeSafetensorsOptions {
  /** Ends the work early and leaves nothing behind: the promise rejects with the reason of the signal. */
  readonly signal?: AbortSignal
}

/**
 * Reads a safetensors file, or parses one that is in memory. From a path, each tensor is read into memory of its own, after
 * the header was checked against the size of the file. Types of fewer than 8 bits per element and complex ones are not read.
 * @throws MropeRangeError ERR_MROPE_SAFETENSORS (damaged), ERR_MROPE_FILE (not readable); MropeTypeError ERR_MROPE_ARGUMENT
 * @see https://github.com/huggingface/safetensors for the format
 */
export async function readSafetensors(
  source: string | URL | Uint8Array,
  options: ReadSafetensorsOptions = {},
): Promise<SafetensorsFile> {
  checkOptions('readSafetensors', options, ['filter', 'signal'])
  const { filter = () => true, signal } = options
  signal?.throwIfAborted()
  if (isUint8Array(source)) return parse(source, 'readSafetensors', filter)
  return withInputFile('readSafetensors', source, async (file) => {
    const where = `readSafetensors: ${quotePath(file.path)}`
    const length = headerLength(await file.read(0, Math.min(prefixBytes, file.size), signal), file.size, where)
    const start = prefixBytes + length
    const { entries, metadata } = readHeader(await file.read(prefixBytes, length, signal), file.size - start, where)
    const tensors = new Map<string, StoredTensor>()
    for (const entry of entries) {
      if (!filter(entry.name)) continue
      tensors.set(entry.name, stored(entry, await file.read(start + entry.begin, entry.end - entry.begin, signal)))
    }
    return { tensors, metadata }
  })
}

/**
 * Parses a safetensors file in memory. The tensors are views of `bytes`, copies only where their place is not aligned.
 * @throws MropeRangeError ERR_MROPE_SAFETENSORS, MropeTypeError ERR_MROPE_ARGUMENT
 */
export function parseSafetensors(bytes: Uint8Array): SafetensorsFile {
  if (!isUint8Array(bytes)) {
    throw new MropeTypeError(
      'ERR_MROPE_ARGUMENT',
      `parseSafetensors: bytes must be a Uint8Array, got ${show(bytes)}`,
      bytes,
    )
  }
  return parse(bytes, 'parseSafetensors', () => true)
}

/**
 * The bytes of a safetensors file. Same tensors and metadata give the same bytes: larger element types come first, so that
 * all data is aligned, then names in the order of their UTF-8 bytes.
 * @throws MropeTypeError ERR_MROPE_ARGUMENT, ERR_MROPE_DTYPE, ERR_MROPE_SHAPE; MropeRangeError ERR_MROPE_ARGUMENT, ERR_MROPE_SHAPE
 */
export function encodeSafetensors(tensors: StorableTensors, options: EncodeSafetensorsOptions = {}): Uint8Array {
  checkOptions('encodeSafetensors', options, ['metadata'])
  const chunks = layOut('encodeSafetensors', tensors, options.metadata)
  const total = chunks.reduce((sum, chunk) => sum + chunk.length, 0)
  let bytes: Uint8Array
  try {
    bytes = new Uint8Array(total)
  } catch (cause) {
    const message = `encodeSafetensors: the file takes ${total} bytes, more than one array can hold here`
    throw new MropeRangeError('ERR_MROPE_SHAPE', message, total, { cause })
  }
  let at = 0
  for (const chunk of chunks) {
    bytes.set(chunk, at)
    at += chunk.length
  }
  return bytes
}

/**
 * Writes a safetensors file, byte for byte what `encodeSafetensors` gives: to a new file in the same folder, which then takes
 * the place of `path`. Nothing is written before all arguments are checked, and nothing is left behind on failure.
 * @throws as `encodeSafetensors`, and MropeRangeError ERR_MROPE_FILE
 */
export async function writeSafetensors(
  path: string | URL,
  tensors: StorableTensors,
  options: WriteSafetensorsOptions = {},
): Promise<void> {
  checkOptions('writeSafetensors', options, ['metadata', 'signal'])
  await writeFileAtomic('writeSafetensors', path, layOut('writeSafetensors', tensors, options.metadata), options.signal)
}

function parse(bytes: Uint8Array, where: string, filter: (name: string) => boolean): SafetensorsFile {
  const start = prefixBytes + headerLength(bytes, bytes.length, where)
  const { entries, metadata } = readHeader(bytes.subarray(prefixBytes, start), bytes.length - start, where)
  const tensors = new Map<string, StoredTensor>()
  for (const entry of entries) {
    if (!filter(entry.name)) continue
    tensors.set(entry.name, stored(entry, bytes.subarray(start + entry.begin, start + entry.end)))
  }
  return { tensors, metadata }
}

// The format is little-endian, as is every platform that the package runs on.
function stored({ dtype, shape }: HeaderEntry, bytes: Uint8Array): StoredTensor {
  const { type, array } = storage[dtype]
  const { buffer, byteOffset } = bytes.byteOffset % array.BYTES_PER_ELEMENT === 0 ? bytes : new Uint8Array(bytes)
  const data = new array(buffer as ArrayBuffer, byteOffset, bytes.length / array.BYTES_PER_ELEMENT)
  return { type, dims: shape, data } as StoredTensor
}

function checkOptions(caller: string, options: unknown, known: readonly string[]): void {
  const wrong = (what: string, value: unknown) => new MropeTypeError('ERR_MROPE_ARGUMENT', `${caller}: ${what}`, value)
  if (typeof options !== 'object' || options === null) {
    throw wrong(`options must be an object, got ${show(options)}`, options)
  }
  for (const [name, value] of Object.entries(options)) {
    if (!known.includes(name)) throw wrong(`unknown option ${show(name)}, the options are ${known.join(', ')}`, options)
    if (value === undefined) continue
    if (name === 'filter' && typeof value !== 'function') {
      throw wrong(`filter must be a function, got ${show(value)}`, value)
    }
    if (name === 'signal' && typeof value?.throwIfAborted !== 'function') {
      throw wrong(`signal must be an AbortSignal, got ${show(value)}`, value)
    }
  }
}
