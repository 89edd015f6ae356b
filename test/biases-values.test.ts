import assert from 'node:assert/strict'
import { attend, attendSync } from '../lib/attention/attend.js'
import { softmaxScale } from '../lib/attention/scale.js'
import type { AttentionBias, BiasData } from '../lib/biases/bias.js'
import { biasTensor } from '../lib/biases/data.js'
import { biases } from '../lib/biases/index.js'
import { t5Bucket } from '../lib/biases/t5.js'
import { Tensor } from '../lib/tensors/tensor.js'
import { holes, refuses } from './support/refuses.js'
import { subjects } from './support/subjects.js'
import { maxError, randomTensor } from './support/tensors.js'

const tensor = (values: readonly number[], dims: readonly number[]): Tensor => Tensor.from('float32', values, dims)

/** Bias of one head. */
function at(bias: AttentionBias, i: number, j: number, head = 0): number {
  const heads = bias.heads
  const keys = (bias.describe().parameters.tokens as number | undefined) ?? Math.max(i, j) + 1
  const whole = biasTensor(bias, { heads, queries: 1, keys, queryOffset: i })
  return whole.data[head * keys + j]
}

describe('biases: worked numbers', () => {
  const slopes = (bias: AttentionBias): number[] => (bias.describe().parameters.slopes as number[]).map(Math.log2)
  it('ALiBi, BLOOM and MPT: exponents of 8 and of 12 heads', () => {
    const twelve = [-1, -2, -3, -4, -5, -6, -7, -8, -0.5, -1.5, -2.5, -3.5]
    for (const make of [biases.alibi, biases.bloom, biases.mpt]) {
      assert.deepEqual(slopes(make({ heads: 8 })), twelve.slice(0, 8))
      slopes(make({ heads: 12 })).forEach((e, h) => {
        assert.ok(Math.abs(e - twelve[h]) < 1e-15)
      })
      assert.deepEqual(slopes(make({ heads: 1 })), [-8])
    }
    assert.deepEqual(slopes(biases.mpt({ heads: 4, biasMax: 4 })), [-1, -2, -3, -4])
  })

  it('ALiBi falls with the distance on both sides, BLOOM and MPT rise with the key', () => {
    const [alibi, bloom, mpt] = [biases.alibi, biases.bloom, biases.mpt].map((make) => make({ heads: 8 }))
    assert.deepEqual([at(alibi, 5, 2), at(alibi, 2, 5), at(alibi, 4, 4)], [-1.5, -1.5, -0])
    for (const bias of [bloom, mpt]) assert.deepEqual([at(bias, 5, 2), at(bias, 2, 5)], [-1.5, 1.5])
  })

  it('BLOOM far out, at keys around 2^20, is as exact as near the start', () => {
    const [q, k, v] = [1, 2, 3].map((seed) => randomTensor('float32', [5, 3, 8], seed))
    for (const { attendSync: run, toleranceAt } of subjects) {
      const near = run({ q, k, v, bias: biases.bloom({ heads: 3 }) })
      const alibi = run({ q, k, v, bias: biases.alibi({ heads: 3 }) })
      assert.ok(maxError(near.data, alibi.data) <= toleranceAt(4))
    }
    const far = biases.bloom({ heads: 3 }).resolve({
      queries: 1,
      keys: 2 ** 20,
      heads: 3,
      kvHeads: 3,
      headDim: 8,
      queryOffset: 2 ** 20 - 1,
      visible: { first: Int32Array.of(2 ** 20 - 3), end: Int32Array.of(2 ** 20) },
      q,
      k,
      scale: 1,
    })
    assert.deepEqual((far as BiasData).kind, 'slope')
  })

  it('T5 buckets, bidirectional', () => {
    const distances = [-200, -128, -64, -32, -16, -12, -8, -7, 0, 1, 7, 8, 12, 16, 32, 64, 127]
    const expected = [15, 15, 14, 12, 10, 9, 8, 7, 0, 17, 23, 24, 25, 26, 28, 30, 31]
    assert.deepEqual(
      distances.map((d) => t5Bucket(d)),
      expected,
    )
  })

  it('T5 buckets, unidirectional', () => {
    const distances = [15, 16, 18, 19, 32, 64, 100, 113, -1, -500]
    const expected = [15, 16, 16, 17, 21, 26, 30, 31, 0, 0]
    assert.deepEqual(
      distances.map((d) => t5Bucket(-d, { bidirectional: false })),
      expected,
    )
  })

  it('T5 beyond the last distance stays in the last bucket', () => {
    const table = tensor(
      Array.from({ length: 32 }, (_, n) => n),
      [32, 1],
    )
    const bias = biases.t5({ table })
    assert.deepEqual([at(bias, 5000, 0), at(bias, 5000, 4872), at(bias, 0, 5000), at(bias, 200, 199)], [15, 15, 31, 1])
  })

  it('KERPLE: −p·ln(1 + a·d), −a·d^p, and the bounds of what is learned', () => {
    const near = (x: number, y: number): void => assert.ok(Math.abs(x - y) <= 2 ** -23 * Math.abs(y), `${x}, ${y}`)
    const log = biases.kerpleLog({ p: [2, 0], a: [0.5, 3] })
    near(at(log, 9, 3), -2 * Math.log(4))
    near(at(log, 9, 3, 1), -0.01 * Math.log(19))
    const power = biases.kerplePower({ p: [3, 0.5], a: [0.25, 0] })
    near(at(power, 9, 3), -0.25 * 36)
    near(at(power, 3, 9, 1), -0.01 * Math.sqrt(6))
  })

  it('CABLE: the running sum of −softplus between key and query', () => {
    const softplus = (x: number): number => Math.log(1 + Math.exp(x))
    const bias = biases.cable({ gates: tensor([0, 9, 1, 9, -2, 9, 3, 9], [4, 2]) })
    const sum = -softplus(1) - softplus(-2)
    assert.ok(Math.abs(at(bias, 2, 0) - sum) < 1e-6)
    assert.equal(at(bias, 3, 3), 0)
    const extreme = biases.cable({ gates: tensor([1000, -1000, 1000], [3, 1]) })
    assert.deepEqual([at(extreme, 1, 0), at(extreme, 2, 1)], [0, -1000])
  })

  it('FIRE: the network at ψ(i − j) / ψ(max(L, i)), below and above L', () => {
    const [w0, w1, w2] = [tensor([1, -2], [2, 1]), tensor([1, 0.5, -1, 2], [2, 2]), tensor([3, 1], [1, 2])]
    const bias = biases.fire({ weights: [w0, w1, w2], c: 0.5, threshold: 4 })
    const psi = (x: number): number => Math.log(1 + 0.5 * x)
    // For x ≥ 0 the hidden units are x and 0, then x and 0 again, so the output is 3x.
    const expected = (i: number, j: number): number => (3 * psi(Math.max(i - j, 0))) / psi(Math.max(4, i))
    for (const [i, j] of [
      [3, 1],
      [4, 0],
      [1, 3],
      [9, 2],
      [40, 1],
    ]) {
      assert.ok(Math.abs(at(bias, i, j) - expected(i, j)) < 1e-6, `${i}, ${j}: ${at(bias, i, j)}, ${expected(i, j)}`)
    }
    assert.equal(bias.describe().verified, 'unverified')
  })

  it('Swin v2 with the scale of its cosine attention: ln 100 at most', () => {
    const logScale = Math.min(7, Math.log(100))
    const normed = (seed: number, by: number): Tensor => {
      const x = randomTensor('float32', [6, 2, 8], seed)
      for (let row = 0; row < 12; row++) {
        const part = x.data.subarray(row * 8, row * 8 + 8)
        const length = Math.hypot(...part)
        part.forEach((value, c) => {
          part[c] = (value / length) * by
        })
      }
      return x
    }
    const bias = biases.swinV2({
      window: [2, 3],
      weight0: randomTensor('float32', [4, 2], 3),
      bias0: randomTensor('float32', [4], 4),
      weight2: randomTensor('float32', [2, 4], 5),
    })
    const [q, k, v] = [normed(1, Math.exp(logScale)), normed(2, 1), randomTensor('float32', [6, 2, 8], 6)]
    for (const { attendSync: run, toleranceAt } of subjects) {
      const out = run({ q, k, v, bias, scale: 1, mask: 'bidirectional' })
      const same = run({
        q,
        k,
        v,
        bias: biasTensor(bias, { heads: 2, queries: 6, keys: 6 }),
        scale: 1,
        mask: 'bidirectional',
      })
      assert.ok(maxError(out.data, same.data) <= toleranceAt(116))
    }
  })

  it('a temperature rule and a bias go together', () => {
    const [q, k, v] = [1, 2, 3].map((seed) => randomTensor('float32', [33, 2, 8], seed))
    const scale = softmaxScale({ rule: 'entropy-invariant', headDim: 8, keys: 33, trainedKeys: 9 })
    const bias = biases.alibi({ heads: 2 })
    const expected = attendSync({ q, k, v, scale, bias: biasTensor(bias, { heads: 2, queries: 33, keys: 33 }) })
    assert.ok(maxError(attendSync({ q, k, v, scale, bias }).data, expected.data) <= 2 ** -22)
  })
})

