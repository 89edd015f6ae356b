import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MropeError } from '../lib/errors.js'
import { encodeSafetensors, parseSafetensors, readSafetensors, type SafetensorsFile } from '../lib/io/safetensors.js'
import { Tensor } from '../lib/tensors/tensor.js'
import { arrays, file, headerEnd, picture, types } from './safetensors-files.js'

const seed = Number(process.env.MROPE_FUZZ_SEED ?? Date.now() % 2 ** 31)

describe('safetensors fuzz', function () {
  // All of it together; a run takes a small part of this.
  this.timeout(60_000)
  const count = 10_000

  it(`${count} damaged files parse or raise a typed error, MROPE_FUZZ_SEED=${seed}`, async () => {
    const folder = await mkdtemp(join(tmpdir(), 'mrope-fuzz-'))
    const random = generator(seed)
    const seen = { parsed: 0, refused: new Set<string>() }
    try {
      for (let index = 0; index < count; index++) {
        const bytes = damage(random)
        const outcome = tryParse(() => parseSafetensors(bytes), `file ${index}`)
        if (typeof outcome === 'string') seen.refused.add(outcome.replace(/".*?[^\\]"|\d+/g, '#'))
        else {
          seen.parsed++
          // What was accepted can be written and read again.
          const again = encodeSafetensors(outcome.tensors, { metadata: outcome.metadata })
          assert.deepEqual(picture(parseSafetensors(again).tensors), picture(outcome.tensors), `file ${index}`)
        }
        if (index % 50 === 0) await sameFromDisk(folder, bytes, outcome)
      }
    } finally {
      await rm(folder, { recursive: true })
    }
    // The damage is neither all fatal nor all of one kind.
    assert.ok(seen.parsed > count / 20 && seen.parsed < count / 2, `${seen.parsed} parsed`)
    assert.ok(seen.refused.size > 40, `${seen.refused.size} kinds of refusal`)
  })
})

async function sameFromDisk(folder: string, bytes: Uint8Array, expected: SafetensorsFile | string): Promise<void> {
  const path = join(folder, 'x.safetensors')
  await writeFile(path, bytes)
  try {
    assert.deepEqual(await readSafetensors(path), expected)
  } catch (error) {
    if (typeof expected !== 'string') throw error
    assert.equal(
      (error as Error).message,
      `readSafetensors: ${JSON.stringify(path)}${expected.replace('parseSafetensors', '')}`,
    )
  }
}

/** What a parser gives, or the message of its typed error. */
function tryParse(parse: () => SafetensorsFile, label: string): SafetensorsFile | string {
  try {
    return parse()
  } catch (error) {
    if (error instanceof MropeError && error.code === 'ERR_MROPE_SAFETENSORS') return error.message
    throw new Error(`${label}: an error without the code of damaged files`, { cause: error })
  }
}

/** A valid file with one to three faults in it. */
function damage(random: (limit: number) => number): Uint8Array {
  let bytes: Buffer = Buffer.from(pick(random, samples))
  for (let faults = 1 + random(3); faults > 0; faults--) bytes = pick(random, mutations)(bytes, random)
  return bytes
}

type Random = (limit: number) => number

const mutations: ((bytes: Buffer, random: Random) => Buffer)[] = [
  function flipBit(bytes, random) {
    if (bytes.length > 0) bytes[random(bytes.length)] ^= 1 << random(8)
    return bytes
  },
  function setByte(bytes, random) {
    if (bytes.length > 0) bytes[random(Math.min(bytes.length, 300))] = random(256)
    return bytes
  },
  function truncate(bytes, random) {
    return bytes.subarray(0, random(bytes.length + 1))
  },
  function extend(bytes, random) {
    return Buffer.concat([bytes, Buffer.alloc(1 + random(20), random(256))])
  },
  function splice(bytes, random) {
    const other = pick(random, samples)
    return Buffer.concat([bytes.subarray(0, random(bytes.length + 1)), other.subarray(random(other.length + 1))])
  },
  function repeatPart(bytes, random) {
    const start = random(bytes.length + 1)
    const end = start + random(bytes.length + 1 - start)
    return Buffer.concat([bytes.subarray(0, end), bytes.subarray(start)])
  },
  function editHeader(bytes, random) {
    const { header, data } = split(bytes)
    // Tokens of the header: strings, numbers, words, single marks.
    const tokens = header.match(/"(?:[^"\\]|\\.)*"|-?[\d.]+|\w+|[^\s"]/g) ?? []
    const at = random(tokens.length + 1)
    const edit = random(4)
    if (edit === 0) tokens.splice(at, 1)
    else if (edit === 1) tokens.splice(at, 1, pick(random, nasty))
    else if (edit === 2) tokens.splice(at, 0, pick(random, nasty))
    else tokens.splice(at, 1, tokens[random(tokens.length)] ?? '')
    return Buffer.from(file(tokens.join(''), data))
  },
  function editNumber(bytes, random) {
    const { header, data } = split(bytes)
    const numbers = [...header.matchAll(/\d+/g)]
    const number = numbers[random(numbers.length)]
    if (number === undefined) return bytes
    const changed = String(Math.max(0, Number(number[0]) + random(9) - 4))
    const end = number.index + number[0].length
    return Buffer.from(file(header.slice(0, number.index) + changed + header.slice(end), data))
  },
  function changeData(bytes, random) {
    const { header, data } = split(bytes)
    for (let count = random(9); count > 0 && data.length > 0; count--) data[random(data.length)] = random(256)
    return Buffer.from(file(header + ' '.repeat(random(9)), data))
  },
]

