import assert from 'node:assert/strict'
import type { CacheOptions } from '../lib/backends/cache.js'
import type { MetalBackend } from '../lib/backends/metal/metal.js'
import type { MetalCacheStep } from '../lib/backends/metal/step.js'
import type { TensorType } from '../lib/tensors/tensor.js'
import { describeMetal, openMetal } from './support/metal.js'
import { angles, stepOf } from './support/steps.js'
import { randomTable, randomTensor } from './support/tensors.js'

describeMetal('what a step of a cache will take', ({ host }) => {
  let backend: MetalBackend
  before(async () => {
    backend = await openMetal()
  })
  after(() => backend.dispose())

  const wide = { layers: 1, kvHeads: 2, headDim: 128, valueDim: 128, capacity: 700, dtype: 'float16' } as const
  const odd = { layers: 1, kvHeads: 1, headDim: 20, valueDim: 12, capacity: 60, dtype: 'float32' } as const
  const norm = { weight: new Float32Array(128).fill(1.25), eps: 1e-6 }
  type Case = [
    what: string,
    CacheOptions,
    type: TensorType,
    start: number,
    tokens: number,
    more: Partial<MetalCacheStep>,
  ]
  const cases: readonly Case[] = [
    ['no token', wide, 'float16', 0, 0, { table: angles(0, 0) }],
    ['a prompt by ids', wide, 'float16', 0, 100, { table: angles(0, 100) }],
    ['a chunk of it, normed', wide, 'float16', 33, 77, { table: angles(33, 77), qNorm: norm, kNorm: norm }],
    [
      'a chunk by a table, in a window',
      wide,
      'float32',
      40,
      33,
      { table: randomTable([1, 33, 64], 'half-split', 1), window: 50 },
    ],
    ['a few tokens on many: the keys are split', wide, 'float16', 600, 3, { table: angles(600, 3) }],
    ['a token', wide, 'float16', 100, 1, { table: angles(100, 1) }],
    ['a token on many: the keys are split', wide, 'bfloat16', 650, 1, { table: angles(650, 1) }],
    ['a token with a bias', wide, 'float16', 33, 1, { bias: randomTensor('float32', [14, 1, 34], 2) }],
    [
      'rows that go through scratch memory',
      odd,
      'float32',
      3,
      33,
      { scale: Float64Array.from({ length: 33 }, () => 0.3) },
    ],
    ['a token of such rows', odd, 'float32', 7, 1, { table: randomTable([1, 1, 6], 'adjacent', 3) }],
  ]
  for (const [what, shape, type, start, tokens, more] of cases) {
    const { kvHeads, headDim, valueDim } = shape
    it(`${what}: ${tokens} after ${start}, ${7 * kvHeads}/${kvHeads}×${headDim}:${valueDim} ${type}`, async () => {
      const cache = await backend.openCache(shape)
      if (start > 0) await cache.attend(0, { ...stepOf(shape, type, start, kvHeads), window: 1 })
      const tensors = stepOf(shape, type, tokens, 7 * kvHeads)
      const step = { ...tensors, ...more }
      const before = backend.info()
      const { scratchBytes, hostBytes, dispatches, workingSetBytes, fits } = await cache.estimate(0, step)
      const built = backend.info()
      assert.equal(built.commandBuffers, before.commandBuffers)
      assert.equal(cache.length(0), start)
      host?.reset()
      const allocated = host?.report().allocated ?? 0
      const { data } = await cache.attend(0, step)
      const then = backend.info()
      assert.equal(then.dispatches - before.dispatches, dispatches)
      assert.equal(then.pipelines.length, built.pipelines.length, 'the estimate compiled all')
      const { q, k, v } = tensors
      assert.equal(hostBytes, q.data.byteLength + k.data.byteLength + v.data.byteLength + data.byteLength)
      assert.ok(workingSetBytes > 0 && fits)
      if (host !== undefined) {
        const taken = host.report().peakAllocated - allocated
        const rounding = 16 * 32
        assert.ok(taken >= scratchBytes && taken <= scratchBytes + hostBytes + rounding, `${taken} of ${scratchBytes}`)
      }
      await cache.dispose()
    })
  }

  it('is known while a step is under way, and after the backend is closed', async () => {
    const own = await openMetal()
    const cache = await own.openCache(wide)
    const step = { ...stepOf(wide, 'float16', 100, 14), table: angles(0, 100) }
    const running = cache.attend(0, step)
    assert.equal((await cache.estimate(0, step)).dispatches, 2, 'of the layer as it was before')
    await running
    await own.dispose()
    assert.equal((await cache.estimate(0, step)).dispatches, 3, 'on 200 keys, which are split')
    assert.equal(cache.length(0), 100)
    await cache.dispose()
  })

  it('is refused as the step would be', async () => {
    const cache = await backend.openCache(odd)
    const step = stepOf(odd, 'float32', 33, 7)
    await assert.rejects(cache.estimate(1, step), { code: 'ERR_MROPE_ARGUMENT', message: /layer is from 0 to 0/ })
    await assert.rejects(cache.estimate(0, { ...step, v: step.k }), { code: 'ERR_MROPE_SHAPE' })
    await assert.rejects(cache.estimate(0, stepOf(odd, 'float32', 61, 7)), { code: 'ERR_MROPE_CAPACITY' })
    using gone = await backend.upload(step.q)
    gone.dispose()
    await assert.rejects(cache.estimate(0, { ...step, q: gone }), { code: 'ERR_MROPE_STATE' })
    await cache.dispose()
    await assert.rejects(cache.estimate(0, step), { code: 'ERR_MROPE_STATE', message: /was disposed/ })
  })
})
