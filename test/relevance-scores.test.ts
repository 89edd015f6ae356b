import assert from 'node:assert/strict'
import fc from 'fast-check'
import {
  attentionCoupling,
  channelOf,
  coupling,
  namedPlaces,
  relevance,
  salience,
  type Texture,
  textureChannels,
} from '../lib/relevance/index.js'
import { Tensor } from '../lib/tensors/tensor.js'
import { refuses } from './support/refuses.js'
import { maxError, randomNumbers, randomTensor } from './support/tensors.js'

function noise(width: number, height: number, seed: number): { width: number; height: number; data: Uint8Array } {
  const next = randomNumbers(seed)
  return { width, height, data: Uint8Array.from({ length: width * height * 3 }, () => 256 * next()) }
}

const flat = (value: number) => ({ width: 20, height: 20, data: new Uint8Array(1200).fill(value) })
const argMax = (values: ArrayLike<number>): number => Array.from(values).indexOf(Math.max(...Array.from(values)))

describe('salience', () => {
  const grids = [
    [1, 1],
    [3, 5],
    [7, 2],
    [33, 33],
  ] as const
  for (const grid of grids) {
    for (const scale of ['plain', 'unit'] as const) {
      it(`around the middle it is channel 11 · (1 − channel 10), ${grid.join(' × ')}, ${scale}`, () => {
        const texture = textureChannels(noise(40, 30, 3), grid, { scale })
        const eccentricity = channelOf(texture, 10)
        const expected = channelOf(texture, 11).map((value, i) => value * (1 - eccentricity[i]))
        assert.ok(maxError(salience(texture), expected) < 1e-6)
      })
    }
  }

  it('with equal base it is largest at the fixation and falls with the distance from it', () => {
    const texture = textureChannels(noise(9, 9, 1), [9, 9])
    const base = new Float32Array(81).fill(1)
    for (const [y, x] of [
      [0, 0],
      [0.25, 0.75],
      [1, 0.5],
    ] as const) {
      const values = salience(texture, { fixation: [y, x], base })
      const distance = (i: number): number => Math.hypot(Math.floor(i / 9) / 8 - y, (i % 9) / 8 - x)
      assert.equal(argMax(values), Math.round(y * 8) * 9 + Math.round(x * 8))
      for (let i = 0; i < 81; i++) assert.ok(Math.abs(values[i] - Math.max(0, 1 - distance(i))) < 1e-6)
    }
  })

  it('cells more than a side away count nothing, and with `largest` only the farthest one does', () => {
    const texture = textureChannels(noise(5, 5, 1), [5, 5])
    const base = new Float32Array(25).fill(2)
    const corner = salience(texture, { fixation: [0, 0], base })
    assert.deepEqual([corner[0], corner[4], corner[24]], [2, 0, 0])
    assert.equal(
      salience(texture, { fixation: [0, 0], base, eccentricity: 'largest' }).filter((v) => v === 0).length,
      1,
    )
  })

  it('is finite and not negative whatever the image and the fixation', () => {
    const unit = fc.double({ min: 0, max: 1, noNaN: true })
    fc.assert(
      fc.property(unit, unit, fc.integer({ min: 1, max: 8 }), fc.nat(999), (y, x, n, seed) => {
        const texture = textureChannels(noise(7, 5, seed), [n, 3])
        for (const eccentricity of ['distance', 'largest'] as const) {
          const values = salience(texture, { fixation: [y, x], eccentricity })
          assert.ok(values.every((value) => value >= 0 && Number.isFinite(value)))
        }
      }),
      { numRuns: 50 },
    )
  })
})

