import { strict as assert } from 'node:assert'
import { type Allocation, axisLetters } from '../lib/allocations/allocation.js'
import { allocations, Encoding, layouts, MropeError, spectra } from '../lib/index.js'

const thw = ['t', 'h', 'w']
const letters = (allocation: Allocation, axes: readonly string[] = thw): string => axisLetters(allocation, axes)
/** `THWTHW…` written short: `many('THW', 20)`. */
const many = (pattern: string, count: number): string => pattern.repeat(count)

const rows: [string, Allocation, string, string[]?][] = [
  ['chunked [16,24,24]', allocations.chunked([16, 24, 24], 64), many('T', 16) + many('H', 24) + many('W', 24)],
  ['chunked [8,12,12], GLM', allocations.chunked([8, 12, 12], 32), many('T', 8) + many('H', 12) + many('W', 12)],
  ['Qwen3-VL interleaved [24,20,20]', allocations.interleaved([24, 20, 20], 64), `${many('THW', 20)}TTTT`],
  ['Qwen3.5 interleaved [11,11,10]', allocations.interleaved([11, 11, 10], 32), `${many('THW', 10)}TH`],
  [
    'ggml IMROPE [24,20,20,0]',
    allocations.ggmlInterleaved([24, 20, 20, 0], 64),
    `${many('THW', 20)}TEET`,
    ['t', 'h', 'w', 'e'],
  ],
  [
    'ggml IMROPE [11,11,10,0]: no difference',
    allocations.ggmlInterleaved([11, 11, 10, 0], 32),
    `${many('THW', 10)}TH`,
    ['t', 'h', 'w', 'e'],
  ],
  ['VideoRoPE [24,24,16]', allocations.spatialFirst([24, 24, 16], 64), many('HW', 24) + many('T', 16)],
  ['HoPE: the T of VideoRoPE do not turn', allocations.spatialOnly([24, 24, 16], 64), many('HW', 24) + many('-', 16)],
  [
    'VideoRoPE as ported: T17 H24 W23',
    allocations.spatialFirstPort([24, 24, 16], 64),
    `T${many('HW', 23)}H${many('T', 16)}`,
  ],
  ['Ernie 4.5 VL [22,22,20]', allocations.spatialFirst([22, 22, 20], 64), many('HW', 22) + many('T', 20)],
  [
    'Cohere Compass [22,22,20], by pair',
    allocations.splitSpatial([22, 22, 20], 64),
    many('H', 22) + many('W', 22) + many('T', 20),
  ],
  ['MM-RoPE (Lumos-1)', allocations.repeated([0, 0, 1, 2, 1, 2, 1, 2], 64), many('TTHWHWHW', 8)],
  [
    'openPangu [24,20,20], the last one T',
    allocations.greedy([24, 20, 20], 64),
    'THWTHWTHWTHWTHWTHWTHWTHTWTHWTHWTHWTHWTHWTHWTHTWTHWTHWTHWTHWTHWTT',
  ],
  [
    'HunYuan-VL XD-RoPE [16,16,16,16]',
    allocations.chunked([16, 16, 16, 16], 64),
    many('P', 16) + many('W', 16) + many('H', 16) + many('I', 16),
    ['p', 'w', 'h', 'i'],
  ],
  ['NeoMME: rows and columns in turn', allocations.repeated([0, 1], 32), many('RC', 16), ['r', 'c']],
  ['GenLIP [8,12,12] interleaved', allocations.interleaved([8, 12, 12], 32), `${many('THW', 10)}TH`],
  ['vision tower, 80 channels', allocations.axial(40), many('H', 20) + many('W', 20), ['h', 'w']],
  ['one axis, 1 pair', allocations.single(1), 'P', ['p']],
]

describe('allocations: one letter a pair, highest frequency first', () => {
  for (const [name, allocation, expected, axes] of rows) {
    it(name, () => {
      assert.equal(letters(allocation, axes), expected)
      assert.deepEqual([allocation.pairs, allocation.heads], [expected.length, 1])
    })
  }

  it('interleaved reads only the second and third section', () => {
    const { axisOf } = allocations.interleaved([24, 20, 20], 64)
    const places = (axis: number): number[] => [...axisOf.keys()].filter((f) => axisOf[f] === axis)
    assert.deepEqual(
      places(1),
      Array.from({ length: 20 }, (_, i) => 3 * i + 1),
    )
    assert.deepEqual(
      places(2),
      Array.from({ length: 20 }, (_, i) => 3 * i + 2),
    )
    assert.deepEqual(places(0).slice(-5), [57, 60, 61, 62, 63])
  })

  it('Cohere Compass takes the frequencies of Ernie in another order of pairs', () => {
    const { axisOf, frequencyOf } = allocations.splitSpatial([22, 22, 20], 64)
    const even = Array.from({ length: 22 }, (_, i) => 2 * i)
    const tail = Array.from({ length: 20 }, (_, i) => 44 + i)
    assert.deepEqual([...frequencyOf!], [...even, ...even.map((f) => f + 1), ...tail])
    const byFrequency = Array.from(frequencyOf!, (f, pair) => [f, axisOf[pair]] as const).sort(([a], [b]) => a - b)
    assert.deepEqual(
      byFrequency.map(([, axis]) => axis),
      [...allocations.spatialFirst([22, 22, 20], 64).axisOf],
    )
  })

  it('openPangu keeps its sections: 24 T, 20 H, 20 W', () => {
    const { axisOf } = allocations.greedy([24, 20, 20], 64)
    assert.deepEqual(
      [0, 1, 2].map((axis) => axisOf.filter((a) => a === axis).length),
      [24, 20, 20],
    )
  })
})

