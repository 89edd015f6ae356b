import assert from 'node:assert/strict'
import { softmaxScale } from '../lib/attention/scale.js'
import { gridPositions } from '../lib/encodings/grids/coordinates.js'
import { visionEncodings } from '../lib/encodings/grids/index.js'
import type { Positions } from '../lib/layouts/positions.js'
import { Positions as AnyPositions } from '../lib/layouts/positions.js'
import type { Grid } from '../lib/sequence/segment.js'
import { Sequence } from '../lib/sequence/sequence.js'
import { Tensor } from '../lib/tensors/tensor.js'
import { holes, refuses } from './support/refuses.js'
import { randomTensor } from './support/tensors.js'

const image = (rows: number, columns: number): Sequence => Sequence.of([{ kind: 'image', grid: [1, rows, columns] }])

function close(actual: ArrayLike<number>, expected: readonly number[], within = 1e-6): void {
  assert.equal(actual.length, expected.length)
  expected.forEach((x, i) => {
    assert.ok(Math.abs(actual[i] - x) <= within, `entry ${i}: ${actual[i]}, ${x}`)
  })
}

/** The first ids of an axis. */
const row = (positions: Positions, axis: string, count: number): number[] => [
  ...positions.axis(axis).subarray(0, count),
]
/** Every `columns`-th id of an axis. */
const column = (positions: Positions, axis: string, columns: number): number[] =>
  [...positions.axis(axis)].filter((_, n) => n % columns === 0)

