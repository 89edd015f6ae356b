import { strict as assert } from 'node:assert'
import { encodings, layouts, type Segment, Sequence } from '../lib/index.js'
import { examples, forward, idsOfA, idsOfC, image, inA, text, v5 } from './support/examples.js'
import { A, B, C, numbers, planes, video } from './support/ids.js'

const sound = (grid: [number, number, number], secondsPerGrid: number, audioLength: number): Segment[] => [
  text(1),
  { kind: 'audio-video', grid, secondsPerGrid, audioLength },
  text(1),
]
/** Ids of a video of 2×2×2 with these ids of time and of the text behind. */
const omniIds = (time: string, behind: string): string[] => [
  `0 1 2 | ${time} | ${behind}`,
  `0 1 2 | 3 3 4 4 3 3 4 4 | ${behind}`,
  `0 1 2 | 3 4 3 4 3 4 3 4 | ${behind}`,
]
examples('TMRoPE of the Omni models', [
  { name: 'Qwen2.5-Omni, A', layout: encodings.qwen25Omni(v5), ...inA },
  { name: 'Qwen3-Omni, A', layout: encodings.qwen3Omni(v5), ...inA },
  {
    name: 'Qwen2.5-Omni, video 2×2×2, 1 s',
    layout: encodings.qwen25Omni(v5),
    segments: video([2, 2, 2], 1),
    ids: omniIds('3×4 28×4', '29 30'),
    delta: 18,
    first: [31],
  },
  {
    name: 'Qwen3-Omni, video 2×2×2, 1 s',
    layout: encodings.qwen3Omni(v5),
    segments: video([2, 2, 2], 1),
    ids: omniIds('3×4 28×4', '29 30'),
    delta: 18,
    first: [31],
  },
  {
    name: 'Qwen2.5-Omni, 0.5 s: truncated',
    layout: encodings.qwen25Omni(v5),
    segments: video([2, 2, 2], 0.5),
    ids: omniIds('3×4 15×4', '16 17'),
    delta: 5,
    first: [18],
  },
  {
    name: 'Qwen3-Omni, 0.5 s: fractional from there on',
    layout: encodings.qwen3Omni(v5),
    segments: video([2, 2, 2], 0.5),
    ids: omniIds('3×4 15.5×4', '16.5 17.5'),
    delta: 5.5,
    first: [18.5],
  },
  {
    name: 'Qwen2.5-Omni, audio of 20 mel frames',
    layout: encodings.qwen25Omni(v5),
    segments: [text(2), { kind: 'audio', length: 5 }, text(2)],
    ids: ['0 1 | 2..6 | 7 8'],
    delta: 0,
    first: [9],
  },
  {
    name: 'Qwen3-Omni, audio of 20 mel frames',
    layout: encodings.qwen3Omni(v5),
    segments: [text(2), { kind: 'audio', length: 3 }, text(2)],
    ids: ['0 1 | 2..4 | 5 6'],
    delta: 0,
    first: [7],
  },
  {
    name: 'Qwen2.5-Omni, video with sound, 5.18: text behind falls back into the video',
    layout: encodings.qwen25Omni(forward),
    segments: sound([2, 2, 2], 1, 2),
    ids: [
      '0 | 1 1 | 2×4 27×4 | 2 3 | 4 4 | 5',
      '0 | 1 1 | 2 2 3 3 2 2 3 3 | 2 3 | 4 4 | 5',
      '0 | 1 1 | 2 3 2 3 2 3 2 3 | 2 3 | 4 4 | 5',
    ],
    delta: 12,
    first: [28],
  },
  {
    name: 'Qwen2.5-Omni, video with sound, coherent: behind the whole block',
    layout: encodings.qwen25Omni(),
    segments: sound([2, 2, 2], 1, 2),
    ids: [
      '0 | 1 1 | 2×4 27×4 | 2 3 | 28 28 | 29',
      '0 | 1 1 | 2 2 3 3 2 2 3 3 | 2 3 | 28 28 | 29',
      '0 | 1 1 | 2 3 2 3 2 3 2 3 | 2 3 | 28 28 | 29',
    ],
    delta: 14,
    first: [30],
  },
  {
    name: 'Qwen2.5-Omni, video with sound that is wider than long: columns count too',
    layout: encodings.qwen25Omni(),
    segments: sound([1, 1, 5], 1, 1),
    ids: ['0 | 1 1 | 2×5 | 2 | 7 7 | 8', '0 | 1 1 | 2×5 | 2 | 7 7 | 8', '0 | 1 1 | 2..6 | 2 | 7 7 | 8'],
    delta: -3,
    first: [9],
  },
  {
    name: 'Qwen2.5-Omni, three frames 1 s apart and 60 sounds: chunks of 50 ids, video first',
    layout: encodings.qwen25Omni(),
    segments: sound([3, 1, 1], 1, 60),
    ids: [
      '0 | 1 1 | 2 27 2..51 52 52..61 | 62 62 | 63',
      '0 | 1 1 | 2 2 2..51 2 52..61 | 62 62 | 63',
      '0 | 1 1 | 2 2 2..51 2 52..61 | 62 62 | 63',
    ],
    delta: -5,
    first: [64],
  },
  {
    name: 'Qwen3-Omni, two frames 0.1 s apart and four sounds: token by token, video first on ties',
    layout: encodings.qwen3Omni(v5),
    segments: sound([2, 2, 2], 0.1, 4),
    ids: [
      '0 1 2 | 3×4 | 3 4 5 | 5.5×4 | 6 | 7 8 9',
      '0 1 2 | 3 3 4 4 | 3 4 5 | 3 3 4 4 | 6 | 7 8 9',
      '0 1 2 | 3 4 3 4 | 3 4 5 | 3 4 3 4 | 6 | 7 8 9',
    ],
    delta: -8,
    first: [10],
  },
])

