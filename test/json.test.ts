import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import fc from 'fast-check'
import { MropeRangeError } from '../lib/errors.js'
import { parseJson, readJson } from '../lib/io/json.js'

const seed = Number(process.env.MROPE_FUZZ_SEED ?? Date.now() % 2 ** 31)
const python = "is not JSON (Python's json module writes it; JSON has finite numbers only)"

/** The text, and the message after the name of the document. */
const malformed: [string, string][] = [
  ['', 'line 1, column 1: expected a value, found the end'],
  [' \n\t', 'line 2, column 2: expected a value, found the end'],
  ['{"a": NaN}', `line 1, column 7: NaN ${python}`],
  ['[1,\n Infinity]', `line 2, column 2: Infinity ${python}`],
  ['{\r\n"a":\r\n-Infinity}', `line 3, column 1: -Infinity ${python}`],
  ['-', 'line 1, column 2: a digit is missing, found the end'],
  ['-x', 'line 1, column 2: a digit is missing, found "x"'],
  ['+1', 'line 1, column 1: expected a value, found "+"'],
  ['01', 'line 1, column 2: the document has ended, but "1" follows'],
  ['1.', 'line 1, column 3: a digit is missing, found the end'],
  ['.5', 'line 1, column 1: expected a value, found "."'],
  ['1e+', 'line 1, column 4: a digit is missing, found the end'],
  ['[1e400]', 'line 1, column 2: the number is outside the range of float64'],
  ['0x10', 'line 1, column 2: the document has ended, but "x" follows'],
  ['True', 'line 1, column 1: expected a value, found "T"'],
  ['nul', 'line 1, column 1: expected a value, found "n"'],
  ['nullx', 'line 1, column 5: the document has ended, but "x" follows'],
  ["{'a': 1}", 'line 1, column 2: expected a key in double quotes, found "\'"'],
  ['{"a" 1}', `line 1, column 6: expected ':', found "1"`],
  ['{"a": 1,}', 'line 1, column 9: expected a key in double quotes, found "}"'],
  ['{"a": 1 "b": 2}', `line 1, column 9: expected ',' or '}', found "\\""`],
  ['[1, 2,]', 'line 1, column 7: expected a value, found "]"'],
  ['[1 2]', `line 1, column 4: expected ',' or ']', found "2"`],
  ['[1}', `line 1, column 3: expected ',' or ']', found "}"`],
  ['{"a": 1', `line 1, column 8: expected ',' or '}', found the end`],
  ['{} {}', 'line 1, column 4: the document has ended, but "{" follows'],
  ['// note\n1', 'line 1, column 1: expected a value, found "/"'],
  ['"abc', 'line 1, column 1: the string has no end'],
  ['"a\nb"', 'line 1, column 3: a control character in a string must be escaped, found "\\n"'],
  ['"\\x"', 'line 1, column 2: unknown escape in a string'],
  ['"\\u12g4"', 'line 1, column 2: \\u needs four hex digits'],
  ['"\\', 'line 1, column 2: unknown escape in a string'],
  ['\ufeff1', 'line 1, column 1: expected a value, found "\ufeff"'],
  ['\u{1f600}', 'line 1, column 1: expected a value, found "\u{1f600}"'],
  ['['.repeat(100_000), 'line 1, column 129: nested deeper than 128 levels'],
  ['{"a":'.repeat(100_000), 'line 1, column 641: nested deeper than 128 levels'],
]

