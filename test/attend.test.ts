import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { MaskOptions } from '../lib/attention/mask.js'
import type { AttendRequest } from '../lib/attention/request.js'
import { MropeError, type MropeErrorCode } from '../lib/errors.js'
import type { RotaryTable } from '../lib/rotary/table.js'
import { Tensor, type TensorType } from '../lib/tensors/tensor.js'
import { subjects } from './support/subjects.js'
import {
  maxError,
  type NaiveAttention,
  naiveAttend,
  naiveRotate,
  randomTable,
  randomTensor,
  roundTo,
  tensorTypes,
} from './support/tensors.js'

interface Shape {
  queries: number
  keys: number
  heads: number
  kvHeads: number
  headDim: number
  valueDim: number
}

type Inputs = Pick<AttendRequest, 'q' | 'k' | 'v'>

const causal: MaskOptions = { causal: true }
const open: MaskOptions = { causal: false }

for (const { name, toleranceAt, reference, queued, attend, attendSync } of subjects)
  describe(`attend, ${name}`, () => {
    // Scores of the default scale stay below the root of the largest head dimension.
    const tolerance = toleranceAt(Math.sqrt(128))
    const shapes: readonly (readonly [Shape, MaskOptions])[] = [
      [shape(1, 1, 1, 1, 64), causal],
      [shape(3, 3, 7, 1, 72), causal],
      [shape(33, 33, 14, 2, 80), causal],
      [shape(100, 100, 28, 4, 128), causal],
      [shape(777, 777, 7, 1, 64), causal],
      [shape(33, 33, 3, 3, 1), causal],
      [shape(100, 100, 2, 1, 40, 24), causal],
      [shape(33, 33, 4, 4, 16, 65), open],
      [shape(100, 100, 4, 4, 72), open],
      [shape(5, 100, 14, 2, 80), open],
      [shape(100, 3, 7, 1, 64), open],
      [shape(300, 300, 1, 1, 64), { causal: true, window: 1 }],
      [shape(300, 300, 7, 1, 8), { causal: true, window: 33 }],
      [shape(300, 300, 3, 1, 8), { causal: false, window: 49 }],
      [shape(100, 100, 4, 2, 80), { causal: false, cuSeqlens: [0, 33, 33, 34, 97, 100, 100] }],
      [shape(300, 300, 3, 3, 8), { causal: false, cuSeqlens: Int32Array.of(0, 0, 64, 128, 128, 192, 256, 300) }],
      [shape(300, 300, 7, 1, 8), { causal: true, cuSeqlens: [0, 1, 150, 300], window: 20 }],
      [shape(100, 100, 7, 1, 16), { causal: true, padding: 33 }],
      [shape(100, 100, 2, 2, 16), { causal: false, padding: 99, window: 3 }],
      [shape(33, 33, 2, 2, 16), { causal: false, padding: 33 }],
      [shape(3, 3, 2, 2, 16), { causal: true, padding: 2 ** 40 }],
      [shape(100, 100, 2, 2, 16), { causal: false, cuSeqlens: [0, 50, 100], padding: 60 }],
      [shape(0, 5, 2, 1, 8), causal],
      [shape(0, 0, 2, 1, 8), { causal: false, cuSeqlens: [0] }],
      [shape(3, 0, 2, 1, 8), open],
    ]
    for (const [sizes, mask] of shapes) {
      it(`equals the three loops: ${print(sizes)}, ${JSON.stringify(mask)}, seed 1`, () => {
        const inputs = randomInputs('float32', sizes, 1)
        const out = attendSync({ ...inputs, rotated: true, mask })
        assert.deepEqual(out.dims, [sizes.queries, sizes.heads, sizes.valueDim])
        const expected = oracle(inputs, sizes, { sees: predicate(mask, sizes) })
        // Values are below 1: the result is rounded once, the float64 sums differ by far less.
        assert.ok(maxError(out.data, expected) <= tolerance)
      })
    }

    it('any shape, mask, offset, scale and bias equals the three loops', () => {
      const cases = fc.record({
        queries: fc.integer({ min: 1, max: 60 }),
        more: fc.nat({ max: 60 }),
        behind: fc.nat({ max: 5 }),
        kvHeads: fc.integer({ min: 1, max: 2 }),
        group: fc.integer({ min: 1, max: 7 }),
        headDim: fc.integer({ min: 1, max: 20 }),
        valueDim: fc.integer({ min: 1, max: 20 }),
        causal: fc.boolean(),
        window: fc.option(fc.integer({ min: 1, max: 70 }), { nil: undefined }),
        padding: fc.option(fc.nat({ max: 60 }), { nil: undefined }),
        scale: fc.double({ min: -3, max: 3, noNaN: true }),
        holes: fc.boolean(),
        seed: fc.nat(),
      })
      fc.assert(
        fc.property(
          cases,
          ({ queries, more, behind, kvHeads, group, headDim, valueDim, scale, holes, seed, ...rest }) => {
            const sizes = { queries, keys: queries + more, heads: kvHeads * group, kvHeads, headDim, valueDim }
            const mask = { ...rest, padding: Math.min(rest.padding ?? 0, sizes.keys) }
            const queryOffset = Math.max(0, more - behind)
            const inputs = randomInputs('float32', sizes, seed)
            const bias = (head: number, query: number, key: number) =>
              holes && (query + key) % 3 === 0 ? -Infinity : Math.sin(head + 2 * query + 3 * key)
            const out = attendSync({ ...inputs, mask, queryOffset, scale, bias })
            const expected = oracle(inputs, sizes, {
              sees: predicate(mask, sizes, queryOffset),
              scale: () => scale,
              bias: (head, i, j) => bias(head, queryOffset + i, j),
            })
            assert.ok(maxError(out.data, expected) <= toleranceAt(Math.abs(scale) * headDim + 1))
          },
        ),
      )
    })

    describe('rotation', () => {
      const sizes = shape(100, 100, 14, 2, 80)
      for (const pairing of ['half-split', 'adjacent'] as const) {
        for (const tableHeads of [1, 2]) {
          it(`table rotates q and k: ${print(sizes)}, ${pairing}, ${tableHeads} table heads, 24 pairs, seed 2`, () => {
            const inputs = randomInputs('float32', sizes, 2)
            const table = randomTable([tableHeads, 100, 24], pairing, 3, 1.2)
            const out = attendSync({ ...inputs, table })
            const rotated = { ...inputs, q: naiveRotate(inputs.q, table), k: naiveRotate(inputs.k, table) }
            const expected = naiveAttend({ ...sizes, ...rotated, v: inputs.v.data, sees: predicate(causal, sizes) })
            assert.ok(maxError(out.data, expected) <= tolerance)
          })
        }
      }

      it('the queries take their own rows of the table: queryOffset 40, 33 queries, 100 keys, seed 4', () => {
        const full = randomInputs('float32', sizes, 4)
        const table = randomTable([2, 100, 40], 'half-split', 5)
        const whole = attendSync({ ...full, table })
        const part = attendSync({ ...full, q: rows(full.q, 40, 73), table, queryOffset: 40 })
        assert.ok(maxError(part.data, rows(whole, 40, 73).data) <= tolerance)
      })
    })

    for (const type of tensorTypes) {
      it(`prefill in chunks of 1, 32, 67 gives the rows of one call: ${type}, 100 tokens, 14/2 × 72, seed 6`, () => {
        const full = randomInputs(type, shape(100, 100, 14, 2, 72), 6)
        const table = randomTable([1, 100, 36], 'half-split', 7)
        const mask = { causal: true, window: 50, padding: 7 }
        const whole = attendSync({ ...full, table, mask })
        for (const [from, to] of [
          [0, 1],
          [1, 33],
          [33, 100],
        ]) {
          const k = rows(full.k, 0, to)
          const chunk = attendSync({
            q: rows(full.q, from, to),
            k,
            v: rows(full.v, 0, to),
            table: firstTokens(table, to),
            mask,
          })
          // The last bit may differ where the sums of other tiles fall on the other side of a rounding border.
          const ulp = type === 'float32' ? 2 ** -24 : type === 'float16' ? 2 ** -11 : 2 ** -8
          assert.ok(maxError(chunk.toFloat32(), rows(whole, from, to).toFloat32()) <= ulp)
        }
      })
    }

    for (const type of tensorTypes) {
      for (const sizes of [shape(33, 33, 7, 1, 80), shape(100, 100, 4, 2, 72)]) {
        it(`error at most twice that of the straightforward algorithm: ${type}, ${print(sizes)}, seed 8`, () => {
          const inputs = randomInputs(type, sizes, 8)
          const table = randomTable([1, sizes.keys, sizes.headDim / 2], 'half-split', 9)
          const sees = predicate(causal, sizes)
          const [q, k] = [naiveRotate(inputs.q, table), naiveRotate(inputs.k, table)]
          const v = inputs.v.toFloat32()
          const exact = naiveAttend({ ...sizes, q, k, v, sees })
          const rounded = { q: q.map((x) => roundTo(type, x)), k: k.map((x) => roundTo(type, x)) }
          const plain = naiveAttend({ ...sizes, ...rounded, v, sees, round: Math.fround }).map((x) => roundTo(type, x))
          const error = maxError(attendSync({ ...inputs, table }).toFloat32(), exact)
          assert.ok(error <= 2 * maxError(plain, exact), `${error} against ${maxError(plain, exact)}`)
          assert.ok(error > 0)
        })
      }
    }

    it('takes storage types as they come: float32 q, float16 k, bfloat16 v, float16 out', () => {
      const sizes = shape(33, 33, 4, 2, 16)
      const { q } = randomInputs('float32', sizes, 10)
      const { k } = randomInputs('float16', sizes, 11)
      const { v } = randomInputs('bfloat16', sizes, 12)
      const out = Tensor.zeros('float16', [33, 4, 16])
      assert.equal(attendSync({ q, k, v, out }), out)
      const expected = oracle({ q, k, v }, sizes, { sees: predicate(causal, sizes) })
      assert.ok(maxError(out.toFloat32(), expected) <= 2 ** -12)
      assert.equal(attendSync({ q, k, v }).type, 'float32')
    })

    describe('bias and scale', () => {
      const sizes = shape(60, 100, 14, 2, 16)
      for (const type of tensorTypes) {
        for (const biasHeads of [1, 14]) {
          it(`a ${type} tensor of ${biasHeads} heads with holes equals a function: ${print(sizes)}, seed 13`, () => {
            const inputs = randomInputs('float32', sizes, 13)
            const bias = randomTensor(type, [biasHeads, 60, 100], 14, 3)
            for (let i = 0; i < bias.data.length; i += 7) bias.data[i] = bitsOf(type, -Infinity)
            const values = bias.toFloat32()
            const byFunction = (head: number, query: number, key: number) =>
              values[((biasHeads === 1 ? 0 : head) * 60 + query - 40) * 100 + key]
            const out = attendSync({ ...inputs, bias })
            assert.deepEqual(out.data, attendSync({ ...inputs, bias: byFunction }).data)
            const expected = oracle(inputs, sizes, {
              sees: predicate(causal, sizes),
              bias: (head, i, j) => byFunction(head, 40 + i, j),
            })
            assert.ok(maxError(out.data, expected) <= tolerance)
          })
        }
      }

      it('asks a bias function for every seen pair once, in absolute indices', () => {
        const asked = new Map<string, number>()
        const bias = (...pair: number[]) => {
          asked.set(pair.join(), (asked.get(pair.join()) ?? 0) + 1)
          return 0
        }
        attendSync({ ...randomInputs('float32', sizes, 15), bias, mask: { causal: true, window: 5 }, queryOffset: 20 })
        const expected: string[] = []
        for (let head = 0; head < 14; head++) {
          for (let query = 20; query < 80; query++) {
            for (let key = query - 4; key <= query; key++) expected.push([head, query, key].join())
          }
        }
        assert.deepEqual([...asked.keys()].sort(), expected.sort())
        assert.ok([...asked.values()].every((times) => times === 1))
      })

      for (const scale of [
        Float32Array.from({ length: 60 }, (_, i) => 0.05 * i),
        Array.from({ length: 60 }, (_, i) => 1 / (i + 1)),
      ]) {
        it(`one scale per query, as ${scale.constructor.name}, seed 16`, () => {
          const inputs = randomInputs('float32', sizes, 16)
          const expected = oracle(inputs, sizes, { sees: predicate(causal, sizes), scale: (i) => scale[i] })
          assert.ok(maxError(attendSync({ ...inputs, scale }).data, expected) <= toleranceAt(3 * sizes.headDim))
        })
      }

      it('reads a scale array before the work begins', () => {
        const inputs = randomInputs('float32', sizes, 17)
        const scale = new Float64Array(60).fill(0.5)
        const bias = () => {
          scale.fill(NaN)
          return 0
        }
        assert.deepEqual(attendSync({ ...inputs, scale, bias }).data, attendSync({ ...inputs, scale: 0.5 }).data)
      })
    })

    describe('NaN and infinity', () => {
      // More than one tile of keys, so that the running maximum is at work.
      const sizes = shape(150, 150, 2, 1, 8)

      const hidden: readonly [string, Partial<AttendRequest>, number][] = [
        ['the future', { mask: { causal: true } }, 149],
        ['a window', { mask: { causal: true, window: 70 } }, 0],
        ['padding', { mask: { causal: true, padding: 3 } }, 2],
        ['another segment', { mask: { causal: false, cuSeqlens: [0, 40, 150] } }, 20],
        ['a bias of −Infinity', { mask: 'bidirectional', bias: (_, __, key) => (key === 75 ? -Infinity : 0) }, 75],
      ]
      for (const [what, request, key] of hidden) {
        it(`what ${what} hides does not leak: NaN and infinities at key ${key}, seed 18`, () => {
          const clean = randomInputs('float32', sizes, 18)
          const dirty = { ...clean, k: copy(clean.k), v: copy(clean.v) }
          dirty.k.data.set([NaN, Infinity, -Infinity, NaN, NaN, 0, 1, NaN], 8 * key)
          dirty.v.data.set([NaN, Infinity, -Infinity, NaN, 1, 1, 1, NaN], 8 * key)
          const expected = attendSync({ ...clean, ...request })
          const actual = attendSync({ ...dirty, ...request })
          const blind = Array.from({ length: 150 }, (_, i) => i).filter((i) => !sees(request, sizes, i, key))
          assert.ok(blind.length > 0)
          for (const i of blind) {
            // The other path to the product may round the last bit differently.
            assert.ok(maxError(rows(actual, i, i + 1).data, rows(expected, i, i + 1).data) <= tolerance, `query ${i}`)
          }
        })
      }

      it('a NaN in a seen key makes the rows that see it NaN and no others', () => {
        const inputs = randomInputs('float32', sizes, 19)
        inputs.k.data[8 * 100 + 3] = NaN
        const out = attendSync(inputs)
        for (let i = 0; i < out.data.length; i++) assert.equal(Number.isNaN(out.data[i]), i >= 100 * 16)
      })

      it('a NaN query makes its own head NaN and nothing else', () => {
        const inputs = randomInputs('float32', sizes, 20)
        inputs.q.data[8 * (2 * 70 + 1)] = NaN
        const out = attendSync(inputs)
        for (let i = 0; i < out.data.length; i++) assert.equal(Number.isNaN(out.data[i]), Math.floor(i / 8) === 141)
      })

      for (const key of [0, 60, 149]) {
        it(`an infinite value reaches its channel however small its weight: key ${key}, weight e^-2000, seed 21`, () => {
          const inputs = randomInputs('float32', sizes, 21)
          inputs.v.data[8 * key + 2] = -Infinity
          inputs.v.data[8 * key + 5] = NaN
          const bias = (_: number, __: number, j: number) => (j === key ? -2000 : 0)
          const out = attendSync({ ...inputs, mask: 'bidirectional', bias })
          for (let i = 0; i < out.data.length; i++) {
            if (i % 8 === 2) assert.equal(out.data[i], -Infinity)
            else assert.equal(Number.isNaN(out.data[i]), i % 8 === 5)
          }
        })
      }

      it('both infinities in one channel give NaN', () => {
        const inputs = randomInputs('float32', sizes, 22)
        inputs.v.data[0] = Infinity
        inputs.v.data[8 * 140] = -Infinity
        const out = attendSync({ ...inputs, mask: 'bidirectional' })
        for (let i = 0; i < out.data.length; i++) assert.equal(Number.isNaN(out.data[i]), i % 8 === 0)
      })

      it('scores of +Infinity share the weight, in whatever tile they stand; −Infinity masks', () => {
        const inputs = randomInputs('float32', sizes, 23)
        const bias = (_: number, __: number, j: number) => (j === 5 || j === 140 ? Infinity : 0)
        const out = attendSync({ ...inputs, mask: 'bidirectional', bias })
        const v = inputs.v.data
        for (let i = 0; i < out.data.length; i++) {
          const mean = (v[8 * 5 + (i % 8)] + v[8 * 140 + (i % 8)]) / 2
          assert.ok(Math.abs(out.data[i] - mean) <= tolerance)
        }
      })

      it('a row whose keys are all masked gives zeros', () => {
        const inputs = randomInputs('float32', sizes, 24)
        const bias = (_: number, query: number) => (query % 2 === 0 ? -Infinity : 0)
        const out = attendSync({ ...inputs, bias, out: filled([150, 2, 8], 7) })
        for (let query = 0; query < 150; query++) {
          const isZero = rows(out, query, query + 1).data.every((value) => Object.is(value, 0))
          assert.equal(isZero, query % 2 === 0)
        }
      })

      const extremes: readonly [string, number, number][] = [
        ['the largest float32, scale 1', 3.4028234e38, 1],
        ['the largest float32, scale 1e300', 3.4028234e38, 1e300],
        ['the largest float32, scale −1e308', 3.4028234e38, -1e308],
        ['the smallest float32, scale 1e-300', 1e-45, 1e-300],
      ]
      for (const [what, size, scale] of extremes) {
        it(`finite input never gives NaN or more than the largest value: ${what}, seed 25`, () => {
          const inputs = randomInputs('float32', sizes, 25, size)
          const out = attendSync({ ...inputs, scale, bias: (_, i, j) => ((i + j) % 2 === 0 ? 1.7e308 : -1.7e308) })
          const largest = inputs.v.toFloat32().reduce((a, b) => Math.max(a, Math.abs(b)), 0)
          for (const value of out.data) assert.ok(Math.abs(value) <= largest, String(value))
        })
      }
    })

    describe('out, signal and the event loop', () => {
      const sizes = shape(300, 300, 14, 2, 64)

      it('attend and attendSync give the same bits', async () => {
        const inputs = randomInputs('bfloat16', sizes, 26)
        const out = Tensor.zeros('bfloat16', [300, 14, 64])
        assert.equal(await attend({ ...inputs, out }), out)
        assert.deepEqual(out.data, attendSync(inputs).data)
      })

      it('a timer fires and two calls run side by side while a long one is awaited', async () => {
        const inputs = randomInputs('float32', shape(1200, 1200, 7, 1, 128), 27)
        const order: string[] = []
        const long = attend(inputs).then(() => order.push('long'))
        const short = attend(randomInputs('float32', shape(33, 33, 7, 1, 8), 28)).then(() => order.push('short'))
        setTimeout(() => order.push('timer'), 1)
        await Promise.all([long, short])
        if (!queued) assert.equal(order.at(-1), 'long')
        assert.deepEqual([...order].sort(), ['long', 'short', 'timer'])
      })

      it('an aborted signal is refused with its reason, sync and async, and out stays as it was', async () => {
        const request = {
          ...randomInputs('float32', sizes, 29),
          out: filled([300, 14, 64], 7),
          signal: AbortSignal.abort('no'),
        }
        assert.throws(
          () => attendSync(request),
          (reason) => reason === 'no',
        )
        await assert.rejects(attend(request), (reason) => reason === 'no')
        assert.ok(request.out.data.every((value) => value === 7))
      })

      if (reference)
        it('an abort in the middle stops the work, leaves the inputs and a part of out as they were', async () => {
          const inputs = randomInputs('float32', sizes, 30)
          const before = [inputs.q, inputs.k, inputs.v].map((tensor) => tensor.data.slice())
          const out = filled([300, 14, 64], 7)
          const controller = new AbortController()
          const reason = new Error('enough')
          const bias = (head: number) => {
            if (head === 7) controller.abort(reason)
            return 0
          }
          await assert.rejects(attend({ ...inputs, out, bias, signal: controller.signal }), reason)
          assert.deepEqual([inputs.q.data, inputs.k.data, inputs.v.data], before)
          const whole = attendSync(inputs)
          for (let i = 0; i < out.data.length; i++) {
            const isFirstGroup = Math.floor(i / 64) % 14 < 7
            assert.ok(isFirstGroup ? Math.abs(out.data[i] - whole.data[i]) <= tolerance : out.data[i] === 7)
          }
        })

      if (reference)
        it('an abort in the middle of attendSync is thrown between two tiles', () => {
          const controller = new AbortController()
          const asked = new Set<number>()
          const bias = (head: number) => {
            controller.abort('enough')
            asked.add(head)
            return 0
          }
          const request = { ...randomInputs('float32', sizes, 30), bias, signal: controller.signal }
          assert.throws(
            () => attendSync(request),
            (reason) => reason === 'enough',
          )
          assert.ok(asked.size < sizes.heads)
        })

      it('an abort by a timer rejects with an AbortError', async () => {
        const controller = new AbortController()
        setTimeout(() => controller.abort(), 1)
        const inputs = randomInputs('float32', shape(1200, 1200, 7, 1, 128), 31)
        await assert.rejects(attend({ ...inputs, signal: controller.signal }), { name: 'AbortError' })
      })

      it('an error of a bias function comes through', async () => {
        const bias = () => {
          throw new TypeError('mine')
        }
        await assert.rejects(attend({ ...randomInputs('float32', sizes, 32), bias }), {
          name: 'TypeError',
          message: 'mine',
        })
      })

      if (reference)
        it('a buffer that is transferred away during the work is a typed error', async () => {
          const inputs = randomInputs('float32', sizes, 33)
          let calls = 0
          const bias = () => {
            if (calls++ === 10)
              structuredClone(inputs.k.data.buffer, { transfer: [inputs.k.data.buffer as ArrayBuffer] })
            return 0
          }
          await assert.rejects(attend({ ...inputs, bias }), {
            code: 'ERR_MROPE_STATE',
            message: /the memory of k went away/,
          })
        })

      if (reference)
        it('memory beside the tensors stays far below queries × keys: 2048 tokens, float32 scores would be 16 MiB', () => {
          const inputs = randomInputs('float32', shape(2048, 2048, 1, 1, 16), 34)
          const before = process.memoryUsage().arrayBuffers
          let most = 0
          const bias = (_: number, query: number, key: number) => {
            if (query === key) most = Math.max(most, process.memoryUsage().arrayBuffers - before)
            return 0
          }
          attendSync({ ...inputs, bias })
          assert.ok(most > 0 && most < 2 ** 20, `${most} bytes`)
        })
    })

    describe('refuses', () => {
      const sizes = shape(11, 11, 28, 4, 8)
      const good = randomInputs('float32', sizes, 35)
      const table = randomTable([1, 11, 4], 'half-split', 36)
      const other = (dims: number[]) => Tensor.zeros('float32', dims)
      const wrong: readonly [string, object | null, MropeErrorCode, RegExp][] = [
        ['no request', null, 'ERR_MROPE_ARGUMENT', /attend: expected an object, got null/],
        ['an unknown option', { masks: 'causal' }, 'ERR_MROPE_ARGUMENT', /unknown option "masks"/],
        ['q that is an array', { q: [1, 2] }, 'ERR_MROPE_ARGUMENT', /q must be a Tensor in host memory/],
        ['q of rank 2', { q: other([11, 28]) }, 'ERR_MROPE_SHAPE', /q must have 3 dimensions \(q.dims = \[11, 28\]\)/],
        ['k of another head dim', { k: other([11, 4, 9]) }, 'ERR_MROPE_SHAPE', /q has a head dim of 8, k of 9/],
        ['v of other tokens', { v: other([12, 4, 8]) }, 'ERR_MROPE_SHAPE', /k has 11 tokens, v has 12/],
        ['v of other heads', { v: other([11, 2, 8]) }, 'ERR_MROPE_HEADS', /k has 4 heads, v has 2/],
        [
          '27 query heads',
          { q: other([11, 27, 8]) },
          'ERR_MROPE_HEADS',
          /27 query heads do not divide into groups for 4/,
        ],
        ['no KV heads', { k: other([11, 0, 8]), v: other([11, 0, 8]) }, 'ERR_MROPE_HEADS', /groups for 0 KV heads/],
        ['a value dim of 0', { v: other([11, 4, 0]) }, 'ERR_MROPE_SHAPE', /a head dim of 0/],
        ['table and rotated', { table, rotated: true }, 'ERR_MROPE_ARGUMENT', /table and rotated exclude each other/],
        [
          'rotated of the wrong kind',
          { rotated: 'yes' },
          'ERR_MROPE_ARGUMENT',
          /rotated must be true or false, got "yes"/,
        ],
        [
          'a table of other tokens',
          { table: firstTokens(table, 10) },
          'ERR_MROPE_SHAPE',
          /k has 11 tokens, the table has 10/,
        ],
        [
          'a table of 3 heads',
          { table: randomTable([3, 11, 4], 'adjacent', 1) },
          'ERR_MROPE_HEADS',
          /k has 4 heads.* 3 heads/,
        ],
        [
          'a table of 28 heads',
          { table: randomTable([28, 11, 4], 'adjacent', 1) },
          'ERR_MROPE_HEADS',
          /the 28 heads of the/,
        ],
        [
          'a table of 5 pairs',
          { table: randomTable([1, 11, 5], 'adjacent', 1) },
          'ERR_MROPE_SHAPE',
          /rotates 10 channels/,
        ],
        ['more queries than keys', { q: other([12, 28, 8]) }, 'ERR_MROPE_SHAPE', /12 queries for 11 keys/],
        [
          'a queryOffset past the end',
          { queryOffset: 1 },
          'ERR_MROPE_SHAPE',
          /queryOffset 1 and 11 queries reach past the 11 keys/,
        ],
        [
          'a negative queryOffset',
          { queryOffset: -1 },
          'ERR_MROPE_ARGUMENT',
          /queryOffset must be an integer of at least 0, got -1/,
        ],
        [
          'a queryOffset of the wrong kind',
          { queryOffset: '1' },
          'ERR_MROPE_ARGUMENT',
          /queryOffset must be an integer, got "1"/,
        ],
        [
          'an unknown mask',
          { mask: 'full' },
          'ERR_MROPE_ARGUMENT',
          /mask must be 'causal', 'bidirectional' or an object, got "full"/,
        ],
        [
          'a mask without causal',
          { mask: {} },
          'ERR_MROPE_ARGUMENT',
          /mask.causal must be true or false, got undefined/,
        ],
        [
          'an unknown mask option',
          { mask: { causal: true, windows: 3 } },
          'ERR_MROPE_ARGUMENT',
          /mask: unknown option "windows"/,
        ],
        [
          'a window of 0',
          { mask: { causal: true, window: 0 } },
          'ERR_MROPE_ARGUMENT',
          /mask.window must be .* at least 1, got 0/,
        ],
        [
          'padding of −1',
          { mask: { causal: true, padding: -1 } },
          'ERR_MROPE_ARGUMENT',
          /mask.padding must be an integer of at least 0, got -1/,
        ],
        [
          'segments from 1',
          { mask: { causal: false, cuSeqlens: [1, 11] } },
          'ERR_MROPE_SEGMENT',
          /must go from 0 to .* 11, got \[1, 11\]/,
        ],
        [
          'segments that end early',
          { mask: { causal: false, cuSeqlens: [0, 10] } },
          'ERR_MROPE_SEGMENT',
          /must go from 0/,
        ],
        [
          'segments that fall',
          { mask: { causal: false, cuSeqlens: [0, 7, 6, 11] } },
          'ERR_MROPE_SEGMENT',
          /entry 2 is 6/,
        ],
        [
          'a segment border of 5.5',
          { mask: { causal: false, cuSeqlens: [0, 5.5, 11] } },
          'ERR_MROPE_SEGMENT',
          /entry 1 is 5.5/,
        ],
        ['bigint segments', { mask: { causal: false, cuSeqlens: [0n, 11n] } }, 'ERR_MROPE_SEGMENT', /entry 0 is 0n/],
        [
          'no segments',
          { mask: { causal: false, cuSeqlens: [] } },
          'ERR_MROPE_SEGMENT',
          /must go from 0 to .* got \[\]/,
        ],
        [
          'segments as text',
          { mask: { causal: false, cuSeqlens: '0,11' } },
          'ERR_MROPE_ARGUMENT',
          /must be an array of integers/,
        ],
        [
          'segments with fewer queries than keys',
          { q: other([5, 28, 8]), mask: { causal: false, cuSeqlens: [0, 11] } },
          'ERR_MROPE_SEGMENT',
          /needs as many queries as keys, got 5 and 11/,
        ],
        ['a bias of 4 heads', { bias: other([4, 11, 11]) }, 'ERR_MROPE_HEADS', /bias has 4 heads, q has 28/],
        [
          'a bias of other keys',
          { bias: other([1, 11, 10]) },
          'ERR_MROPE_SHAPE',
          /bias must be \(heads or 1, 11 queries, 11 keys\)/,
        ],
        ['a bias of the wrong kind', { bias: 3 }, 'ERR_MROPE_ARGUMENT', /bias must be a Tensor/],
        [
          'a bias function without result',
          { bias: () => undefined },
          'ERR_MROPE_ARGUMENT',
          /bias\(0, 0, 0\) must give a number/,
        ],
        ['a scale of NaN', { scale: NaN }, 'ERR_MROPE_ARGUMENT', /the scale must be a finite number, got NaN/],
        [
          'a scale of the wrong kind',
          { scale: 'auto' },
          'ERR_MROPE_ARGUMENT',
          /scale must be a number or an array, got "auto"/,
        ],
        ['3 scales', { scale: [1, 2, 3] }, 'ERR_MROPE_SHAPE', /3 scales for 11 queries/],
        [
          'an infinite scale',
          { scale: new Float32Array(11).fill(Infinity) },
          'ERR_MROPE_ARGUMENT',
          /the scale of query 0 must be/,
        ],
        [
          'out of other dims',
          { out: other([11, 28, 9]) },
          'ERR_MROPE_SHAPE',
          /out must have dims \[11, 28, 8\], it has \[11, 28, 9\]/,
        ],
        ['out that is q', { out: good.q }, 'ERR_MROPE_ARGUMENT', /out shares memory with q/],
        ['a signal of the wrong kind', { signal: {} }, 'ERR_MROPE_ARGUMENT', /signal must be an AbortSignal, got {}/],
      ]
      for (const [what, change, code, message] of wrong) {
        it(`${what}: ${code}`, async () => {
          const out = filled([11, 28, 8], 7)
          const request = (change && { ...good, out, ...change }) as AttendRequest
          const expected = (error: unknown) =>
            error instanceof MropeError && error.code === code && message.test(error.message)
          assert.throws(() => attendSync(request), expected)
          await assert.rejects(attend(request), expected)
          assert.ok(out.data.every((value) => value === 7))
        })
      }
    })
  })

