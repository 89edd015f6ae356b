import { MropeRangeError } from '../errors.js'
import { JsonScanner } from './json-scanner.js'
import { byteLength, type Dtype, dtypes, isDtype } from './safetensors-types.js'
import { decodeUtf8 } from './utf8.js'

/** One tensor as the header describes it; `begin` and `end` count bytes from the end of the header. */
export interface HeaderEntry {
  readonly name: string
  readonly dtype: Dtype
  readonly shape: readonly number[]
  readonly begin: number
  readonly end: number
}

export interface Header {
  readonly entries: readonly HeaderEntry[]
  readonly metadata: Record<string, string>
}

/** The file begins with the length of the header, a little-endian 64-bit integer. */
export const prefixBytes = 8
export const maxHeaderBytes = 100_000_000
/** More dimensions than any library handles; a limit keeps a hostile header small in memory. */
export const maxRank = 64
/** Likewise many more tensors than any model has. */
export const maxTensors = 2 ** 20
export const maxMetadata = 2 ** 16
/** Fields of one tensor, of which the format knows three. */
const maxFields = 64

/** An error about a damaged file; `where` names the function and the file. */
export function damaged(where: string, what: string, value?: unknown): MropeRangeError {
  return new MropeRangeError('ERR_MROPE_SAFETENSORS', `${where}: ${what}`, value)
}

/** Bytes of the header, from the first bytes of a file of `fileBytes`; checked before anything of that size is allocated. */
export function headerLength(prefix: Uint8Array, fileBytes: number, where: string): number {
  if (fileBytes < prefixBytes) {
    throw damaged(where, `the file has ${fileBytes} bytes, its header length alone takes ${prefixBytes}`, fileBytes)
  }
  const length = new DataView(prefix.buffer, prefix.byteOffset, prefixBytes).getBigUint64(0, true)
  if (length > maxHeaderBytes) {
    throw damaged(where, `the header length is ${length}, the limit is ${maxHeaderBytes} bytes`, length)
  }
  if (Number(length) > fileBytes - prefixBytes) {
    throw damaged(
      where,
      `the header length is ${length}, but the file has only ${fileBytes - prefixBytes} bytes more`,
      length,
    )
  }
  return Number(length)
}

/**
 * Reads and checks a header: the ranges of its tensors fill the `dataBytes` behind it without gap or overlap.
 * @throws MropeRangeError ERR_MROPE_SAFETENSORS
 */
export function readHeader(bytes: Uint8Array, dataBytes: number, where: string): Header {
  const text = decodeUtf8(bytes, (at) => {
    throw damaged(where, `byte ${at} of the header is not valid UTF-8`, at)
  })
  let subject = ''
  const json = new JsonScanner(text, (reason, at) => {
    throw damaged(where, `header${subject}, character ${at}: ${reason}`, at)
  })
  if (text[0] !== '{') {
    throw damaged(where, 'the header is not a JSON object: it does not begin with "{"', text.slice(0, 80))
  }

  const entries: HeaderEntry[] = []
  const metadata: Record<string, string> = {}
  json.members(maxTensors, (name) => {
    subject = name === '__metadata__' ? ', __metadata__' : `, ${tensorName(name)}`
    if (name === '__metadata__') {
      json.members(maxMetadata, (key) => {
        subject = `, __metadata__ ${JSON.stringify(key.slice(0, 80))}`
        metadata[key] = json.string()
      })
    } else {
      entries.push(readEntry(json, name, where))
    }
    subject = ''
  })
  json.end()
  checkRanges(entries, dataBytes, where)
  return { entries, metadata }
}

