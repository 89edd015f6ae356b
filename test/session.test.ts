import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { Backend } from '../lib/backends/backend.js'
import { listBackends, openBackend } from '../lib/backends/open.js'
import type { Encoding } from '../lib/encodings/encoding.js'
import { encodings } from '../lib/encodings/named.js'
import {
  allocations,
  alternateLayers,
  Encoding as EncodingClass,
  encodingFromConfig,
  layouts,
  MropeError,
  spectra,
} from '../lib/index.js'
import type { Segment } from '../lib/sequence/segment.js'
import { Sequence } from '../lib/sequence/sequence.js'
import { openSession, type Session } from '../lib/session/session.js'
import { rows, Tensor, type TensorType } from '../lib/tensors/tensor.js'

const heads = 4
const kvHeads = 2
const image: Segment = { kind: 'image', grid: [1, 2, 3] }
const video: Segment = { kind: 'video', grid: [5, 2, 3] }
const text = (length: number): Segment => ({ kind: 'text', length })

/** Deterministic values of order 1. */
function tensor(dims: [number, number, number], seed: number, type: TensorType = 'float32'): Tensor {
  const values = Float32Array.from({ length: dims[0] * dims[1] * dims[2] }, (_, i) => {
    const x = Math.sin((i + 1) * 12.9898 + seed * 78.233) * 43758.5453
    return (x - Math.floor(x)) * 2 - 1
  })
  return Tensor.from(type, values, dims)
}

function layerInput(encoding: Encoding, tokens: number, seed: number) {
  const { headDim } = encoding
  return {
    q: tensor([tokens, heads, headDim], seed),
    k: tensor([tokens, kvHeads, headDim], seed + 1),
    v: tensor([tokens, kvHeads, headDim], seed + 2),
  }
}

function largest(a: Tensor, b: Tensor): number {
  const [x, y] = [a.toFloat32(), b.toFloat32()]
  assert.equal(x.length, y.length)
  return x.reduce((worst, value, i) => Math.max(worst, Math.abs(value - y[i])), 0)
}

/** Attends tokens `start` to `end` of the input and gives the output rows. */
async function step(session: Session, input: ReturnType<typeof layerInput>, start: number, end: number, layer = 0) {
  const { q, k, v } = input
  return session.attend(layer, rows(q, start, end), rows(k, start, end), rows(v, start, end))
}

function hasCode(code: string, ...words: string[]) {
  return (error: unknown) => {
    assert.ok(error instanceof MropeError, String(error))
    assert.equal(error.code, code)
    for (const word of words) assert.ok(error.message.includes(word), `${error.message} should say ${word}`)
    return true
  }
}

