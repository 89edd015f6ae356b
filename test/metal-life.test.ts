import assert from 'node:assert/strict'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { Worker } from 'node:worker_threads'
import type { MetalBackend } from '../lib/backends/metal/metal.js'
import { encodings } from '../lib/encodings/named.js'
import { Sequence } from '../lib/sequence/sequence.js'
import { rows } from '../lib/tensors/tensor.js'
import { describeHost, openMetal } from './support/metal.js'
import { maxError, randomTable, randomTensor } from './support/tensors.js'

const table = randomTable([1, 33, 36], 'half-split', 4)
const q = randomTensor('float32', [33, 14, 72], 1)
const k = randomTensor('float32', [33, 2, 72], 2)
const v = randomTensor('float32', [33, 2, 72], 3)

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

describeHost('life on a device', ({ host, foreign }) => {
  beforeEach(() => host.reset())

  /** Objects of Metal that are alive, once everything under way has come to its end and garbage is collected. */
  const alive = async (): Promise<Record<string, number>> => {
    for (let i = 0; i < 3; i++) {
      collect()
      await new Promise((resolve) => setImmediate(resolve))
    }
    host.drain()
    return host.live()
  }

  it('leaves no object of Metal behind', async () => {
    const before = await alive()
    const backend = await openMetal()
    const x = await backend.upload(q)
    const again = backend.fromHandle(x.handle, { type: 'float32', dims: q.dims })
    await backend.attend({ q: x, k, v, table })
    await assert.rejects(backend.attend({ q, k, v: k, table, out: q }))
    const cache = await backend.openCache({
      ...{ layers: 2, kvHeads: 2, headDim: 72, valueDim: 72, capacity: 40, dtype: 'float16' },
    })
    await cache.attend(0, { q, k, v, table })
    await cache.attend(1, { q, k, v, table })
    await cache.drop(3, 4)
    await cache.dispose()
    for (const tensor of [x, again]) tensor.dispose()
    assert.notDeepEqual(host.live(), before)
    await backend.dispose()
    assert.deepEqual(await alive(), before)
  })

  for (const unretained of [false, true]) {
    it(`steps for a command buffer that retains ${unretained ? 'nothing' : 'all'}: done or given up, nothing stays`, async () => {
      foreign.release(foreign.commandBuffer())
      const before = await alive()
      const backend = await openMetal()
      const cache = await backend.openCache({
        ...{ layers: 1, kvHeads: 2, headDim: 72, valueDim: 72, capacity: 99, dtype: 'float32' },
      })
      const [first, second] = [foreign.commandBuffer(unretained), foreign.commandBuffer(unretained)]
      const step = { q: await backend.upload(q), k: await backend.upload(k), v: await backend.upload(v), table }
      const out = backend.allocate('float32', q.dims)
      for (const commandBuffer of [first, second]) await cache.encodeAttend(commandBuffer, 0, { ...step, out })
      await backend.estimate({ ...step, out })
      await cache.estimate(0, { ...step, out })
      await cache.warmup([{ tokens: 33, heads: 14 }])
      // What is encoded lives without the tensors, the cache and the backend.
      for (const tensor of [step.q, step.k, step.v, out]) tensor.dispose()
      await cache.dispose()
      await backend.dispose()
      assert.equal(foreign.commit(first), '')
      for (const commandBuffer of [first, second]) foreign.release(commandBuffer)
      assert.deepEqual(await alive(), before)
    })
  }

  it('closing in any order is safe: tensors and caches outlive the backend', async () => {
    const before = await alive()
    const backend = await openMetal()
    const x = await backend.upload(q)
    const cache = await backend.openCache({
      ...{ layers: 1, kvHeads: 2, headDim: 72, valueDim: 72, capacity: 40, dtype: 'float32' },
    })
    const running = [backend.attend({ q: x, k, v, table }), cache.attend(0, { q, k, v, table })]
    await backend.dispose()
    await backend.dispose()
    const [attended, stepped] = await Promise.all(running)
    assert.ok(maxError(attended.data, stepped.data) <= 1e-5)
    assert.deepEqual((await x.read()).data, q.data)
    assert.throws(() => backend.info(), { code: 'ERR_MROPE_STATE' })
    await assert.rejects(backend.rotate(q, table), { code: 'ERR_MROPE_STATE', message: /was disposed/ })
    x.dispose()
    await cache.dispose()
    await assert.rejects(cache.read(0, 0, 1), { code: 'ERR_MROPE_STATE' })
    assert.deepEqual(await alive(), before)
  })

  it('100 concurrent calls give what one gives, and compile once', async () => {
    const backend = await openMetal()
    const calls = Array.from({ length: 100 }, () => backend.attend({ q, k, v, table }))
    const results = await Promise.all(calls)
    for (const { data } of results) assert.deepEqual(data, results[0].data)
    const names = backend.info().pipelines.map(({ kernel, variant }) => `${kernel} ${variant}`)
    assert.equal(new Set(names).size, names.length)
    await backend.dispose()
  })

  const encoding = encodings.qwen2VL()
  const wide = (heads: number, seed: number) => randomTensor('float32', [33, heads, encoding.headDim], seed)
  const angles = encoding.angles(encoding.positions(Sequence.of([{ kind: 'text', length: 33 }])))
  for (const [by, inputs] of [
    ['a table', { q, k, v, table }],
    ['angles', { q: wide(14, 1), k: wide(2, 2), v: wide(2, 3), table: angles }],
  ] as const)
    it(`an abort before the work is submitted, by ${by}: its reason, and the backend works on`, async () => {
      const backend = await openMetal()
      const controller = new AbortController()
      const queue = Array.from({ length: 8 }, () => backend.attend({ ...inputs, signal: controller.signal }))
      controller.abort(new Error('enough'))
      for (const one of await Promise.allSettled(queue)) {
        assert.ok(one.status === 'rejected')
        assert.match(String(one.reason), /enough/)
      }
      await backend.attend(inputs)
      await backend.dispose()
    })

  for (const how of ['terminate', 'exit'] as const) {
    it(`a worker that ends by ${how} with work under way takes nobody with it`, async () => {
      const before = await alive()
      const backend = await openMetal()
      const source = `
        const { parentPort } = require('node:worker_threads')
        require('tsx/cjs')
        const { openMetal } = require('./test/support/metal.ts')
        const { randomTensor, randomTable } = require('./test/support/tensors.ts')
        openMetal().then(async (backend) => {
          const q = randomTensor('float32', [33, 14, 72], 1), k = randomTensor('float32', [33, 2, 72], 2)
          const table = randomTable([1, 33, 36], 'half-split', 4)
          const x = await backend.upload(q)
          for (let i = 0; i < 20; i++) backend.attend({ q: x, k, v: k, table })
          parentPort.postMessage('busy')
          ${how === 'exit' ? 'process.exit(0)' : ''}
        })`
      host.delay(50)
      const worker = new Worker(source, { eval: true, execArgv: [], env: process.env, stdin: false })
      const gone = new Promise((resolve) => worker.once('exit', resolve))
      await new Promise((resolve, reject) => {
        worker.once('message', resolve)
        worker.once('error', reject)
      })
      if (how === 'terminate') await worker.terminate()
      await gone
      host.delay(0)
      await backend.attend({ q, k, v, table })
      await backend.dispose()
      assert.deepEqual(await alive(), before)
    }).timeout(30_000)
  }
})

