import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { AbsoluteEmbedding, EmbeddingPositions } from '../lib/embeddings/embedding.js'
import { embeddings } from '../lib/embeddings/index.js'
import { axisTaps, resizeRules } from '../lib/embeddings/interpolate.js'
import { gridPositions } from '../lib/encodings/grids/coordinates.js'
import { Positions } from '../lib/layouts/positions.js'
import { Tensor } from '../lib/tensors/tensor.js'
import { refuses } from './support/refuses.js'
import { maxError, randomTensor, roundTo, tensorTypes } from './support/tensors.js'

interface Example {
  readonly name: string
  make(): AbsoluteEmbedding
  readonly positions: EmbeddingPositions
}

const running = [0, 1, 2.5, 33, 100, 777]
const grid = gridPositions([3, 5])
const table = randomTensor('float32', [2 + 15, 12], 1)

/** Examples of every entry of `embeddings`. A new one is tested by having an example here, and a test asks for it. */
const examples: Readonly<Record<keyof typeof embeddings, readonly Omit<Example, 'name'>[]>> = {
  sinusoidal: (['interleaved', 'whisper', 'transformer-xl'] as const).map((order) => ({
    make: () => embeddings.sinusoidal({ dim: 24, order }),
    positions: running,
  })),
  sinusoidalGrid: (['detr', 'timm', 'timm-interleaved'] as const).map((order) => ({
    make: () => embeddings.sinusoidalGrid({ dim: 24, order }),
    positions: grid,
  })),
  randomFourier: [
    { make: () => embeddings.randomFourier({ dim: 24, seed: 4 }), positions: gridPositions([3, 5], 'part') },
    { make: () => embeddings.randomFourier({ matrix: randomTensor('float32', [2, 7], 2) }), positions: grid },
  ],
  learned: [
    { make: () => embeddings.learned({ table, grid: [3, 5], prefix: 2 }), positions: grid },
    { make: () => embeddings.learned({ table, grid: [5, 3], prefix: 2, rule: 'vit' }).at([3, 5]), positions: grid },
    { make: () => embeddings.learned({ table }), positions: [16, 0, 3] },
  ],
}
const cases: readonly Example[] = Object.entries(examples).flatMap(([name, list]) =>
  list.map((example, i) => ({ ...example, name: i === 0 ? name : `${name} (${i + 1})` })),
)

