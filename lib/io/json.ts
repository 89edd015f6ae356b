import { MropeRangeError, MropeTypeError, show } from '../errors.js'
import { quotePath, withInputFile } from './files.js'
import { JsonScanner } from './json-scanner.js'
import { decodeUtf8 } from './utf8.js'

/** Few bytes of JSON can be many bytes of objects: much more than this can exhaust the memory of the process. */
const maxBytes = 32 * 2 ** 20

/**
 * The value of a JSON document (RFC 8259). Stricter than `JSON.parse` in two ways: numbers beyond float64 and nesting
 * deeper than 128 levels are refused. `NaN` and `Infinity`, which Python writes, are malformed. Of repeated keys the last holds.
 * @param name what the document is called in messages, for example its path
 * @throws MropeRangeError ERR_MROPE_JSON with line and column, both from 1; MropeTypeError ERR_MROPE_ARGUMENT
 */
export function parseJson(text: string, name: string): unknown {
  for (const [what, value] of Object.entries({ text, name })) {
    if (typeof value === 'string') continue
    const message = `parseJson: ${what} must be a string, got ${show(value)}`
    throw new MropeTypeError('ERR_MROPE_ARGUMENT', message, value)
  }
  return parse(text, `parseJson: ${quotePath(name)}`, name)
}

/**
 * Reads and parses a JSON file in UTF-8, with or without a byte order mark.
 * @throws MropeRangeError ERR_MROPE_FILE (missing, not a regular file, not readable, over 32 MiB), ERR_MROPE_JSON
 */
export async function readJson(path: string | URL): Promise<unknown> {
  return withInputFile('readJson', path, async (file) => {
    const where = `readJson: ${quotePath(file.path)}`
    if (file.size > maxBytes) {
      throw new MropeRangeError(
        'ERR_MROPE_FILE',
        `${where}: ${file.size} bytes are too many for a JSON document (at most ${maxBytes})`,
        file.path,
      )
    }
    const text = decodeUtf8(await file.read(0, file.size), (at) => {
      throw new MropeRangeError('ERR_MROPE_JSON', `${where}: byte ${at} is not valid UTF-8`, file.path)
    })
    return parse(text.startsWith('\ufeff') ? text.slice(1) : text, where, file.path)
  })
}

function parse(text: string, where: string, value: string): unknown {
  const scanner = new JsonScanner(text, (reason, at) => {
    const { line, column } = placeOf(text, at)
    throw new MropeRangeError('ERR_MROPE_JSON', `${where}, line ${line}, column ${column}: ${reason}`, value)
  })
  scanner.skip()
  scanner.end()
  return JSON.parse(text)
}

function placeOf(text: string, at: number): { line: number; column: number } {
  let line = 1
  let start = 0
  for (let end = text.indexOf('\n'); end >= 0 && end < at; end = text.indexOf('\n', start)) {
    line++
    start = end + 1
  }
  return { line, column: at - start + 1 }
}
