import assert from 'node:assert/strict'
import type { Backend } from '../lib/backends/backend.js'
import type { BackendCache, CacheStep } from '../lib/backends/cache.js'
import { listBackends, openBackend } from '../lib/backends/open.js'
import { alibi } from '../lib/biases/slopes.js'
import { encodings } from '../lib/encodings/named.js'
import type { Positions } from '../lib/layouts/positions.js'
import { rotate } from '../lib/rotary/rotate.js'
import { Sequence } from '../lib/sequence/sequence.js'
import { rows, Tensor, type TensorType } from '../lib/tensors/tensor.js'
import { refusesAsync } from './support/refuses.js'

// A cache gives what one attention over all tokens gives, however the tokens come.

const [heads, kvHeads, valueDim, tokens] = [14, 2, 80, 33]
const encoding = encodings.qwen2VL()
const { headDim } = encoding
const sequence = Sequence.of([
  { kind: 'text', length: 9 },
  { kind: 'image', grid: [1, 2, 7] },
  { kind: 'text', length: 10 },
])
const positions: Positions = encoding.positions(sequence)
/** Weights from `least` on: queries and keys have their own. */
const norm = (least: number, after: boolean) => ({
  weight: Float32Array.from({ length: headDim }, (_, c) => least + c / headDim),
  eps: least * 1e-6,
  after,
})

function noise(dims: number[], seed: number, type: TensorType = 'float32'): Tensor {
  const length = dims.reduce((product, d) => product * d, 1)
  return Tensor.from(
    type,
    Float32Array.from({ length }, (_, i) => Math.sin((i + 1) * (seed + 1.7)) * 0.9),
    dims,
  )
}

const q = noise([tokens, heads, headDim], 1)
const k = noise([tokens, kvHeads, headDim], 2)
const v = noise([tokens, kvHeads, valueDim], 3)

function difference(a: Tensor, b: Tensor): number {
  const [x, y] = [a.toFloat32(), b.toFloat32()]
  assert.equal(x.length, y.length)
  return x.reduce((worst, value, i) => Math.max(worst, Math.abs(value - y[i])), 0)
}