describe('biases: memory', () => {
  for (const [name, bias] of Object.entries({
    shaw: biases.shaw({ embeddings: randomTensor('float32', [73, 16], 1), left: 64, right: 8 }),
    alibi: biases.alibi({ heads: 1 }),
    beit: biases.beit({ window: [14, 14], table: randomTensor('float32', [27 * 27 + 3, 1], 2) }),
  })) {
    it(`${name}: 4096 tokens, where a tensor of the bias would be 64 MiB`, () => {
      const [q, k, v] = [1, 2, 3].map((seed) => randomTensor('float32', [4096, 1, 16], seed))
      for (const { attendSync: run } of subjects.slice(-1)) {
        const before = process.memoryUsage().arrayBuffers
        let most = 0
        const watched: AttentionBias = {
          ...bias,
          resolve: (request) => {
            const resolved = bias.resolve(request)
            if (typeof resolved !== 'function') return resolved
            return (head, query, key) => {
              if (query === key) most = Math.max(most, process.memoryUsage().arrayBuffers - before)
              return resolved(head, query, key)
            }
          },
        }
        run({ q, k, v, mask: { causal: true, window: 64 }, bias: watched })
        // A piece is 4 MiB; the rest is the output and the addon's scratch.
        assert.ok(most < 2 ** 23, `${most} bytes`)
      }
    })
  }
})