examples('GLM-Image: ids of images to be generated come from a table', [
  { name: 'A, no image to come', layout: encodings.glmImage(), ...inA },
  {
    name: 'A and two images to come: the first starts at the next id',
    layout: encodings.glmImage(),
    ...inA,
    options: {
      upcoming: [
        [1, 2, 2],
        [1, 1, 3],
      ],
    },
  },
])
describe('GLM-Image: decode table', () => {
  const positions = encodings.glmImage().positions(
    Sequence.of(A, {
      upcoming: [
        [1, 2, 2],
        [1, 1, 3],
      ],
    }),
  )
  const table = ['8×4 10×3 13 14 15', '8 8 9 9 10×3 13 14 15', '8 9 8 9 10 11 12 13 14 15'].map(numbers)
  it('2×2, then 1×3, one end marker, then text', () => assert.deepEqual(planes(positions.decode(10)), table))
  it('in pieces of 1, 3, 5, 1', () => {
    let at = 0
    for (const count of [1, 3, 5, 1]) {
      assert.deepEqual(
        planes(positions.decode(count, at)),
        table.map((line) => line.slice(at, at + count)),
      )
      at += count
    }
  })
  it('the rest from a decoded part', () => {
    assert.deepEqual(
      planes(positions.decode(6).decode(4)),
      table.map((line) => line.slice(6)),
    )
  })
})

const rowEnds: Segment = { kind: 'image', grid: [1, 2, 3], rowEnds: true }
const ocr: Segment[] = [text(3), text(1), rowEnds, text(1), text(2)]
examples('XD-RoPE of HunYuan-VL: plain index, and column, row, ordinal of image tokens', [
  {
    name: 'four axes: position, width, height, image',
    layout: encodings.hunyuanVL(),
    segments: ocr,
    ids: ['0..14', '0..3 | 0 1 2 3 0 1 2 3 | 12 13 14', '0..3 | 0×4 1×4 | 12 13 14', '0..3 | 0×8 | 12 13 14'],
    delta: 0,
    first: [15],
  },
  {
    name: 'three axes',
    layout: layouts.plainIndex(3),
    segments: ocr,
    ids: ['0..3 | 0 1 2 3 0 1 2 3 | 12 13 14', '0..3 | 0×4 1×4 | 12 13 14', '0..3 | 0×8 | 12 13 14'],
    delta: 0,
    first: [15],
  },
  {
    name: 'the second image has ordinal 1, and may have no row ends',
    layout: encodings.hunyuanVL(),
    segments: [rowEnds, text(1), image(1, 1, 2), text(1)],
    ids: ['0..11', '0..3 0..3 | 8 | 0 1 | 11', '0×4 1×4 | 8 | 0 0 | 11', '0×8 | 8 | 1 1 | 11'],
    delta: 0,
    first: [12],
  },
])

examples('XD-RoPE: the ordinal counts pictures', [
  {
    name: 'not sound, and not blocks without tokens',
    layout: encodings.hunyuanVL(),
    segments: [{ kind: 'audio', length: 2 }, { kind: 'audio', length: 0 }, image(1, 1, 1), image(1, 1, 1), text(1)],
    ids: ['0..4', '0 1 | 0 | 0 | 4', '0 1 | 0 | 0 | 4', '0 1 | 0 | 1 | 4'],
    delta: 0,
    first: [5],
  },
])

