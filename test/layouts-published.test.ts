import { strict as assert } from 'node:assert'
import { encodings, layouts, Sequence } from '../lib/index.js'
import { examples, idsOfA, idsOfC, image, inA, text } from './support/examples.js'
import { A, B, C, numbers, planes, video } from './support/ids.js'

const diagonalA = {
  segments: A,
  ids: ['0 1 2 3×6 4 5', '0 1 2 3 3 3 4 4 4 4 5', '0 1 2 2 3 4 2 3 4 4 5'],
  delta: -5,
  first: [6],
}
const diagonalC = {
  segments: C,
  ids: [
    '0 1 2 3×6 4 5 6 7×6 8 9',
    '0 1 2 3 3 3 4 4 4 4 5 6 7 7 7 8 8 8 8 9',
    '0 1 2 2 3 4 2 3 4 4 5 6 6 7 8 6 7 8 8 9',
  ],
  delta: -10,
  first: [10],
}
examples('VideoRoPE: frames on the diagonal', [
  { name: 'A', layout: encodings.videoRope(), ...diagonalA },
  { name: 'A, the port', layout: encodings.videoRopePort(), ...diagonalA },
  {
    name: 'B, stride 2',
    layout: encodings.videoRope(),
    segments: B,
    ids: [
      '0 1 2 3×4 5×4 7×4 9×4 10 11',
      '0 1 2 3 3 4 4 5 5 6 6 7 7 8 8 9 9 10 10 10 11',
      '0 1 2 3 4 3 4 5 6 5 6 7 8 7 8 9 10 9 10 10 11',
    ],
    delta: -9,
    first: [12],
  },
  { name: 'C', layout: encodings.videoRope(), ...diagonalC },
  {
    name: 'B, `time_rope` of its code: every axis counts frames',
    layout: layouts.timeOnly(),
    segments: B,
    ids: ['0 1 2 3×4 4×4 5×4 6×4 7 8'],
    delta: -12,
    first: [9],
  },
  {
    name: '3×5 first in the prompt: rows from −1, columns from −2',
    layout: encodings.videoRope(),
    segments: [image(1, 3, 5), text(1)],
    ids: ['0×15 1', '-1×5 0×5 1×5 1', `${'-2 -1 0 1 2 '.repeat(3)} 1`],
    delta: -14,
    first: [2],
  },
])

examples('HoPE: the same with the stride of the user', [
  { name: 'A', layout: encodings.hope(), ...diagonalA },
  {
    name: 'B, stride 0.75',
    layout: encodings.hope(),
    segments: B,
    ids: [
      '0 1 2 3×4 3.75×4 4.5×4 5.25×4 6.25 7.25',
      '0 1 2 3 3 4 4 3.75 3.75 4.75 4.75 4.5 4.5 5.5 5.5 5.25 5.25 6.25 6.25 6.25 7.25',
      '0 1 2 3 4 3 4 3.75 4.75 3.75 4.75 4.5 5.5 4.5 5.5 5.25 6.25 5.25 6.25 6.25 7.25',
    ],
    delta: -12.75,
    first: [8.25],
  },
  { name: 'C', layout: encodings.hope(), ...diagonalC },
])

