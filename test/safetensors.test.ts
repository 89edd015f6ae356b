import assert from 'node:assert/strict'
import fc from 'fast-check'
import { encodeSafetensors, parseSafetensors, readSafetensors } from '../lib/io/safetensors.js'
import type { StorableTensor, StoredTensor, StoredType } from '../lib/io/safetensors-types.js'
import { Tensor } from '../lib/tensors/tensor.js'
import { arrays, bytesOf, file, headerEnd, picture, types } from './safetensors-files.js'

const seed = Number(process.env.MROPE_FUZZ_SEED ?? Date.now() % 2 ** 31)

describe('safetensors round trips', () => {
  it(`1000 random files of all types come back, bytes and all, seed ${seed}`, () => {
    const property = fc.property(fileArbitrary, ({ tensors, metadata }) => {
      const file = parseSafetensors(encodeSafetensors(tensors, { metadata }))
      assert.deepEqual(file.metadata, metadata)
      assert.deepEqual(picture(file.tensors), picture(tensors))
    })
    fc.assert(property, { seed, numRuns: 1000 })
  })

  it(`the same tensors in any order give the same bytes, seed ${seed}`, () => {
    const property = fc.property(fileArbitrary, ({ tensors, metadata }) => {
      const bytes = encodeSafetensors(tensors, { metadata })
      const backwards = Object.fromEntries(Object.entries(metadata).reverse())
      assert.deepEqual(encodeSafetensors(new Map([...tensors].reverse()), { metadata: backwards }), bytes)
      assert.equal(bytes.length >= 16 && headerEnd(bytes) % 8, 0)
    })
    fc.assert(property, { seed, numRuns: 100 })
  })

  for (const type of types) {
    it(`${type} keeps its array type and its extreme values`, () => {
      const data = filled(type, [0xff, 0x7f, 0x80, 0x00, 0x01, 0xc0, 0x7f, 0xf0], 33)
      const { tensors } = parseSafetensors(encodeSafetensors({ x: { type, dims: [3, 11], data } }))
      const x = tensors.get('x')
      assert.equal(x?.type, type)
      assert.deepEqual(x?.dims, [3, 11])
      assert.equal(x?.data.constructor, arrays[type])
      assert.deepEqual(bytesOf(x.data), bytesOf(data))
    })
  }

  it('a small file is exactly the bytes of the format', () => {
    const tensors = {
      b: { type: 'uint8', dims: [3], data: Uint8Array.of(1, 2, 3) },
      a: { type: 'float32', dims: [], data: Float32Array.of(-1.5) },
    } as const
    const json =
      '{"__metadata__":{"10":"ten","k":"v"},"a":{"dtype":"F32","shape":[],"data_offsets":[0,4]},' +
      '"b":{"dtype":"U8","shape":[3],"data_offsets":[4,7]}}'
    const bytes = Buffer.concat([
      Buffer.from([0x90, 0, 0, 0, 0, 0, 0, 0]),
      Buffer.from(json.padEnd(0x90)),
      Buffer.from([0x00, 0x00, 0xc0, 0xbf, 1, 2, 3]),
    ])
    assert.equal(
      Buffer.from(encodeSafetensors(tensors, { metadata: { k: 'v', 10: 'ten' } })).toString('latin1'),
      bytes.toString('latin1'),
    )
    assert.deepEqual(parseSafetensors(bytes).metadata, { k: 'v', 10: 'ten' })
    assert.deepEqual([...parseSafetensors(bytes).tensors.keys()], ['a', 'b'])
  })

  it('names are ordered by their UTF-8 bytes, which is not the order of UTF-16', () => {
    const data = Uint8Array.of(1)
    const names = ['z', '\u{1f600}', '\uffee', '10', '9', '']
    const tensors = new Map(names.map((name) => [name, { type: 'uint8', dims: [1], data } as const]))
    const file = parseSafetensors(encodeSafetensors(tensors))
    assert.deepEqual([...file.tensors.keys()], ['', '10', '9', 'z', '\uffee', '\u{1f600}'])
  })

  it('takes Tensors, and gives what a Tensor takes', () => {
    const values = Array.from({ length: 3 * 7 * 72 }, (_, i) => Math.sin(i))
    for (const type of ['float32', 'float16', 'bfloat16'] as const) {
      const q = Tensor.from(type, values, [3, 7, 72])
      const stored = parseSafetensors(encodeSafetensors({ q })).tensors.get('q')
      assert.ok(stored?.type === type)
      assert.deepEqual(new Tensor(stored.type, stored.data, stored.dims), q)
    }
  })

  it('takes an empty file, scalars and empty tensors', () => {
    assert.deepEqual(parseSafetensors(encodeSafetensors({})), { tensors: new Map(), metadata: {} })
    const tensors = {
      scalar: { type: 'int64', dims: [], data: BigInt64Array.of(-(2n ** 63n)) },
      empty: { type: 'float32', dims: [33, 0, 128], data: new Float32Array(0) },
    } as const
    assert.deepEqual(
      picture(parseSafetensors(encodeSafetensors(tensors)).tensors),
      picture(new Map(Object.entries(tensors))),
    )
  })

  it('takes empty tensors anywhere between others, in any order of the header', () => {
    const u8 = (begin: number, end: number) =>
      `{"dtype":"U8","shape":[${end - begin}],"data_offsets":[${begin},${end}]}`
    const header = `{"b":${u8(0, 2)},"a":${u8(0, 0)},"e":${u8(3, 3)},"d":${u8(2, 3)},"c":${u8(2, 2)}}`
    const { tensors } = parseSafetensors(file(header, Uint8Array.of(1, 2, 3)))
    const lengths = [...tensors].map(([name, { data }]) => `${name}${data.length}`)
    assert.deepEqual(lengths, ['b2', 'a0', 'e0', 'd1', 'c0'])
  })

  it('takes float16 on a Float16Array, or on what stands for one where the runtime has none', () => {
    const bits = Uint16Array.of(0x3c00, 0x8000, 0x7bff)
    const data = 'Float16Array' in globalThis ? new Float16Array(bits.buffer) : Uint16Array.from(bits)
    if (!('Float16Array' in globalThis)) Object.defineProperty(data, Symbol.toStringTag, { value: 'Float16Array' })
    const { tensors } = parseSafetensors(encodeSafetensors({ x: { type: 'float16', dims: [3], data } }))
    assert.deepEqual(tensors.get('x'), { type: 'float16', dims: [3], data: bits })
    assert.throws(() => encodeSafetensors({ x: { type: 'bfloat16', dims: [3], data } }), { code: 'ERR_MROPE_DTYPE' })
  })

  it('gives views of the bytes where they are aligned, copies where they are not', () => {
    const header =
      '{"u":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"f":{"dtype":"F64","shape":[2],"data_offsets":[1,17]}}'
    const bytes = file(header, new Uint8Array([7, ...bytesOf(Float64Array.of(Math.PI, -0))]))
    for (let shift = 0; shift < 9; shift++) {
      const shifted = new Uint8Array(shift + bytes.length).subarray(shift)
      shifted.set(bytes)
      const { tensors } = parseSafetensors(shifted)
      assert.deepEqual(tensors.get('f')?.data, Float64Array.of(Math.PI, -0))
      assert.equal(tensors.get('u')?.data.buffer, shifted.buffer)
      assert.equal(tensors.get('f')?.data.buffer === shifted.buffer, (shift + headerEnd(bytes) + 1) % 8 === 0)
    }
  })

  it('does not mind fields it does not know, escapes, whitespace, or the order of the header', () => {
    const header =
      '{ "b" : {"shape":[2],"extra":{"deep":[[{}],null,true,-1.5e-3,"\\u00e9"],"deep":1},"data_offsets":[1,3],"dtype":"U8"}\n,' +
      '"\\u0061":{"data_offsets":[0,1],"dtype":"\\u00498","shape":[ 1 ]}} \t\r\n'
    const { tensors } = parseSafetensors(file(header, Uint8Array.of(255, 1, 2)))
    assert.deepEqual([...tensors.keys()], ['b', 'a'])
    assert.deepEqual(tensors.get('a'), { type: 'int8', dims: [1], data: Int8Array.of(-1) })
    assert.deepEqual(bytesOf(tensors.get('b')!.data), Uint8Array.of(1, 2))
  })
})

