import assert from 'node:assert/strict'
import type { MetalCache } from '../lib/backends/metal/cache.js'
import type { DeviceTensor } from '../lib/backends/metal/device-tensor.js'
import type { MetalBackend } from '../lib/backends/metal/metal.js'
import type { MetalCacheStep } from '../lib/backends/metal/step.js'
import { type DeviceSteps, inputs, shape, withCache } from './support/device-steps.js'
import { commit, describeMetal } from './support/metal.js'
import { randomTensor } from './support/tensors.js'

describeMetal('encoding a step of a cache refuses', ({ host, foreign }) => {
  let backend: MetalBackend
  let cache: MetalCache
  let steps: DeviceSteps
  withCache((here) => {
    ;({ backend, cache, steps } = here)
  })

  describe('and leaves the layer and the command buffer as they were:', () => {
    let commandBuffer: bigint
    let step: MetalCacheStep & { readonly out: DeviceTensor }
    beforeEach(async () => {
      commandBuffer = foreign.commandBuffer()
      step = await steps.of(0, 0, 33)
    })
    afterEach(async () => {
      await cache.encodeAttend(commandBuffer, 1, step)
      host?.reset()
      commit(foreign, commandBuffer)
      assert.equal(host?.report().dispatches.length ?? 2, 2)
      const { data } = await cache.attend(0, { ...inputs(0, 0, 33), table: step.table })
      assert.deepEqual((await step.out.read()).data, data)
    })
    const refused = async (changes: object, expected: object, layer = 0) => {
      await assert.rejects(cache.encodeAttend(commandBuffer, layer, { ...step, ...changes }), expected)
      assert.equal(cache.length(0), 0)
    }

    for (const name of ['q', 'k', 'v', 'out'] as const) {
      it(`a host tensor as ${name}`, async () => {
        const there = step[name]
        const message = new RegExp(`^cache\\.encodeAttend: ${name} must be a DeviceTensor`)
        const changes = { [name]: randomTensor('float16', there.dims, 1) }
        await refused(changes, { name: 'MropeTypeError', code: 'ERR_MROPE_ARGUMENT', message })
      })
    }

    it('no out', () => refused({ out: undefined }, { code: 'ERR_MROPE_ARGUMENT', message: /out must be/ }))

    it('a bias that is a function', () =>
      refused(
        { bias: () => 0 },
        { name: 'MropeTypeError', code: 'ERR_MROPE_ARGUMENT', message: /evaluated in pieces/ },
      ))

    it('out on the memory of q', () =>
      refused({ out: step.q }, { code: 'ERR_MROPE_ARGUMENT', message: /out shares memory with q/ }))

    it('tokens of other dims', () => refused({ v: step.q }, { code: 'ERR_MROPE_SHAPE' }))

    it('a layer that there is not', () =>
      refused({}, { code: 'ERR_MROPE_ARGUMENT', message: /layer is from 0 to 1/ }, 2))

    it('a tensor that was disposed', async () => {
      const gone = await backend.upload(inputs(0, 0, 33).q)
      gone.dispose()
      await refused({ q: gone }, { code: 'ERR_MROPE_STATE', message: /was disposed/ })
    })

    it('an abort before the call, by its reason', async () => {
      const reason = new Error('enough')
      await refused({ signal: AbortSignal.abort(reason) }, (error: unknown) => error === reason)
    })

    for (const handle of [7, 0n, 2n ** 64n]) {
      it(`${typeof handle} ${handle} for a command buffer`, async () => {
        const error = { code: 'ERR_MROPE_ARGUMENT', message: /^cache\.encodeAttend: commandBuffer / }
        await assert.rejects(cache.encodeAttend(handle as bigint, 0, step), error)
        assert.equal(cache.length(0), 0)
      })
    }

    it('a command buffer that was committed', async () => {
      const done = foreign.commandBuffer()
      assert.equal(foreign.commit(done), '')
      const error = { code: 'ERR_MROPE_STATE', message: /was committed/ }
      await assert.rejects(cache.encodeAttend(done, 0, step), error)
      assert.equal(cache.length(0), 0)
      foreign.release(done)
    })

    it('a second call on a layer that has one under way', async () => {
      const other = await backend.openCache(shape)
      const [mine, wasted] = [foreign.commandBuffer(), foreign.commandBuffer()]
      const running = other.encodeAttend(mine, 0, step)
      const busy = { code: 'ERR_MROPE_STATE', message: /layer 0 has a call under way/ }
      await assert.rejects(other.encodeAttend(wasted, 0, step), busy)
      await assert.rejects(other.attend(0, step), busy)
      assert.throws(() => other.truncate(0), { code: 'ERR_MROPE_STATE' })
      await running
      assert.equal(other.length(0), 33)
      commit(foreign, mine)
      foreign.release(wasted)
      await other.dispose()
    })
  })

  it('more than fits, and goes on where it was', async () => {
    const commandBuffer = foreign.commandBuffer()
    await cache.encodeAttend(commandBuffer, 0, await steps.of(0, 0, 33))
    const full = { code: 'ERR_MROPE_CAPACITY', message: /holds 33 tokens, 33 more do not fit a capacity of 40/ }
    await assert.rejects(cache.encodeAttend(commandBuffer, 0, await steps.of(0, 0, 33)), full)
    assert.equal(cache.length(0), 33)
    await cache.encodeAttend(commandBuffer, 0, await steps.of(0, 33, 34))
    commit(foreign, commandBuffer)
    assert.equal(cache.length(0), 34)
  })

  it('a cache that was disposed, and one that is asked to forget what it cannot', async () => {
    const gone = await backend.openCache(shape)
    const step = await steps.of(0, 0, 33)
    for (const length of [-1, 0.5, '3', undefined]) {
      assert.throws(() => gone.truncate(length as number), { code: 'ERR_MROPE_ARGUMENT' })
    }
    await gone.dispose()
    const commandBuffer = foreign.commandBuffer()
    const disposed = { code: 'ERR_MROPE_STATE', message: /cache: it was disposed/ }
    await assert.rejects(gone.encodeAttend(commandBuffer, 0, step), disposed)
    assert.throws(() => gone.truncate(0), disposed)
    foreign.release(commandBuffer)
  })
})
