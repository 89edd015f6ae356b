import assert from 'node:assert/strict'
import { parseSafetensors, readSafetensors } from '../lib/io/safetensors.js'
import { file, prefixed } from './safetensors-files.js'

describe('safetensors damage', () => {
  const u8 = (begin: number, end: number) => `{"dtype":"U8","shape":[${end - begin}],"data_offsets":[${begin},${end}]}`
  const data = new Uint8Array(8)
  const entry = (members: string) => file(`{"x":{${members}}}`, data)
  const f32 = '"dtype":"F32","shape":[2]'
  const deep = 100_000
  const dtypes = 'BOOL, U8, I8, I16, U16, F16, BF16, I32, U32, F32, F64, I64, U64'

  /** Name of the case, the file, the message after "parseSafetensors: ". */
  const cases: [string, Uint8Array, string][] = [
    ['no bytes', new Uint8Array(0), 'the file has 0 bytes, its header length alone takes 8'],
    ['7 bytes', new Uint8Array(7), 'the file has 7 bytes, its header length alone takes 8'],
    ['header length beyond the file', prefixed(3n, '{}'), 'the header length is 3, but the file has only 2 bytes more'],
    [
      'header length of 10 GB',
      prefixed(10n ** 10n, '{}'),
      'the header length is 10000000000, the limit is 100000000 bytes',
    ],
    [
      'header length of 100 MB + 1',
      prefixed(100_000_001n, '{}'),
      'the header length is 100000001, the limit is 100000000 bytes',
    ],
    [
      'header length 2^64 - 1',
      prefixed(2n ** 64n - 1n, '{}'),
      `the header length is ${2n ** 64n - 1n}, the limit is 100000000 bytes`,
    ],
    ['empty header', file(''), 'the header is not a JSON object: it does not begin with "{"'],
    ['header is an array', file('[]'), 'the header is not a JSON object: it does not begin with "{"'],
    ['header begins with a space', file(' {}'), 'the header is not a JSON object: it does not begin with "{"'],
    [
      'header begins with a byte order mark',
      file('\ufeff{}'),
      'the header is not a JSON object: it does not begin with "{"',
    ],
    ['header is cut', file('{"x"'), `header, character 4: expected ':', found the end`],
    ['header goes on', file('{}x'), 'header, character 2: the document has ended, but "x" follows'],
    [
      'trailing comma',
      file(`{"x":${u8(0, 8)},}`, data),
      `header, character ${u8(0, 8).length + 6}: expected a key in double quotes, found "}"`,
    ],
    ['invalid UTF-8 in a name', file(Buffer.from('7b22ff223a', 'hex')), 'byte 2 of the header is not valid UTF-8'],
    [
      'overlong UTF-8 after a genuine U+FFFD',
      file(Buffer.from('7b22efbfbdc080', 'hex')),
      'byte 5 of the header is not valid UTF-8',
    ],
    ['UTF-8 cut at the end', file(Buffer.from('7b22e282', 'hex')), 'byte 2 of the header is not valid UTF-8'],
    [
      'half a surrogate pair',
      file(`{"\\ud800":${u8(0, 8)}}`, data),
      'header, character 1: the string holds half of a surrogate pair',
    ],
    [
      'raw control character',
      file('{"a\nb":1}'),
      'header, character 3: a control character in a string must be escaped, found "\\n"',
    ],
    ['unknown escape', file('{"\\x41":1}'), 'header, character 2: unknown escape in a string'],
    ['cut escape', file('{"\\u004'), 'header, character 2: \\u needs four hex digits'],
    [
      'repeated tensor',
      file(`{"x":${u8(0, 4)},"x":${u8(4, 8)}}`, data),
      `header, character ${u8(0, 4).length + 6}: the key "x" occurs twice`,
    ],
    [
      'repeated tensor, escaped',
      file(`{"x":${u8(0, 8)},"\\u0078":${u8(0, 8)}}`, data),
      `header, character ${u8(0, 8).length + 6}: the key "x" occurs twice`,
    ],
    [
      'repeated key in a tensor',
      entry(`"dtype":"U8",${f32},"data_offsets":[0,8]`),
      'header, tensor "x", character 19: the key "dtype" occurs twice',
    ],
    [
      'repeated __metadata__',
      file('{"__metadata__":{},"__metadata__":{}}'),
      'header, character 19: the key "__metadata__" occurs twice',
    ],
    [
      'repeated key in the metadata',
      file('{"__metadata__":{"a":"","a":""}}'),
      'header, __metadata__ "a", character 24: the key "a" occurs twice',
    ],
    [
      'tensor named __proto__',
      file(`{"__proto__":${u8(0, 8)}}`, data),
      'header, character 1: the key "__proto__" is not allowed',
    ],
    [
      '__proto__ in a tensor',
      entry(`"__proto__":1,${f32},"data_offsets":[0,8]`),
      'header, tensor "x", character 6: the key "__proto__" is not allowed',
    ],
    [
      '__proto__ in the metadata',
      file('{"__metadata__":{"__proto__":""}}'),
      'header, __metadata__, character 17: the key "__proto__" is not allowed',
    ],
    [
      'metadata is a list',
      file('{"__metadata__":[]}'),
      'header, __metadata__, character 16: expected an object, found "["',
    ],
    [
      'metadata is null',
      file('{"__metadata__":null}'),
      'header, __metadata__, character 16: expected an object, found "n"',
    ],
    [
      'metadata value is a number',
      file('{"__metadata__":{"a":1}}'),
      'header, __metadata__ "a", character 21: expected a string, found "1"',
    ],
    [
      'metadata value is an object',
      file('{"__metadata__":{"a":{}}}'),
      'header, __metadata__ "a", character 21: expected a string, found "{"',
    ],
    ['tensor is a number', file('{"x":1}'), 'header, tensor "x", character 5: expected an object, found "1"'],
    ['tensor is null', file('{"x":null}'), 'header, tensor "x", character 5: expected an object, found "n"'],
    [
      'deep arrays instead of a tensor',
      file(`{"x":${'['.repeat(deep)}`),
      'header, tensor "x", character 5: expected an object, found "["',
    ],
    [
      'deep arrays in an unknown field',
      entry(`"y":${'['.repeat(deep)}`),
      'header, tensor "x", character 138: nested deeper than 128 levels',
    ],
    [
      'deep objects in an unknown field',
      entry(`"y":${'{"":'.repeat(deep)}`),
      'header, tensor "x", character 522: nested deeper than 128 levels',
    ],
    [
      '65 fields',
      entry(Array.from({ length: 65 }, (_, i) => `"${i}":0`).join()),
      'header, tensor "x", character 444: more than 64 keys',
    ],
    [
      'NaN in an unknown field',
      entry('"y":NaN'),
      `header, tensor "x", character 10: NaN is not JSON (Python's json module writes it; JSON has finite numbers only)`,
    ],
    ['dtype missing', entry('"shape":[2],"data_offsets":[0,8]'), 'tensor "x": dtype is missing'],
    [
      'dtype unknown',
      entry('"dtype":"F8_E4M3","shape":[8],"data_offsets":[0,8]'),
      'tensor "x": dtype "F8_E4M3" is not one of ' + dtypes,
    ],
    [
      'dtype in small letters',
      entry('"dtype":"f32","shape":[2],"data_offsets":[0,8]'),
      'tensor "x": dtype "f32" is not one of ' + dtypes,
    ],
    [
      'dtype named after a method',
      entry('"dtype":"toString","shape":[2],"data_offsets":[0,8]'),
      'tensor "x": dtype "toString" is not one of ' + dtypes,
    ],
    [
      'dtype is a number',
      entry('"dtype":32,"shape":[2],"data_offsets":[0,8]'),
      'header, tensor "x", character 14: expected a string, found "3"',
    ],
    ['shape missing', entry('"dtype":"F32","data_offsets":[0,8]'), 'tensor "x": shape is missing'],
    [
      'shape is a number',
      entry('"dtype":"F32","shape":2,"data_offsets":[0,8]'),
      'header, tensor "x", character 28: expected an array, found "2"',
    ],
    [
      'shape of strings',
      entry('"dtype":"F32","shape":["2"],"data_offsets":[0,8]'),
      'header, tensor "x", character 29: expected a number, found "\\""',
    ],
    [
      'negative shape',
      entry('"dtype":"F32","shape":[1,-2],"data_offsets":[0,8]'),
      'tensor "x": shape[1] is -2, not an integer from 0 to 2^53 - 1',
    ],
    [
      'negative zero',
      entry('"dtype":"F32","shape":[-0],"data_offsets":[0,8]'),
      'tensor "x": shape[0] is -0, not an integer from 0 to 2^53 - 1',
    ],
    [
      'fractional shape',
      entry('"dtype":"F32","shape":[2.5],"data_offsets":[0,8]'),
      'tensor "x": shape[0] is 2.5, not an integer from 0 to 2^53 - 1',
    ],
    [
      'huge shape',
      entry('"dtype":"U8","shape":[1e300],"data_offsets":[0,8]'),
      'tensor "x": shape[0] is 1e+300, not an integer from 0 to 2^53 - 1',
    ],
    [
      'shape of 2^53 + 1',
      entry('"dtype":"U8","shape":[9007199254740993],"data_offsets":[0,8]'),
      'tensor "x": shape[0] is 9007199254740992, not an integer from 0 to 2^53 - 1',
    ],
    [
      'shape beyond float64',
      entry('"dtype":"U8","shape":[1e999],"data_offsets":[0,8]'),
      'header, tensor "x", character 28: the number is outside the range of float64',
    ],
    [
      'shape with a leading zero',
      entry('"dtype":"F32","shape":[02],"data_offsets":[0,8]'),
      `header, tensor "x", character 30: expected ',' or ']', found "2"`,
    ],
    [
      'product overflow',
      entry('"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,8]'),
      'tensor "x": shape [4294967296, 4294967296] of F32 is too large',
    ],
    [
      'product overflow before a zero',
      entry('"dtype":"F32","shape":[4294967296,4294967296,0],"data_offsets":[0,0]'),
      'tensor "x": shape [4294967296, 4294967296, 0] of F32 is too large',
    ],
    [
      'overflow by the size of the type',
      entry('"dtype":"F64","shape":[2251799813685248],"data_offsets":[0,8]'),
      'tensor "x": shape [2251799813685248] of F64 is too large',
    ],
    [
      '65 dimensions',
      entry(`"dtype":"F64","shape":[${Array(65).fill(1)}],"data_offsets":[0,8]`),
      'tensor "x": shape has more than 64 entries',
    ],
    ['data_offsets missing', entry(f32), 'tensor "x": data_offsets is missing'],
    ['one data offset', entry(`${f32},"data_offsets":[8]`), 'tensor "x": data_offsets has 1 entries, not 2'],
    ['three data offsets', entry(`${f32},"data_offsets":[0,8,8]`), 'tensor "x": data_offsets has 3 entries, not 2'],
    [
      'data_offsets is an object',
      entry(`${f32},"data_offsets":{}`),
      'header, tensor "x", character 47: expected an array, found "{"',
    ],
    [
      'fractional data offset',
      entry(`${f32},"data_offsets":[0.5,8]`),
      'tensor "x": data_offsets[0] is 0.5, not an integer from 0 to 2^53 - 1',
    ],
    [
      'negative data offset',
      entry(`${f32},"data_offsets":[-8,0]`),
      'tensor "x": data_offsets[0] is -8, not an integer from 0 to 2^53 - 1',
    ],
    ['reversed data offsets', entry(`${f32},"data_offsets":[8,0]`), 'tensor "x": data_offsets [8, 0] are reversed'],
    [
      'data out of range',
      entry(`"dtype":"F32","shape":[3],"data_offsets":[0,12]`),
      'tensor "x": data_offsets [0, 12] are out of range, the file has 8 bytes of data',
    ],
    [
      'data far out of range',
      entry(`"dtype":"U8","shape":[9007199254740991],"data_offsets":[0,9007199254740991]`),
      'tensor "x": data_offsets [0, 9007199254740991] are out of range, the file has 8 bytes of data',
    ],
    [
      'length unlike shape',
      entry(`"dtype":"F32","shape":[3],"data_offsets":[0,8]`),
      'tensor "x": shape [3] of F32 takes 12 bytes, data_offsets hold 8',
    ],
    [
      'length unlike type',
      entry(`"dtype":"F64","shape":[2],"data_offsets":[0,8]`),
      'tensor "x": shape [2] of F64 takes 16 bytes, data_offsets hold 8',
    ],
    [
      'overlap',
      file(`{"a":${u8(0, 5)},"b":${u8(4, 8)}}`, data),
      'tensor "b": data_offsets [4, 8] overlap those of tensor "a", which end at 5',
    ],
    [
      'same range twice',
      file(`{"a":${u8(0, 8)},"b":${u8(0, 8)}}`, data),
      'tensor "b": data_offsets [0, 8] overlap those of tensor "a", which end at 8',
    ],
    [
      'an empty tensor inside another',
      file(`{"a":${u8(0, 8)},"b":${u8(4, 4)}}`, data),
      'tensor "b": data_offsets [4, 4] overlap those of tensor "a", which end at 8',
    ],
    [
      'gap',
      file(`{"b":${u8(5, 8)},"a":${u8(0, 4)}}`, data),
      'tensor "b": data_offsets [5, 8] leave a gap, bytes 4 to 5 belong to no tensor',
    ],
    [
      'gap at the start',
      file(`{"a":${u8(1, 8)}}`, data),
      'tensor "a": data_offsets [1, 8] leave a gap, bytes 0 to 1 belong to no tensor',
    ],
    ['trailing bytes', file(`{"a":${u8(0, 7)}}`, data), '1 trailing bytes, the tensors end at byte 7 of the data'],
    ['bytes without a tensor', file('{}', data), '8 trailing bytes, the tensors end at byte 0 of the data'],
    [
      'a long name is cut in the message',
      file(`{"${'n'.repeat(1000)}":{}}`),
      `tensor "${'n'.repeat(77)}…": dtype is missing`,
    ],
  ]
  for (const [name, bytes, message] of cases) {
    it(name, async () => {
      const expected = { name: 'MropeRangeError', code: 'ERR_MROPE_SAFETENSORS' }
      assert.throws(() => parseSafetensors(bytes), { ...expected, message: `parseSafetensors: ${message}` })
      await assert.rejects(readSafetensors(bytes), { ...expected, message: `readSafetensors: ${message}` })
    })
  }

  it('more metadata than any model has', () => {
    const keys = Array.from({ length: 2 ** 16 + 1 }, (_, i) => `"${i}":""`)
    const message = /^parseSafetensors: header, __metadata__ "65535", character \d+: more than 65536 keys$/
    assert.throws(() => parseSafetensors(file(`{"__metadata__":{${keys}}}`)), {
      code: 'ERR_MROPE_SAFETENSORS',
      message,
    })
  })

  it('a string of 8 MB in the header is no burden for the stack', () => {
    const bytes = file(`{"__metadata__":{"a":"${'\\"x'.repeat(2 ** 21)}"}}`)
    assert.equal(parseSafetensors(bytes).metadata.a.length, 2 ** 22)
  })
})