describe('parseJson', () => {
  for (const [text, message] of malformed) {
    it(`refuses ${JSON.stringify(text.slice(0, 20))}: ${message}`, () => {
      const name = 'MropeRangeError'
      assert.throws(() => parseJson(text, 'c.json'), {
        name,
        code: 'ERR_MROPE_JSON',
        message: `parseJson: "c.json", ${message}`,
      })
    })
  }

  it(`gives what JSON.parse gives for 1000 random values, seed ${seed}`, () => {
    const property = fc.property(fc.json({ maxDepth: 5, stringUnit: 'binary' }), fc.nat(4), (text, indent) => {
      const spaced = JSON.stringify(JSON.parse(text), null, indent)
      assert.deepEqual(parseJson(spaced, 'x'), JSON.parse(text))
    })
    fc.assert(property, { seed, numRuns: 1000 })
  })

  it(`refuses what JSON.parse refuses, and nothing else, in 20 000 scrambled texts, seed ${seed}`, () => {
    const pieces = [
      '{',
      '}',
      '[',
      ']',
      ',',
      ':',
      '"a"',
      '"',
      '\\',
      '\\u00e9',
      '1',
      '-0',
      '.5',
      'e+',
      '0',
      ' ',
      '\n',
      'null',
      'true',
      'x',
    ]
    const json = fc.json({ maxDepth: 2 })
    const cut = fc.tuple(json, fc.nat(), fc.nat(3), fc.constantFrom(...pieces)).map(([text, at, length, piece]) => {
      const start = at % (text.length + 1)
      return text.slice(0, start) + piece + text.slice(start + length)
    })
    const scrambled = fc.array(fc.constantFrom(...pieces), { maxLength: 9 }).map((parts) => parts.join(''))
    const counts = { accepted: 0, refused: 0 }
    const property = fc.property(fc.oneof(cut, scrambled), (text) => {
      const expected = outcome(() => JSON.parse(text))
      const actual = outcome(() => parseJson(text, 'x'))
      // JSON.parse makes Infinity of a number that float64 cannot hold.
      if (actual instanceof MropeRangeError && /range of float64/.test(actual.message)) return
      counts[expected instanceof Error ? 'refused' : 'accepted']++
      if (expected instanceof Error) assert.ok(actual instanceof MropeRangeError && actual.code === 'ERR_MROPE_JSON')
      else assert.deepEqual(actual, expected)
    })
    fc.assert(property, { seed, numRuns: 20_000 })
    assert.ok(counts.accepted > 1000 && counts.refused > 1000, JSON.stringify(counts))
  })

  it('takes 128 levels, and the last of repeated keys', () => {
    const deep = '['.repeat(128) + ']'.repeat(128)
    assert.equal(JSON.stringify(parseJson(deep, 'x')), deep)
    assert.deepEqual(parseJson('{"a":1,"a":2}', 'x'), { a: 2 })
  })

  it('a key __proto__ is a plain key', () => {
    const value = parseJson('{"__proto__":{"polluted":1}}', 'x') as object
    assert.deepEqual(Object.keys(value), ['__proto__'])
    assert.equal('polluted' in value, false)
  })

  it('refuses what is no text', () => {
    assert.throws(() => parseJson(7 as unknown as string, 'x'), {
      name: 'MropeTypeError',
      code: 'ERR_MROPE_ARGUMENT',
      message: 'parseJson: text must be a string, got 7',
    })
    assert.throws(() => parseJson('{}', Object.create(null)), {
      name: 'MropeTypeError',
      code: 'ERR_MROPE_ARGUMENT',
      message: 'parseJson: name must be a string, got {}',
    })
  })
})

describe('readJson', () => {
  let folder: string
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'mrope-json-'))
  })
  after(() => rm(folder, { recursive: true }))

  async function put(name: string, content: string | Uint8Array): Promise<string> {
    const path = join(folder, name)
    await writeFile(path, content)
    return path
  }

  it('reads from a path and from a URL, with and without a byte order mark', async () => {
    const path = await put('a b%20ü.json', '\ufeff{"rope_theta": 1e6, "é": "\u{1f600}"}\n')
    const expected = { rope_theta: 1e6, é: '\u{1f600}' }
    assert.deepEqual(await readJson(path), expected)
    assert.deepEqual(await readJson(pathToFileURL(path)), expected)
    assert.equal(await readJson(await put('plain.json', '7')), 7)
  })

  it('names file, line and column of a fault', async () => {
    const path = await put('nan.json', '{\n  "rope_theta": NaN\n}')
    await assert.rejects(readJson(path), {
      code: 'ERR_MROPE_JSON',
      message: `readJson: ${JSON.stringify(path)}, line 2, column 17: NaN ${python}`,
      value: path,
    })
  })

  it('refuses an empty file', async () => {
    const path = await put('empty.json', '')
    const message = `readJson: ${JSON.stringify(path)}, line 1, column 1: expected a value, found the end`
    await assert.rejects(readJson(path), { code: 'ERR_MROPE_JSON', message })
  })

  it('refuses bytes that are not UTF-8, and says where', async () => {
    for (const [bytes, at] of [
      [Buffer.from('"é"', 'latin1'), 1],
      [Buffer.from('\ufeff{}', 'utf16le'), 0],
      [Buffer.concat([Buffer.from('"\ufffdé\u{1f600}'), Buffer.from([0xed, 0xa0, 0x80])]), 10],
    ] as const) {
      const path = await put('bytes.json', bytes)
      const message = `readJson: ${JSON.stringify(path)}: byte ${at} is not valid UTF-8`
      await assert.rejects(readJson(path), { code: 'ERR_MROPE_JSON', message })
    }
  })

  it('refuses a missing file and a directory', async () => {
    const missing = join(folder, 'missing.json')
    await assert.rejects(readJson(missing), {
      name: 'MropeRangeError',
      code: 'ERR_MROPE_FILE',
      message: `readJson: cannot read ${JSON.stringify(missing)}: no such file or folder (ENOENT)`,
      value: missing,
    })
    const directory = join(folder, 'directory.json')
    await mkdir(directory)
    await assert.rejects(readJson(directory), {
      code: 'ERR_MROPE_FILE',
      message: `readJson: cannot read ${JSON.stringify(directory)}: it is a directory`,
    })
  })

  it('refuses 33 MiB before it reads them', async () => {
    const path = await put('huge.json', '')
    await truncate(path, 33 * 2 ** 20)
    await assert.rejects(readJson(path), {
      code: 'ERR_MROPE_FILE',
      message: `readJson: ${JSON.stringify(path)}: 34603008 bytes are too many for a JSON document (at most 33554432)`,
    })
  })
})

function outcome(parse: () => unknown): unknown {
  try {
    return parse()
  } catch (error) {
    return error
  }
}
