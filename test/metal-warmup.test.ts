import assert from 'node:assert/strict'
import type { CacheOptions } from '../lib/backends/cache.js'
import type { MetalCache } from '../lib/backends/metal/cache.js'
import type { MetalBackend } from '../lib/backends/metal/metal.js'
import type { MetalStepShape } from '../lib/backends/metal/step-shape.js'
import { alibi } from '../lib/biases/slopes.js'
import { Tensor } from '../lib/tensors/tensor.js'
import { describeMetal, openMetal } from './support/metal.js'
import { angles, stepOf } from './support/steps.js'
import { randomTable, randomTensor } from './support/tensors.js'

describeMetal('warmup', ({ host }) => {
  let backend: MetalBackend
  before(async () => {
    backend = await openMetal()
  })
  after(() => backend.dispose())

  /** Kernels that the work builds. */
  const built = async (work: () => Promise<unknown>): Promise<string[]> => {
    const { length } = backend.info().pipelines
    await work()
    return backend
      .info()
      .pipelines.slice(length)
      .map(({ kernel }) => kernel)
  }

  /** Steps one after the other until the cache is full: chunks, and a token after each. */
  async function fill(
    cache: MetalCache,
    { tokens, heads, dtype = 'float16', lengths, table, ...more }: MetalStepShape,
  ) {
    const { capacity } = cache.options
    for (let turn = 0; cache.length(0) < capacity; turn++) {
      const start = cache.length(0)
      const count = turn % 2 === 1 ? 1 : Math.min(tokens, capacity - start)
      const own = table && { table: angles(start, count) }
      if (count !== tokens && count !== 1) return
      await cache.attend(0, { ...stepOf(cache.options, dtype, count, heads), ...more, ...own })
    }
  }

  // Norms, types and pairs that no other test brings together, so that these kernels are built here.
  const norm = (after: boolean) => ({ weight: new Float32Array(128).fill(0.5), eps: 1e-5, after })
  const shape = { layers: 2, kvHeads: 2, headDim: 128, valueDim: 72, capacity: 560, dtype: 'bfloat16' } as const
  const more = { heads: 14, dtype: 'float16', qNorm: norm(true), kNorm: norm(false) } as const
  const seen = { layers: 2, kvHeads: 2, headDim: 128, valueDim: 80, capacity: 400, dtype: 'bfloat16' } as const
  const shapes: readonly [string, CacheOptions, MetalStepShape][] = [
    ['by ids', shape, { ...more, tokens: 33, table: angles(0, 33) }],
    ['without rope, in a window that cuts before the keys are split', seen, { ...more, tokens: 7, window: 60 }],
    ['by ALiBi, in a window that cuts after', seen, { ...more, tokens: 3, window: 250, bias: alibi({ heads: 14 }) }],
  ]
  for (const [what, options, chunk] of shapes) {
    it(`a cache of ${options.capacity} in chunks of ${chunk.tokens} and tokens, ${what}: all is there`, async () => {
      const cache = await backend.openCache(options)
      const token = { ...chunk, tokens: 1, table: chunk.table && angles(0, 1) }
      const { commandBuffers } = backend.info()
      const kernels = await built(() => cache.warmup([chunk, token]))
      for (const kernel of ['attention', 'attention_reduce', 'decode'])
        assert.ok(kernels.includes(kernel), `${kernels}`)
      assert.equal(backend.info().commandBuffers, commandBuffers)
      assert.deepEqual([cache.length(0), cache.length(1)], [0, 0])
      assert.deepEqual(await built(() => fill(cache, chunk)), [])
      assert.ok(cache.length(0) > options.capacity - chunk.tokens)
      await cache.dispose()
    })
  }

  it('at lengths that are said: the kernels of others are built when they come', async () => {
    const options = { ...shape, valueDim: 88, capacity: 600 }
    const cache = await backend.openCache(options)
    const token = { ...more, tokens: 1, table: angles(0, 1) }
    assert.deepEqual(await built(() => cache.warmup([{ ...token, lengths: [0, 100] }])), ['decode'])
    const longer = await built(() => cache.warmup([{ ...token, lengths: [599] }]))
    assert.deepEqual(longer.sort(), ['decode', 'decode_reduce'])
    assert.deepEqual(await built(() => cache.warmup([token])), [])
    await cache.dispose()
  })

  it('takes a bias tensor at the length that it is for', async () => {
    const options = { ...shape, valueDim: 96, capacity: 40 }
    const cache = await backend.openCache(options)
    const bias = randomTensor('float32', [14, 3, 20], 1)
    assert.ok((await built(() => cache.warmup([{ ...more, tokens: 3, bias, lengths: [17] }]))).includes('attention'))
    await cache.attend(0, stepOf(options, 'float16', 17, 14))
    const { heads, dtype, ...norms } = more
    const step = { ...stepOf(options, dtype, 3, heads), ...norms, bias }
    assert.deepEqual(await built(() => cache.attend(0, step)), [])
    await assert.rejects(cache.warmup([{ ...more, tokens: 3, bias }]), { code: 'ERR_MROPE_SHAPE' })
    await cache.dispose()
  })

  it('of the backend: attentions and rotations', async () => {
    const x = randomTensor('bfloat16', [33, 7, 128], 1)
    const table = randomTable([1, 33, 40], 'adjacent', 2)
    const out = Tensor.zeros('float16', x.dims)
    const rotation = { norm: norm(true), out }
    const { commandBuffers } = backend.info()
    const kernels = await built(() =>
      backend.warmup([
        { x, table, ...rotation },
        { q: x, k: x, v: x, table, out },
      ]),
    )
    assert.ok(kernels.includes('rotate_rows') && kernels.includes('attention'), `${kernels}`)
    const { dispatches, hostBytes } = await backend.estimate({ x, table, ...rotation })
    assert.deepEqual([dispatches, hostBytes], [1, 2 * x.data.byteLength])
    assert.equal(backend.info().commandBuffers, commandBuffers)
    assert.ok(out.data.every((bits) => bits === 0))
    const work = async () => {
      await backend.rotate(x, table, rotation)
      await backend.attend({ q: x, k: x, v: x, table, out })
    }
    assert.deepEqual(await built(work), [])
    const wrong = { x, table, pairs: 3 } as unknown as { x: Tensor; table: typeof table }
    await assert.rejects(backend.warmup([wrong]), { code: 'ERR_MROPE_ARGUMENT', message: /unknown option "pairs"/ })
  })

  const wrong: readonly [string, unknown, string][] = [
    ['no list', { ...more, tokens: 1 }, 'ERR_MROPE_ARGUMENT'],
    ['no shape', [7], 'ERR_MROPE_ARGUMENT'],
    ['no tokens', [{ ...more, tokens: 0 }], 'ERR_MROPE_ARGUMENT'],
    ['no heads', [{ tokens: 1 }], 'ERR_MROPE_ARGUMENT'],
    ['heads that are no groups', [{ ...more, tokens: 1, heads: 5 }], 'ERR_MROPE_HEADS'],
    ['a type that is none', [{ ...more, tokens: 1, dtype: 'int8' }], 'ERR_MROPE_DTYPE'],
    ['tensors', [{ ...more, tokens: 1, q: Tensor.zeros('float16', [1, 14, 128]) }], 'ERR_MROPE_ARGUMENT'],
    ['a length that is no list', [{ ...more, tokens: 1, lengths: 7 }], 'ERR_MROPE_ARGUMENT'],
    ['a negative length', [{ ...more, tokens: 1, lengths: [-1] }], 'ERR_MROPE_ARGUMENT'],
    ['more than fits', [{ ...more, tokens: 33, lengths: [528] }], 'ERR_MROPE_CAPACITY'],
    ['more than ever fits', [{ ...more, tokens: 561 }], 'ERR_MROPE_CAPACITY'],
    ['angles of other tokens', [{ ...more, tokens: 3, table: angles(0, 4) }], 'ERR_MROPE_SHAPE'],
    ['a window of nothing', [{ ...more, tokens: 3, window: 0 }], 'ERR_MROPE_ARGUMENT'],
  ]
  for (const [what, shapes, code] of wrong) {
    it(`refuses ${what}: ${code}`, async () => {
      const cache = await backend.openCache(shape)
      await assert.rejects(cache.warmup(shapes as readonly MetalStepShape[]), { code })
      await cache.dispose()
    })
  }

  it('is refused once the cache is disposed', async () => {
    const cache = await backend.openCache(shape)
    await cache.dispose()
    await assert.rejects(cache.warmup([{ ...more, tokens: 1 }]), { code: 'ERR_MROPE_STATE', message: /was disposed/ })
  })

  if (host === undefined) return

  it('a kernel that does not compile: ERR_MROPE_COMPILE, and the next warmup compiles it', async () => {
    const cache = await backend.openCache({ ...shape, valueDim: 104 })
    host.fail('compile', 0, -1)
    await assert.rejects(cache.warmup([{ ...more, tokens: 1 }]), { code: 'ERR_MROPE_COMPILE' })
    host.reset()
    assert.ok((await built(() => cache.warmup([{ ...more, tokens: 1 }]))).includes('decode'))
    await cache.dispose()
  })
})