describe('embeddings: every scheme', () => {
  it('has an example that the tests run over', () => {
    assert.deepEqual(Object.keys(examples).sort(), Object.keys(embeddings).sort())
  })
  for (const { name, make, positions } of cases) {
    const embedding = make()
    const vectors = embedding.vectors(positions)
    const [tokens, dim] = vectors.dims

    it(`${name} says what it is and where it comes from`, () => {
      const description = embedding.describe()
      assert.ok(description.source.length > 8)
      assert.equal(description.verified, 'run')
      assert.equal(description.dim, embedding.dim)
      assert.deepEqual(JSON.parse(JSON.stringify(description)), description)
    })

    it(`${name} gives each token its own vector, the same every time`, () => {
      assert.deepEqual(make().vectors(positions), vectors)
      const all = positions instanceof Positions ? positions : Positions.from({ axes: ['n'], ids: [positions] })
      for (let n = 0; n < tokens; n++) {
        const one = embedding.vectors(all.slice(n, n + 1))
        assert.deepEqual(one.data, vectors.data.slice(n * dim, (n + 1) * dim))
      }
      assert.deepEqual(embedding.vectors(all.slice(0, 0)).dims, [0, dim])
    })

    for (const type of tensorTypes) {
      it(`${name} is added to ${type} vectors, summed once, also in place`, () => {
        const x = randomTensor(type, [tokens, dim], 5)
        const expected = Array.from(x.toFloat32(), (value, i) => roundTo(type, value + vectors.data[i]))
        assert.deepEqual([...embedding.add(x, positions).toFloat32()], expected)
        const out = Tensor.zeros(type, x.dims)
        assert.equal(embedding.add(x, positions, out), out)
        assert.deepEqual([...out.toFloat32()], expected)
        assert.equal(embedding.add(x, positions, x), x)
        assert.deepEqual([...x.toFloat32()], expected)
      })
    }

    it(`${name} is added to float32 vectors and stored as bfloat16`, () => {
      const x = randomTensor('float32', [tokens, dim], 6)
      const out = embedding.add(x, positions, Tensor.zeros('bfloat16', x.dims))
      const expected = Array.from(x.data, (value, i) => roundTo('bfloat16', value + vectors.data[i]))
      assert.deepEqual([...out.toFloat32()], expected)
    })
  }

  for (const { name, make } of cases.slice(0, 8)) {
    it(`${name}: the product of two vectors depends on the difference of their positions alone (fast-check)`, () => {
      const embedding = make()
      const ids = fc.array(fc.integer({ min: -50, max: 50 }), {
        minLength: embedding.axes.length,
        maxLength: embedding.axes.length,
      })
      fc.assert(
        fc.property(ids, ids, fc.integer({ min: -50, max: 50 }), (a, b, by) => {
          const product = (shift: number): number => {
            const at = embedding.axes.map((_, axis) => [a[axis] + shift, b[axis] + shift])
            const { data, dims } = embedding.vectors(Positions.from({ axes: embedding.axes, ids: at }))
            let sum = 0
            for (let c = 0; c < dims[1]; c++) sum += data[c] * data[dims[1] + c]
            return sum
          }
          assert.ok(Math.abs(product(0) - product(by)) <= 2 ** -20 * embedding.dim)
        }),
      )
    })
  }
})

