import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { MropeErrorCode } from '../lib/errors.js'
import { type PermuteOptions, pairingPermutation, permutePairing, type RotateOptions } from '../lib/rotary/rotate.js'
import type { Pairing, RotaryTable } from '../lib/rotary/table.js'
import { Tensor, type TensorType } from '../lib/tensors/tensor.js'
import { subjects } from './support/subjects.js'
import { maxError, naiveRotate, randomTable, randomTensor, roundTo, tensorTypes } from './support/tensors.js'

const pairings: readonly Pairing[] = ['half-split', 'adjacent']

for (const { name, reference, rotate } of subjects)
  describe(`rotate, ${name}`, () => {
    const shapes: readonly { dims: [number, number, number]; pairs: number; tableHeads: number }[] = [
      { dims: [1, 1, 2], pairs: 1, tableHeads: 1 },
      { dims: [3, 28, 128], pairs: 64, tableHeads: 1 },
      { dims: [33, 16, 72], pairs: 36, tableHeads: 16 },
      { dims: [100, 14, 80], pairs: 40, tableHeads: 2 },
      { dims: [777, 7, 64], pairs: 32, tableHeads: 7 },
      { dims: [33, 4, 256], pairs: 32, tableHeads: 4 },
      { dims: [100, 2, 65], pairs: 16, tableHeads: 1 },
      { dims: [3, 2, 8], pairs: 0, tableHeads: 1 },
      { dims: [0, 4, 64], pairs: 32, tableHeads: 1 },
    ]
    for (const { dims, pairs, tableHeads } of shapes) {
      for (const pairing of pairings) {
        for (const type of tensorTypes) {
          it(`${reference ? 'rounds the formula once' : 'errs at most twice as much as float32 steps'}: [${dims}], ${pairs} pairs, ${tableHeads} table heads, ${pairing}, ${type}, seed 1`, () => {
            const x = randomTensor(type, dims, 1)
            const table = randomTable([tableHeads, dims[0], pairs], pairing, 2)
            const before = x.data.slice()
            const out = rotate(x, table)
            assert.equal(out.type, type)
            assert.deepEqual(out.dims, dims)
            const exact = naiveRotate(x, table)
            const once = exact.map((value) => roundTo(type, value))
            if (reference) assert.equal(maxError(out.toFloat32(), once), 0)
            const plain = naiveRotate(x, table, pairing, Math.fround).map((value) => roundTo(type, value))
            assert.ok(maxError(out.toFloat32(), exact) <= 2 * maxError(plain, exact))
            assert.deepEqual(x.data, before)
          })
        }
      }
    }

    it('turns (1, 0) by 30° into (cos 30°, sin 30°), and applies the attention factor of the table', () => {
      const table = tableOf([2 * Math.cos(Math.PI / 6)], [2 * Math.sin(Math.PI / 6)], 'half-split')
      const out = rotate(new Tensor('float32', new Float32Array([1, 0]), [1, 1, 2]), table)
      assert.deepEqual([...out.data], [2 * Math.cos(Math.PI / 6), 2 * Math.sin(Math.PI / 6)].map(Math.fround))
    })

    it('pairs channels (0, 2), (1, 3) half-split and (0, 1), (2, 3) adjacent, and leaves channel 4', () => {
      const x = new Tensor('float32', new Float32Array([1, 2, 3, 4, 5]), [1, 1, 5])
      const table = tableOf([0, 0], [1, 1], 'half-split')
      assert.deepEqual([...rotate(x, table).data], [-3, -4, 1, 2, 5])
      assert.deepEqual([...rotate(x, table, { pairing: 'adjacent' }).data], [-2, 1, -4, 3, 5])
    })

    it('copies the bits of the channels behind the pairs, NaN payload included', () => {
      const x = new Tensor('float16', new Uint16Array([0x3c00, 0, 0x7e55, 0xfc00, 0x8000]), [1, 1, 5])
      const out = rotate(x, tableOf([1], [0], 'adjacent'))
      assert.deepEqual([...out.data.slice(2)], [0x7e55, 0xfc00, 0x8000])
    })

    for (const type of tensorTypes) {
      for (const pairing of pairings) {
        it(`gives the same in place and into another tensor: [33, 14, 80], ${type}, ${pairing}, seed 3`, () => {
          const x = randomTensor(type, [33, 14, 80], 3)
          const table = randomTable([2, 33, 24], pairing, 4)
          const expected = rotate(x, table)
          const out = Tensor.zeros(type, x.dims)
          assert.equal(rotate(x, table, { out }), out)
          assert.deepEqual(out.data, expected.data)
          assert.equal(rotate(x, table, { out: x }), x)
          assert.deepEqual(x.data, expected.data)
        })
      }
    }

    it('rounds to the type of out, copied channels too', () => {
      const x = randomTensor('float32', [3, 2, 10], 5)
      const table = randomTable([1, 3, 4], 'half-split', 6)
      const out = rotate(x, table, { out: Tensor.zeros('bfloat16', [3, 2, 10]) })
      const expected = naiveRotate(x, table).map((value) => roundTo('bfloat16', value))
      assert.equal(maxError(out.toFloat32(), expected), 0)
    })

    it('takes neighbouring memory as out, and bits of the other half type in place', () => {
      const memory = new Uint16Array(16)
      const x = new Tensor('float16', memory.subarray(0, 8), [1, 2, 4])
      const table = randomTable([1, 1, 2], 'adjacent', 7)
      rotate(x, table, { out: new Tensor('float16', memory.subarray(8), [1, 2, 4]) })
      const inPlace = new Tensor('bfloat16', memory.subarray(0, 8), [1, 2, 4])
      assert.equal(rotate(x, table, { out: inPlace }), inPlace)
    })

    describe('properties', () => {
      const cases = fc.record({
        tokens: fc.integer({ min: 1, max: 9 }),
        heads: fc.integer({ min: 1, max: 7 }),
        pairs: fc.integer({ min: 1, max: 20 }),
        rest: fc.integer({ min: 0, max: 9 }),
        pairing: fc.constantFrom(...pairings),
        seed: fc.nat(),
        factor: fc.double({ min: 0.5, max: 2, noNaN: true }),
      })

      it('keeps the norm of every pair, times the attention factor, to 1e-6 (float32)', () => {
        fc.assert(
          fc.property(cases, ({ tokens, heads, pairs, rest, pairing, seed, factor }) => {
            const x = randomTensor('float32', [tokens, heads, 2 * pairs + rest], seed)
            const out = rotate(x, randomTable([1, tokens, pairs], pairing, seed + 1, factor))
            const expected = pairNorms(x, pairs, pairing).map((norm) => norm * factor)
            const actual = pairNorms(out, pairs, pairing)
            for (let i = 0; i < expected.length; i++) {
              assert.ok(Math.abs(actual[i] - expected[i]) <= 1e-6 * expected[i], `${actual[i]} for ${expected[i]}`)
            }
          }),
        )
      })

      it('inverse after rotation scales the pairs by the square of the attention factor', () => {
        fc.assert(
          fc.property(cases, ({ tokens, heads, pairs, rest, pairing, seed, factor }) => {
            const x = randomTensor('float32', [tokens, heads, 2 * pairs + rest], seed)
            const table = randomTable([heads, tokens, pairs], pairing, seed + 1, factor)
            const back = rotate(rotate(x, table), table, { inverse: true })
            const headDim = 2 * pairs + rest
            const expected = Float64Array.from(x.data, (value, i) =>
              i % headDim < 2 * pairs ? value * factor ** 2 : value,
            )
            assert.ok(maxError(back.data, expected) <= 1e-6 * factor ** 2)
          }),
        )
      })

      it('the two pairings agree after the permutation of the channels', () => {
        fc.assert(
          fc.property(cases, ({ tokens, heads, pairs, rest, seed }) => {
            const headDim = 2 * pairs + rest
            const x = randomTensor('float32', [tokens, heads, headDim], seed)
            const table = randomTable([1, tokens, pairs], 'adjacent', seed + 1)
            const permutation = pairingPermutation(headDim, 2 * pairs, 'adjacent', 'half-split')
            const rotatedThenPermuted = permuteChannels(rotate(x, table), permutation)
            const permutedThenRotated = rotate(permuteChannels(x, permutation), table, { pairing: 'half-split' })
            assert.deepEqual(permutedThenRotated.data, rotatedThenPermuted.data)
          }),
        )
      })
    })

    describe('refuses', () => {
      const x = randomTensor('float32', [11, 28, 8], 8)
      const table = randomTable([1, 11, 4], 'half-split', 9)
      const memory = new Float32Array(4 * 8 + 1)
      const view = new Tensor('float32', memory.subarray(0, 32), [2, 2, 8])
      const small = randomTable([1, 2, 4], 'half-split', 10)
      const elsewhere = new Float32Array(32)
      const gone = transferred([2, 2, 8])
      const wrong: readonly [string, unknown, unknown, RotateOptions, MropeErrorCode, RegExp][] = [
        ['x is an array', [1, 2], table, {}, 'ERR_MROPE_ARGUMENT', /^rotate: x must be a Tensor in host memory/],
        ['x has two dimensions', randomTensor('float32', [2, 8], 1), small, {}, 'ERR_MROPE_SHAPE', /x.dims = \[2, 8\]/],
        ['x was transferred', gone, small, {}, 'ERR_MROPE_SHAPE', /the memory of x is gone/],
        ['no table', x, undefined, {}, 'ERR_MROPE_ARGUMENT', /the table must have cos and sin/],
        [
          'a table with a float64 cos',
          x,
          { ...table, cos: new Float64Array(44) },
          {},
          'ERR_MROPE_ARGUMENT',
          /Float32Array/,
        ],
        ['a table without heads', x, { ...table, shape: [0, 11, 4] }, {}, 'ERR_MROPE_SHAPE', /got \[0, 11, 4\]/],
        ['a table of rank 2', x, { ...table, shape: [11, 4] }, {}, 'ERR_MROPE_SHAPE', /got \[11, 4\]/],
        ['a table with a short sin', x, { ...table, sin: table.sin.slice(1) }, {}, 'ERR_MROPE_SHAPE', /sin has 43/],
        [
          'a table without pairing',
          x,
          { ...table, pairing: 'neox' },
          {},
          'ERR_MROPE_ARGUMENT',
          /table.pairing.*"neox"/,
        ],
        [
          'other tokens',
          x,
          randomTable([1, 12, 4], 'adjacent', 1),
          {},
          'ERR_MROPE_SHAPE',
          /x has 11 tokens, the table has 12/,
        ],
        [
          'too many pairs',
          x,
          randomTable([1, 11, 5], 'adjacent', 1),
          {},
          'ERR_MROPE_SHAPE',
          /rotates 10 channels.* dim of 8/,
        ],
        [
          'heads that do not divide',
          x,
          randomTable([3, 11, 4], 'adjacent', 1),
          {},
          'ERR_MROPE_HEADS',
          /28 heads.* the 3 heads/,
        ],
        ['an unknown pairing', x, table, { pairing: 'interleaved' as Pairing }, 'ERR_MROPE_ARGUMENT', /"interleaved"/],
        [
          'an unknown option',
          x,
          table,
          { inversed: true } as RotateOptions,
          'ERR_MROPE_ARGUMENT',
          /unknown option "inversed"/,
        ],
        [
          'inverse of the wrong kind',
          x,
          table,
          { inverse: 1 as never },
          'ERR_MROPE_ARGUMENT',
          /inverse must be true or false/,
        ],
        ['options that are null', x, table, null as never, 'ERR_MROPE_ARGUMENT', /expected an object, got null/],
        [
          'out of other dims',
          x,
          table,
          { out: view },
          'ERR_MROPE_SHAPE',
          /out has dims \[2, 2, 8\], x has \[11, 28, 8\]/,
        ],
        [
          'out that overlaps x by all but one element',
          view,
          small,
          { out: new Tensor('float32', memory.subarray(1), [2, 2, 8]) },
          'ERR_MROPE_ARGUMENT',
          /out shares memory with x in part/,
        ],
        [
          'out that holds the table',
          view,
          { ...small, cos: elsewhere.subarray(24) },
          { out: new Tensor('float32', elsewhere, [2, 2, 8]) },
          'ERR_MROPE_ARGUMENT',
          /out shares memory with the table/,
        ],
      ]
      for (const [what, tensor, angles, options, code, message] of wrong) {
        it(`${what}: ${code}, and writes nothing`, () => {
          const before = [memory.slice(), elsewhere.slice()]
          assert.throws(
            () => rotate(tensor as Tensor, angles as RotaryTable, options),
            (error: Error & { code: string }) => error.code === code && message.test(error.message),
          )
          assert.deepEqual([memory, elsewhere], before)
        })
      }
    })
  })