const [q, k, v] = [1, 2, 3].map((seed) => randomTensor('float32', [4, 6, 8], seed))
const call = (bias: AttentionBias): unknown => attendSync({ q, k, v, bias, mask: 'bidirectional' })
const given = (data: unknown): AttentionBias => ({
  ...biases.alibi({ heads: 1 }),
  name: 'own',
  resolve: () => data as BiasData,
})
const table = randomTensor('float32', [32, 2], 4)

refuses('biases', [
  ['no heads', () => biases.alibi({ heads: 0 }), 'Range HEADS', 0, /heads must be 1 … 4096, got 0/],
  [
    'heads of the wrong kind',
    () => biases.bloom({ heads: '8' as never }),
    'Type ARGUMENT',
    '8',
    /heads must be an integer, got "8"/,
  ],
  [
    'an unknown option',
    () => biases.mpt({ heads: 8, alibi: 3 } as never),
    'Type ARGUMENT',
    'alibi',
    /unknown option "alibi"/,
  ],
  [
    'a largest exponent below 0',
    () => biases.mpt({ heads: 8, biasMax: -1 }),
    'Range ARGUMENT',
    -1,
    /biasMax must be a number from 0 to 64, got -1/,
  ],
  ['no table', () => biases.t5({} as never), 'Type ARGUMENT', undefined, /table must be a Tensor/],
  [
    'a table of other buckets',
    () => biases.t5({ table, buckets: 16 }),
    'Range SHAPE',
    [32, 2],
    /table must be \(16, any\)/,
  ],
  [
    'buckets that reach further than the distance',
    () => biases.t5({ table, maxDistance: 8 }),
    'Range ARGUMENT',
    8,
    /above the 8 exact buckets \(of 32\).*got 8/,
  ],
  ['a distance of NaN', () => t5Bucket(Number.NaN), 'Range ARGUMENT', Number.NaN, /distance is a whole number/],
  ['a distance of 0.5', () => t5Bucket(0.5), 'Range ARGUMENT', 0.5, /got 0.5/],
  ['half a bucket', () => t5Bucket(3, { buckets: 7.5 }), 'Range ARGUMENT', 7.5, /buckets must be an integer/],
  [
    'lists of different lengths',
    () => biases.kerpleLog({ p: [1, 2], a: [1] }),
    'Range HEADS',
    1,
    /1 numbers in a for 2 heads/,
  ],
  [
    'a list with holes',
    () => biases.kerpleLog({ p: holes, a: [1, 1] }),
    'Type ARGUMENT',
    undefined,
    /p\[0\] must be a number/,
  ],
  [
    'a number below 0',
    () => biases.kerplePower({ p: [1, 1], a: [1, -3] }),
    'Range ARGUMENT',
    -3,
    /a\[1\] must be a number from 0/,
  ],
  ['a word', () => biases.kerplePower({ p: 'log' as never, a: [1] }), 'Type ARGUMENT', 'log', /p must be a list/],
  [
    'gates that are NaN',
    () => biases.cable({ gates: tensor([1, Number.NaN], [2, 1]) }),
    'Range ARGUMENT',
    Number.NaN,
    /gates must be finite/,
  ],
  [
    'gates for other tokens',
    () => call(biases.cable({ gates: randomTensor('float32', [5, 6], 1) })),
    'Range SHAPE',
    30,
    /needs 24 values/,
  ],
  [
    'a window of one number',
    () => biases.swin({ window: [3] as never, table }),
    'Type ARGUMENT',
    [3],
    /window must be \[rows, columns\]/,
  ],
  ['a window of 0 rows', () => biases.swin({ window: [0, 3], table }), 'Range GRID', [0, 3], /rows and columns of 1/],
  [
    'a window with holes',
    () => biases.swin({ window: holes as never, table }),
    'Range GRID',
    holes,
    /rows and columns of 1/,
  ],
  [
    'a table of another window',
    () => biases.swin({ window: [3, 3], table }),
    'Range SHAPE',
    [32, 2],
    /table must be \(25, any\)/,
  ],
  [
    'networks that do not fit',
    () =>
      biases.swinV2({
        window: [2, 2],
        weight0: tensor([1, 2], [1, 2]),
        bias0: tensor([1, 2], [2]),
        weight2: tensor([1], [1, 1]),
      }),
    'Range SHAPE',
    [2],
    /bias0 must be \(1\)/,
  ],
  [
    'a table without class entries',
    () => biases.beit({ window: [2, 2], table: randomTensor('float32', [9, 1], 1) }),
    'Range SHAPE',
    [9, 1],
    /table must be \(12, any\)/,
  ],
  [
    'vectors of another distance',
    () => biases.shaw({ embeddings: table, left: 3, right: 3 }),
    'Range SHAPE',
    [32, 2],
    /embeddings must be \(7, any\)/,
  ],
  [
    'vectors of another head dim',
    () => call(biases.shaw({ embeddings: randomTensor('float32', [3, 4], 1), left: 1, right: 1 })),
    'Range SHAPE',
    4,
    /vectors of 4 numbers, q has a head dim of 8/,
  ],
  [
    'vectors that do not reach',
    () =>
      call(
        biases.transformerXL({
          relative: randomTensor('float32', [4, 6, 8], 1),
          u: randomTensor('float32', [6, 8], 1),
          v: randomTensor('float32', [6, 8], 1),
        }),
      ),
    'Range SHAPE',
    -3,
    /i − j of 0 … 3, seen is -3/,
  ],
  [
    'biases of other heads',
    () => call(biases.alibi({ heads: 4 })),
    'Range HEADS',
    4,
    /bias alibi has 4 heads, q has 6/,
  ],
  [
    'a first layer of two inputs',
    () => biases.fire({ weights: [table, table, table] }),
    'Range SHAPE',
    [32, 2],
    /weights\[0\] must be \(any, 1\)/,
  ],
  ['one weight of a network', () => biases.fire({ weights: 3 as never }), 'Type ARGUMENT', 3, /three tensors, got 3/],
  [
    'a threshold of 0',
    () => biases.fire({ weights: [tensor([1], [1, 1]), tensor([1], [1, 1]), tensor([1], [1, 1])], threshold: 0 }),
    'Range ARGUMENT',
    0,
    /threshold must be a number from 1/,
  ],
  [
    'a kind that is unknown',
    () => call(given({ kind: 'cone', heads: 1, values: new Float32Array(1) })),
    'Type ARGUMENT',
    'cone',
    /bias own gives the kind "cone"/,
  ],
  [
    'too few values',
    () => call(given({ kind: 'slope', heads: 6, values: new Float32Array(5) })),
    'Range SHAPE',
    5,
    /bias own \(slope\) needs 6 values/,
  ],
  [
    'values of two heads of six',
    () => call(given({ kind: 'slope', heads: 2, values: new Float32Array(2) })),
    'Range HEADS',
    2,
    /values for 2 heads, q has 6/,
  ],
  [
    'values of the wrong kind',
    () => call(given({ kind: 'slope', heads: 1, values: [1] })),
    'Range SHAPE',
    1,
    /needs 1 values, got \[1\]/,
  ],
  [
    'a function without result',
    () => call(given(() => undefined)),
    'Type ARGUMENT',
    undefined,
    /bias\(0, 0, 0\) must give a number/,
  ],
  [
    'more queries than values',
    () =>
      attendSync({
        q: randomTensor('float32', [9, 6, 8], 1),
        k,
        v,
        mask: 'bidirectional',
        bias: biases.cable({ gates: randomTensor('float32', [4, 6], 1) }),
      }),
    'Range SHAPE',
    9,
    /one value for each key: 9 queries for 4 keys/,
  ],
  [
    'a tensor of what reads the query',
    () => biasTensor(biases.shaw({ embeddings: table, left: 31, right: 0 }), { heads: 1, queries: 2, keys: 2 }),
    'Range STATE',
    'shaw',
    /shaw reads queries/,
  ],
  [
    'a tensor of 2^40 numbers',
    () => biasTensor(biases.alibi({ heads: 1 }), { heads: 1, queries: 2 ** 20, keys: 2 ** 20 }),
    'Range SHAPE',
    2 ** 40,
    /are more than/,
  ],
  [
    'an out that is the values',
    () => {
      const data = new Float32Array(4 * 6 * 8)
      const out = new Tensor('float32', data, [4, 6, 8])
      return attendSync({ q, k, v, out, bias: given({ kind: 'slope', heads: 1, values: data.subarray(0, 1) }) })
    },
    'Range ARGUMENT',
    0,
    /out shares memory with bias/,
  ],
])

describe('biases: an attention that is stopped', () => {
  it('rejects with the reason of its signal', async () => {
    const signal = AbortSignal.abort(new Error('enough'))
    await assert.rejects(attend({ q, k, v, bias: biases.alibi({ heads: 6 }), signal }), /enough/)
  })
})