describe('embeddings: worked numbers', () => {
  it('the three orders of position 2, dim 4 and 8', () => {
    const [s, c] = [Math.sin, Math.cos]
    const vector = (order: 'interleaved' | 'whisper' | 'transformer-xl', dim: number): Float32Array =>
      embeddings.sinusoidal({ dim, order }).vectors([2]).data as Float32Array
    const expected: readonly (readonly [Float32Array, readonly number[]])[] = [
      [vector('interleaved', 4), [s(2), c(2), s(0.02), c(0.02)]],
      [vector('transformer-xl', 4), [s(2), s(0.02), c(2), c(0.02)]],
      [vector('whisper', 4), [s(2), s(0.0002), c(2), c(0.0002)]],
    ]
    for (const [got, want] of expected) assert.ok(maxError(got, want) <= 2 ** -24, `${got}, ${want}`)
    const last = vector('whisper', 8)
    assert.ok(Math.abs(last[1] - s(2 / 1e4 ** (1 / 3))) <= 2 ** -24)
  })

  it('random Fourier: 2π·(2x − 1)·G with columns first, and a matrix that depends on the seed and the scale', () => {
    const matrix = Tensor.from('float32', [0.25, 3, -1, 0.5], [2, 2])
    const { data } = embeddings
      .randomFourier({ matrix })
      .vectors(Positions.from({ axes: ['h', 'w'], ids: [[0.75], [0.5]] }))
    const angles = [2 * Math.PI * 0.5 * -1, 2 * Math.PI * 0.5 * 0.5]
    assert.ok(maxError(data, [...angles.map(Math.sin), ...angles.map(Math.cos)]) <= 2 ** -23)
    const at = Positions.from({ axes: ['w', 'h'], ids: [[0.3], [0.8]] })
    const drawn = (seed: number, scale: number): Float32Array =>
      embeddings.randomFourier({ dim: 2000, seed, scale }).vectors(at).data as Float32Array
    assert.notDeepEqual(drawn(1, 1), drawn(2, 1))
    // With a tiny matrix sines are the angles: their spread is that of the matrix.
    const small = drawn(3, 1e-3).subarray(0, 1000)
    const spread =
      Math.sqrt(small.reduce((sum, x) => sum + x * x, 0) / 1000) / (2 * Math.PI * 1e-3 * Math.hypot(0.4, 0.6))
    assert.ok(spread > 0.93 && spread < 1.07, `${spread}`)
  })

  it('prefix vectors are never resized', () => {
    const learned = embeddings.learned({ table, grid: [3, 5], prefix: 2, rule: 'timm' })
    for (const size of [
      [3, 5],
      [7, 2],
    ] as const) {
      assert.deepEqual(learned.at(size).prefix.data, table.data.slice(0, 24))
      assert.deepEqual(learned.at(size).describe().parameters.trained, [3, 5])
    }
    assert.equal(learned.at([3, 5]), learned)
  })

  it('a list by one running id is resized along itself', () => {
    const list = Tensor.from('float32', [0, 10, 20, 30], [4, 1])
    const learned = embeddings.learned({ table: list, rule: 'qwen3VL' })
    assert.deepEqual([...learned.at(7).vectors([0, 1, 2, 3, 4, 5, 6]).data], [0, 5, 10, 15, 20, 25, 30])
    assert.deepEqual([...learned.at(1).vectors([0]).data], [0])
  })

  it('weights of every place sum to 1, whatever the rule and the sizes (fast-check)', () => {
    const size = fc.integer({ min: 1, max: 60 })
    fc.assert(
      fc.property(size, size, fc.constantFrom(...Object.values(resizeRules)), (from, to, rule) => {
        for (const { index, weights } of axisTaps(from, to, rule)) {
          assert.ok(Math.abs(weights.reduce((sum, w) => sum + w, 0) - 1) < 1e-12)
          assert.ok(index.every((n) => n >= 0 && n < from))
        }
      }),
    )
  })

  it('a table is not turned over: rows stay rows where a grid is not square', () => {
    const ramp = Tensor.from(
      'float32',
      Array.from({ length: 12 }, (_, n) => Math.floor(n / 4)),
      [12, 1],
    )
    const resized = embeddings.learned({ table: ramp, grid: [3, 4], rule: 'qwen3VL' }).at([5, 2])
    assert.deepEqual([...resized.vectors(gridPositions([5, 2])).data], [0, 0, 0.5, 0.5, 1, 1, 1.5, 1.5, 2, 2])
  })
})