describe('pairingPermutation', () => {
  it('is the stated permutation: adjacent → half-split of 8 channels, 6 of them rotary', () => {
    assert.deepEqual([...pairingPermutation(8, 6, 'adjacent', 'half-split')], [0, 2, 4, 1, 3, 5, 6, 7])
    assert.deepEqual([...pairingPermutation(8, 6, 'half-split', 'adjacent')], [0, 3, 1, 4, 2, 5, 6, 7])
    assert.deepEqual([...pairingPermutation(8, 6, 'adjacent', 'adjacent')], [0, 1, 2, 3, 4, 5, 6, 7])
  })

  it('there and back is the identity', () => {
    const sizes = fc.nat({ max: 64 }).chain((pairs) => fc.tuple(fc.constant(pairs), fc.integer({ min: 1, max: 64 })))
    fc.assert(
      fc.property(sizes, ([pairs, rest]) => {
        const headDim = 2 * pairs + rest
        const there = pairingPermutation(headDim, 2 * pairs, 'adjacent', 'half-split')
        const back = pairingPermutation(headDim, 2 * pairs, 'half-split', 'adjacent')
        for (let channel = 0; channel < headDim; channel++) assert.equal(there[back[channel]], channel)
      }),
    )
  })

  const wrong: readonly [string, Parameters<typeof pairingPermutation>, RegExp][] = [
    ['an odd rotaryDim', [8, 5, 'adjacent', 'half-split'], /rotaryDim must be even and at most headDim 8, got 5/],
    ['a rotaryDim above headDim', [8, 10, 'adjacent', 'half-split'], /got 10/],
    ['a headDim of 0', [0, 0, 'adjacent', 'half-split'], /headDim must be an integer of at least 1, got 0/],
    ['a headDim of 7.5', [7.5, 2, 'adjacent', 'half-split'], /headDim must be an integer of at least 1, got 7.5/],
    ['an unknown pairing', [8, 8, 'adjacent', 'neox' as Pairing], /to must be 'half-split' or 'adjacent', got "neox"/],
  ]
  for (const [what, args, message] of wrong) {
    it(`refuses ${what}`, () => {
      assert.throws(() => pairingPermutation(...args), { code: 'ERR_MROPE_ARGUMENT', message })
    })
  }
})