for (const { name: backendName } of listBackends().filter(({ available }) => available))
  describe(`session on ${backendName}`, () => {
    let backend: Backend
    before(async () => {
      backend = await openBackend(backendName)
    })

    const open = (encoding: Encoding, capacity = 64, more: object = {}) =>
      openSession(encoding, { backend, layers: 1, heads, kvHeads, capacity, ...more })

    it('gives one prefill whatever the chunks (text 3, image 1×2×3, text 2, video 5×2×3, text 4; fast-check)', async () => {
      const encoding = encodings.qwen2VL()
      const sequence = Sequence.of([text(3), image, text(2), video, text(4)])
      const input = layerInput(encoding, sequence.length, 1)
      const whole = await open(encoding)
      await whole.append(sequence)
      const expected = await step(whole, input, 0, sequence.length)
      const cuts = fc.uniqueArray(fc.integer({ min: 1, max: sequence.length - 1 }), { maxLength: 6 })
      await fc.assert(
        fc.asyncProperty(cuts, async (chosen) => {
          const borders = [0, ...chosen.sort((a, b) => a - b), sequence.length]
          const session = await open(encoding)
          await session.append(sequence)
          for (let i = 0; i + 1 < borders.length; i++) {
            const part = await step(session, input, borders[i], borders[i + 1])
            assert.ok(largest(part, rows(expected, borders[i], borders[i + 1])) < 1e-6)
          }
        }),
        { numRuns: 25, seed: 20261121 },
      )
    })

    for (const [name, encoding] of [
      ['qwen2VL', encodings.qwen2VL()],
      ['qwen3Omni, fractional ids', encodings.qwen3Omni({ idsPerSecond: 13 })],
      ['qwen35, rotary 64 of 256', encodings.qwen35()],
      ['glm4V, adjacent', encodings.glm4V()],
    ] as const) {
      it(`decodes as if the generated tokens had been in the prompt (${name})`, async () => {
        const prompt = [text(3), image, text(2)]
        const sequence = Sequence.of(prompt)
        const all = Sequence.of([...prompt, text(5)])
        const input = layerInput(encoding, all.length, 7)
        const reference = await open(encoding)
        await reference.append(all)
        const expected = await step(reference, input, 0, all.length)
        const session = await open(encoding)
        await session.append(sequence)
        await step(session, input, 0, sequence.length)
        for (let n = sequence.length; n < all.length; n++) {
          const out = await step(session, input, n, n + 1)
          assert.ok(largest(out, rows(expected, n, n + 1)) < 1e-6)
        }
        assert.equal(session.generated, 5)
        assert.deepEqual([...session.positions.ids], [...encoding.positions(all).ids])
        assert.equal(session.next, encoding.positions(all).next)
      })
    }

    it('continues a chat as one sequence: prompt, 3 generated tokens, a second turn with an image', async () => {
      const encoding = encodings.qwen25VL()
      const first = Sequence.of([text(2), video, text(2)])
      const second = Sequence.of([text(3), image, text(1)])
      const all = first.concat(Sequence.of([text(3)])).concat(second)
      const input = layerInput(encoding, all.length, 3)
      const reference = await open(encoding)
      await reference.append(all)
      const expected = await step(reference, input, 0, all.length)
      const session = await open(encoding)
      await session.append(first)
      await step(session, input, 0, first.length)
      await step(session, input, first.length, first.length + 2)
      await step(session, input, first.length + 2, first.length + 3)
      await session.append(second)
      assert.equal(session.generated, 0)
      const start = first.length + 3
      const out = await step(session, input, start, all.length)
      assert.ok(largest(out, rows(expected, start, all.length)) < 1e-6)
      assert.deepEqual([...session.positions.ids], [...encoding.positions(all).ids])
    })

    it('keeps nothing of another conversation on the same encoding', async () => {
      const encoding = encodings.qwen2VL()
      const [a, b] = [await open(encoding), await open(encoding)]
      await a.append(Sequence.of([text(3), { kind: 'image', grid: [1, 6, 7] }]))
      await b.append(Sequence.of([text(4)]))
      assert.equal(a.delta, -35)
      assert.equal(b.delta, 0)
      assert.equal(b.next, 4)
    })

    it('forgets tokens and turns the keys behind them: equal to a conversation that never had them', async () => {
      for (const encoding of [encodings.qwen2VL(), encodings.qwen3VL(), encodings.glm4V()]) {
        const layersOf = 2
        const segments = [text(4), image, text(5), image, text(3)]
        const sequence = Sequence.of(segments)
        const shorter = Sequence.of([text(4), text(2), image, text(3)])
        const start = 4
        const count = 6 + 3
        const input = layerInput(encoding, sequence.length + 2, 5)
        const session = await open(encoding, 64, { layers: layersOf })
        await session.append(sequence)
        for (let layer = 0; layer < layersOf; layer++) await step(session, input, 0, sequence.length + 1, layer)
        await session.drop(start, count)
        assert.equal(session.length, sequence.length + 1 - count)
        const fresh = await open(encoding, 64, { layers: layersOf })
        await fresh.append(shorter)
        const kept = [
          ...Array(start).keys(),
          ...Array.from({ length: sequence.length + 1 - start - count }, (_, i) => start + count + i),
        ]
        const pick = (x: Tensor): Tensor => {
          const parts = kept.map((n) => rows(x, n, n + 1).toFloat32())
          return Tensor.from(
            'float32',
            parts.flatMap((part) => [...part]),
            [kept.length, x.dims[1], x.dims[2]],
          )
        }
        const last = sequence.length + 1
        for (let layer = 0; layer < layersOf; layer++) {
          await fresh.attend(layer, pick(input.q), pick(input.k), pick(input.v))
          const expected = await step(fresh, input, last, last + 1, layer)
          const out = await step(session, input, last, last + 1, layer)
          assert.ok(largest(out, expected) < 2e-6, `${encoding.name} layer ${layer}`)
        }
        assert.deepEqual([...session.positions.ids], [...fresh.positions.ids])
      }
    })

    it('refuses to cut through a block', async () => {
      const encoding = encodings.qwen2VL()
      const session = await open(encoding)
      const sequence = Sequence.of([text(2), image, text(2)])
      const input = layerInput(encoding, sequence.length, 1)
      await session.append(sequence)
      await step(session, input, 0, sequence.length)
      await assert.rejects(session.drop(1, 3), hasCode('ERR_MROPE_BLOCK', 'image'))
      await assert.rejects(session.drop(5, 50), hasCode('ERR_MROPE_ARGUMENT', '10 cached'))
      assert.equal(session.length, 10)
    })

    it('gives every layer the ids of its own encoding (CircleRoPE, alternating geometry)', async () => {
      const pair = [encodings.circleRope(), encodings.qwen2VL()] as const
      const alternating = alternateLayers(...pair, { layers: 4 })
      const sequence = Sequence.of([text(3), image, text(2)])
      const [length, total] = [sequence.length, sequence.length + 2]
      const session = await openSession(alternating.encodings, { backend, layers: 4, heads, kvHeads, capacity: 32 })
      await session.append(sequence)
      for (let layer = 0; layer < 4; layer++) {
        const alone = await open(pair[layer % 2])
        await alone.append(sequence)
        const input = layerInput(pair[layer % 2], total, layer)
        for (const [start, end] of [
          [0, 4],
          [4, length],
          [length, total],
        ]) {
          const expected = await step(alone, input, start, end)
          const { data } = await step(session, input, start, end, layer)
          assert.deepEqual(data, expected.data, `layer ${layer}`)
        }
        assert.deepEqual(session.positionsOf(layer).ids, alone.positions.ids)
      }
      assert.notDeepEqual(session.positionsOf(0).ids, session.positionsOf(1).ids)
      assert.deepEqual(session.positions.ids, session.positionsOf(0).ids)
      // The last tokens can be taken back; in the middle keys of the layers would turn by different angles.
      await assert.rejects(session.drop(0, 1), hasCode('ERR_MROPE_STATE', '2 encodings'))
      await session.drop(total - 3, 3)
      await session.append(Sequence.of([text(1)]))
      assert.equal(session.sequence.length, total - 2)
      await session.dispose()
    })

    it('refuses encodings that are not one for each layer', async () => {
      const options = { backend, layers: 2, heads, kvHeads, capacity: 8 }
      const [one, other] = [encodings.qwen2VL(), encodings.qwen35()]
      await assert.rejects(openSession([one], options), hasCode('ERR_MROPE_SHAPE', '1 encodings for 2 layers'))
      await assert.rejects(openSession([one, other], options), hasCode('ERR_MROPE_SHAPE', '256'))
      await assert.rejects(openSession([one, null as never], options), hasCode('ERR_MROPE_ARGUMENT', 'null'))
      await assert.rejects(openSession([], { ...options, layers: 0 }), hasCode('ERR_MROPE_ARGUMENT', 'layers'))
    })

    it('refuses an append while tokens are dropped, and everything after dispose', async () => {
      const encoding = encodings.qwen2VL()
      const session = await open(encoding)
      const sequence = Sequence.of([text(6)])
      await session.append(sequence)
      await step(session, layerInput(encoding, 6, 1), 0, 6)
      const dropped = session.drop(0, 2)
      await assert.rejects(session.append(sequence), hasCode('ERR_MROPE_STATE', 'under way'))
      await dropped
      await session.append(sequence)
      assert.equal(session.sequence.length, 10)
      await session.dispose()
      await session.dispose()
      await assert.rejects(session.append(sequence), hasCode('ERR_MROPE_STATE', 'disposed'))
      await assert.rejects(session.drop(0, 1), hasCode('ERR_MROPE_STATE', 'disposed'))
    })

    for (const dtype of ['float16', 'bfloat16'] as const) {
      it(`keeps the cache in ${dtype}, rounded once`, async () => {
        const encoding = encodings.qwen2VL()
        const sequence = Sequence.of([text(3), image, text(24)])
        const input = layerInput(encoding, sequence.length, 2)
        const [exact, half] = [await open(encoding), await open(encoding, 64, { dtype })]
        for (const session of [exact, half]) await session.append(sequence)
        const error = largest(await step(exact, input, 0, 33), await step(half, input, 0, 33))
        const ulp = dtype === 'float16' ? 2 ** -11 : 2 ** -8
        assert.ok(error > 0 && error < 4 * ulp, String(error))
        assert.equal(half.cacheBytes * 2, exact.cacheBytes)
      })
    }

    it('turns each KV head by its own axis (MHRoPE)', async () => {
      const encoding = new EncodingClass({
        name: 'mhrope',
        headDim: 64,
        layout: layouts.mrope(),
        spectrum: spectra.default({ base: 1e6, dim: 64 }),
        allocation: allocations.perHead([1, 1, 0], 32, 2),
        pairing: 'half-split',
      })
      const sequence = Sequence.of([text(2), video, text(2)])
      const input = layerInput(encoding, sequence.length, 9)
      const session = await open(encoding)
      await session.append(sequence)
      const out = await step(session, input, 0, sequence.length)
      const table = encoding.table(encoding.positions(sequence))
      const expected = (await backend.attend({ ...input, table })).out
      assert.ok(largest(out, expected) < 1e-6)
      await assert.rejects(open(encoding, 8, { heads: 4, kvHeads: 4 }), hasCode('ERR_MROPE_HEADS', '4'))
    })

    it('fixes a spectrum that depends on the length when it opens', async () => {
      const config = {
        model_type: 'llama',
        head_dim: 64,
        max_position_embeddings: 8,
        rope_parameters: { rope_type: 'dynamic', factor: 2, rope_theta: 10000 },
      }
      const encoding = encodingFromConfig(config)
      const session = await open(encoding, 32)
      assert.equal(session.encoding.spectrum.atLength, undefined)
      assert.deepEqual([...session.encoding.invFreq], [...encoding.atLength(32).invFreq])
      assert.notDeepEqual([...session.encoding.invFreq], [...encoding.invFreq])
    })

    it('loses nothing when a call is aborted or does not fit', async () => {
      const encoding = encodings.qwen2VL()
      const session = await open(encoding, 12)
      const sequence = Sequence.of([text(3), image])
      const input = layerInput(encoding, 14, 4)
      await session.append(sequence)
      await step(session, input, 0, 9)
      const reason = new Error('enough')
      const { q, k, v } = input
      const one = [rows(q, 9, 10), rows(k, 9, 10), rows(v, 9, 10)] as const
      await assert.rejects(session.attend(0, ...one, { signal: AbortSignal.abort(reason) }), reason)
      assert.equal(session.length, 9)
      await assert.rejects(step(session, input, 9, 14), hasCode('ERR_MROPE_CAPACITY', '12'))
      await assert.rejects(session.append(Sequence.of([text(4)])), hasCode('ERR_MROPE_CAPACITY', '13'))
      const reference = await open(encoding, 12)
      await reference.append(sequence)
      const expected = await step(reference, input, 0, 10)
      assert.ok(largest(await step(session, input, 9, 10), rows(expected, 9, 10)) < 1e-6)
    })

    it('names what is wrong with its arguments', async () => {
      const encoding = encodings.qwen2VL()
      await assert.rejects(openSession(undefined as never, {} as never), hasCode('ERR_MROPE_ARGUMENT', 'Encoding'))
      await assert.rejects(openSession(encoding, undefined as never), hasCode('ERR_MROPE_ARGUMENT'))
      await assert.rejects(open(encoding, 8, { backend: 'reference' }), hasCode('ERR_MROPE_ARGUMENT', 'openBackend'))
      await assert.rejects(open(encoding, 8, { layres: 2 }), hasCode('ERR_MROPE_ARGUMENT', 'layres'))
      await assert.rejects(open(encoding, 8, { layers: 1e8 }), hasCode('ERR_MROPE_MEMORY', 'GiB'))
      await assert.rejects(open(encoding, 2 ** 40), hasCode('ERR_MROPE_MEMORY', 'GiB'))
      await assert.rejects(open(encoding, 0), hasCode('ERR_MROPE_ARGUMENT', 'capacity'))
      await assert.rejects(open(encoding, 8, { heads: 5 }), hasCode('ERR_MROPE_HEADS', '5'))
      await assert.rejects(open(encoding, 8, { headDim: 64 }), hasCode('ERR_MROPE_SHAPE', '64'))
      await assert.rejects(open(encoding, 8, { dtype: 'float8' }), hasCode('ERR_MROPE_DTYPE', 'float8'))
      const session = await open(encoding, 8, { layers: 2 })
      await assert.rejects(session.append({} as Sequence), hasCode('ERR_MROPE_ARGUMENT'))
      await assert.rejects(
        session.append(Sequence.of([text(1)], { padding: 2 })),
        hasCode('ERR_MROPE_ARGUMENT', '2 padding'),
      )
      await session.append(Sequence.of([text(2)]))
      const { q, k, v } = layerInput(encoding, 2, 1)
      await assert.rejects(session.attend(2, q, k, v), hasCode('ERR_MROPE_ARGUMENT', 'layer'))
      await assert.rejects(session.attend('0' as never, q, k, v), hasCode('ERR_MROPE_ARGUMENT', 'layer'))
      await assert.rejects(session.attend(0, q, k, v, null as never), hasCode('ERR_MROPE_ARGUMENT'))
      await assert.rejects(session.attend(0, q, rows(k, 0, 1), v), hasCode('ERR_MROPE_SHAPE', 'k is (2, 2, 128)'))
      await assert.rejects(session.attend(0, undefined as never, k, v), hasCode('ERR_MROPE_SHAPE'))
      await session.attend(0, q, k, v)
      await assert.rejects(session.append(Sequence.of([text(1)])), hasCode('ERR_MROPE_STATE', 'layer 1'))
      const both = Promise.all([session.attend(1, q, k, v), session.attend(1, q, k, v)])
      await assert.rejects(both, hasCode('ERR_MROPE_STATE', 'under way'))
    })

    it('refuses a turn whose ids would not agree with the cached ones (5.18 after a prompt that ends with an image)', async () => {
      const encoding = encodings.qwen2VL({ compat: 'transformers@5.18' })
      const session = await open(encoding)
      const sequence = Sequence.of([text(2), image])
      const input = layerInput(encoding, sequence.length + 1, 1)
      await session.append(sequence)
      await step(session, input, 0, sequence.length + 1)
      await assert.rejects(session.append(Sequence.of([text(1)])), hasCode('ERR_MROPE_STATE', 'transformers@5.18'))
    })
  })
