import assert from 'node:assert/strict'
import type { Mask } from '../lib/attention/mask.js'
import type { AttentionBias } from '../lib/biases/bias.js'
import { biasTensor } from '../lib/biases/data.js'
import { biases } from '../lib/biases/index.js'
import type { Tensor } from '../lib/tensors/tensor.js'
import { biasCases, biasExamples } from './support/biases.js'
import { subjects } from './support/subjects.js'
import { maxError, naiveAttend, randomTensor } from './support/tensors.js'

interface Case {
  readonly queries: number
  readonly keys: number
  readonly mask: Mask
}

const headDim = 8
const heads = 14
const kvHeads = 2
const cases: readonly Case[] = [
  { queries: 1, keys: 1, mask: 'causal' },
  { queries: 3, keys: 3, mask: 'bidirectional' },
  { queries: 33, keys: 33, mask: 'causal' },
  { queries: 100, keys: 100, mask: 'causal' },
  { queries: 100, keys: 100, mask: 'bidirectional' },
  { queries: 1, keys: 100, mask: 'causal' },
  { queries: 33, keys: 100, mask: { causal: true, window: 21, padding: 70 } },
  { queries: 100, keys: 100, mask: { causal: false, cuSeqlens: [0, 33, 33, 34, 97, 100] } },
]

/** The mask, pair by pair. */
function sees(mask: Mask, i: number, j: number): boolean {
  if (mask === 'causal') return j <= i
  if (mask === 'bidirectional') return true
  const { causal, window = Infinity, padding = 0, cuSeqlens } = mask
  const segment = (n: number): number => Array.from(cuSeqlens ?? []).filter((border) => border <= n).length
  if (i < padding || j < padding || (causal && j > i) || Math.abs(i - j) >= window) return false
  return segment(i) === segment(j)
}

function inputs({ queries, keys }: Case) {
  return {
    q: randomTensor('float32', [queries, heads, headDim], 31),
    k: randomTensor('float32', [keys, kvHeads, headDim], 32),
    v: randomTensor('float32', [keys, kvHeads, headDim], 33),
  }
}

describe('biases: every scheme', () => {
  it('has an example that the tests run over', () => {
    assert.deepEqual(Object.keys(biasExamples).sort(), Object.keys(biases).sort())
  })
  for (const { name, make } of biasCases) {
    const bias = make({ heads, headDim, tokens: 100 })
    it(`${name} says what it is, where it comes from and whether that was run`, () => {
      const description = bias.describe()
      assert.ok(description.source.length > 8, description.source)
      assert.ok(['run', 'source', 'unverified'].includes(description.verified))
      assert.equal(description.verified === 'unverified', name.startsWith('fire'))
      assert.equal(description.heads, bias.heads)
      assert.ok(Object.isFrozen(description) && Object.isFrozen(bias))
      assert.deepEqual(JSON.parse(JSON.stringify(description)), description)
    })
    const { readsQueries, exchange, evaluated } = bias.describe()
    if (readsQueries) continue
    const tensor = biasTensor(bias, { heads, queries: 100, keys: 100 }).toFloat32()
    const at = (head: number, i: number, j: number): number => tensor[(head * 100 + i) * 100 + j]
    it(`${name} is the same when i and j change places, or negated, or neither: ${exchange}`, () => {
      const sign = exchange === 'negated' ? -1 : 1
      let differs = 0
      let size = 0
      for (let head = 0; head < heads; head++) {
        for (let i = 0; i < 100; i++) {
          for (let j = 0; j < 100; j++) {
            differs = Math.max(differs, Math.abs(at(head, i, j) - sign * at(head, j, i)))
            size = Math.max(size, Math.abs(at(head, i, j)))
          }
        }
      }
      if (exchange === 'other') assert.ok(differs > 0.1)
      else assert.ok(differs <= 2 ** -23 * size && size > 0.1, `${differs} of ${size}`)
    })
    if (evaluated === 'slope' || evaluated === 'distance') {
      it(`${name} depends on j − i alone`, () => {
        for (let head = 0; head < heads; head++) {
          for (let i = 1; i < 100; i++) {
            for (let j = 1; j < 100; j++) assert.equal(at(head, i, j), at(head, i - 1, j - 1))
          }
        }
      })
    }
    it(`${name} of a part is the part of the whole: rows and columns from 40 on`, () => {
      const part = biasTensor(bias, { heads, queries: 7, keys: 100, queryOffset: 40 }).toFloat32()
      for (let head = 0; head < heads; head++) {
        for (let i = 0; i < 7; i++) {
          for (let j = 0; j < 100; j++) assert.equal(part[(head * 7 + i) * 100 + j], at(head, 40 + i, j))
        }
      }
    })
    it(`${name} is the same when it is made again`, () => {
      const again = biasTensor(make({ heads, headDim, tokens: 100 }), { heads, queries: 100, keys: 100 })
      assert.deepEqual(again.toFloat32(), tensor)
    })
  }
})