const nasty = [
  ...[
    '',
    '{',
    '}',
    '[',
    ']',
    ':',
    ',',
    '"',
    '\\',
    '\0',
    '\ud800',
    '\ufeff',
    '\u2028',
    '/**/',
    '{}',
    '[]',
    '[[]]',
    '[0]',
    '[0,0]',
  ],
  ...[
    '-1',
    '-0',
    '1.5',
    '1e3',
    '1e-3',
    '1E999',
    '00',
    '+1',
    '.5',
    '1.',
    '4294967296',
    '9007199254740992',
    '18446744073709551616',
  ],
  ...[
    'null',
    'true',
    'NaN',
    'Infinity',
    '-Infinity',
    'undefined',
    '"__proto__"',
    '"__metadata__"',
    '"constructor"',
    '"\\ud800"',
  ],
  ...[
    '"F32"',
    '"BF16"',
    '"U8"',
    '"I64"',
    '"F8_E4M3"',
    '"dtype"',
    '"shape"',
    '"data_offsets"',
    '"\\u0061"',
    '""',
    '"a":{},',
  ],
  ...['"__metadata__":{},', '"__metadata__":{"a":"b"},', '"x":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},'],
  ...['['.repeat(5000), '{"a":'.repeat(5000), '9'.repeat(5000), `"${'x'.repeat(5000)}"`],
]

const samples: Buffer[] = [
  encodeSafetensors({}),
  encodeSafetensors({}, { metadata: { format: 'pt', note: 'é "quoted" \u{1f600}' } }),
  encodeSafetensors({ a: { type: 'float32', dims: [2, 3], data: Float32Array.of(1, -0, NaN, Infinity, 1e-40, 3) } }),
  encodeSafetensors(Object.fromEntries(types.map((type) => [type, { type, dims: [1, 3], data: new arrays[type](3) }]))),
  encodeSafetensors(
    {
      'lm.q': Tensor.from('bfloat16', Array(77).fill(1.5), [1, 7, 11]),
      'lm.cos': Tensor.zeros('float16', [3, 5]),
      none: Tensor.zeros('float32', [0, 128]),
      scalar: { type: 'bool', dims: [], data: Uint8Array.of(1) },
    },
    { metadata: { b: '', a: '\\' } },
  ),
  file(
    '{"u":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"f":{"dtype":"F64","shape":[1],"data_offsets":[1,9]}}',
    new Uint8Array(9),
  ),
].map((bytes) => Buffer.from(bytes))

/** Header and data as far as the length prefix makes sense, otherwise as if the header went to the end. */
function split(bytes: Buffer): { header: string; data: Buffer } {
  const end = bytes.length < 8 ? bytes.length : Math.min(headerEnd(bytes), bytes.length)
  return { header: bytes.toString('utf8', Math.min(8, end), end), data: bytes.subarray(end) }
}

function pick<T>(random: Random, choices: readonly T[]): T {
  return choices[random(choices.length)]
}

/** Integers below a limit from a seed (xorshift32). */
function generator(start: number): Random {
  let state = (start ^ 0x9e3779b9) >>> 0 || 1
  return (limit) => {
    state ^= state << 13
    state ^= state >>> 17
    state = (state ^ (state << 5)) >>> 0
    return limit === 0 ? 0 : state % limit
  }
}
