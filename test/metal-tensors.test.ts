import assert from 'node:assert/strict'
import { attendSync } from '../lib/attention/attend.js'
import { DeviceTensor } from '../lib/backends/metal/device-tensor.js'
import type { MetalBackend } from '../lib/backends/metal/metal.js'
import { ReferenceBackend } from '../lib/backends/reference/reference.js'
import { encodings } from '../lib/encodings/named.js'
import { rotate } from '../lib/rotary/rotate.js'
import { Sequence } from '../lib/sequence/sequence.js'
import { Tensor, type TensorType } from '../lib/tensors/tensor.js'
import { describeMetal, openMetal } from './support/metal.js'
import { maxError, randomTable, randomTensor, tensorTypes } from './support/tensors.js'

const dims = [33, 14, 72]
const q = randomTensor('float32', dims, 1)
const k = randomTensor('float32', [33, 2, 72], 2)
const v = randomTensor('float32', [33, 2, 72], 3)
const table = randomTable([1, 33, 36], 'half-split', 4)

describeMetal('tensors in device memory', ({ foreign }) => {
  let backend: MetalBackend
  before(async () => {
    backend = await openMetal()
  })
  after(() => backend.dispose())

  for (const type of tensorTypes) {
    for (const size of [[], [0], [1], [3, 0, 5], [7, 3, 5], [33, 14, 72]]) {
      it(`come back as they went: ${type}, [${size.join(', ')}]`, async () => {
        const tensor = randomTensor(type, size, 5)
        using there = await backend.upload(tensor)
        assert.equal(there.location, 'device')
        assert.deepEqual([there.type, there.dims], [type, size])
        assert.equal(there.bytes, tensor.data.byteLength)
        assert.deepEqual((await there.read()).data, tensor.data)
        const out = Tensor.zeros(type, size)
        assert.equal(await there.read({ out }), out)
        assert.deepEqual(out.data, tensor.data)
      })
    }
  }

  it('begin as zeros and take what is written', async () => {
    using tensor = backend.allocate('float32', dims)
    assert.ok((await tensor.read()).data.every((value) => value === 0))
    await tensor.write(q)
    assert.deepEqual((await tensor.read()).data, q.data)
  })

  it('stand next to host tensors in every place, with the same result', async () => {
    const expected = (await backend.attend({ q, k, v, table })).data
    const names = ['q', 'k', 'v', 'out'] as const
    for (let places = 1; places < 16; places++) {
      const on = names.filter((_, i) => places & (1 << i))
      const host = { q, k, v, out: Tensor.zeros('float32', dims) }
      const mixed: Record<string, Tensor | DeviceTensor> = { ...host }
      for (const name of on) mixed[name] = await backend.upload(host[name])
      const { out } = await backend.attend({ ...(mixed as typeof host), table })
      const result: unknown = out
      assert.equal(result, mixed.out)
      const data = result instanceof DeviceTensor ? (await result.read()).data : host.out.data
      assert.deepEqual(data, expected, `in device memory: ${on.join(', ')}`)
      for (const tensor of Object.values(mixed)) if (tensor instanceof DeviceTensor) tensor.dispose()
    }
    assert.ok(maxError(expected, attendSync({ q, k, v, table }).data) <= 1e-5)
  })

  it('are rotated in place, and back', async () => {
    using x = await backend.upload(q)
    assert.equal((await backend.rotate(x, table, { out: x })).out, x)
    assert.ok(maxError((await x.read()).data, rotate(q, table).data) <= 1e-6)
    assert.equal(backend.rotateSync(x, table, { out: x, inverse: true }).out, x)
    assert.ok(maxError((await x.read()).data, q.data) <= 1e-6)
  })

  it('take a bias function, piece by piece, and a bias tensor', async () => {
    const bias = (head: number, i: number, j: number): number => (head - i + j) / 50
    const values = Float32Array.from({ length: 14 * 33 * 33 }, (_, at) =>
      bias(Math.floor(at / 1089), Math.floor(at / 33) % 33, at % 33),
    )
    using there = await backend.upload(q)
    using biasThere = await backend.upload(new Tensor('float32', values, [14, 33, 33]))
    const expected = attendSync({ q, k, v, bias }).data
    assert.ok(maxError((await backend.attend({ q: there, k, v, bias })).data, expected) <= 1e-5)
    assert.ok(maxError((await backend.attend({ q: there, k, v, bias: biasThere })).data, expected) <= 1e-5)
  })

  it('take angles instead of a table', async () => {
    const encoding = encodings.qwen2VL()
    const sequence = Sequence.of([
      { kind: 'text', length: 9 },
      { kind: 'image', grid: [1, 2, 5] },
      { kind: 'text', length: 14 },
    ])
    const positions = encoding.positions(sequence)
    const x = randomTensor('float32', [33, 2, encoding.headDim], 6)
    using there = await backend.upload(x)
    const expected = rotate(x, encoding.table(positions)).data
    assert.ok(maxError((await backend.rotate(there, encoding.angles(positions))).data, expected) <= 1e-6)
  })

  describe('handles', () => {
    it('the handle of a tensor makes a second tensor on the same memory', async () => {
      using first = await backend.upload(q)
      assert.equal(typeof first.handle, 'bigint')
      const byteOffset = 5 * 14 * 72 * 4
      using second = backend.fromHandle(first.handle, { type: 'float32', dims: [28, 14, 72], byteOffset })
      assert.equal(second.handle, first.handle)
      assert.equal(second.byteOffset, byteOffset)
      assert.deepEqual((await second.read()).data, q.data.subarray(5 * 14 * 72))
      first.dispose()
      assert.deepEqual((await second.read()).data, q.data.subarray(5 * 14 * 72), 'retained')
    })

    it('out on the memory of q is refused as in host memory', async () => {
      using first = await backend.upload(q)
      using second = backend.fromHandle(first.handle, { type: 'float32', dims })
      const refused = { code: 'ERR_MROPE_ARGUMENT', message: /out shares memory with q/ }
      await assert.rejects(backend.attend({ q: first, k, v, out: second }), refused)
    })

    it('a foreign MTLBuffer is read and written without a copy', async () => {
      const handle = foreign.buffer(q.data.byteLength)
      foreign.fill(handle, q.data as Float32Array)
      using x = backend.fromHandle(handle, { type: 'float32', dims })
      assert.deepEqual((await x.read()).data, q.data)
      await backend.rotate(x, table, { out: x })
      assert.ok(maxError(foreign.contents(handle), rotate(q, table).data) <= 1e-6)
      foreign.release(handle)
      assert.ok(maxError((await x.read()).data, rotate(q, table).data) <= 1e-6, 'retained')
    })

    it('a foreign MTLBuffer in private storage, or one that is too short, is refused', () => {
      const hidden = foreign.buffer(4096, true)
      const open = (handle: bigint, tokens: number) => () =>
        backend.fromHandle(handle, { type: 'float32', dims: [tokens, 1, 64] })
      assert.throws(open(hidden, 1), { code: 'ERR_MROPE_DEVICE', message: /private/ })
      const short = foreign.buffer(256)
      assert.throws(open(short, 2), { code: 'ERR_MROPE_SHAPE' })
      for (const handle of [hidden, short]) foreign.release(handle)
    })

    it('work encoded into a foreign command buffer runs when that is committed', async () => {
      using x = await backend.upload(q)
      using keys = await backend.upload(k)
      using values = await backend.upload(v)
      using turned = backend.allocate('float32', dims)
      using out = backend.allocate('float32', dims)
      const commandBuffer = foreign.commandBuffer()
      await backend.encodeRotate(commandBuffer, x, table, { out: turned })
      await backend.encodeAttend(commandBuffer, { q: x, k: keys, v: values, table, out })
      assert.ok(
        (await out.read()).data.every((value) => value === 0),
        'not before',
      )
      assert.equal(foreign.commit(commandBuffer), '')
      assert.ok(maxError((await turned.read()).data, rotate(q, table).data) <= 1e-6)
      assert.ok(maxError((await out.read()).data, attendSync({ q, k, v, table }).data) <= 1e-5)
      await assert.rejects(backend.encodeRotate(commandBuffer, x, table, { out: turned }), {
        code: 'ERR_MROPE_STATE',
        message: /committed/,
      })
      foreign.release(commandBuffer)
    })
  })

  describe('refuses', () => {
    it('a tensor that was disposed', async () => {
      const x = await backend.upload(q)
      assert.equal(x.disposed, false)
      x.dispose()
      x.dispose()
      assert.equal(x.disposed, true)
      const gone = { name: 'MropeRangeError', code: 'ERR_MROPE_STATE', message: /was disposed/ }
      await assert.rejects(x.read(), gone)
      await assert.rejects(x.write(q), gone)
      assert.throws(() => x.handle, gone)
      await assert.rejects(backend.rotate(x, table), gone)
      await assert.rejects(backend.attend({ q: x, k, v }), gone)
    })

    it('reading into another type or other dims', async () => {
      using x = await backend.upload(q)
      await assert.rejects(x.read({ out: Tensor.zeros('float16', dims) }), { code: 'ERR_MROPE_DTYPE' })
      await assert.rejects(x.read({ out: Tensor.zeros('float32', [33, 14, 71]) }), { code: 'ERR_MROPE_SHAPE' })
      await assert.rejects(x.read({ out: 7 as unknown as Tensor }), { code: 'ERR_MROPE_ARGUMENT' })
      await assert.rejects(x.write(k), { code: 'ERR_MROPE_SHAPE' })
    })

    const wrong: readonly [string, unknown, unknown, string][] = [
      ['a type that is none', 'int8', [3], 'ERR_MROPE_DTYPE'],
      ['dims that are none', 'float32', '3', 'ERR_MROPE_SHAPE'],
      ['negative dims', 'float32', [-1], 'ERR_MROPE_SHAPE'],
      ['dims beyond all numbers', 'float32', [2 ** 30, 2 ** 30], 'ERR_MROPE_SHAPE'],
      ['more memory than there is', 'float32', [2 ** 40], 'ERR_MROPE_MEMORY'],
    ]
    for (const [what, type, size, code] of wrong) {
      it(`${what}: ${code}`, () => {
        assert.throws(() => backend.allocate(type as TensorType, size as number[]), { code })
      })
    }

    const handles: readonly [unknown, string][] = [
      [7, 'MropeTypeError'],
      ['0x10', 'MropeTypeError'],
      [0n, 'MropeRangeError'],
      [-8n, 'MropeRangeError'],
      [2n ** 64n, 'MropeRangeError'],
    ]
    for (const [handle, name] of handles) {
      it(`the handle ${String(handle)}`, async () => {
        const options = { type: 'float32' as const, dims: [1] }
        const refused = { name, code: 'ERR_MROPE_ARGUMENT' }
        assert.throws(() => backend.fromHandle(handle as bigint, options), refused)
        using x = await backend.upload(q)
        await assert.rejects(backend.encodeRotate(handle as bigint, x, table, { out: x }), refused)
      })
    }

    it('encoded work with a signal that is aborted, by its reason', async () => {
      using x = await backend.upload(q)
      using keys = await backend.upload(k)
      using out = backend.allocate('float32', dims)
      const reason = new Error('enough')
      const request = { q: x, k: keys, v: keys, out, signal: AbortSignal.abort(reason) }
      await assert.rejects(backend.encodeAttend(16n, request), (error) => error === reason)
    })

    it('a host tensor in encoded work', async () => {
      using x = await backend.upload(q)
      const host = { code: 'ERR_MROPE_ARGUMENT', message: /must be a DeviceTensor/ }
      await assert.rejects(backend.encodeAttend(16n, { q: x, k, v, out: x }), host)
    })

    it('device tensors on the other backends', async () => {
      using x = await backend.upload(q)
      const reference = new ReferenceBackend('a test')
      const refused = { name: 'MropeTypeError', code: 'ERR_MROPE_ARGUMENT', message: /host memory/ }
      await assert.rejects(reference.rotate(x as unknown as Tensor, table), refused)
    })
  })
})