describe('safetensors arguments', () => {
  const data = Float32Array.of(1, 2)
  const bits = new Uint16Array(2)
  const x = (tensor: unknown) => ({ x: tensor })
  const holes = new Array(2)
  const cases: [string, unknown, unknown, string, string][] = [
    [
      'tensors is null',
      null,
      {},
      'ERR_MROPE_ARGUMENT',
      'tensors must be a Map or an object of tensors by name, got null',
    ],
    [
      'tensors is a list',
      [],
      {},
      'ERR_MROPE_ARGUMENT',
      'tensors must be a Map or an object of tensors by name, got []',
    ],
    [
      'tensors is data',
      data,
      {},
      'ERR_MROPE_ARGUMENT',
      'tensors must be a Map or an object of tensors by name, got Float32Array(2)',
    ],
    [
      'a tensor is null',
      x(null),
      {},
      'ERR_MROPE_ARGUMENT',
      'tensor "x": expected an object with type, dims and data, got null',
    ],
    ['a name is no string', new Map([[1, {}]]), {}, 'ERR_MROPE_ARGUMENT', "a tensor's name must be a string, got 1"],
    [
      'a name is __metadata__',
      { __metadata__: {} },
      {},
      'ERR_MROPE_ARGUMENT',
      'tensor "__metadata__" is a reserved word',
    ],
    [
      'a name is __proto__',
      new Map([['__proto__', {}]]),
      {},
      'ERR_MROPE_ARGUMENT',
      'tensor "__proto__" is a reserved word',
    ],
    [
      'a name is half a surrogate pair',
      { '\ud800': {} },
      {},
      'ERR_MROPE_ARGUMENT',
      'tensor "\\ud800": the name holds half of a surrogate pair, which UTF-8 cannot express',
    ],
    [
      'unknown type',
      x({ type: 'float8', dims: [2], data }),
      {},
      'ERR_MROPE_DTYPE',
      'tensor "x": type "float8" is not one of bool, uint8, int8, int16, uint16, float16, bfloat16, int32, uint32, float32, float64, int64, uint64',
    ],
    [
      'data of another type',
      x({ type: 'float64', dims: [2], data }),
      {},
      'ERR_MROPE_DTYPE',
      'tensor "x": float64 takes a Float64Array, got Float32Array(2)',
    ],
    [
      'float16 values',
      x({ type: 'float16', dims: [2], data }),
      {},
      'ERR_MROPE_DTYPE',
      'tensor "x": float16 takes a Uint16Array, got Float32Array(2)',
    ],
    [
      'no data',
      x({ type: 'bfloat16', dims: [2] }),
      {},
      'ERR_MROPE_DTYPE',
      'tensor "x": bfloat16 takes a Uint16Array, got undefined',
    ],
    [
      'a list as data',
      x({ type: 'float32', dims: [2], data: [1, 2] }),
      {},
      'ERR_MROPE_DTYPE',
      'tensor "x": float32 takes a Float32Array, got [1, 2]',
    ],
    [
      'no dims',
      x({ type: 'float16', data: bits }),
      {},
      'ERR_MROPE_SHAPE',
      'tensor "x": dims must be at most 64 non-negative integers, got undefined',
    ],
    [
      'negative dims',
      x({ type: 'float16', dims: [-2], data: bits }),
      {},
      'ERR_MROPE_SHAPE',
      'tensor "x": dims must be at most 64 non-negative integers, got [-2]',
    ],
    [
      'dims with holes',
      x({ type: 'float32', dims: holes, data }),
      {},
      'ERR_MROPE_SHAPE',
      'tensor "x": dims must be at most 64 non-negative integers, got [, ]',
    ],
    [
      'dims unlike data',
      x({ type: 'float16', dims: [3, 1], data: bits }),
      {},
      'ERR_MROPE_SHAPE',
      'tensor "x": dims [3, 1] need 3 elements, the data has 2',
    ],
    [
      'dims that overflow before a zero',
      x({ type: 'float32', dims: [2 ** 40, 2 ** 40, 0], data: new Float32Array(0) }),
      {},
      'ERR_MROPE_SHAPE',
      `tensor "x": dims [${2 ** 40}, ${2 ** 40}, 0] need too many elements, the data has 0`,
    ],
    ['metadata is a list', {}, { metadata: [] }, 'ERR_MROPE_ARGUMENT', 'metadata must be an object of strings, got []'],
    [
      'metadata is null',
      {},
      { metadata: null },
      'ERR_MROPE_ARGUMENT',
      'metadata must be an object of strings, got null',
    ],
    ['metadata is a number', {}, { metadata: { a: 1 } }, 'ERR_MROPE_ARGUMENT', 'metadata "a" must be a string, got 1'],
    [
      'metadata key __proto__',
      {},
      { metadata: JSON.parse('{"__proto__":""}') },
      'ERR_MROPE_ARGUMENT',
      'metadata "__proto__" is a reserved word',
    ],
    [
      'metadata is half a surrogate pair',
      {},
      { metadata: { a: '\udc00' } },
      'ERR_MROPE_ARGUMENT',
      'metadata "a" holds half of a surrogate pair, which UTF-8 cannot express',
    ],
    ['options is null', {}, null, 'ERR_MROPE_ARGUMENT', 'options must be an object, got null'],
    ['unknown option', {}, { meta: {} }, 'ERR_MROPE_ARGUMENT', 'unknown option "meta", the options are metadata'],
  ]
  for (const [name, tensors, options, code, message] of cases) {
    it(name, () => {
      const call = () => encodeSafetensors(tensors as Record<string, StorableTensor>, options as object)
      assert.throws(call, { code, message: `encodeSafetensors: ${message}` })
    })
  }

  it('refuses more metadata than it would read', () => {
    const metadata = Object.fromEntries(Array.from({ length: 2 ** 16 + 1 }, (_, i) => [`k${i}`, '']))
    const message = 'encodeSafetensors: metadata has 65537 entries, the limit is 65536'
    assert.throws(() => encodeSafetensors({}, { metadata }), { code: 'ERR_MROPE_ARGUMENT', message })
    delete metadata.k7
    assert.deepEqual(parseSafetensors(encodeSafetensors({}, { metadata })).metadata, metadata)
  })

  it('refuses names and metadata that are longer than a header may be', () => {
    const message = 'encodeSafetensors: names and metadata are too long, the header may have 100000000 bytes'
    // The second one, escaped, does not even fit in a string.
    for (const text of ['x'.repeat(100_000_000), '\u0001'.repeat(90_000_000)]) {
      assert.throws(() => encodeSafetensors({}, { metadata: { text } }), { code: 'ERR_MROPE_ARGUMENT', message })
    }
  })

  it('parse and read refuse what is no file', async () => {
    const code = 'ERR_MROPE_ARGUMENT'
    const parse = parseSafetensors as (source: unknown) => unknown
    const read = readSafetensors as (source: unknown, options?: unknown) => Promise<unknown>
    assert.throws(() => parse('x'), { code, message: 'parseSafetensors: bytes must be a Uint8Array, got "x"' })
    await assert.rejects(read(7), { code, message: 'readSafetensors: path must be a string or a file: URL, got 7' })
    await assert.rejects(read(new URL('https://a.b/c')), { code, name: 'MropeTypeError' })
    const options = 'the options are filter, signal'
    await assert.rejects(read('x', { only: 1 }), {
      code,
      message: `readSafetensors: unknown option "only", ${options}`,
    })
    await assert.rejects(read('x', { filter: 1 }), {
      code,
      message: 'readSafetensors: filter must be a function, got 1',
    })
    await assert.rejects(read('x', { signal: 1 }), {
      code,
      message: 'readSafetensors: signal must be an AbortSignal, got 1',
    })
  })
})