describe('coupling: places', () => {
  it('bottom-right is h > 0.7 and w > 0.7, as in the example of the text', () => {
    const [rows, columns] = [11, 21]
    const values = coupling('bottom-right', [rows, columns])
    for (let i = 0; i < values.length; i++) {
      const [h, w] = [Math.floor(i / columns) / (rows - 1), (i % columns) / (columns - 1)]
      if (h >= 0.7 && w >= 0.7) assert.equal(values[i], 1, `h ${h}, w ${w}`)
      else assert.ok(values[i] < 1, `h ${h}, w ${w}`)
    }
    assert.equal(Math.min(...values), values[0])
  })

  it('falls by exp(−(d / spread)² / 2) outside of the box', () => {
    const values = coupling([0, 0, 0, 0], [1, 5], { spread: 0.5 })
    const expected = [0, 0.25, 0.5, 0.75, 1].map((d) => Math.exp(-((d / 0.5) ** 2) / 2))
    assert.ok(maxError(values, expected) < 1e-7)
  })

  it('places that mirror each other have mirrored couplings', () => {
    const [left, right] = [coupling('top-left', [6, 9]), coupling('top-right', [6, 9])]
    assert.ok(
      maxError(
        left,
        right.map((_, i) => right[i - (i % 9) + 8 - (i % 9)]),
      ) < 1e-6,
    )
    const [top, bottom] = [coupling('top', [6, 9]), coupling('bottom', [6, 9])]
    assert.ok(
      maxError(
        top,
        bottom.map((_, i) => bottom[(5 - Math.floor(i / 9)) * 9 + (i % 9)]),
      ) < 1e-6,
    )
  })

  for (const name of Object.keys(namedPlaces) as (keyof typeof namedPlaces)[]) {
    it(`${name} is in 0 … 1, and 1 in its middle`, () => {
      const [top, left, bottom, right] = namedPlaces[name]
      const values = coupling(name, [41, 41])
      assert.ok(values.every((value) => value >= 0 && value <= 1))
      assert.equal(values[Math.round(20 * (top + bottom)) * 41 + Math.round(20 * (left + right))], 1)
    })
  }
})

describe('coupling: vectors', () => {
  /** Mean softmax and mean cosine over queries and heads, as the formulas say. */
  function naive(query: Tensor, keys: Tensor, score: 'attention' | 'cosine'): number[] {
    const [tokens, heads, dim] = query.dims
    const [cells, kvHeads] = keys.dims
    const [q, k] = [query.toFloat32(), keys.toFloat32()]
    const total = new Array<number>(cells).fill(0)
    for (let t = 0; t < tokens; t++) {
      for (let h = 0; h < heads; h++) {
        const one = Array.from({ length: dim }, (_, i) => q[(t * heads + h) * dim + i])
        const other = Array.from({ length: cells }, (_, c) => {
          const head = Math.floor(h / (heads / kvHeads))
          return Array.from({ length: dim }, (_, i) => k[(c * kvHeads + head) * dim + i])
        })
        const dots = other.map((vector) => vector.reduce((sum, value, i) => sum + value * one[i], 0))
        const size = (vector: number[]): number => Math.hypot(...vector)
        const exps = dots.map((dot) => Math.exp(dot / Math.sqrt(dim)))
        const sum = exps.reduce((a, b) => a + b, 0)
        const scores =
          score === 'attention'
            ? exps.map((e) => e / sum)
            : dots.map((dot, c) => (dot / size(one) / size(other[c]) + 1) / 2)
        for (let c = 0; c < cells; c++) total[c] += scores[c] / (tokens * heads)
      }
    }
    return total
  }

  for (const [tokens, heads, kvHeads, dim, cells] of [
    [1, 1, 1, 1, 1],
    [3, 1, 1, 72, 33],
    [2, 7, 1, 80, 15],
    [5, 4, 2, 6, 1],
  ] as const) {
    for (const score of ['attention', 'cosine'] as const) {
      it(`${score} of ${tokens} tokens, ${heads} heads on ${kvHeads}, ${cells} cells, headDim ${dim}`, () => {
        const query = randomTensor('float32', [tokens, heads, dim], 1)
        const keys = randomTensor('float32', [cells, kvHeads, dim], 2)
        assert.ok(maxError(attentionCoupling(query, keys, { score }), naive(query, keys, score)) < 1e-6)
      })
    }
  }

  it('attention sums to 1, and scores of thousands do not overflow', () => {
    const values = attentionCoupling(randomTensor('float32', [3, 2, 8], 1, 1e4), randomTensor('float32', [9, 2, 8], 2))
    assert.ok(Math.abs(values.reduce((a, b) => a + b, 0) - 1) < 1e-6)
  })

  it('cosine is 1 for the same direction, 0 for the opposite, 0.5 across and for a vector of zeros', () => {
    const query = Tensor.from('float32', [3, 4], [1, 1, 2])
    const keys = Tensor.from('float32', [6, 8, -3, -4, 4, -3, 0, 0], [4, 1, 2])
    assert.deepEqual([...attentionCoupling(query, keys, { score: 'cosine' })], [1, 0, 0.5, 0.5])
  })

  it('no cells give no numbers', () => {
    const none = Tensor.zeros('float32', [0, 1, 4])
    assert.equal(attentionCoupling(Tensor.zeros('float32', [1, 1, 4]), none).length, 0)
  })
})