for (const { name } of listBackends().filter(({ available }) => available)) {
  describe(`cache of ${name}`, () => {
    let backend: Backend
    let reference: Backend
    before(async () => {
      backend = await openBackend(name)
      reference = await openBackend('reference')
    })
    const open = (more: object = {}): Promise<BackendCache> =>
      backend.openCache({ layers: 2, kvHeads, headDim, valueDim, capacity: 40, dtype: 'float32', ...more })
    const step = (from: number, to: number, more: Partial<CacheStep> = {}): CacheStep => ({
      q: rows(q, from, to),
      k: rows(k, from, to),
      v: rows(v, from, to),
      table: encoding.angles(positions.slice(from, to)),
      ...more,
    })

    const variants: Record<string, Partial<CacheStep>> = {
      plain: {},
      'without rope': { table: undefined },
      'norms before the rotation': { qNorm: norm(0.5, false), kNorm: norm(0.75, false) },
      'norms behind the rotation': { qNorm: norm(0.5, true), kNorm: norm(0.75, true) },
      'a window of 5': { window: 5 },
      'a bias as data': { bias: alibi({ heads }) },
      'a bias as a function': { bias: (head, i, j) => (head + 1) * 0.01 * (j - i) },
      'a scale': { scale: 0.2 },
    }
    for (const [variant, options] of Object.entries(variants)) {
      it(`${variant}: chunks of 9, 0, 14, 1 and 9 of ${tokens} tokens give one attention`, async () => {
        const { window, table = 'by ids', ...rest } = options
        const whole = await reference.attend({
          ...{ q, k, v, ...rest },
          mask: window === undefined ? 'causal' : { causal: true, window },
          ...('table' in options ? {} : { table: encoding.table(positions) }),
        })
        assert.ok(table === 'by ids' || table === undefined)
        const cache = await open()
        let from = 0
        for (const count of [9, 0, 14, 1, 9]) {
          const out = await cache.attend(1, step(from, from + count, options))
          assert.equal(out.backend, name)
          const worst = difference(out.out, rows(whole.out, from, from + count))
          assert.ok(worst <= 5e-6, `tokens ${from} to ${from + count}: ${worst}`)
          from += count
        }
        assert.equal(cache.length(1), tokens)
        assert.equal(cache.length(0), 0)
        await cache.dispose()
      })
    }

    for (const [variant, options] of Object.entries(variants)) {
      it(`${variant}: attendSync gives the bits of attend`, async () => {
        const [slow, fast] = [await open(), await open()]
        for (const [from, to] of [
          [0, 9],
          [9, 32],
          [32, 33],
        ]) {
          const expected = await slow.attend(1, step(from, to, options))
          const out = fast.attendSync(1, step(from, to, options))
          assert.equal(out.backend, name)
          assert.deepEqual(out.data, expected.data)
        }
        assert.deepEqual([fast.length(0), fast.length(1)], [0, tokens])
        const [mine, theirs] = [await fast.read(1, 0, tokens), await slow.read(1, 0, tokens)]
        assert.deepEqual([mine.k.data, mine.v.data], [theirs.k.data, theirs.v.data])
        await slow.dispose()
        await fast.dispose()
      })
    }

    it('attendSync writes to a destination, and takes nothing of a call that is aborted, refused or throws', async () => {
      const cache = await open({ layers: 1, capacity: 20 })
      const out = Tensor.zeros('float32', [10, heads, valueDim])
      assert.equal(cache.attendSync(0, step(0, 10, { out })).out, out)
      assert.ok(out.data.some((x) => x !== 0))
      const was = await cache.read(0, 0, 10)
      const aborted = step(10, 14, { signal: AbortSignal.abort('enough') })
      assert.throws(
        () => cache.attendSync(0, aborted),
        (e) => e === 'enough',
      )
      const thrown = new Error('no')
      let asked = 0
      const bias = (): number => {
        assert.throws(() => cache.attendSync(0, step(10, 11)), { code: 'ERR_MROPE_STATE' })
        if (++asked === 30) throw thrown
        return 0
      }
      assert.throws(
        () => cache.attendSync(0, step(10, 14, { bias })),
        (e) => e === thrown,
      )
      const refused = (call: () => unknown, code: string) => assert.throws(call, { code })
      refused(() => cache.attendSync(0, step(10, 21)), 'ERR_MROPE_CAPACITY')
      refused(() => cache.attendSync(0, { ...step(10, 14), k: rows(k, 0, 3) }), 'ERR_MROPE_SHAPE')
      refused(() => cache.attendSync(7, step(10, 14)), 'ERR_MROPE_ARGUMENT')
      refused(() => cache.attendSync(0, null as never), 'ERR_MROPE_ARGUMENT')
      assert.equal(cache.length(0), 10)
      assert.deepEqual((await cache.read(0, 0, 10)).k.data, was.k.data)
      const running = cache.attend(0, step(10, 12))
      refused(() => cache.attendSync(0, step(10, 12)), 'ERR_MROPE_STATE')
      refused(() => cache.truncate(3), 'ERR_MROPE_STATE')
      await running
      assert.equal(cache.length(0), 12)
      await cache.dispose()
      refused(() => cache.attendSync(0, step(12, 13)), 'ERR_MROPE_STATE')
      refused(() => cache.truncate(0), 'ERR_MROPE_STATE')
    })

    it('truncate forgets the tokens of a draft in every layer, as if they had never come', async () => {
      const [cache, other] = [await open(), await open()]
      for (const layer of [0, 1]) cache.attendSync(layer, step(0, 20 + layer))
      cache.truncate(21)
      assert.deepEqual([cache.length(0), cache.length(1)], [20, 21])
      cache.truncate(9)
      assert.deepEqual([cache.length(0), cache.length(1)], [9, 9])
      await refusesAsync(() => cache.read(0, 8, 10), 'ERR_MROPE_SHAPE', '10')
      other.attendSync(0, step(0, 9))
      // Other tokens in the same places.
      const next = { ...step(9, 12), k: rows(k, 20, 23), v: rows(v, 20, 23) }
      assert.deepEqual(cache.attendSync(0, next).data, other.attendSync(0, next).data)
      assert.deepEqual([cache.length(0), cache.length(1)], [12, 9])
      for (const length of [-1, 0.5, '3', undefined, Number.NaN]) {
        assert.throws(() => cache.truncate(length as number), { code: 'ERR_MROPE_ARGUMENT' })
      }
      cache.truncate(0)
      assert.deepEqual([cache.length(0), cache.length(1)], [0, 0])
      await cache.dispose()
      await other.dispose()
    })

    for (const dtype of ['float16', 'bfloat16'] as const) {
      it(`keeps ${dtype}: rotated keys and values rounded once`, async () => {
        const cache = await open({ dtype })
        await cache.attend(0, step(0, 20))
        const { k: keys, v: values } = await cache.read(0, 3, 20)
        assert.equal(keys.type, dtype)
        const table = encoding.table(positions.slice(0, 20))
        const exact = rows(rotate(rows(k, 0, 20), table), 3, 20)
        const ulp = dtype === 'float16' ? 2 ** -11 : 2 ** -8
        assert.ok(difference(keys, exact) <= 1.3 * ulp, String(difference(keys, exact)))
        assert.deepEqual(values.data, Tensor.from(dtype, rows(v, 3, 20).toFloat32(), values.dims).data)
        await cache.dispose()
      })
    }

    it('drops tokens, turns those behind, and goes on', async () => {
      const cache = await open({ layers: 1 })
      await cache.attend(0, step(0, tokens))
      const before = await cache.read(0, 9, tokens)
      // Tokens 2 to 9 go; the others stand 7 ids earlier on every axis.
      const ids = new Float64Array(positions.axes.length * (tokens - 9)).fill(-7)
      const moved = positions.slice(9, tokens)
      const turn = encoding.angles(Object.assign(Object.create(Object.getPrototypeOf(moved)), moved, { ids }))
      await cache.drop(2, 7, turn)
      assert.equal(cache.length(0), tokens - 7)
      const after = await cache.read(0, 2, tokens - 7)
      assert.deepEqual(after.v.data, before.v.data)
      assert.ok(difference(after.k, rotate(before.k, turn)) <= 1e-6)
      await cache.dispose()
    })

    it('takes nothing of a call that is aborted, refused or throws', async () => {
      const cache = await open({ layers: 1, capacity: 20 })
      await cache.attend(0, step(0, 10))
      const was = await cache.read(0, 0, 10)
      await assert.rejects(
        cache.attend(0, step(10, 14, { signal: AbortSignal.abort('enough') })),
        (e) => e === 'enough',
      )
      const thrown = new Error('no')
      const bias = (): number => {
        throw thrown
      }
      await assert.rejects(cache.attend(0, step(10, 14, { bias })), (e) => e === thrown)
      await refusesAsync(() => cache.attend(0, step(10, 21)), 'ERR_MROPE_CAPACITY', '20')
      await refusesAsync(() => cache.attend(0, { ...step(10, 14), k: rows(k, 0, 3) }), 'ERR_MROPE_SHAPE', '3')
      await refusesAsync(
        () => cache.attend(0, { ...step(10, 14), table: encoding.table(positions) }),
        'ERR_MROPE_SHAPE',
      )
      await refusesAsync(() => cache.attend(7, step(10, 14)), 'ERR_MROPE_ARGUMENT', '7')
      await refusesAsync(() => cache.read(0, 5, 11), 'ERR_MROPE_SHAPE', '11')
      await refusesAsync(() => cache.drop(5, 6), 'ERR_MROPE_SHAPE', '11')
      for (const turn of [null, {}, 3, { shape: [1, 9, 64] }]) {
        await refusesAsync(() => cache.drop(0, 1, turn as never), 'ERR_MROPE_ARGUMENT', 'cos and sin')
      }
      await refusesAsync(() => cache.drop(0, 2, encoding.angles(positions.slice(0, 9))), 'ERR_MROPE_SHAPE', '9 rows')
      assert.equal(cache.length(0), 10)
      assert.deepEqual((await cache.read(0, 0, 10)).k.data, was.k.data)
      const out = await cache.attend(0, step(10, 14))
      assert.equal(out.dims[0], 4)
      await cache.dispose()
    })

    it('lets one call at a time into a layer, and none after dispose', async () => {
      const cache = await open()
      const first = cache.attend(0, step(0, 9))
      const second = refusesAsync(() => cache.attend(0, step(0, 9)), 'ERR_MROPE_STATE', 'layer 0')
      const early = refusesAsync(() => cache.dispose(), 'ERR_MROPE_STATE')
      await Promise.all([first, second, early, cache.attend(1, step(0, 9))])
      await cache.dispose()
      await cache.dispose()
      await refusesAsync(() => cache.attend(0, step(9, 10)), 'ERR_MROPE_STATE')
    })

    it('refuses shapes that cannot be', async () => {
      await refusesAsync(() => open({ capacity: 2 ** 44 }), 'ERR_MROPE_MEMORY', 'GiB')
      await refusesAsync(() => open({ headDim: 0 }), 'ERR_MROPE_ARGUMENT', '0')
      await refusesAsync(() => open({ dtype: 'int8' }), 'ERR_MROPE_DTYPE', 'int8')
      await refusesAsync(() => open({ size: 3 }), 'ERR_MROPE_ARGUMENT', 'size')
    })
  })
}