examples('V2PE: one axis in fractions', [
  {
    name: 'A, 6 tokens a tile, stride 3',
    layout: encodings.v2pe({ tokensPerTile: 6, stride: 3 }),
    segments: A,
    ids: ['0 1 2 | 2.5 3 3.5 4 4.5 5 | 6 7'],
    delta: -3,
    first: [8],
  },
  {
    name: 'A, 3 tokens a tile, so two tiles, stride 1: thirds of an id, and the second tile ends on a whole one',
    layout: encodings.v2pe({ tokensPerTile: 3, stride: 1 }),
    segments: A,
    ids: [`0 1 2 | ${[1, 2, 3, 4, 5, 6].map((j) => 2 + j / 3).join(' ')} | 5 6`],
    delta: -4,
    first: [7],
  },
  {
    name: 'A, an id a token: ordinary ids',
    layout: encodings.v2pe({ mode: 'default' }),
    segments: A,
    ids: ['0..10'],
    delta: 0,
    first: [11],
  },
  {
    name: '4 tokens, one id a block: +0.25, +0.5, +0.75, +1 behind the token in front',
    layout: encodings.v2pe({ tokensPerTile: 'block', stride: 1 }),
    segments: [text(3), image(1, 2, 2), text(1)],
    ids: ['0 1 2 | 2.25 2.5 2.75 3 | 4'],
    delta: -3,
    first: [5],
  },
  {
    name: 'a block that ends between two ids: the text behind starts at ceil + 1',
    layout: encodings.v2pe({ tokensPerTile: 16, stride: 1 }),
    segments: [text(2), image(1, 1, 3), text(1)],
    ids: ['0 1 | 1.0625 1.125 1.1875 | 3'],
    delta: -2,
    first: [4],
  },
  {
    name: 'first in the prompt: behind an id −1',
    layout: encodings.v2pe({ tokensPerTile: 2, stride: 1 }),
    segments: [image(1, 2, 2), text(1)],
    ids: ['-0.5 0 0.5 1 | 2'],
    delta: -2,
    first: [3],
  },
])
describe('V2PE: spans', () => {
  it('three tiles of 256 tokens, stride 64: 192 ids, 64 for each tile', () => {
    const positions = encodings.v2pe().positions(Sequence.of([text(5), image(3, 16, 16), text(1)]))
    const ids = positions.axis(0)
    assert.deepEqual([ids[4], ids[5], ids[4 + 256], ids[4 + 512], ids[4 + 768]], [4, 4.25, 68, 132, 196])
    assert.equal(ids[5 + 768], 197)
  })
  it('the end of a block is exact for every stride and size: 1 to 40 tokens, strides 1 to 40', () => {
    for (let tokens = 1; tokens <= 40; tokens++) {
      for (let stride = 1; stride <= 40; stride++) {
        const layout = encodings.v2pe({ tokensPerTile: 'block', stride })
        const positions = layout.positions(Sequence.of([text(4), image(1, 1, tokens), text(1)]))
        const ids = positions.axis(0)
        assert.deepEqual([ids[3 + tokens], ids[4 + tokens]], [3 + stride, 4 + stride], `${tokens}, ${stride}`)
      }
    }
  })
  it('random strides are powers of two up to 256, all of them over 100 blocks, and the same for the same seed', () => {
    const sequence = Sequence.of(Array.from({ length: 100 }, () => [text(1), image(1, 16, 16)]).flat())
    const spans = (seed: number): number[] => {
      const ids = encodings.v2pe({ mode: 'random', seed }).positions(sequence).axis(0)
      return Array.from({ length: 100 }, (_, b) => ids[b * 257 + 256] - ids[b * 257])
    }
    assert.deepEqual(
      [...new Set(spans(33))].sort((a, b) => a - b),
      [1, 2, 4, 8, 16, 32, 64, 128, 256],
    )
    assert.deepEqual(spans(33), spans(33))
    assert.notDeepEqual(spans(33), spans(34))
    assert.notDeepEqual(spans(2 ** 40), spans(0))
  })
})

examples('VRoPE: four corners', [
  {
    name: 'A',
    layout: encodings.vRope(),
    segments: A,
    ids: [
      '0 1 2 | 3 4 5 4 5 6 | 7 8',
      '0 1 2 | 5 4 3 6 5 4 | 7 8',
      '0 1 2 | 4 5 6 3 4 5 | 7 8',
      '0 1 2 | 6 5 4 5 4 3 | 7 8',
    ],
    delta: -2,
    first: [9],
  },
  {
    name: 'B: three ids a frame',
    layout: encodings.vRope(),
    segments: B,
    ids: [
      '0 1 2 | 3 4 4 5  6 7 7 8  9 10 10 11  12 13 13 14 | 15 16',
      '0 1 2 | 4 3 5 4  7 6 8 7  10 9 11 10  13 12 14 13 | 15 16',
      '0 1 2 | 4 5 3 4  7 8 6 7  10 11 9 10  13 14 12 13 | 15 16',
      '0 1 2 | 5 4 4 3  8 7 7 6  11 10 10 9  14 13 13 12 | 15 16',
    ],
    delta: -4,
    first: [17],
  },
])