describe('relevance of regions', () => {
  it('a constant image has none without a query; with one, the named corner is most relevant and the far one least', () => {
    const texture = textureChannels(flat(128), [16, 16])
    assert.deepEqual([...relevance(texture, { regions: [3, 5] })], new Array(15).fill(0))
    const values = relevance(texture, { regions: [3, 5], query: 'bottom-right' })
    assert.equal(argMax(values), 14)
    assert.equal(Math.min(...values), values[0])
  })

  it('is (1 − balance) · salience + balance · coupling, each by its largest', () => {
    const texture = textureChannels(noise(40, 40, 5), [4, 4])
    const mean = (values: Float32Array): number[] => {
      const regions = [0, 2, 8, 10].map((i) => (values[i] + values[i + 1] + values[i + 4] + values[i + 5]) / 4)
      return regions.map((value) => value / Math.max(...regions))
    }
    const [standsOut, asked] = [mean(salience(texture)), mean(coupling('left', [4, 4], { spread: 0.4 }))]
    for (const balance of [0, 0.3, 1]) {
      const values = relevance(texture, { regions: [2, 2], query: 'left', spread: 0.4, balance })
      assert.ok(
        maxError(
          values,
          standsOut.map((s, i) => (1 - balance) * s + balance * asked[i]),
        ) < 1e-6,
      )
    }
    const given = relevance(texture, { regions: [2, 2], query: coupling('left', [4, 4], { spread: 0.4 }), balance: 1 })
    assert.ok(maxError(given, asked) < 1e-6)
  })

  it('an edge in one region makes that region the most relevant', () => {
    const image = flat(128)
    for (let y = 12; y < 18; y++) image.data.fill(255, (y * 20 + 3) * 3, (y * 20 + 8) * 3)
    const values = relevance(textureChannels(image, [20, 20]), { regions: [2, 2] })
    assert.equal(argMax(values), 2)
  })
})