describe('grids: worked numbers', () => {
  it('rope-vit axial: x = n mod W turns the first quarter, y = n div W the second, θ^(−4i/d)', () => {
    const encoding = visionEncodings.ropeVitAxial({ headDim: 16 })
    close(encoding.invFreq, [1, 100 ** -0.25, 0.1, 100 ** -0.75, 1, 100 ** -0.25, 0.1, 100 ** -0.75], 1e-15)
    const positions = encoding.positions(image(3, 5))
    assert.deepEqual(row(positions, 'w', 6), [0, 1, 2, 3, 4, 0])
    assert.deepEqual(row(positions, 'h', 6), [0, 0, 0, 0, 0, 1])
    assert.equal(encoding.describe().axisOf, 'WWWWHHHH')
    assert.equal(encoding.pairing, 'adjacent')
  })

  it('rope-vit mixed: magnitudes of base 10, the second half of the pairs at a right angle to the first', () => {
    const { directions } = visionEncodings.ropeVitMixed({ heads: 2, headDim: 16, seed: 9 }).allocation
    for (let head = 0; head < 2; head++) {
      for (let f = 0; f < 4; f++) {
        const [x, y, u, v] = [0, 1, 8, 9].map((at) => directions![head * 16 + 2 * f + at])
        assert.ok(Math.abs(Math.hypot(x, y) - 10 ** (-f / 4)) < 1e-12)
        assert.ok(Math.abs(Math.hypot(u, v) - 10 ** (-f / 4)) < 1e-12)
        assert.ok(Math.abs(x * u + y * v) < 1e-12)
      }
    }
    assert.notEqual(directions![0], directions![16])
  })

  it('Golden Gate, F = 4, two heads, a quarter of zeros', () => {
    const encoding = visionEncodings.goldenGate({ headDim: 8, heads: 2, zeroShare: 0.25 })
    close(encoding.invFreq, [0, 0.2, 2, 20], 1e-12)
    const first = [1, 0, -0.362375, 0.932032, -0.737369, -0.67549, 0.896783, -0.442471]
    const second = [0.087426, 0.996171, -0.960145, -0.279504, 0.608439, -0.793601, 0.519179, 0.854666]
    close(encoding.allocation.directions!, [...first, ...second])
  })

  it('Golden Gate keeps squares square, and [−1, 1] on both axes is another rule', () => {
    const make = (coordinates?: 'corners') =>
      visionEncodings.goldenGate({ headDim: 8, heads: 1, ...(coordinates && { coordinates }) })
    const aspect = make().positions(image(2, 8))
    close(row(aspect, 'w', 8), [-2, -10 / 7, -6 / 7, -2 / 7, 2 / 7, 6 / 7, 10 / 7, 2], 1e-12)
    close(column(aspect, 'h', 8), [-0.5, 0.5], 1e-12)
    close(column(make('corners').positions(image(2, 8)), 'h', 8), [-1, 1], 1e-12)
  })

  it('uniform directions over three axes', () => {
    const { directions } = visionEncodings.nd({ headDim: 8, heads: 1, axes: ['t', 'h', 'w'] }).allocation
    const rows = [0.8929, 0.4334, 0.1223, 0.2541, -0.2919, -0.9221, -0.0473, -0.9844, 0.1696, -0.5205, 0.421, -0.7429]
    close(directions!, rows, 5.1e-5)
  })

  it('uniform directions have length 1 and no preferred side, with 1 to 8 axes', () => {
    for (let count = 1; count <= 8; count++) {
      const axes = Array.from({ length: count }, (_, k) => `a${k}`)
      const { directions, pairs, heads } = visionEncodings.nd({ headDim: 128, heads: 8, axes }).allocation
      const mean = new Float64Array(count)
      for (let n = 0; n < heads * pairs; n++) {
        const vector = directions!.subarray(n * count, (n + 1) * count)
        assert.ok(Math.abs(Math.hypot(...vector) - 1) < 1e-12)
        vector.forEach((x, k) => {
          mean[k] += x / (heads * pairs)
        })
      }
      assert.ok(Math.hypot(...mean) < 0.05, `${count} axes: mean ${mean}`)
    }
  })

  it('five axes at ids that are given: the one formula', () => {
    const encoding = visionEncodings.nd({ headDim: 20, heads: 2, axes: ['t', 'h', 'w', 'z', 'view'] })
    const ids = Array.from({ length: 5 }, (_, a) => [a, 1.5 - a])
    const { cos, shape } = encoding.table(AnyPositions.from({ axes: encoding.axes, ids }))
    assert.deepEqual(shape, [2, 2, 10])
    for (let head = 0; head < 2; head++) {
      for (let n = 0; n < 2; n++) {
        for (let f = 0; f < 10; f++) {
          const u = encoding.allocation.directions!.subarray((head * 10 + f) * 5, (head * 10 + f + 1) * 5)
          const angle = encoding.invFreq[f] * u.reduce((sum, x, a) => sum + x * ids[a][n], 0)
          assert.ok(Math.abs(cos[(head * 2 + n) * 10 + f] - Math.cos(angle)) < 1e-7)
        }
      }
    }
  })

  it('DINOv3 on 2 × 3: the three modes, and the periods of head dim 64', () => {
    const at = (coordinates: 'separate' | 'max' | 'min'): number[][] => {
      const positions = visionEncodings.dinov3({ headDim: 64, coordinates }).positions(image(2, 3))
      return [column(positions, 'h', 3), row(positions, 'w', 3)]
    }
    const near = (got: number[][], expected: number[][]): void =>
      got.forEach((list, i) => {
        close(list, expected[i], 1e-12)
      })
    near(at('separate'), [
      [-0.5, 0.5],
      [-2 / 3, 0, 2 / 3],
    ])
    near(at('max'), [
      [-2 / 3, 0],
      [-2 / 3, 0, 2 / 3],
    ])
    near(at('min'), [
      [-0.5, 0.5],
      [-0.5, 0.5, 1.5],
    ])
    const { invFreq } = visionEncodings.dinov3({ headDim: 64 })
    close(
      Array.from(invFreq.subarray(0, 3), (f) => (2 * Math.PI) / f),
      [1, 1.3335, 1.7783],
      5e-5,
    )
  })

  it('DINOv3 in training: shift, then jitter by axis, then one rescaling, from the seed alone', () => {
    const augmented = (augment?: { seed: number; shift?: number; jitter?: number; rescale?: number }) =>
      visionEncodings.dinov3({ headDim: 64, ...(augment && { augment }) }).positions(image(4, 6))
    const plain = augmented()
    /** Each axis is mapped by a straight line: its slope and where 0 goes. */
    const lines = (positions: Positions): [slope: number, zero: number][] =>
      ['h', 'w'].map((axis) => {
        const [x, y] = [plain.axis(axis), positions.axis(axis)]
        const slope = (y[23] - y[0]) / (x[23] - x[0])
        for (let n = 0; n < 24; n++) assert.ok(Math.abs(y[n] - y[0] - slope * (x[n] - x[0])) < 1e-12)
        return [slope, y[0] - slope * x[0]]
      })
    const seen = new Set<number>()
    for (let seed = 0; seed < 200; seed++) {
      const [[h, zeroH], [w, zeroW]] = lines(augmented({ seed, shift: 0.3, jitter: 1.5, rescale: 2 }))
      for (const [slope, zero] of [
        [h, zeroH],
        [w, zeroW],
      ]) {
        assert.ok(slope >= 1 / 3 && slope <= 3 && Math.abs(zero / slope) <= 0.3)
      }
      assert.ok(h / w <= 1.5 ** 2 && w / h <= 1.5 ** 2)
      const [[onlyH], [onlyW]] = lines(augmented({ seed, rescale: 2 }))
      assert.ok(Math.abs(onlyH - onlyW) < 1e-12 && onlyH >= 0.5 && onlyH <= 2)
      seen.add(h)
    }
    assert.equal(seen.size, 200)
    const twice = [1, 2].map(() => augmented({ seed: 77, shift: 0.3, jitter: 1.5, rescale: 2 }).ids)
    assert.deepEqual(twice[0], twice[1])
    const described = visionEncodings.dinov3({ headDim: 64, augment: { seed: 1 } }).describe()
    assert.deepEqual(described.warnings, ['coordinates are augmented, as in training'])
    assert.deepEqual(augmented({ seed: 1 }).ids, plain.ids)
  })

  it('another resolution: extrapolated as it is, or rescaled to the trained grid', () => {
    const at = (coordinates?: { by: 'index'; trained: readonly [number, number] }): number[] =>
      row(
        visionEncodings.ropeVitAxial({ headDim: 8, ...(coordinates && { coordinates }) }).positions(image(28, 28)),
        'w',
        28,
      )
    assert.equal(at()[27], 27)
    assert.equal(at({ by: 'index', trained: [14, 14] })[27], 13.5)
    const { axes, ids } = visionEncodings.timm({ headDim: 8, trained: [16, 8] }).positions(image(4, 4))
    assert.deepEqual(
      [axes, [...ids.subarray(0, 5)], [...ids.subarray(16, 20)]],
      [
        ['h', 'w'],
        [0, 0, 0, 0, 4],
        [0, 2, 4, 6],
      ],
    )
  })

  it('the temperature of another resolution needs a direction: 224 → 384 with patches of 16', () => {
    const counts = { rule: 'log-ratio', headDim: 1, keys: 576, trainedKeys: 196 } as const
    assert.ok(Math.abs(softmaxScale({ ...counts, direction: 'sharpen' }) - 1.2042) < 5e-5)
    assert.ok(Math.abs(softmaxScale({ ...counts, direction: 'flatten' }) - 1 / 1.2042) < 5e-5)
    assert.throws(() => softmaxScale(counts as never), { code: 'ERR_MROPE_ARGUMENT' })
  })

  const dims: readonly [string, () => { readonly invFreq: Float64Array; describe(): { axisOf: string } }, string][] = [
    ['flux', () => visionEncodings.flux(), `${'T'.repeat(8)}${'H'.repeat(28)}${'W'.repeat(28)}`],
    ['flux2', () => visionEncodings.flux2(), 'THWL'.replace(/./g, (axis) => axis.repeat(16))],
    ['wan', () => visionEncodings.wan(), `${'T'.repeat(22)}${'H'.repeat(21)}${'W'.repeat(21)}`],
    ['lumina2', () => visionEncodings.lumina2(), 'THW'.replace(/./g, (axis) => axis.repeat(16))],
    ['zImage', () => visionEncodings.zImage(), `${'T'.repeat(16)}${'H'.repeat(24)}${'W'.repeat(24)}`],
    ['cogVideoX', () => visionEncodings.cogVideoX(), `${'T'.repeat(8)}${'H'.repeat(12)}${'W'.repeat(12)}`],
    ['ltx', () => visionEncodings.ltx({ dim: 16 }), '--THWTHW'],
    ['ideogram4', () => visionEncodings.ideogram4(), `${'THW'.repeat(20)}TTTT`],
  ]
  for (const [name, make, letters] of dims) {
    it(`${name}: ${letters}`, () => assert.equal(make().describe().axisOf, letters))
  }

  it('LTX frequencies ascend from π/2 to θ·π/2 behind those of the padding', () => {
    const { invFreq } = visionEncodings.ltx({ dim: 100 })
    assert.deepEqual([...invFreq.subarray(0, 2)], [0, 0])
    close(
      [invFreq[2], invFreq[3], invFreq[4], invFreq[49]],
      [Math.PI / 2, Math.PI / 2, Math.PI / 2, 5000 * Math.PI],
      1e-9,
    )
  })

  it('hierarchical: row 37 of cells of 16 and 4, and whole cells may be shifted', () => {
    const encoding = visionEncodings.hierarchical({ headDim: 24, cells: [16, 4] })
    const positions = encoding.positions(image(60, 3))
    const at = (n: number): Record<string, number> =>
      Object.fromEntries(positions.axes.map((axis, a) => [axis, positions.at(n)[a]]))
    assert.deepEqual(at(37 * 3 + 2), { h16: 2, w16: 0, h4: 1, w4: 0, h: 1, w: 2 })
    for (let n = 0; n < 180; n++) {
      const { h16, h4, h } = at(n)
      assert.equal(16 * h16 + 4 * h4 + h, Math.floor(n / 3))
    }
    const differences = (start: number): number[][] =>
      [0, 5, 13].map((d) => positions.at((start + d) * 3).map((id, a) => id - positions.at(start * 3)[a]))
    assert.deepEqual(differences(2), differences(18))
    assert.notDeepEqual(differences(2), differences(9))
  })
})

