import assert from 'node:assert/strict'
import type { MetalCache } from '../lib/backends/metal/cache.js'
import type { DeviceTensor } from '../lib/backends/metal/device-tensor.js'
import type { MetalBackend } from '../lib/backends/metal/metal.js'
import type { Tensor } from '../lib/tensors/tensor.js'
import { type DeviceSteps, inputs, shape, tableOf, withCache } from './support/device-steps.js'
import { commit, describeMetal } from './support/metal.js'

const parts = [
  [0, 33],
  [33, 34],
  [34, 35],
] as const

describeMetal('steps of a cache encoded for other Metal code', ({ host, foreign }) => {
  let backend: MetalBackend
  let cache: MetalCache
  let steps: DeviceSteps
  withCache((here) => {
    ;({ backend, cache, steps } = here)
  })

  it('a chunk and two tokens in one command buffer: bit for bit what attend gives', async () => {
    const expected: Tensor[] = []
    for (const [start, end] of parts)
      expected.push(await cache.attend(0, { ...inputs(0, start, end), table: tableOf(start, end) }))
    const rows = await cache.read(0, 0, 35)
    const commandBuffer = foreign.commandBuffer()
    const { commandBuffers } = backend.info()
    const encoded = await backend.openCache(shape)
    const outs: DeviceTensor[] = []
    for (const [start, end] of parts) {
      const step = await steps.of(0, start, end)
      await encoded.encodeAttend(commandBuffer, 0, step)
      assert.equal(encoded.length(0), end)
      outs.push(step.out)
    }
    assert.ok(
      (await outs[0].read()).data.every((bits) => bits === 0),
      'not before',
    )
    host?.reset()
    commit(foreign, commandBuffer)
    const dispatched = host?.report().dispatches.map(({ kernel }) => kernel)
    if (dispatched) assert.deepEqual(dispatched, ['rotate_append', 'attention', 'decode', 'decode'])
    assert.deepEqual(host?.report().violations ?? [], [])
    assert.equal(backend.info().commandBuffers, commandBuffers)
    for (const [i, out] of outs.entries()) assert.deepEqual((await out.read()).data, expected[i].data)
    assert.deepEqual(await encoded.read(0, 0, 35), rows)
    await encoded.dispose()
  })

  it('between the work of other code: two layers in one command buffer', async () => {
    for (const [start, end] of parts) {
      // The queries of the second layer are the output of the first.
      const first = await cache.attend(0, { ...inputs(0, start, end), table: tableOf(start, end) })
      await cache.attend(1, { ...inputs(1, start, end), q: first.out, table: tableOf(start, end) })
    }
    const expected = await cache.read(1, 0, 35)
    const other = await backend.openCache(shape)
    let last: Tensor | undefined
    for (const [start, end] of parts) {
      const commandBuffer = foreign.commandBuffer()
      const [first, second] = [await steps.of(0, start, end), await steps.of(1, start, end)]
      const query = steps.room(first.q.dims)
      foreign.copy(first.q.handle, query.handle, commandBuffer)
      await other.encodeAttend(commandBuffer, 0, { ...first, q: query })
      foreign.copy(first.out.handle, query.handle, commandBuffer)
      await other.encodeAttend(commandBuffer, 1, { ...second, q: query })
      foreign.copy(second.out.handle, query.handle, commandBuffer)
      commit(foreign, commandBuffer)
      last = await query.read()
      assert.deepEqual(last.data, (await second.out.read()).data)
    }
    assert.deepEqual(await other.read(1, 0, 35), expected)
    const again = await backend.openCache(shape)
    let result: Tensor | undefined
    for (const [start, end] of parts) {
      const { out } = await again.attend(0, { ...inputs(0, start, end), table: tableOf(start, end) })
      result = (await again.attend(1, { ...inputs(1, start, end), q: out, table: tableOf(start, end) })).out
    }
    assert.deepEqual(last?.data, result?.data)
    await Promise.all([other.dispose(), again.dispose()])
  })

  it('into a command buffer that retains nothing', async () => {
    const step = await steps.of(0, 0, 33)
    const weight = new Float32Array(shape.headDim).fill(1.5)
    const more = { scale: new Float64Array(33).fill(0.1), qNorm: { weight, eps: 1e-6 } }
    const host = { ...inputs(0, 0, 33), table: step.table, ...more }
    const expected = (await cache.attend(1, host)).data
    const commandBuffer = foreign.commandBuffer(true)
    await cache.encodeAttend(commandBuffer, 0, { ...step, ...more })
    commit(foreign, commandBuffer)
    assert.deepEqual((await step.out.read()).data, expected)
  })

  it('a command buffer that is given up: truncate takes its tokens off', async () => {
    const expected: Tensor[] = []
    const other = await backend.openCache(shape)
    for (const [start, end] of parts) {
      expected.push(await other.attend(0, { ...inputs(0, start, end), table: tableOf(start, end) }))
    }
    const attend = async (from: number) => {
      for (const [i, [start, end]] of parts.entries()) {
        if (i < from) continue
        const result = await cache.attend(0, { ...inputs(0, start, end), table: tableOf(start, end) })
        assert.deepEqual(result.data, expected[i].data)
      }
    }
    await cache.attend(0, { ...inputs(0, 0, 33), table: tableOf(0, 33) })
    const commandBuffer = foreign.commandBuffer()
    await cache.encodeAttend(commandBuffer, 0, await steps.of(0, 33, 34))
    await cache.encodeAttend(commandBuffer, 0, await steps.of(0, 34, 35))
    assert.deepEqual([cache.length(0), cache.length(1)], [35, 0])
    foreign.release(commandBuffer)
    cache.truncate(33)
    assert.deepEqual([cache.length(0), cache.length(1)], [33, 0])
    await attend(1)
    cache.truncate(0)
    await attend(0)
    await other.dispose()
  })

  if (host !== undefined)
    it('a command buffer that fails: its error is of the code that commits it', async () => {
      const commandBuffer = foreign.commandBuffer()
      const step = await steps.of(0, 0, 33)
      await cache.encodeAttend(commandBuffer, 0, step)
      host.fail('submit')
      assert.match(foreign.commit(commandBuffer), /removed/)
      host.reset()
      foreign.release(commandBuffer)
      cache.truncate(0)
      const again = foreign.commandBuffer()
      await cache.encodeAttend(again, 0, step)
      commit(foreign, again)
      const expected = await cache.attend(1, { ...inputs(0, 0, 33), table: tableOf(0, 33) })
      assert.deepEqual((await step.out.read()).data, expected.data)
    })
})