function shape(
  queries: number,
  keys: number,
  heads: number,
  kvHeads: number,
  headDim: number,
  valueDim = headDim,
): Shape {
  return { queries, keys, heads, kvHeads, headDim, valueDim }
}

function print({ queries, keys, heads, kvHeads, headDim, valueDim }: Shape): string {
  const values = valueDim === headDim ? '' : `, values ${valueDim}`
  return `${queries} queries, ${keys} keys, ${heads}/${kvHeads} × ${headDim}${values}`
}

function randomInputs(type: TensorType, sizes: Shape, seed: number, size = 1): Inputs {
  const { queries, keys, heads, kvHeads, headDim, valueDim } = sizes
  return {
    // Scores of a few units, so that the weights are far from equal.
    q: randomTensor(type, [queries, heads, headDim], 1000 * seed, 3 * size > 3e38 ? size : 3 * size),
    k: randomTensor(type, [keys, kvHeads, headDim], 1000 * seed + 1, size),
    v: randomTensor(type, [keys, kvHeads, valueDim], 1000 * seed + 2, size),
  }
}

function oracle(
  { q, k, v }: Inputs,
  sizes: Shape,
  rest: Pick<NaiveAttention, 'sees' | 'bias' | 'scale'>,
): Float64Array {
  return naiveAttend({ ...sizes, q: q.toFloat32(), k: k.toFloat32(), v: v.toFloat32(), ...rest })
}