const canvas: Segment = { kind: 'canvas', thumbnail: [2, 2], slices: { rows: 2, columns: 2, grid: [1, 2] } }
examples('canvas ids of MiniCPM-V 4.7', [
  {
    name: 'thumbnail 2×2 over a canvas of 2×2 slices of 1×2',
    layout: encodings.miniCpmV47(),
    segments: [text(2), canvas, text(1)],
    ids: [
      '0 1 | 2×23 | 7',
      '0 1 | 1 | 2 2 3 3 | 4 | 2 2 2 2  2 2 2 2 | 2 | 3 3 3 3  3 3 3 3 | 7',
      '0 1 | 1 | 2 5 2 5 | 6 | 2 2 3 3  4 4 5 5 | 6 | 2 2 3 3  4 4 5 5 | 7',
    ],
    delta: -18,
    first: [8],
  },
  {
    name: 'first in the prompt: the marker in front has id 0',
    layout: encodings.miniCpmV47(),
    segments: [{ kind: 'canvas', thumbnail: [1, 2], trailing: 2 }, text(1)],
    ids: ['0×6 3', '0 | 0 0 | 1 | 0 0 | 3', '0 | 0 1 | 2 | 0 0 | 3'],
    delta: -3,
    first: [4],
  },
  {
    name: 'stretched 3 over 4 and 6: 1.5 and 2.5 go to the even number',
    layout: encodings.miniCpmV47(),
    segments: [{ kind: 'canvas', thumbnail: [3, 3], slices: { rows: 1, columns: 1, grid: [4, 6] } }],
    ids: [
      '0×37',
      `0 | 0×3 2×3 3×3 | 4 | 0 | ${'0×6 1×6 2×6 3×6'} | 3`,
      `0 | 0 2 5 0 2 5 0 2 5 | 6 | 0 | ${'0..5 '.repeat(4)} | 5`,
    ],
    delta: 7 - 37,
    first: [7],
  },
])

const frames = (ids: readonly number[], behind: string): string[] => [
  `0 1 2 ${ids.map((t) => `${t}×4`).join(' ')} ${behind}`,
  `0 1 2 ${'0 0 1 1 '.repeat(4)} ${behind}`,
  `0 1 2 ${'0 1 0 1 '.repeat(4)} ${behind}`,
]
examples('spatial reset', [
  {
    name: 'A',
    layout: layouts.spatialReset(),
    segments: A,
    ids: ['0 1 2 3×6 6 7', '0 1 2 0 0 0 1 1 1 6 7', '0 1 2 0 1 2 0 1 2 6 7'],
    delta: -3,
    first: [8],
  },
  {
    name: 'C',
    layout: layouts.spatialReset(),
    segments: C,
    ids: [idsOfC[0], '0 1 2 0 0 0 1 1 1 6 7 8 0 0 0 1 1 1 12 13', '0 1 2 0 1 2 0 1 2 6 7 8 0 1 2 0 1 2 12 13'],
    delta: -6,
    first: [14],
  },
  { name: 'B', layout: layouts.spatialReset(), segments: B, ids: frames([3, 4, 5, 6], '7 8'), delta: -12, first: [9] },
  {
    name: 'B, temporal stride 2',
    layout: layouts.spatialReset(2),
    segments: B,
    ids: frames([3, 5, 7, 9], '10 11'),
    delta: -9,
    first: [12],
  },
  {
    name: 'B, temporal stride 0.5',
    layout: layouts.spatialReset(0.5),
    segments: B,
    ids: frames([3, 3.5, 4, 4.5], '5.5 6.5'),
    delta: -13.5,
    first: [7.5],
  },
])

examples('one axis, and rows with columns', [
  { name: 'sequential, A', layout: layouts.sequential(), segments: A, ids: ['0..10'], delta: 0, first: [11] },
  {
    name: 'sequential, padded by 3',
    layout: layouts.sequential(),
    segments: A,
    options: { padding: 3 },
    ids: ['0 0 0 0..10'],
    delta: 0,
    first: [11],
  },
  {
    name: 'rows and columns, A',
    layout: layouts.rowsAndColumns(),
    segments: A,
    ids: idsOfA.slice(1),
    delta: -3,
    first: [8],
  },
  {
    name: 'rows and columns with row ends',
    layout: layouts.rowsAndColumns(),
    segments: [text(1), { kind: 'image', grid: [1, 2, 2], rowEnds: true }, text(1)],
    ids: ['0 1 1 1 2 2 2 4', '0 1 2 3 1 2 3 4'],
    delta: -3,
    first: [5],
  },
])