describe('permutePairing', () => {
  for (const type of tensorTypes) {
    it(`moves whole rows inside every head and keeps their bits: 3 heads of 8, rotaryDim 6, 5 columns, ${type}, seed 11`, () => {
      const weights = randomTensor(type, [24, 5], 11)
      const out = permutePairing(weights, { headDim: 8, rotaryDim: 6, from: 'adjacent', to: 'half-split' })
      const order = [0, 2, 4, 1, 3, 5, 6, 7]
      for (let row = 0; row < 24; row++) {
        const old = 8 * Math.floor(row / 8) + order[row % 8]
        assert.deepEqual(out.data.slice(5 * row, 5 * row + 5), weights.data.slice(5 * old, 5 * old + 5))
      }
    })
  }

  it('permutes a bias and a norm weight, and all channels without rotaryDim', () => {
    const bias = new Tensor('float32', new Float32Array([0, 1, 2, 3, 10, 11, 12, 13]), [8])
    const out = permutePairing(bias, { headDim: 4, from: 'half-split', to: 'adjacent' })
    assert.deepEqual([...out.data], [0, 2, 1, 3, 10, 12, 11, 13])
  })

  const wrong: readonly [string, unknown, unknown, MropeErrorCode, RegExp][] = [
    [
      'rows that are not heads',
      Tensor.zeros('float32', [9, 2]),
      { headDim: 8 },
      'ERR_MROPE_SHAPE',
      /9 rows are not heads of 8/,
    ],
    ['weights that are no tensor', null, { headDim: 8 }, 'ERR_MROPE_ARGUMENT', /weights must be a Tensor/],
    ['a scalar', Tensor.zeros('float32', []), { headDim: 8 }, 'ERR_MROPE_SHAPE', /weights must have 1 dimension/],
    ['an unknown option', Tensor.zeros('float32', [8]), { head: 8 }, 'ERR_MROPE_ARGUMENT', /unknown option "head"/],
  ]
  for (const [what, weights, options, code, message] of wrong) {
    it(`refuses ${what}: ${code}`, () => {
      const all = { from: 'adjacent', to: 'half-split', ...(options as object) } as PermuteOptions
      assert.throws(() => permutePairing(weights as Tensor, all), { code, message })
    })
  }
})

function tableOf(cos: number[], sin: number[], pairing: Pairing): RotaryTable {
  return { cos: new Float32Array(cos), sin: new Float32Array(sin), shape: [1, 1, cos.length], pairing }
}

function transferred(dims: [number, number, number], type: TensorType = 'float32'): Tensor {
  const tensor = Tensor.zeros(type, dims)
  structuredClone(tensor.data.buffer, { transfer: [tensor.data.buffer as ArrayBuffer] })
  return tensor
}

function pairNorms(x: Tensor, pairs: number, pairing: Pairing): number[] {
  const headDim = x.dims[2]
  const norms: number[] = []
  for (let start = 0; start < x.data.length; start += headDim) {
    for (let f = 0; f < pairs; f++) {
      const [i, j] = pairing === 'adjacent' ? [2 * f, 2 * f + 1] : [f, f + pairs]
      norms.push(Math.hypot(x.data[start + i], x.data[start + j]))
    }
  }
  return norms
}

function permuteChannels(x: Tensor, permutation: Int32Array): Tensor {
  const headDim = permutation.length
  const moved = x.data.map((_, i) => x.data[i - (i % headDim) + permutation[i % headDim]])
  return new Tensor(x.type, moved, x.dims)
}
