import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { MetalBackend } from '../lib/backends/metal/metal.js'
import { listBackends, openBackend } from '../lib/backends/open.js'
import { Tensor, type TensorType } from '../lib/tensors/tensor.js'
import { root, run } from './support/cli.js'
import { describeHost, openMetal } from './support/metal.js'
import { randomTable, randomTensor } from './support/tensors.js'

const table = randomTable([1, 33, 8], 'half-split', 1)
const x = randomTensor('float32', [33, 3, 16], 2)
const inputs = { q: x, k: x, v: x, table }

/** What a process of its own prints. */
async function alone(scenario: string, more: NodeJS.ProcessEnv = {}) {
  const args = ['--require', 'tsx', join(root, 'test/support/metal-process.ts'), scenario]
  const { stdout, stderr } = await run(process.execPath, args, { ...process.env, ...more })
  assert.equal(stderr, '')
  return JSON.parse(stdout)
}

describeHost('what fails on a device is a typed error, and the next call works', ({ host }) => {
  let backend: MetalBackend
  /** A kernel that no other test builds: backends of one process share what was built. */
  const rare = (type: TensorType) => {
    const norm = { weight: new Float32Array(16).fill(1), eps: 1e-6, after: true }
    const out = Tensor.zeros(type, x.dims)
    return backend.rotate(Tensor.from('float16', x.data, x.dims), { ...table, pairing: 'adjacent' }, { norm, out })
  }
  const forced = process.env.MROPE_BACKEND
  before(() => {
    delete process.env.MROPE_BACKEND
  })
  after(() => {
    if (forced !== undefined) process.env.MROPE_BACKEND = forced
  })
  beforeEach(async () => {
    host.reset()
    backend = await openMetal()
  })
  afterEach(async () => {
    host.reset()
    await backend.dispose()
  })

  it('the compiler refuses a library: ERR_MROPE_COMPILE with its text', async () => {
    host.fail('compile')
    const refused = {
      name: 'RangeError',
      code: 'ERR_MROPE_COMPILE',
      message: /^metal: rotate\.metal .*does not compile: /,
    }
    await assert.rejects(rare('bfloat16'), refused)
    await rare('bfloat16')
  })

  for (const [what, type, message] of [
    ['function', 'float16', /cannot be specialised/],
    ['pipeline', 'float32', /does not link/],
  ] as const) {
    it(`a ${what} is not made: ERR_MROPE_COMPILE`, async () => {
      host.fail(what, 0, -1)
      await assert.rejects(rare(type), { code: 'ERR_MROPE_COMPILE', message })
      host.reset()
      await rare(type)
    })
  }

  it('the device goes away under the work: ERR_MROPE_DEVICE, then at once for all that follows', async () => {
    const { errors, kept } = await alone('lost')
    const [first, submitted, second, later] = errors
    assert.deepEqual([first.code, second.code], ['ERR_MROPE_DEVICE', 'ERR_MROPE_DEVICE'])
    assert.match(first.message, /the device was lost: /)
    assert.match(second.message, /the device was lost$/)
    assert.deepEqual([submitted, later], [1, 0])
    assert.ok(kept, 'out stays as it was')
  })

  it('no buffer is to be had: ERR_MROPE_MEMORY, for scratch, tensors and caches', async () => {
    const full = { name: 'RangeError', code: 'ERR_MROPE_MEMORY', message: /no buffer of \d+ bytes/ }
    const layers = { layers: 3, kvHeads: 1, headDim: 16, valueDim: 16, capacity: 40, dtype: 'float32' } as const
    host.fail('memory', 0, -1)
    await assert.rejects(backend.rotate(x, table), full)
    await assert.rejects(backend.attend(inputs), full)
    await assert.rejects(backend.upload(x), full)
    assert.throws(() => backend.allocate('float32', [100]), full)
    await assert.rejects(backend.openCache(layers), full)
    host.reset()
    await backend.attend(inputs)
    await (await backend.openCache(layers)).dispose()
  })

  it('a cache that does not fit gives back what it got', async () => {
    const { allocated } = host.report()
    host.memory(allocated + 3 * 40 * 16 * 4)
    const layers = { layers: 3, kvHeads: 1, headDim: 16, valueDim: 16, capacity: 40, dtype: 'float32' } as const
    await assert.rejects(backend.openCache(layers), { code: 'ERR_MROPE_MEMORY' })
    assert.equal(host.report().allocated, allocated)
  })

  it('a step that fails takes no tokens', async () => {
    const cache = await backend.openCache({
      ...{ layers: 1, kvHeads: 3, headDim: 16, valueDim: 16, capacity: 40, dtype: 'float32' },
    })
    await cache.attend(0, inputs)
    host.fail('memory', 0, -1)
    const one = randomTensor('float32', [1, 3, 16], 3)
    await assert.rejects(cache.attend(0, { q: one, k: one, v: one }), { code: 'ERR_MROPE_MEMORY' })
    assert.equal(cache.length(0), 33)
    host.reset()
    await cache.attend(0, { q: one, k: one, v: one })
    assert.equal(cache.length(0), 34)
    await cache.dispose()
  })

  it('pages of the host that Metal does not take are copied, with the same result', async () => {
    const wide = randomTensor('float32', [400, 3, 64], 4)
    const turns = randomTable([1, 400, 32], 'half-split', 5)
    const expected = (await backend.rotate(wide, turns)).data
    host.fail('no-copy', 0, -1)
    assert.deepEqual((await backend.rotate(wide, turns)).data, expected)
  })

  it('no device: the backend is not available, and says why', async () => {
    await backend.dispose()
    host.fail('device', 0, -1)
    const metal = listBackends().find(({ name }) => name === 'metal')
    assert.equal(metal?.available, false)
    assert.match(metal.why, /there is no Metal device/)
    await assert.rejects(openBackend('metal'), { code: 'ERR_MROPE_BACKEND', message: /there is no Metal device/ })
    const { name, why } = await openBackend('auto')
    assert.equal(name, 'cpu')
    assert.match(why, /metal: there is no Metal device/)
  })

  it('no command queue: ERR_MROPE_DEVICE, and auto goes on to the next backend and says why', async () => {
    const { code, message, auto, why } = await alone('queue', { MROPE_BACKEND: '' })
    assert.equal(code, 'ERR_MROPE_DEVICE')
    assert.match(message, /command queue/)
    assert.equal(auto, 'cpu')
    assert.match(why, /metal: .*command queue/)
  })

  it('the estimate says what a call will take, and runs nothing', async () => {
    const before = backend.info()
    const { scratchBytes, hostBytes, dispatches, workingSetBytes, fits } = await backend.estimate(inputs)
    assert.equal(hostBytes, 2 * x.data.byteLength, 'q, k and v are one array, and out')
    assert.ok(scratchBytes > 0 && fits && workingSetBytes > scratchBytes)
    assert.equal(backend.info().commandBuffers, before.commandBuffers)
    host.reset()
    const { allocated } = host.report()
    await backend.attend(inputs)
    assert.equal(host.report().dispatches.length, dispatches)
    const taken = host.report().peakAllocated - allocated
    const rounding = 16 * 32
    assert.ok(taken <= scratchBytes + hostBytes + rounding, `${taken} bytes`)
  })

  it('warmup compiles, so that the call does not', async () => {
    await backend.warmup([inputs, { ...inputs, mask: 'bidirectional' }])
    const { pipelines } = backend.info()
    await backend.attend(inputs)
    await backend.attend({ ...inputs, mask: 'bidirectional' })
    assert.equal(backend.info().pipelines.length, pipelines.length)
  })

  describe('the archive of pipelines', () => {
    let folder: string
    beforeEach(() => {
      folder = mkdtempSync(join(tmpdir(), 'mrope-cache-'))
    })
    afterEach(() => rmSync(folder, { recursive: true }))
    const hits = async (scenario = 'rotate'): Promise<number> =>
      (await alone(scenario, { MROPE_CACHE_DIR: folder })).archiveHits
    const files = (): string[] => readdirSync(folder)

    it('is written, and found by the next process', async () => {
      assert.equal(await hits(), 0)
      assert.equal(files().length, 1)
      assert.match(files()[0], /^[0-9a-f]{16}\.metalarchive$/)
      assert.equal(await hits(), 2)
    })

    it('is thrown away where it is damaged', async () => {
      await hits()
      writeFileSync(join(folder, files()[0]), 'no archive')
      assert.equal(await hits(), 0)
      assert.equal(await hits(), 2)
    })

    it('is passed over where it cannot be written', async () => {
      assert.equal(await hits('archive-write'), 0)
      assert.deepEqual(files(), [])
    })
  })
})