describe('grids: coordinates of a grid', () => {
  const cases: readonly [string, readonly number[], readonly number[]][] = [
    ['index', [0, 1], [0, 1, 2]],
    ['centred', [-1, 0], [-2, -1, 0]],
    ['separate', [-0.5, 0.5], [-2 / 3, 0, 2 / 3]],
    ['corners', [-1, 1], [-1, 0, 1]],
    ['aspect', [-Math.sqrt(2 / 3), Math.sqrt(2 / 3)], [-Math.sqrt(1.5), 0, Math.sqrt(1.5)]],
    ['part', [0.25, 0.75], [1 / 6, 0.5, 5 / 6]],
  ]
  for (const [by, h, w] of cases) {
    it(`${by} on 2 × 3`, () => {
      const positions = gridPositions([2, 3], by as 'index')
      close(column(positions, 'h', 3), h, 1e-12)
      close(row(positions, 'w', 3), w, 1e-12)
    })
  }
  it('frames come first and count from 0', () => {
    const positions = gridPositions([2, 1, 3], { by: 'index', offset: 1, scale: 10 })
    assert.deepEqual(positions.axes, ['t', 'h', 'w'])
    assert.deepEqual([...positions.ids], [0, 0, 0, 1, 1, 1, 10, 10, 10, 10, 10, 10, 10, 20, 30, 10, 20, 30])
  })
})