describe('allocations: MHRoPE, one axis for each KV head', () => {
  const heads = (sections: number[], kvHeads: number): string[] =>
    letters(allocations.perHead(sections, 64, kvHeads)).split('|')
  const all = (text: string): string[] => [...text].map((letter) => many(letter, 64))

  it('[2,3,3] of 8', () => assert.deepEqual(heads([2, 3, 3], 8), all('TTHHHWWW')))
  it('[1,1,1] of 5: heads behind the sections do not turn', () => assert.deepEqual(heads([1, 1, 1], 5), all('THW--')))
  it('[0,2,1] of 3: no head for time', () => assert.deepEqual(heads([0, 2, 1], 3), all('HHW')))
})

describe('allocations: bad sections are typed errors', () => {
  const encoding = (allocation: Allocation): Encoding =>
    new Encoding({
      name: 'test',
      headDim: 128,
      layout: layouts.mrope(),
      spectrum: spectra.default({ base: 1e4, dim: 128 }),
      allocation,
      pairing: 'half-split',
    })
  const chunked = allocations.chunked([16, 24, 24], 64)
  const split = allocations.splitSpatial([22, 22, 20], 64)
  const bad: [string, () => unknown, RegExp][] = [
    [
      'sections that do not sum',
      () => allocations.chunked([16, 24, 23], 64),
      /sections \[16, 24, 23\] .* sum to 64 pairs/,
    ],
    ['a fraction', () => allocations.interleaved([24.5, 19.5, 20], 64), /\[24.5, 19.5, 20\] must be whole/],
    ['a negative section', () => allocations.chunked([80, -16], 64), /\[80, -16\] must be whole/],
    ['no sections', () => allocations.chunked([], 0), /sections \[\]/],
    ['not a list', () => allocations.chunked('16' as never, 16), /sections "16"/],
    [
      'interleaved with four sections',
      () => allocations.interleaved([16, 16, 16, 16], 64),
      /interleaved: 3 sections, got \[16, 16, 16, 16\]/,
    ],
    ['ggml with three', () => allocations.ggmlInterleaved([24, 20, 20], 64), /4 sections, got \[24, 20, 20\]/],
    [
      'Ernie with unequal h and w',
      () => allocations.spatialFirst([24, 20, 20], 64),
      /h and w alternate.*got \[24, 20, 20\]/,
    ],
    ['openPangu without T', () => allocations.greedy([0, 32, 32], 64), /last pair is T, got sections \[0, 32, 32\]/],
    ['an empty pattern', () => allocations.repeated([], 64), /pattern of axis numbers, got \[\]/],
    ['no pattern', () => allocations.repeated(null as never, 64), /pattern of axis numbers, got null/],
    ['axis −1 in a pattern', () => allocations.repeated([0, -1], 64), /got \[0, -1\]/],
    [
      'more heads than there are',
      () => allocations.perHead([2, 3, 4], 64, 8),
      /\[2, 3, 4\] count KV heads and sum to at most 8/,
    ],
    ['no heads', () => allocations.perHead([0, 0, 0], 64, 8), /\[0, 0, 0\] count KV heads/],
    [
      '1e9 KV heads',
      () => allocations.perHead([1, 1, 1], 64, 1e9),
      /KV heads is an integer from 1 to 1024, got 1000000000/,
    ],
    ['−1 pairs', () => allocations.single(-1), /number of pairs is an integer from 0 to 32768, got -1/],
    ['1e12 pairs', () => allocations.single(1e12), /got 1000000000000/],
    ['an odd number of pairs for rows and columns', () => allocations.axial(33), /an even number of pairs, got 33/],
    [
      'one axis too few for the layout',
      () => encoding(allocations.chunked([32, 32], 64)),
      /layout has axes t, h, w, the allocation 2/,
    ],
    [
      'too few pairs for the spectrum',
      () => encoding(allocations.chunked([8, 12, 12], 32)),
      /spectrum has 64 pairs, the allocation 32/,
    ],
    [
      'axis 3 of 3',
      () => encoding({ ...chunked, axisOf: chunked.axisOf.map(() => 3) }),
      /axisOf is from −1 to 2, got 3/,
    ],
    [
      '63 entries for 64 pairs',
      () => encoding({ ...chunked, axisOf: chunked.axisOf.slice(1) }),
      /axisOf has 1 × 64 entries, got 63/,
    ],
    [
      'frequency 64 of 64',
      () => encoding({ ...split, frequencyOf: split.frequencyOf!.map(() => 64) }),
      /frequencyOf is from 0 to 63, got 64/,
    ],
    [
      'directions of another size',
      () => encoding({ ...chunked, directions: new Float64Array(5) }),
      /directions has 1 × 64 × 3 entries, got 5/,
    ],
  ]
  for (const [name, make, message] of bad) {
    it(name, () => {
      assert.throws(make, (error: unknown) => {
        assert.ok(error instanceof MropeError && error instanceof RangeError, String(error))
        assert.match(error.code, /^ERR_MROPE_(SECTIONS|HEADS)$/)
        assert.match(error.message, message)
        return true
      })
    })
  }
})