for (const { name: subject, toleranceAt, reference, attend, attendSync } of subjects) {
  describe(`attend with a bias, ${subject}`, () => {
    for (const { name, make } of biasCases) {
      for (const one of cases) {
        const { queries, keys, mask } = one
        it(`${name}: 14/2 heads × ${headDim}, ${queries} × ${keys}, ${JSON.stringify(mask)}, seed 31`, async () => {
          const bias = make({ heads, headDim, tokens: keys })
          const { readsQueries } = bias.describe()
          const { q, k, v } = inputs(one)
          const out = attendSync({ q, k, v, mask, bias, rotated: true })
          if (one === cases[2]) assert.deepEqual((await attend({ q, k, v, mask, bias, rotated: true })).data, out.data)
          // What reads queries is held against loops of its own below.
          if (readsQueries) return
          const tensor = biasTensor(bias, { heads, queries, keys })
          const largest = tensor.toFloat32().reduce((most, x) => Math.max(most, Math.abs(x)), 0)
          const tolerance = toleranceAt(4) + 2 ** -22 * largest
          // The tensor hides what a query does not see in the same way on every backend.
          const expected = attendSync({ q, k, v, mask, bias: tensor, rotated: true })
          const error = maxError(out.data, expected.data)
          assert.ok(error <= tolerance, `${error} > ${tolerance}`)
          if (reference) assert.ok(maxError(out.data, oracle(one, tensor)) <= tolerance)
        })
      }
    }

    for (const one of cases) {
      const { queries, keys, mask } = one
      const offset = keys - queries
      const sizes = `14/2 heads × ${headDim}, ${queries} × ${keys}, ${JSON.stringify(mask)}`
      const scale = Float64Array.from({ length: queries }, (_, i) => 0.2 + 0.001 * i)
      const { q, k, v } = inputs(one)
      it(`shaw reads the query: ${sizes}`, () => {
        const embeddings = randomTensor('float32', [12, headDim], 16)
        const out = attendSync({ q, k, v, mask, scale, bias: biases.shaw({ embeddings, left: 8, right: 3 }) })
        const expected = naive(one, scale, (head, i, j) => {
          const entry = Math.min(Math.max(j - offset - i, -8), 3) + 8
          return scale[i] * dot(q, i * heads + head, embeddings, entry)
        })
        assert.ok(maxError(out.data, expected) <= toleranceAt(8))
      })
      it(`kerpleWeight multiplies the scores: ${sizes}`, () => {
        const [p, a] = [Array.from({ length: heads }, (_, h) => 0.1 + h / 8), Array(heads).fill(0.3)]
        const out = attendSync({ q, k, v, mask, scale, bias: biases.kerpleWeight({ p, a }) })
        const expected = naive(one, scale, (head, i, j) => {
          const score = scale[i] * dot(q, i * heads + head, k, j * kvHeads + Math.floor(head / 7))
          return score * (Math.exp(-0.3 * Math.abs(offset + i - j) ** Math.min(p[head], 2)) - 1)
        })
        assert.ok(maxError(out.data, expected) <= toleranceAt(8))
      })
      it(`transformerXL reads the query and the key: ${sizes}`, () => {
        const relative = randomTensor('float32', [2 * keys + 3, heads, headDim], 17, 0.5)
        const [u, w] = [18, 19].map((seed) => randomTensor('float32', [heads, headDim], seed, 0.5))
        const bias = biases.transformerXL({ relative, farthest: keys + 1, u, v: w })
        const out = attendSync({ q, k, v, mask, scale, bias })
        const expected = naive(one, scale, (head, i, j) => {
          const row = (keys + 1 - (offset + i - j)) * heads + head
          const content = dot(u, head, k, j * kvHeads + Math.floor(head / 7))
          return scale[i] * (content + dot(q, i * heads + head, relative, row) + dot(w, head, relative, row))
        })
        assert.ok(maxError(out.data, expected) <= toleranceAt(8))
      })
    }

    it('a bias of one head is that of all heads', () => {
      const one = cases[3]
      const { q, k, v } = inputs(one)
      const single: AttentionBias = biases.t5({ table: randomTensor('float32', [32, 1], 40) })
      const tensor = biasTensor(single, { heads: 1, queries: 100, keys: 100 })
      const out = attendSync({ q, k, v, bias: single })
      assert.ok(maxError(out.data, attendSync({ q, k, v, bias: tensor }).data) <= toleranceAt(5))
    })

    it('a longer and a shorter attention after one another: tables are made and kept as needed', () => {
      const bias = biases.kerpleLog({ p: Array(14).fill(1.5), a: Array(14).fill(0.5) })
      for (const one of [cases[1], cases[5], cases[4], cases[2], cases[3]]) {
        const { q, k, v } = inputs(one)
        const out = attendSync({ q, k, v, mask: one.mask, bias })
        const tensor = biasTensor(bias, { heads, queries: one.queries, keys: one.keys })
        assert.ok(maxError(out.data, attendSync({ q, k, v, mask: one.mask, bias: tensor }).data) <= toleranceAt(12))
      }
    })
  })
}

function dot(a: Tensor, row: number, b: Tensor, other: number): number {
  const [x, y] = [a.toFloat32(), b.toFloat32()]
  let sum = 0
  for (let c = 0; c < headDim; c++) sum += x[row * headDim + c] * y[other * headDim + c]
  return sum
}

function naive(one: Case, scale: Float64Array, bias: (head: number, i: number, j: number) => number): Float64Array {
  const { q, k, v } = inputs(one)
  const offset = one.keys - one.queries
  return naiveAttend({
    q: q.data,
    k: k.data,
    v: v.data,
    queries: one.queries,
    keys: one.keys,
    heads,
    kvHeads,
    headDim,
    valueDim: headDim,
    sees: (i, j) => sees(one.mask, offset + i, j),
    scale: (i) => scale[i],
    bias,
  })
}

function oracle(one: Case, tensor: Tensor): Float64Array {
  const values = tensor.toFloat32()
  const scale = new Float64Array(one.queries).fill(1 / Math.sqrt(headDim))
  return naive(one, scale, (head, i, j) => values[(head * one.queries + i) * one.keys + j])
}
