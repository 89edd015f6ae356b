import assert from 'node:assert/strict'
import { attendSync } from '../lib/attention/attend.js'
import type { Backend } from '../lib/backends/backend.js'
import { listBackends, openBackend } from '../lib/backends/open.js'
import type { MropeErrorCode } from '../lib/errors.js'
import { rotate } from '../lib/rotary/rotate.js'
import { Tensor } from '../lib/tensors/tensor.js'
import { maxError, randomTable, randomTensor } from './support/tensors.js'

describe('openBackend', () => {
  const variable = process.env.MROPE_BACKEND
  beforeEach(() => {
    delete process.env.MROPE_BACKEND
  })
  after(() => {
    if (variable === undefined) delete process.env.MROPE_BACKEND
    else process.env.MROPE_BACKEND = variable
  })

  it('auto takes the best available backend and says why', async () => {
    const best = listBackends().find((backend) => backend.available)
    for (const backend of [await openBackend(), await openBackend('auto')]) {
      assert.equal(backend.name, best?.name)
      assert.match(backend.why, /^openBackend\("auto"\): the best backend available here/)
    }
  })

  it('a backend that was asked for says so, and what it runs on', async () => {
    const backend = await openBackend('reference')
    assert.equal(backend.name, 'reference')
    assert.equal(backend.why, 'asked for by openBackend("reference")')
    assert.equal(backend.device, `JavaScript, one thread, Node ${process.version}`)
  })

  it('lists every backend once; what is not available cannot be opened, with the same reason', async () => {
    const backends = listBackends()
    assert.deepEqual(backends.map((b) => b.name).sort(), ['coreml', 'cpu', 'metal', 'mpsgraph', 'reference'])
    for (const { name, available, why } of backends) {
      assert.ok(why.length > 0)
      if (available) assert.equal((await openBackend(name)).name, name)
      else
        await assert.rejects(openBackend(name), { code: 'ERR_MROPE_BACKEND', message: new RegExp(`${name}.*${why}`) })
    }
  })

  it('MROPE_BACKEND decides for auto and for nothing else', async () => {
    process.env.MROPE_BACKEND = 'reference'
    assert.equal((await openBackend()).why, 'asked for by MROPE_BACKEND=reference')
    process.env.MROPE_BACKEND = 'cuda'
    const message = 'MROPE_BACKEND=cuda: no such backend; known are auto, metal, mpsgraph, coreml, cpu, reference'
    await assert.rejects(openBackend('auto'), {
      name: 'MropeRangeError',
      code: 'ERR_MROPE_BACKEND',
      message,
      value: 'cuda',
    })
    assert.equal((await openBackend('reference')).name, 'reference')
  })

  for (const value of ['', 'auto']) {
    it(`MROPE_BACKEND=${value} is auto`, async () => {
      process.env.MROPE_BACKEND = value
      assert.match((await openBackend()).why, /the best backend available here/)
    })
  }

  const wrong: readonly [unknown, string, MropeErrorCode, RegExp][] = [
    ['gpu', 'MropeRangeError', 'ERR_MROPE_BACKEND', /^openBackend\("gpu"\): no such backend/],
    ['toString', 'MropeRangeError', 'ERR_MROPE_BACKEND', /no such backend/],
    [null, 'MropeTypeError', 'ERR_MROPE_ARGUMENT', /expected a name, got null/],
  ]
  for (const [name, kind, code, message] of wrong) {
    it(`refuses ${JSON.stringify(name)}`, async () => {
      await assert.rejects(openBackend(name as 'auto'), { name: kind, code, message })
    })
  }
})