/** A header for tensors that lie one behind the other, padded with spaces so that the data begins at a multiple of 8. */
export function writeHeader({ entries, metadata }: Header): Uint8Array {
  const members = entries.map(({ name, dtype, shape, begin, end }) => {
    return `${JSON.stringify(name)}:${JSON.stringify({ dtype, shape, data_offsets: [begin, end] })}`
  })
  // Pairs rather than an object: an object would sort keys like "10" first.
  const pairs = Object.entries(metadata).sort(([a], [b]) => compareUtf8(a, b))
  if (pairs.length > 0) {
    const texts = pairs.map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`)
    members.unshift(`"__metadata__":{${texts.join()}}`)
  }
  const json = Buffer.from(`{${members.join()}}`)
  const length = Math.ceil(json.length / 8) * 8
  const bytes = new Uint8Array(prefixBytes + length).fill(0x20)
  new DataView(bytes.buffer).setBigUint64(0, BigInt(length), true)
  bytes.set(json, prefixBytes)
  return bytes
}

/** Order of the UTF-8 bytes, which is not that of JavaScript's UTF-16 units. */
export function compareUtf8(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}

export function tensorName(name: string): string {
  return `tensor ${JSON.stringify(name.length > 80 ? `${name.slice(0, 77)}…` : name)}`
}

function readEntry(json: JsonScanner, name: string, where: string): HeaderEntry {
  const wrong = (what: string, value?: unknown) => damaged(where, `${tensorName(name)}: ${what}`, value)
  let dtype: string | undefined
  let shape: number[] | undefined
  let offsets: number[] | undefined
  json.members(maxFields, (key) => {
    if (key === 'dtype') dtype = json.string()
    else if (key === 'shape') shape = readIntegers(json, key, wrong)
    else if (key === 'data_offsets') offsets = readIntegers(json, key, wrong)
    else json.skip()
  })
  if (dtype === undefined) throw wrong('dtype is missing')
  if (shape === undefined) throw wrong('shape is missing')
  if (offsets === undefined) throw wrong('data_offsets is missing')
  if (!isDtype(dtype)) {
    throw wrong(`dtype ${JSON.stringify(dtype.slice(0, 80))} is not one of ${dtypes.join(', ')}`, dtype)
  }
  if (offsets.length !== 2) throw wrong(`data_offsets has ${offsets.length} entries, not 2`, offsets)

  const [begin, end] = offsets
  if (begin > end) throw wrong(`data_offsets [${begin}, ${end}] are reversed`, offsets)
  const bytes = byteLength(dtype, shape)
  if (bytes === undefined) throw wrong(`shape [${shape.join(', ')}] of ${dtype} is too large`, shape)
  if (end - begin !== bytes) {
    throw wrong(
      `shape [${shape.join(', ')}] of ${dtype} takes ${bytes} bytes, data_offsets hold ${end - begin}`,
      offsets,
    )
  }
  return { name, dtype, shape, begin, end }
}

function readIntegers(json: JsonScanner, key: string, wrong: (what: string, value?: unknown) => Error): number[] {
  const values: number[] = []
  json.elements((index) => {
    if (index === maxRank) throw wrong(`${key} has more than ${maxRank} entries`)
    const value = json.number()
    if (!Number.isSafeInteger(value) || value < 0 || Object.is(value, -0)) {
      const shown = Object.is(value, -0) ? '-0' : String(value)
      throw wrong(`${key}[${index}] is ${shown}, not an integer from 0 to 2^53 - 1`, value)
    }
    values.push(value)
  })
  return values
}

function checkRanges(entries: readonly HeaderEntry[], dataBytes: number, where: string): void {
  const sorted = [...entries].sort((a, b) => a.begin - b.begin || a.end - b.end)
  let cursor = 0
  let previous = ''
  for (const { name, begin, end } of sorted) {
    const range = `${tensorName(name)}: data_offsets [${begin}, ${end}]`
    if (end > dataBytes) throw damaged(where, `${range} are out of range, the file has ${dataBytes} bytes of data`, end)
    if (begin > cursor) {
      throw damaged(where, `${range} leave a gap, bytes ${cursor} to ${begin} belong to no tensor`, begin)
    }
    if (begin < cursor) {
      throw damaged(where, `${range} overlap those of ${tensorName(previous)}, which end at ${cursor}`, begin)
    }
    cursor = end
    previous = name
  }
  if (cursor < dataBytes) {
    throw damaged(where, `${dataBytes - cursor} trailing bytes, the tensors end at byte ${cursor} of the data`, cursor)
  }
}