const sine = embeddings.sinusoidal({ dim: 4, order: 'interleaved' })
const learned = embeddings.learned({ table, grid: [3, 5], prefix: 2 })
const x = randomTensor('float32', [3, 4], 7)
refuses('embeddings', [
  [
    'an odd width',
    () => embeddings.sinusoidal({ dim: 7, order: 'interleaved' }),
    'Range ARGUMENT',
    7,
    /dim must be a multiple of 2.*got 7/,
  ],
  [
    'a width of 2 for closed steps',
    () => embeddings.sinusoidal({ dim: 2, order: 'whisper' }),
    'Range ARGUMENT',
    2,
    /multiple of 4/,
  ],
  [
    'an order that is unknown',
    () => embeddings.sinusoidal({ dim: 8, order: 'halves' as never }),
    'Type ARGUMENT',
    'halves',
    /interleaved, whisper, transformer-xl, got "halves"/,
  ],
  [
    'a base of NaN',
    () => embeddings.sinusoidal({ dim: 8, order: 'whisper', base: Number.NaN }),
    'Range ARGUMENT',
    Number.NaN,
    /base must be a positive number/,
  ],
  [
    'a width that three axes do not share',
    () => embeddings.sinusoidalGrid({ dim: 16, order: 'detr', axes: ['t', 'h', 'w'] }),
    'Range ARGUMENT',
    16,
    /multiple of 6/,
  ],
  [
    'no axes',
    () => embeddings.sinusoidalGrid({ dim: 16, order: 'detr', axes: [] }),
    'Type ARGUMENT',
    [],
    /1 to 8 different names/,
  ],
  [
    'a matrix and a seed',
    () => embeddings.randomFourier({ matrix: table, seed: 3 }),
    'Type ARGUMENT',
    table,
    /exclude each other/,
  ],
  [
    'neither matrix nor width',
    () => embeddings.randomFourier({}),
    'Type ARGUMENT',
    undefined,
    /dim must be an integer/,
  ],
  [
    'a spread of NaN',
    () => embeddings.randomFourier({ dim: 8, scale: Number.NaN }),
    'Range ARGUMENT',
    Number.NaN,
    /scale must be a number from 0/,
  ],
  [
    'a matrix of other axes',
    () => embeddings.randomFourier({ matrix: table }),
    'Range SHAPE',
    [17, 12],
    /matrix must be \(2, any\)/,
  ],
  [
    'a table that the grid does not fill',
    () => embeddings.learned({ table, grid: [4, 4] }),
    'Range SHAPE',
    [17, 12],
    /0 prefix tokens and a grid of 4 × 4 need a table of 16 vectors/,
  ],
  [
    'a rule without a name',
    () => embeddings.learned({ table, rule: 'nearest' as never }),
    'Range ARGUMENT',
    'nearest',
    /vit, timm, qwen3VL, glm4V, beit/,
  ],
  [
    'a kernel that is unknown',
    () => embeddings.learned({ table, rule: { kernel: 'cubic' as never, alignCorners: true } }),
    'Type ARGUMENT',
    'cubic',
    /rule.kernel must be bilinear or bicubic/,
  ],
  [
    'antialias on corners',
    () => embeddings.learned({ table, rule: { kernel: 'bilinear', alignCorners: true, antialias: true } }),
    'Range ARGUMENT',
    { kernel: 'bilinear', alignCorners: true, antialias: true },
    /antialias goes with half-pixel/,
  ],
  ['another size without a rule', () => learned.at([4, 4]), 'Type ARGUMENT', undefined, /has no rule for another size/],
  ['a size of 0', () => learned.at([0, 4]), 'Range GRID', [0, 4], /rows and columns of 1/],
  ['rows of a list', () => embeddings.learned({ table }).at([2, 8]), 'Range GRID', [2, 8], /has one row/],
  [
    'an id behind the table',
    () => learned.vectors(gridPositions([3, 6])),
    'Range POSITION_RANGE',
    5,
    /axis w are whole numbers from 0 to 4, token 5 has 5/,
  ],
  [
    'an id between two rows',
    () => learned.vectors(gridPositions([2, 2], 'part')),
    'Range POSITION_RANGE',
    0.25,
    /token 0 has 0.25/,
  ],
  [
    'positions of other axes',
    () => learned.vectors(Positions.from({ axes: ['t', 'w'], ids: [[0], [0]] })),
    'Range SHAPE',
    ['t', 'w'],
    /reads axes h, w; the positions have t, w/,
  ],
  [
    'positions of the wrong kind',
    () => sine.vectors(3 as never),
    'Type ARGUMENT',
    3,
    /expected Positions or a list of ids/,
  ],
  ['an id that is NaN', () => sine.vectors([1, Number.NaN]), 'Range POSITION', Number.NaN, /id 1 on axis n is NaN/],
  ['vectors of other tokens', () => sine.add(x, [1, 2]), 'Range SHAPE', [3, 4], /x must be \(2 tokens, 4\)/],
  [
    'an out of another width',
    () => sine.add(x, [1, 2, 3], randomTensor('float32', [3, 5], 1)),
    'Range SHAPE',
    [3, 5],
    /out must be \(3 tokens, 4\)/,
  ],
  [
    'an out that is half of x',
    () => {
      const data = new Float32Array(16)
      const [from, to] = [data.subarray(0, 12), data.subarray(4)].map((part) => new Tensor('float32', part, [3, 4]))
      return sine.add(from, [1, 2, 3], to)
    },
    'Range ARGUMENT',
    16,
    /shares memory with x in part/,
  ],
])