for (const { name, available } of listBackends()) {
  if (!available) continue
  describe(`backend ${name}`, () => {
    const q = randomTensor('float32', [100, 14, 80], 1)
    const k = randomTensor('float32', [100, 2, 80], 2)
    const v = randomTensor('float32', [100, 2, 80], 3)
    const table = randomTable([1, 100, 40], 'half-split', 4)
    // float32 sums against float64 ones: scores of up to 20 carry about 1e-6.
    const tolerance = name === 'reference' ? 0 : 4e-6
    let backend: Backend

    before(async () => {
      backend = await openBackend(name)
    })

    it('rotates, sync and async, and says who did it and how long it took: [100, 14, 80], seed 1', async () => {
      const options = { pairing: 'adjacent', inverse: true } as const
      const expected = rotate(q, table, options)
      for (const result of [await backend.rotate(q, table, options), backend.rotateSync(q, table, options)]) {
        assert.ok(maxError(result.out.data, expected.data) <= tolerance)
        assert.equal(result.backend, name)
        assert.ok(result.ms > 0)
      }
      const out = Tensor.zeros('float16', q.dims)
      assert.equal((await backend.rotate(q, table, { out })).out, out)
      assert.equal(backend.rotateSync(q, table, { out }).out, out)
    })

    it('attends, sync and async, and says who did it and how long it took: 14/2 × 80, 100 tokens, seed 1', async () => {
      const expected = attendSync({ q, k, v, table })
      for (const result of [await backend.attend({ q, k, v, table }), backend.attendSync({ q, k, v, table })]) {
        assert.ok(maxError(result.out.data, expected.data) <= tolerance)
        assert.equal(result.backend, name)
        assert.ok(result.ms > 0)
      }
      const out = Tensor.zeros('float16', q.dims)
      assert.equal((await backend.attend({ q, k, v, out })).out, out)
      assert.equal(backend.attendSync({ q, k, v, out }).out, out)
    })

    it('takes plain objects with type, dims and data for tensors', async () => {
      const bare = ({ type, dims, data }: Tensor) => ({ type, dims, data }) as Tensor
      const expected = backend.attendSync({ q, k, v, table })
      const result = await backend.attend({ q: bare(q), k: bare(k), v: bare(v), table })
      assert.deepEqual(result.data, expected.data)
      const elsewhere = { ...bare(q), location: 'gpu' } as unknown as Tensor
      await assert.rejects(backend.attend({ q: elsewhere, k, v, table }), { code: 'ERR_MROPE_ARGUMENT' })
    })

    it('rotated on the way or before: the same result', async () => {
      const request = {
        q: (await backend.rotate(q, table)).out,
        k: (await backend.rotate(k, table)).out,
        v,
        rotated: true,
      }
      const expected = backend.attendSync({ q, k, v, table }).out.data
      const { out } = await backend.attend(request)
      // Rounding q and k to float32 in between moves scores of up to 20 by about 1e-6.
      for (let i = 0; i < expected.length; i++) assert.ok(Math.abs(out.data[i] - expected[i]) <= 2e-6)
    })

    it('does not block the event loop while it rotates', async () => {
      const big = Tensor.zeros('bfloat16', [4096, 28, 128])
      const order: string[] = []
      const work = backend.rotate(big, randomTable([1, 4096, 64], 'half-split', 5)).then(() => order.push('rotated'))
      setTimeout(() => order.push('timer'), 1)
      await work
      assert.deepEqual(order, ['timer', 'rotated'])
    })

    it('stops on a signal, with its reason', async () => {
      const signal = AbortSignal.abort('no')
      await assert.rejects(backend.rotate(q, table, { signal }), (reason) => reason === 'no')
      await assert.rejects(backend.attend({ q, k, v, signal }), (reason) => reason === 'no')
      assert.throws(
        () => backend.rotateSync(q, table, { signal }),
        (reason) => reason === 'no',
      )
      const controller = new AbortController()
      const work = backend.rotate(
        Tensor.zeros('bfloat16', [4096, 28, 128]),
        randomTable([1, 4096, 64], 'adjacent', 6),
        {
          signal: controller.signal,
        },
      )
      controller.abort()
      await assert.rejects(work, { name: 'AbortError' })
    })

    it('bad input is a rejection of the promise, never a throw', async () => {
      const bad = { ...table, pairing: 'neox' as 'adjacent' }
      await assert.rejects(backend.rotate(q, bad), { code: 'ERR_MROPE_ARGUMENT' })
      await assert.rejects(backend.rotate(q, table, { signal: 1 as never }), { code: 'ERR_MROPE_ARGUMENT' })
      await assert.rejects(backend.attend({ q, k, v, table: bad }), { code: 'ERR_MROPE_ARGUMENT' })
      await assert.rejects(backend.attend(undefined as never), { code: 'ERR_MROPE_ARGUMENT' })
      assert.throws(() => backend.rotateSync(q, bad), { code: 'ERR_MROPE_ARGUMENT' })
    })

    it('after dispose, which may be called twice, every operation is refused', async () => {
      const other = await openBackend(name)
      const work = other.attend({ q, k, v, table })
      await other.dispose()
      await other.dispose()
      assert.deepEqual((await work).out.dims, [100, 14, 80])
      const refused = { name: 'MropeRangeError', code: 'ERR_MROPE_STATE', message: `backend ${name}: it was disposed` }
      await assert.rejects(other.rotate(q, table), refused)
      await assert.rejects(other.attend({ q, k, v }), refused)
      assert.throws(() => other.rotateSync(q, table), refused)
      assert.throws(() => other.attendSync({ q, k, v }), refused)
    })
  })
}