describeHost('counted by the executor', ({ host }) => {
  let backend: MetalBackend
  before(async () => {
    backend = await openMetal()
  })
  after(() => backend.dispose())

  const dispatchesOf = async (work: () => Promise<unknown>): Promise<string[]> => {
    host.reset()
    await work()
    const report = host.report()
    assert.equal(report.commandBuffers, 1)
    assert.deepEqual(report.violations, [])
    return report.dispatches.map(({ kernel }) => kernel)
  }

  const encoding = encodings.qwen2VL()
  const angles = (from: number, to: number) => {
    const positions = encoding.positions(Sequence.of([{ kind: 'text', length: 777 }]))
    return encoding.angles(positions.slice(from, to))
  }
  const noise = (tokens: number, heads: number, seed: number) => randomTensor('float16', [tokens, heads, 128], seed)
  const step = (from: number, to: number) => ({
    q: noise(to - from, 14, 1),
    k: noise(to - from, 2, 2),
    v: noise(to - from, 2, 3),
    table: angles(from, to),
  })

  it('prefill of a layer takes 2 dispatches, a decode step 1, a step on many keys 2', async () => {
    const cache = await backend.openCache({
      ...{ layers: 1, kvHeads: 2, headDim: 128, valueDim: 128, capacity: 777, dtype: 'float16' },
    })
    assert.deepEqual(await dispatchesOf(() => cache.attend(0, step(0, 100))), ['rotate_append', 'attention'])
    assert.deepEqual(await dispatchesOf(() => cache.attend(0, step(100, 101))), ['decode'])
    await cache.attend(0, { ...step(101, 700), window: 1 })
    assert.deepEqual(await dispatchesOf(() => cache.attend(0, step(700, 701))), ['decode', 'decode_reduce'])
    await cache.dispose()
  })

  it('a windowed vision layer takes 1 dispatch, rotation included', async () => {
    const x = [1, 2, 3].map((seed) => randomTensor('float16', [256, 16, 80], seed))
    const turns = randomTable([1, 256, 40], 'half-split', 4)
    const mask = { causal: false, cuSeqlens: [0, 64, 128, 192, 256] }
    const names = await dispatchesOf(() => backend.attend({ q: x[0], k: x[1], v: x[2], table: turns, mask }))
    assert.deepEqual(names, ['attention'])
  })

  it('memory shared with the host is not copied', async () => {
    const x = randomTensor('float32', [400, 2, 128], 5)
    const turns = randomTable([1, 400, 64], 'half-split', 6)
    host.reset()
    const { allocated } = host.report()
    await backend.rotate(x, turns, { out: x })
    const { peakAllocated } = host.report()
    assert.ok(peakAllocated - allocated < 2 * x.data.byteLength + 2 * turns.cos.byteLength, `${peakAllocated}`)
    assert.equal(rows(x, 0, 400).data.length, x.data.length)
  })
})