/** What a mask means, pair by pair. */
function predicate(mask: MaskOptions, sizes: Shape, queryOffset = Math.max(0, sizes.keys - sizes.queries)) {
  const { causal, window = Infinity, padding = 0, cuSeqlens } = mask
  const segmentOf = (token: number) => Array.from(cuSeqlens ?? []).filter((border) => border <= token).length
  return (i: number, j: number) => {
    const token = queryOffset + i
    if (causal && j > token) return false
    if (causal ? j <= token - window : Math.abs(token - j) >= window) return false
    return token >= padding && j >= padding && segmentOf(token) === segmentOf(j)
  }
}

function sees({ mask, bias }: Partial<AttendRequest>, sizes: Shape, i: number, j: number): boolean {
  if (typeof bias === 'function' && bias(0, i, j) === -Infinity) return false
  return predicate(typeof mask === 'object' ? mask : open, sizes)(i, j)
}

/** Tokens `from … to`, a view. */
function rows(tensor: Tensor, from: number, to: number): Tensor {
  const [, heads, dim] = tensor.dims
  return new Tensor(tensor.type, tensor.data.subarray(from * heads * dim, to * heads * dim), [to - from, heads, dim])
}

/** The first tokens of a table of one head. */
function firstTokens({ cos, sin, shape: [, , pairs], pairing }: RotaryTable, tokens: number): RotaryTable {
  const end = tokens * pairs
  return { cos: cos.subarray(0, end), sin: sin.subarray(0, end), shape: [1, tokens, pairs], pairing }
}

function copy(tensor: Tensor): Tensor {
  return new Tensor(tensor.type, tensor.data.slice(), tensor.dims)
}

function filled(dims: readonly number[], value: number): Tensor {
  const out = Tensor.zeros('float32', dims)
  out.data.fill(value)
  return out
}

/** What an element of the data of a tensor is for a number. */
function bitsOf(type: TensorType, value: number): number {
  return Tensor.from(type, [value], [1]).data[0]
}
