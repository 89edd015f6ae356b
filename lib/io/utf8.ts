const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const lenient = new TextDecoder('utf-8', { ignoreBOM: true })

/** The text of UTF-8 bytes, a byte order mark included; `onInvalid` gets the offset of the first bad byte and must throw. */
export function decodeUtf8(bytes: Uint8Array, onInvalid: (at: number) => never): string {
  try {
    return strict.decode(bytes)
  } catch {
    return onInvalid(firstInvalid(bytes))
  }
}

// The lenient decoder puts U+FFFD for bad bytes; one that the bytes themselves spell is genuine.
function firstInvalid(bytes: Uint8Array): number {
  const text = lenient.decode(bytes)
  let offset = 0
  let start = 0
  for (let at = text.indexOf('\ufffd'); at >= 0; at = text.indexOf('\ufffd', start)) {
    offset += Buffer.byteLength(text.slice(start, at))
    if (bytes[offset] !== 0xef || bytes[offset + 1] !== 0xbf || bytes[offset + 2] !== 0xbd) return offset
    offset += 3
    start = at + 1
  }
  return offset
}