const texture: Texture = textureChannels(noise(4, 4, 1), [2, 2])
const vectors = Tensor.zeros('float32', [3, 2, 4])
refuses('salience, coupling and relevance', [
  ['no texture', () => salience(undefined as never), 'Type ARGUMENT', undefined, /expected a texture/],
  ['a texture with data missing', () => salience({ ...texture, grid: [3, 2] }), 'Range SHAPE', 52, /13 × 3 × 2 has 78/],
  ['a fixation outside', () => salience(texture, { fixation: [0, 1.1] }), 'Range ARGUMENT', [0, 1.1], /1\.1/],
  [
    'a fixation of NaN',
    () => salience(texture, { fixation: [Number.NaN, 0] }),
    'Range ARGUMENT',
    [Number.NaN, 0],
    /NaN/,
  ],
  ['a fixation of one', () => salience(texture, { fixation: [0] as never }), 'Type ARGUMENT', [0], /\[y, x\]/],
  ['an unknown rule', () => salience(texture, { eccentricity: 'log' as never }), 'Range ARGUMENT', 'log', /"log"/],
  ['a base of 3', () => salience(texture, { base: [1, 2, 3] }), 'Range SHAPE', 3, /3 numbers for 4 cells/],
  ['a base below 0', () => salience(texture, { base: [1, 2, -3, 4] }), 'Range ARGUMENT', -3, /number 2 is -3/],
  [
    'a base of words',
    () => salience(texture, { base: [1, 'x', 3, 4] as never }),
    'Type ARGUMENT',
    'x',
    /number 1 is "x"/,
  ],
  ['an unknown option', () => salience(texture, { fix: 1 } as never), 'Type ARGUMENT', 'fix', /"fix"/],
  ['an unknown place', () => coupling('middle' as never, [2, 2]), 'Range ARGUMENT', 'middle', /top-left.*"middle"/],
  ['a place of the prototype', () => coupling('toString' as never, [2, 2]), 'Range ARGUMENT', 'toString', /toString/],
  ['a box upside down', () => coupling([0.7, 0, 0.3, 1], [2, 2]), 'Range ARGUMENT', [0.7, 0, 0.3, 1], /top above/],
  ['a box of pixels', () => coupling([0, 0, 100, 100], [2, 2]), 'Range ARGUMENT', [0, 0, 100, 100], /0 … 1/],
  ['a spread of 0', () => coupling('top', [2, 2], { spread: 0 }), 'Range ARGUMENT', 0, /spread/],
  ['a grid of 0', () => coupling('top', [0, 2]), 'Range GRID', [0, 2], /\[0, 2\]/],
  [
    'vectors of rank 2',
    () => attentionCoupling(Tensor.zeros('float32', [3, 4]), vectors),
    'Range SHAPE',
    [3, 4],
    /3 dimensions/,
  ],
  [
    'another headDim',
    () => attentionCoupling(vectors, Tensor.zeros('float32', [3, 2, 5])),
    'Range SHAPE',
    [3, 2, 5],
    /headDim/,
  ],
  ['3 heads on 2', () => attentionCoupling(Tensor.zeros('float32', [1, 3, 4]), vectors), 'Range HEADS', 2, /3 heads/],
  [
    'no query',
    () => attentionCoupling(Tensor.zeros('float32', [0, 2, 4]), vectors),
    'Range SHAPE',
    [3, 2, 4],
    /\[0, 2, 4\]/,
  ],
  [
    'an unknown score',
    () => attentionCoupling(vectors, vectors, { score: 'dot' as never }),
    'Range ARGUMENT',
    'dot',
    /"dot"/,
  ],
  [
    'vectors of infinities',
    () =>
      attentionCoupling(Tensor.from('float32', [Infinity, 1], [1, 1, 2]), Tensor.from('float32', [1, 1], [1, 1, 2])),
    'Range ARGUMENT',
    Infinity,
    /query row 0 and cell 0 is Infinity/,
  ],
  ['regions of 0', () => relevance(texture, { regions: [0, 1] }), 'Range GRID', [0, 1], /regions/],
  [
    'a balance of 2',
    () => relevance(texture, { regions: [1, 1], query: 'top', balance: 2 }),
    'Range ARGUMENT',
    2,
    /balance/,
  ],
  [
    'a balance without a query',
    () => relevance(texture, { regions: [1, 1], balance: 0.5 }),
    'Type ARGUMENT',
    undefined,
    /query/,
  ],
  [
    'a query of 3',
    () => relevance(texture, { regions: [1, 1], query: new Float32Array(3) }),
    'Range SHAPE',
    3,
    /3 numbers for 4/,
  ],
])
