import assert from 'node:assert/strict'
import { attendSync } from '../lib/attention/attend.js'
import { gpuCachePlaces, gpuReportPlaces } from '../lib/backends/metal/addon.js'
import type { MetalBackend } from '../lib/backends/metal/metal.js'
import { stepWork } from '../lib/backends/metal/step.js'
import { nativeTypes, pack } from '../lib/backends/native/addon.js'
import { shaw } from '../lib/biases/content.js'
import { encodings } from '../lib/encodings/named.js'
import { Sequence } from '../lib/sequence/sequence.js'
import { rows, Tensor } from '../lib/tensors/tensor.js'
import { root, run } from './support/cli.js'
import { describeMetal, openMetal } from './support/metal.js'
import { maxError, randomTable, randomTensor } from './support/tensors.js'

/** Function constants as the variant of a pipeline names them: metal/params.h. */
const madeByTurns = /(^| )c0=1 /
const readFromTable = /(^| )c0=3 /
const tableWritten = /(^| )c7=true/

describeMetal('a cache on a device', ({ addon, host }) => {
  let backend: MetalBackend
  before(async () => {
    backend = await openMetal()
  })
  after(() => backend.dispose())

  it('33 tokens, 14/2×128:88 by ids: the append makes the angles, the attention reads them', async () => {
    const encoding = encodings.qwen2VL()
    const positions = encoding.positions(Sequence.of([{ kind: 'image', grid: [1, 3, 11] }]))
    const q = randomTensor('float32', [33, 14, 128], 1)
    // Types that no other test brings together, so that the kernels are built here.
    const [k, v] = [randomTensor('bfloat16', [33, 2, 128], 2), randomTensor('float16', [33, 2, 88], 3)]
    const known = new Set(backend.info().pipelines.map(({ kernel, variant }) => `${kernel} ${variant}`))
    const shape = { layers: 1, kvHeads: 2, headDim: 128, valueDim: 88, capacity: 40, dtype: 'float32' } as const
    const cache = await backend.openCache(shape)
    host?.reset()
    const { data } = await cache.attend(0, { q, k, v, table: encoding.angles(positions) })
    assert.ok(maxError(data, attendSync({ q, k, v, table: encoding.table(positions) }).data) <= 1e-5)
    const built = backend.info().pipelines.filter(({ kernel, variant }) => !known.has(`${kernel} ${variant}`))
    assert.deepEqual(built.map(({ kernel }) => kernel).sort(), ['attention', 'rotate_append'])
    for (const { kernel, variant } of built) {
      assert.match(variant, kernel === 'attention' ? readFromTable : madeByTurns)
      if (kernel === 'rotate_append') assert.match(variant, tableWritten)
    }
    const dispatched = host?.report().dispatches.map(({ kernel }) => kernel)
    assert.deepEqual(dispatched ?? ['rotate_append', 'attention'], ['rotate_append', 'attention'])
    // Every threadgroup of a decode wants the angles of the one token: they come as a table.
    const [lastQ, lastK, lastV] = [q, k, v].map((x) => rows(x, 32, 33))
    await cache.attend(0, { q: lastQ, k: lastK, v: lastV, table: encoding.angles(positions.slice(32, 33)) })
    const decode = backend.info().pipelines.filter(({ kernel, variant }) => !known.has(`${kernel} ${variant}`))
    assert.deepEqual(
      decode.filter((pipeline) => pipeline.kernel === 'decode').map(({ variant }) => readFromTable.test(variant)),
      [true],
    )
    await cache.dispose()
  })

  it('a drop of tokens 2 to 9 of 33 leaves 26, and the next token stands behind them', async () => {
    const [q, k, v] = [6, 2, 2].map((heads, i) => randomTensor('float32', [34, heads, 72], i + 1))
    const cache = await backend.openCache({
      ...{ layers: 1, kvHeads: 2, headDim: 72, valueDim: 72, capacity: 40, dtype: 'float32' },
    })
    await cache.attend(0, { q: rows(q, 0, 33), k: rows(k, 0, 33), v: rows(v, 0, 33) })
    await cache.drop(2, 7)
    const last = rows(q, 33, 34)
    const { data } = await cache.attend(0, { q: last, k: rows(k, 33, 34), v: rows(v, 33, 34) })
    const left = (x: Tensor) =>
      Tensor.from(x.type, [...rows(x, 0, 2).toFloat32(), ...rows(x, 9, 34).toFloat32()], [27, 2, 72])
    assert.ok(maxError(data, attendSync({ q: last, k: left(k), v: left(v) }).data) <= 1e-5)
    await cache.dispose()
  })

  describe('a bias function over 256 heads × 70 tokens, more than are evaluated at once', () => {
    const [heads, tokens, dim] = [256, 70, 8]
    const table = randomTable([1, tokens, dim / 2], 'half-split', 4)
    const q = randomTensor('float32', [tokens, heads, dim], 1)
    const [k, v] = [2, 3].map((seed) => randomTensor('float32', [tokens, 1, dim], seed))
    const bias = (head: number, i: number, j: number): number => ((head % 5) * (j - i)) / 50
    const shape = { layers: 1, kvHeads: 1, headDim: dim, valueDim: dim, capacity: tokens, dtype: 'float32' } as const
    const scale = Float32Array.from({ length: tokens }, (_, i) => 0.2 + i / 500)
    const expected = attendSync({ q, k, v, table, bias, scale }).data

    it('gives what one attention gives, from host and device tensors', async () => {
      using there = await backend.upload(q)
      for (const from of [q, there]) {
        const cache = await backend.openCache(shape)
        const { commandBuffers } = backend.info()
        const { data } = await cache.attend(0, { q: from, k, v, table, bias, scale })
        assert.ok(maxError(data, expected) <= 1e-5)
        assert.equal(backend.info().commandBuffers - commandBuffers, 2)
        assert.equal(cache.length(0), tokens)
        await cache.dispose()
      }
    })

    it('takes nothing where the second run throws, and goes on', async () => {
      const cache = await backend.openCache(shape)
      const part = (start: number, end: number) => ({
        ...{ q: rows(q, start, end), k: rows(k, start, end), v: rows(v, start, end) },
        scale: scale.subarray(start, end),
        table: {
          ...table,
          cos: table.cos.subarray((start * dim) / 2, (end * dim) / 2),
          sin: table.sin.subarray((start * dim) / 2, (end * dim) / 2),
          shape: [1, end - start, dim / 2] as const,
        },
      })
      await cache.attend(0, { ...part(0, 3), bias })
      const thrown = new Error('no more')
      const failing = (head: number, i: number, j: number): number => {
        if (i === tokens - 1) throw thrown
        return bias(head, i, j)
      }
      const step = part(3, tokens)
      await assert.rejects(cache.attend(0, { ...step, bias: failing }), (error) => error === thrown)
      assert.equal(cache.length(0), 3)
      const { data } = await cache.attend(0, { ...step, bias })
      assert.ok(maxError(data, expected.subarray(3 * heads * dim)) <= 1e-5)
      await cache.dispose()
    })
  })

  it('the addon itself runs one step of a layer at a time, from its end on, and plans any', async () => {
    const [q, k, v] = [3, 1, 1].map((heads, seed) => randomTensor('float32', [33, heads, 16], seed))
    const shape = { layers: 1, kvHeads: 1, headDim: 16, valueDim: 16, capacity: 70, dtype: 'float32' } as const
    const device = addon.gpuOpen(0)
    const { layers, kvHeads, headDim, valueDim, capacity } = shape
    const cache = addon.gpuCacheCreate(
      device,
      pack(gpuCachePlaces, { layers, kvHeads, headDim, valueDim, capacity, type: nativeTypes.float32 }),
    )
    const report = new Float64Array(gpuReportPlaces.length)
    const call = (start: number, planned: boolean, room: number = capacity) => {
      const [args] = stepWork({ ...shape, capacity: room }, start, { q, k, v }).parts
      return addon.gpuCacheAttend(cache, 0, ...args, undefined, planned ? report : undefined, undefined)
    }
    if (host) {
      host.fail('memory', 0, -1)
      await assert.rejects(call(0, false), { code: 'ERR_MROPE_MEMORY' })
      host.reset()
      assert.equal(addon.gpuCacheLength(cache, 0), 0)
    }
    const running = call(0, false)
    assert.throws(() => call(0, false), { code: 'ERR_MROPE_STATE', message: /layer 0 has a call under way/ })
    await call(37, true)
    await running
    assert.equal(addon.gpuCacheLength(cache, 0), 33)
    assert.throws(() => call(32, false), { code: 'ERR_MROPE_ARGUMENT', message: /from the end of the cache/ })
    assert.throws(() => call(38, true, 71), { code: 'ERR_MROPE_CAPACITY', message: /holds 38 of 70 tokens, 33 more/ })
    addon.gpuCacheDispose(cache)
    addon.gpuClose(device)
  })

  it('refuses a bias that is made from queries in device memory, and takes it with those of the host', async () => {
    const q = randomTensor('float32', [3, 2, 8], 1)
    const [k, v] = [2, 3].map((seed) => randomTensor('float32', [3, 1, 8], seed))
    const bias = shaw({ embeddings: randomTensor('float32', [4, 8], 4), left: 3, right: 0 })
    const shape = { layers: 1, kvHeads: 1, headDim: 8, valueDim: 8, capacity: 3, dtype: 'float32' } as const
    const cache = await backend.openCache(shape)
    using there = await backend.upload(q)
    const refused = { code: 'ERR_MROPE_ARGUMENT', message: /^cache\.attend: the bias shaw is made from q and k/ }
    await assert.rejects(cache.attend(0, { q: there, k, v, bias }), refused)
    assert.equal(cache.length(0), 0)
    const { data } = await cache.attend(0, { q, k, v, bias })
    assert.ok(maxError(data, attendSync({ q, k, v, bias }).data) <= 1e-5)
    await cache.dispose()
  })

  if (host === undefined) return

  it('a drop that fails on the device leaves a cache that gives out nothing', async () => {
    const args = ['--require', 'tsx', `${root}/test/support/metal-process.ts`, 'drop']
    const { stdout, stderr } = await run(process.execPath, args)
    assert.equal(stderr, '')
    const { drop, read } = JSON.parse(stdout)
    assert.equal(drop.code, 'ERR_MROPE_DEVICE')
    assert.equal(read.code, 'ERR_MROPE_STATE')
    assert.match(read.message, /a drop failed on the device/)
  })
})
