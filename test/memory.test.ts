import assert from 'node:assert/strict'
import { allocations } from '../lib/allocations/index.js'
import { type MemoryOptions, memoryPlan } from '../lib/analysis/memory.js'
import { openBackend } from '../lib/backends/open.js'
import { Encoding } from '../lib/encodings/encoding.js'
import { encodings } from '../lib/encodings/named.js'
import { layouts } from '../lib/layouts/index.js'
import { Sequence } from '../lib/sequence/sequence.js'
import { openSession } from '../lib/session/session.js'
import { spectra } from '../lib/spectra/index.js'
import { refuses } from './support/refuses.js'

const qwen: MemoryOptions = { tokens: 777, generated: 100, layers: 28, heads: 28, kvHeads: 4 }

describe('memory plan', () => {
  it('the table is as large as the one that is made', () => {
    const encoding = encodings.qwen2VL()
    const sequence = Sequence.of([{ kind: 'text', length: 777 }])
    const { cos, sin } = encoding.table(encoding.positions(sequence))
    const { table, positions } = memoryPlan(encoding, qwen)
    assert.equal(table.precomputed, cos.byteLength + sin.byteLength)
    assert.equal(positions, encoding.positions(sequence).ids.byteLength)
  })

  it('a table for each head: 14×14 patches, 12 heads of dimension 64', () => {
    const encoding = new Encoding({
      name: 'tower',
      headDim: 64,
      layout: layouts.rowsAndColumns(),
      spectrum: spectra.default({ base: 100, dim: 64 }),
      allocation: allocations.perHead([6, 6], 32, 12),
      pairing: 'half-split',
    })
    const { table } = memoryPlan(encoding, { tokens: 14 * 14, layers: 12, heads: 12 })
    assert.equal(table.precomputed, 14 * 14 * 12 * 32 * 2 * 4)
    assert.equal(table.dynamic, 12 * 32 * 2 * 4)
  })

  for (const dtype of ['float32', 'float16', 'bfloat16'] as const) {
    it(`the cache is as large as that of a session, ${dtype}`, async () => {
      const encoding = encodings.qwen2VL()
      const shape = { layers: 3, heads: 14, kvHeads: 2 }
      const plan = memoryPlan(encoding, { tokens: 33, generated: 7, dtype, ...shape })
      const backend = await openBackend('reference')
      const session = await openSession(encoding, { ...shape, headDim: 128, capacity: 40, dtype, backend })
      assert.equal(plan.kvCache.bytes, session.cacheBytes)
      assert.equal(plan.kvCache.bytes, plan.kvCache.perToken * 40)
    })
  }

  it('scores grow with the square of the prompt, tiles do not', () => {
    const [small, large] = [1000, 10_000].map((tokens) => memoryPlan(encodings.qwen2VL(), { ...qwen, tokens }))
    assert.equal(large.attention.scores, 100 * small.attention.scores)
    assert.equal(large.attention.scores, 28 * 10_000 * 10_000 * 4)
    assert.equal(large.attention.reference, small.attention.reference)
    assert.equal(large.attention.cpu, Math.min(4, Math.floor((48 * 2 ** 20) / (10_000 * 256 * 4))) * 10_000 * 256 * 4)
    assert.equal(memoryPlan(encodings.qwen2VL(), { ...qwen, tokens: 200_000 }).attention.cpu, 200_000 * 256 * 4)
  })

  it('the sum is that of its parts; nothing takes nothing', () => {
    const { total, positions, table, kvCache, attention } = memoryPlan(encodings.qwen2VL(), qwen)
    assert.equal(total, positions + table.precomputed + kvCache.bytes + attention.cpu)
    assert.equal(memoryPlan(encodings.qwen2VL(), { ...qwen, tokens: 0, generated: 0 }).total, 0)
  })

  const plan = (options: Partial<MemoryOptions>) => () => memoryPlan(encodings.qwen2VL(), { ...qwen, ...options })
  refuses('memoryPlan', [
    ['negative tokens', plan({ tokens: -1 }), 'Range ARGUMENT', -1, /tokens/],
    ['half a layer', plan({ layers: 0.5 }), 'Range ARGUMENT', 0.5, /layers/],
    ['heads as text', plan({ heads: '28' as never }), 'Type ARGUMENT', '28', /heads/],
    ['heads that do not share', plan({ kvHeads: 3 }), 'Range HEADS', 28, /28 query heads are not a multiple of 3/],
    ['an unknown type', plan({ dtype: 'int8' as never }), 'Range DTYPE', 'int8', /float32, float16, bfloat16/],
    ['an unknown option', plan({ batch: 2 } as never), 'Type ARGUMENT', 'batch', /unknown option/],
    ['no encoding', () => memoryPlan(null as never, qwen), 'Type ARGUMENT', null, /Encoding/],
  ])
})