const v = visionEncodings
refuses('grids', [
  [
    'a head dim that is not whole quarters',
    () => v.ropeVitAxial({ headDim: 70 }),
    'Range CONFIG',
    70,
    /multiple of 4.*got 70/,
  ],
  [
    'a head dim that is no number',
    () => v.sam2({ headDim: '64' as never }),
    'Type ARGUMENT',
    '64',
    /headDim must be an integer/,
  ],
  ['a base of 0', () => v.ropeVitAxial({ headDim: 8, base: 0 }), 'Range ARGUMENT', 0, /base must be a positive number/],
  [
    'an unknown option',
    () => v.dinov3({ headDim: 8, theta: 1 } as never),
    'Type ARGUMENT',
    'theta',
    /unknown option "theta"/,
  ],
  ['no options', () => v.sam2(undefined as never), 'Type ARGUMENT', undefined, /expected an object/],
  [
    'a coordinate rule that is unknown',
    () => v.goldenGate({ headDim: 8, heads: 1, coordinates: 'unit' as never }),
    'Type ARGUMENT',
    'unit',
    /one of index.*got "unit"/,
  ],
  [
    'a DINOv3 mode that is unknown',
    () => v.dinov3({ headDim: 8, coordinates: 'index' as never }),
    'Type ARGUMENT',
    'index',
    /separate, max, min/,
  ],
  [
    'base and periods',
    () => v.dinov3({ headDim: 8, base: 3, periods: [1, 2] }),
    'Type ARGUMENT',
    [1, 2],
    /exclude each other/,
  ],
  [
    'a period of 0',
    () => v.dinov3({ headDim: 8, periods: [0, 2] }),
    'Range ARGUMENT',
    0,
    /periods\[0\] must be a positive number/,
  ],
  ['a seed below 0', () => v.dinov3({ headDim: 8, augment: { seed: -1 } }), 'Range ARGUMENT', -1, /seed must be 0/],
  [
    'a rescaling of 0',
    () => v.dinov3({ headDim: 8, augment: { seed: 1, rescale: 0 } }),
    'Range ARGUMENT',
    0,
    /rescale must be a positive number/,
  ],
  [
    'a shift of NaN',
    () => v.dinov3({ headDim: 8, augment: { seed: 1, shift: Number.NaN } }),
    'Range ARGUMENT',
    Number.NaN,
    /shift must be a positive number/,
  ],
  [
    'pixels with a base',
    () => v.timm({ headDim: 8, inPixels: true, base: 3 }),
    'Type ARGUMENT',
    'base',
    /unknown option "base"/,
  ],
  [
    'an indexing that is unknown',
    () => v.timm({ headDim: 8, indexing: 'yx' as never }),
    'Type ARGUMENT',
    'yx',
    /'xy' or 'ij'/,
  ],
  [
    'a trained grid of one number',
    () => v.timm({ headDim: 8, trained: [4] as never }),
    'Range GRID',
    [4],
    /trained must be \[rows, columns\]/,
  ],
  [
    'directions for other heads',
    () => v.ropeVitMixed({ heads: 3, freqs: randomTensor('float32', [2, 1, 8], 1) }),
    'Range SHAPE',
    [2, 1, 8],
    /for 3 heads/,
  ],
  [
    'directions of three axes',
    () => v.ropeVitMixed({ heads: 1, freqs: randomTensor('float32', [3, 1, 8], 1) }),
    'Range SHAPE',
    [3, 1, 8],
    /freqs must be \(2, any, any\)/,
  ],
  [
    'a layer behind the last',
    () => v.ropeVitMixed({ heads: 1, layer: 2, freqs: randomTensor('float32', [2, 2, 8], 1) }),
    'Range ARGUMENT',
    2,
    /layer 2 of 2/,
  ],
  [
    'directions that are NaN',
    () => v.ropeVitMixed({ heads: 1, freqs: new Tensor('float32', Float32Array.of(1, Number.NaN), [2, 1, 1]) }),
    'Range ARGUMENT',
    Number.NaN,
    /finite numbers, number 1 is NaN/,
  ],
  ['no heads', () => v.goldenGate({ headDim: 8, heads: 0 }), 'Range HEADS', 0, /heads must be 1/],
  [
    'a share above 1',
    () => v.goldenGate({ headDim: 8, heads: 1, zeroShare: 1.5 }),
    'Range ARGUMENT',
    1.5,
    /zeroShare must be a part/,
  ],
  [
    'a lowest frequency below 0',
    () => v.nd({ headDim: 8, heads: 1, min: -1, axes: ['h'] }),
    'Range ARGUMENT',
    -1,
    /min must be a positive number/,
  ],
  [
    'nine axes',
    () => v.nd({ headDim: 8, heads: 1, axes: [...'abcdefghi'] }),
    'Type ARGUMENT',
    [...'abcdefghi'],
    /1 to 8 different names/,
  ],
  [
    'axes of one name',
    () => v.nd({ headDim: 8, heads: 1, axes: ['h', 'h'] }),
    'Type ARGUMENT',
    ['h', 'h'],
    /different names/,
  ],
  [
    'directions that are unknown',
    () => v.nd({ headDim: 8, heads: 1, axes: ['h'], directions: 'golden' as never }),
    'Type ARGUMENT',
    'golden',
    /'uniform' or 'axial'/,
  ],
  [
    'cells that do not nest',
    () => v.hierarchical({ headDim: 24, cells: [6, 4] }),
    'Range ARGUMENT',
    [6, 4],
    /each a multiple of the next/,
  ],
  ['odd channels', () => v.flux({ dims: [15, 57, 56] }), 'Range SECTIONS', [15, 57, 56], /even counts/],
  ['channels with holes', () => v.flux({ dims: holes }), 'Range SECTIONS', holes, /even counts/],
  [
    'three axes of FLUX.2',
    () => v.flux2({ dims: [32, 32, 32] }),
    'Range SECTIONS',
    3,
    /layout has axes t, h, w, l, the allocation 3/,
  ],
  [
    'frames without a place',
    () => v.framePack({ frameIndices: 3 as never }),
    'Type ARGUMENT',
    3,
    /frameIndices must be a list/,
  ],
  [
    'frames of another number',
    () => v.framePack({ frameIndices: [0, 1] }).positions(image(2, 2)),
    'Range GRID',
    1,
    /2 frame indices for a block of 1 frames/,
  ],
  [
    'half a crop',
    () => v.cogVideoX({ crop: [[0, 0], [3]] as never }),
    'Range ARGUMENT',
    [3],
    /crop\[1\] must be 2 numbers/,
  ],
  ['a crop of the wrong kind', () => v.cogVideoX({ crop: 3 as never }), 'Type ARGUMENT', 3, /crop must be/],
  ['null', () => v.qwenImage(null as never), 'Type ARGUMENT', null, /expected an object, got null/],
  [
    'one section',
    () => v.genlip({ headDim: 8, sections: [8] as never }),
    'Range ARGUMENT',
    [8],
    /sections must be 3 numbers/,
  ],
  ['no frames a second', () => v.cosmos({ fps: 0 }), 'Range ARGUMENT', 0, /fps must be a positive number/],
  ['two scales', () => v.cosmos({ scale: [1, 2] as never }), 'Range ARGUMENT', [1, 2], /scale must be 3 numbers/],
  ['a head that thirds do not fit', () => v.cosmos({ headDim: 8 }), 'Range CONFIG', 8, /headDim must be at least 12/],
  ['heads that do not divide', () => v.ltx2({ dim: 64, heads: 5 }), 'Range CONFIG', 'split', /heads divide dim 64/],
  [
    'learned frequencies of two axes',
    () => v.mochi({ frequencies: randomTensor('float32', [2, 1, 4], 1) }),
    'Range SHAPE',
    [2, 1, 4],
    /frequencies must be \(3, any, any\)/,
  ],
  [
    'sound',
    () => v.flux().positions(Sequence.of([{ kind: 'audio', length: 2 }])),
    'Range SEGMENT',
    'audio',
    /does not place this audio segment/,
  ],
  [
    'rows with a newline',
    () => v.flux().positions(Sequence.of([{ kind: 'image', grid: [1, 2, 2], rowEnds: true }])),
    'Range SEGMENT',
    'image',
    /does not place this image segment/,
  ],
  ['a grid of 0 rows', () => gridPositions([0, 3]), 'Range GRID', [1, 0, 3], /gridPositions/],
  [
    'a scale that is infinite',
    () => gridPositions([2, 2], { by: 'index', scale: Infinity }),
    'Range ARGUMENT',
    Infinity,
    /scale must be a finite number/,
  ],
  ['a grid of the wrong kind', () => gridPositions(4 as unknown as Grid), 'Range GRID', 4, /gridPositions/],
])