examples('Omni-RoPE, OmniGen2 and IL-RoPE: rows and columns from 0', [
  ...(['omniRope', 'omniGen2', 'ilRope'] as const).map((name) => ({
    name: `${name}, A`,
    layout: encodings[name](),
    segments: A,
    ids: ['0 1 2 3×6 6 7', '0 1 2 0 0 0 1 1 1 6 7', '0 1 2 0 1 2 0 1 2 6 7'],
    delta: -3,
    first: [8],
  })),
  {
    name: 'OmniGen2: two images in, one out, each behind the longer side of the one before',
    layout: encodings.omniGen2(),
    segments: [text(2), image(1, 2, 3), image(1, 4, 1), image(1, 1, 2)],
    ids: ['0 1 | 2×6 | 5×4 | 9 9', '0 1 | 0 0 0 1 1 1 | 0 1 2 3 | 0 0', '0 1 | 0 1 2 0 1 2 | 0 0 0 0 | 0 1'],
    delta: 11 - 14,
    first: [11],
  },
])

examples('Lumina-2: text counts on the first axis', [
  {
    name: 'A: text (i, 0, 0), the picture (3, row, column)',
    layout: encodings.lumina2(),
    segments: A,
    ids: ['0 1 2 3×6 4 5', '0 0 0 0 0 0 1 1 1 0 0', '0 0 0 0 1 2 0 1 2 0 0'],
    delta: -5,
    first: [6, 0, 0],
  },
])

examples('MM-RoPE: steps of 4, 8 and 8 ids', [
  {
    name: 'A',
    layout: encodings.mmRope(),
    segments: A,
    ids: ['0 1 2 3×6 20 21', '0 1 2 3 3 3 11 11 11 20 21', '0 1 2 3 11 19 3 11 19 20 21'],
    delta: 11,
    first: [22],
  },
  { name: 'A, scale 1: M-RoPE', layout: encodings.mmRope({ scale: [1, 1, 1] }), ...inA },
  {
    name: 'B: four frames of four ids',
    layout: encodings.mmRope(),
    segments: B,
    ids: [
      '0 1 2 3×4 7×4 11×4 15×4 16 17',
      `0 1 2 ${'3 3 11 11 '.repeat(4)} 16 17`,
      `0 1 2 ${'3 11 3 11 '.repeat(4)} 16 17`,
    ],
    delta: -3,
    first: [18],
  },
])

const resetRows = (behind: string): string[] => [
  `0 1 2 ${'0 0 1 1 '.repeat(4)} ${behind}`,
  `0 1 2 ${'0 1 0 1 '.repeat(4)} ${behind}`,
]
examples('MRoPE-Interleave and MHRoPE', [
  ...(['mropeI', 'mhRope'] as const).flatMap((name) => [
    {
      name: `${name}, A, reset`,
      layout: encodings[name](),
      segments: A,
      ids: ['0 1 2 3×6 6 7', '0 1 2 0 0 0 1 1 1 6 7', '0 1 2 0 1 2 0 1 2 6 7'],
      delta: -3,
      first: [8],
    },
    {
      name: `${name}, C, reset`,
      layout: encodings[name](),
      segments: C,
      ids: [idsOfC[0], '0 1 2 0 0 0 1 1 1 6 7 8 0 0 0 1 1 1 12 13', '0 1 2 0 1 2 0 1 2 6 7 8 0 1 2 0 1 2 12 13'],
      delta: -6,
      first: [14],
    },
    { name: `${name}, A, no reset: M-RoPE`, layout: encodings[name]({ spatialReset: false }), ...inA },
    {
      name: `${name}, C, no reset: Qwen3-VL`,
      layout: encodings[name]({ spatialReset: false }),
      segments: C,
      ids: idsOfC,
      delta: -6,
      first: [14],
    },
    {
      name: `${name}, B, stride 2`,
      layout: encodings[name]({ temporalStride: 2 }),
      segments: B,
      ids: ['0 1 2 3×4 5×4 7×4 9×4 10 11', ...resetRows('10 11')],
      delta: -9,
      first: [12],
    },
    {
      name: `${name}, B, stride 0.5`,
      layout: encodings[name]({ temporalStride: 0.5 }),
      segments: B,
      ids: ['0 1 2 3×4 3.5×4 4×4 4.5×4 5.5 6.5', ...resetRows('5.5 6.5')],
      delta: -13.5,
      first: [7.5],
    },
  ]),
])

