import assert from 'node:assert/strict'
import type { MetalBackend } from '../lib/backends/metal/metal.js'
import { encodings } from '../lib/encodings/named.js'
import { Positions } from '../lib/layouts/positions.js'
import { RotaryAngles, type RotaryAnglesInit } from '../lib/rotary/angles.js'
import { Sequence } from '../lib/sequence/sequence.js'
import { describeHost, describeMetal, openMetal } from './support/metal.js'
import { maxError, randomTensor } from './support/tensors.js'

const encoding = encodings.qwen2VL()
const positions = encoding.positions(Sequence.of([{ kind: 'image', grid: [1, 3, 11] }]))
const { invFreq, attentionFactor, allocation, pairing } = encoding.angles(positions)
const usual: RotaryAnglesInit = { positions, invFreq, attentionFactor, allocation, pairing }
const [q, k, v] = [14, 2, 2].map((heads, seed) => randomTensor('float32', [33, heads, 128], seed))

const withIds = (change: (id: number) => number): Positions =>
  new Positions({ axes: positions.axes, ids: positions.ids.map(change), next: positions.next, delta: positions.delta })
const directions = Float64Array.from({ length: 64 * 3 }, (_, at) => ((at * 7) % 5) / 4)
/** Angles that differ from the usual ones in one thing each. */
const others: readonly [string, RotaryAnglesInit][] = [
  ['ids', { ...usual, positions: withIds((id) => id + 0.5) }],
  ['ids that are no turns', { ...usual, positions: withIds((id) => id / 3) }],
  ['frequencies', { ...usual, invFreq: invFreq.map((f) => f / 4) }],
  ['factor', { ...usual, attentionFactor: 1.25 }],
  ['pairing', { ...usual, pairing: 'adjacent' }],
  ['axes', { ...usual, allocation: { ...allocation, axisOf: Int8Array.from(allocation.axisOf).reverse() } }],
  ['directions', { ...usual, allocation: { ...allocation, directions } }],
]
const all = [['usual', usual] as const, ...others].map(([name, init]) => [name, new RotaryAngles(init)] as const)
const shape = { layers: 1, kvHeads: 2, headDim: 128, valueDim: 128, capacity: 33, dtype: 'float32' } as const

const work = {
  attend: async (backend: MetalBackend, table: RotaryAngles) => (await backend.attend({ q, k, v, table })).data,
  rotate: async (backend: MetalBackend, table: RotaryAngles) => (await backend.rotate(q, table)).data,
}

describeMetal('angles are kept from call to call, and nothing but the same angles are taken again', () => {
  let backend: MetalBackend
  before(async () => {
    backend = await openMetal()
  })
  after(() => backend.dispose())

  const fresh = async (name: keyof typeof work, table: RotaryAngles): Promise<ArrayLike<number>> => {
    const own = await openMetal()
    const data = await work[name](own, table)
    await own.dispose()
    return data
  }

  for (const name of ['attend', 'rotate'] as const) {
    it(`${name}: after each other, as if alone`, async () => {
      const alone = new Map<string, ArrayLike<number>>()
      for (const [what, table] of all) alone.set(what, await fresh(name, table))
      const [[, first]] = all
      for (const [what, table] of all.slice(1)) {
        assert.notDeepEqual(alone.get(what), alone.get('usual'), what)
        assert.deepEqual(await work[name](backend, first), alone.get('usual'))
        assert.deepEqual(await work[name](backend, table), alone.get(what), what)
      }
    })
  }

  it('a cache, from step to step', async () => {
    const tokens = all.length * 2 * 33
    const [kept, plain] = [
      await backend.openCache({ ...shape, capacity: tokens }),
      await backend.openCache({ ...shape, capacity: tokens }),
    ]
    for (const [what, angles] of [...all, ...all]) {
      const step = { q, k, v, window: 33 }
      const { data } = await kept.attend(0, { ...step, table: angles })
      // Numbers are never kept.
      assert.ok(maxError(data, (await plain.attend(0, { ...step, table: angles.table() })).data) <= 1e-5, what)
    }
    await Promise.all([kept.dispose(), plain.dispose()])
  })

  it('at the same time', async () => {
    const tables = all.map(([, table]) => table)
    const expected = await Promise.all(tables.map((table) => fresh('attend', table)))
    const results = await Promise.all(
      Array.from({ length: 5 * tables.length }, (_, i) => work.attend(backend, tables[i % tables.length])),
    )
    for (const [i, data] of results.entries()) assert.deepEqual(data, expected[i % tables.length])
  })
})

describeHost('angles that are kept', ({ host }) => {
  /** Buffers that are made for some work. */
  const buffersOf = async (run: () => Promise<unknown>): Promise<number> => {
    host.reset()
    await run()
    return host.report().buffers
  }

  it('are not sent again: by turns three buffers less, by a table per id four', async () => {
    const backend = await openMetal()
    const cache = await backend.openCache({ ...shape, layers: 3, capacity: 40 })
    const step = (layer: number) => () =>
      cache.attend(layer, {
        q,
        k,
        v,
        table: encoding.angles(encoding.positions(Sequence.of([{ kind: 'image', grid: [1, 3, 11] }]))),
      })
    const first = await buffersOf(step(0))
    assert.deepEqual([await buffersOf(step(1)), await buffersOf(step(2))], [first - 3, first - 3])
    const attend = () => backend.attend({ q, k, v, table: encoding.angles(positions) })
    const alone = await buffersOf(attend)
    assert.deepEqual([await buffersOf(attend), await buffersOf(attend)], [alone - 4, alone - 4])
    // An estimate neither takes nor gives: it is of the call as if it were the first.
    const before = await backend.estimate({ q, k, v, table: encoding.angles(positions) })
    await backend.attend({ q, k, v, table: new RotaryAngles(others[0][1]) })
    assert.deepEqual(await backend.estimate({ q, k, v, table: encoding.angles(positions) }), before)
    await cache.dispose()
    await backend.dispose()
  })

  it('go with the cache and the backend', async () => {
    const { allocated } = host.report()
    const backend = await openMetal()
    const cache = await backend.openCache(shape)
    const table = new RotaryAngles(usual)
    await cache.attend(0, { q, k, v, table })
    await work.attend(backend, table)
    await cache.dispose()
    assert.ok(host.report().allocated > allocated)
    await backend.dispose()
    host.drain()
    assert.equal(host.report().allocated, allocated)
  })
})