const dimsArbitrary = fc.array(fc.integer({ min: 0, max: 7 }), { maxLength: 4 })
const tensorArbitrary = fc
  .tuple(fc.constantFrom(...types), dimsArbitrary, fc.uint8Array({ minLength: 1, maxLength: 40 }))
  .map(([type, dims, pattern]): StorableTensor => {
    const length = dims.reduce((product, d) => product * d, 1)
    return { type, dims, data: filled(type, pattern, length) }
  })
// Any code points but halves of surrogate pairs.
const textArbitrary = fc.string({ unit: 'binary', maxLength: 12 })
const nameArbitrary = textArbitrary.filter((name) => name !== '__proto__' && name !== '__metadata__')
const fileArbitrary = fc.record({
  tensors: fc.array(fc.tuple(nameArbitrary, tensorArbitrary), { maxLength: 6 }).map((entries) => new Map(entries)),
  metadata: fc
    .array(fc.tuple(nameArbitrary, textArbitrary), { maxLength: 4 })
    .map((entries) => Object.fromEntries(entries)),
})

/** An array of a type over a repeated pattern of bytes, so that NaN payloads and all bits are in it. */
function filled(type: StoredType, pattern: ArrayLike<number>, length: number): StoredTensor['data'] {
  const data = new arrays[type](length)
  const bytes = bytesOf(data)
  for (let i = 0; i < bytes.length; i++) bytes[i] = pattern[i % pattern.length]
  return data
}