describe('temporal strides drawn for every block', () => {
  const among = [0.5, 0.75, 1, 1.25, 1.5]
  const videos = Sequence.of(Array.from({ length: 60 }, () => [text(1), video([3, 1, 2])[1]]).flat())
  const strides = (name: 'hope' | 'mropeI' | 'mhRope' | 'videoRope', seed: number): number[] => {
    const t = encodings[name]({ temporalStride: { among, seed } }).positions(videos).axis('t')
    return Array.from({ length: 60 }, (_, b) => {
      const frames = [1, 3, 5].map((i) => t[b * 7 + i])
      assert.equal(frames[2] - frames[1], frames[1] - frames[0])
      return frames[1] - frames[0]
    })
  }
  it('come from the list, each of them over 60 blocks, and are those of the seed', () => {
    for (const name of ['hope', 'mropeI', 'mhRope', 'videoRope'] as const) {
      assert.deepEqual([...new Set(strides(name, 7))].sort(), among)
      assert.deepEqual(strides(name, 7), strides('hope', 7))
    }
    assert.notDeepEqual(strides('hope', 7), strides('hope', 8))
  })
})

examples('Bagel: a picture has one id', [
  { name: 'A', layout: encodings.bagel(), segments: A, ids: ['0 1 2 3×6 4 5'], delta: -5, first: [6] },
  {
    name: 'two pictures in a row',
    layout: encodings.bagel(),
    segments: [image(1, 1, 2), image(1, 3, 1), text(2)],
    ids: ['0 0 1 1 1 2 3'],
    delta: -3,
    first: [4],
  },
])

examples('ablations of MRoPE-Interleave', [
  {
    name: 'enlarged interval of 5, A: five ids free in front and behind',
    layout: encodings.enlargedInterval({ interval: 5 }),
    segments: A,
    ids: ['0 1 2 8×6 16 17', '0 1 2 0 0 0 1 1 1 16 17', '0 1 2 0 1 2 0 1 2 16 17'],
    delta: 7,
    first: [18],
  },
  {
    name: 'text spatial reset, A: text (i, 0, 0)',
    layout: encodings.textSpatialReset(),
    segments: A,
    ids: ['0 1 2 3×6 6 7', '0 0 0 0 0 0 1 1 1 0 0', '0 0 0 0 1 2 0 1 2 0 0'],
    delta: -3,
    first: [8, 0, 0],
  },
  { name: 'diagonal layout, A', layout: encodings.diagonalLayout(), ...diagonalA },
  {
    name: 'scaled base, A: the ids of the spatial reset',
    layout: encodings.scaledSpatialBase(),
    segments: A,
    ids: [idsOfA[0], '0 1 2 0 0 0 1 1 1 6 7', '0 1 2 0 1 2 0 1 2 6 7'],
    delta: -3,
    first: [8],
  },
])

describe('a padded row of a scheme in fractions', () => {
  it('HoPE, B padded by 3: ids, delta and continuation of the row alone', () => {
    const alone = encodings.hope().positions(Sequence.of(B))
    const padded = encodings.hope().positions(Sequence.of(B, { padding: 3 }))
    assert.deepEqual(
      planes(padded),
      planes(alone).map((axis) => [...numbers('0×3'), ...axis]),
    )
    assert.deepEqual([padded.next, padded.delta], [8.25, -12.75])
    assert.deepEqual(
      planes(padded.decode(2)),
      [0, 1, 2].map(() => [8.25, 9.25]),
    )
  })
})
