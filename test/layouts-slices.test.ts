import { strict as assert } from 'node:assert'
import fc from 'fast-check'
import { layouts, type Segment, Sequence } from '../lib/index.js'
import { type SlicesSegment, tokensOf } from '../lib/sequence/segment.js'
import { sliceTokens } from '../lib/sequence/slices.js'
import { examples, image, text } from './support/examples.js'

/** Two rows of three slices of 1×2 tokens: a grid of 2×6. */
const slices = { rows: 2, columns: 3, grid: [1, 2] } as const
const cut = (more: Partial<SlicesSegment> = {}): Segment => ({ kind: 'slices', slices, ...more })

describe('tokens of a sliced picture', () => {
  const tokens = (more: Partial<SlicesSegment> = {}) => sliceTokens(cut(more) as SlicesSegment)
  it('slice by slice: the first row of the whole is the first row of each slice', () => {
    const tall: Segment = { kind: 'slices', slices: { rows: 1, columns: 2, grid: [2, 2] } }
    assert.deepEqual([...sliceTokens(tall as SlicesSegment).cells], [0, 1, 4, 5, 2, 3, 6, 7])
  })
  it('row by row, with a newline behind each', () => {
    const { cells, rowEnds } = tokens({ order: 'rows', rowEnds: true })
    assert.deepEqual([...cells], [0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 12])
    assert.deepEqual([...rowEnds], [6, 13])
  })
  it('a thumbnail in front or at the back', () => {
    assert.deepEqual([tokens({ thumbnail: [2, 2] }).thumbnail, tokens({ thumbnail: [2, 2] }).cells[0]], [0, 4])
    const back = tokens({ thumbnail: [2, 2], thumbnailAt: 'back' })
    assert.deepEqual([back.thumbnail, back.cells[0]], [12, 0])
  })
  it('every token is a cell, a row end or one of the thumbnail, once', () => {
    const side = fc.integer({ min: 1, max: 4 })
    fc.assert(
      fc.property(
        fc.tuple(side, side, side, side),
        fc.option(fc.tuple(side, side)),
        fc.boolean(),
        fc.nat(2),
        ([rows, columns, h, w], thumbnail, back, order) => {
          const segment: SlicesSegment = {
            kind: 'slices',
            slices: { rows, columns, grid: [h, w] },
            ...(thumbnail ? { thumbnail, thumbnailAt: back ? 'back' : 'front' } : {}),
            ...(order > 0 ? { order: 'rows', rowEnds: order > 1 } : {}),
          }
          const found = sliceTokens(segment)
          const small = Array.from(
            { length: thumbnail ? thumbnail[0] * thumbnail[1] : 0 },
            (_, i) => found.thumbnail + i,
          )
          const all = [...small, ...found.cells, ...found.rowEnds].sort((a, b) => a - b)
          assert.deepEqual(
            all,
            Array.from({ length: tokensOf(segment) }, (_, i) => i),
          )
        },
      ),
    )
  })
})

const stretched = layouts.slices()
const block = layouts.slices({ thumbnail: 'block' })
examples('slices on one grid', [
  {
    name: 'slice by slice, no thumbnail',
    layout: stretched,
    segments: [text(2), cut(), text(1)],
    ids: ['0 1 | 2×12 | 8', '0 1 | 2 2 2 2 2 2  3 3 3 3 3 3 | 8', '0 1 | 2 3 4 5 6 7  2 3 4 5 6 7 | 8'],
    delta: -6,
    first: [9],
  },
  {
    name: 'thumbnail of 1×3 in front, stretched: columns 0, 2 and 5 of 6',
    layout: stretched,
    segments: [text(2), cut({ thumbnail: [1, 3] }), text(1)],
    ids: [
      '0 1 | 2×3 2×12 | 8',
      '0 1 | 2 2 2 | 2 2 2 2 2 2  3 3 3 3 3 3 | 8',
      '0 1 | 2 4 7 | 2 3 4 5 6 7  2 3 4 5 6 7 | 8',
    ],
    delta: -9,
    first: [9],
  },
  {
    name: 'InternVL order: thumbnail at the back, as a block behind the slices',
    layout: block,
    segments: [text(1), cut({ thumbnail: [2, 2], thumbnailAt: 'back' }), text(1)],
    ids: [
      '0 | 1×12 | 7×4 | 9',
      '0 | 1 1 1 1 1 1  2 2 2 2 2 2 | 7 7 8 8 | 9',
      '0 | 1 2 3 4 5 6  1 2 3 4 5 6 | 7 8 7 8 | 9',
    ],
    delta: -8,
    first: [10],
  },
  {
    name: 'LLaVA-NeXT order: thumbnail in front as a block, then rows with newlines',
    layout: block,
    segments: [text(1), cut({ thumbnail: [2, 2], order: 'rows', rowEnds: true }), text(1)],
    ids: ['0 | 1×4 | 3×14 | 10', '0 | 1 1 2 2 | 3×7 4×7 | 10', '0 | 1 2 1 2 | 3 4 5 6 7 8 9  3 4 5 6 7 8 9 | 10'],
    delta: -9,
    first: [11],
  },
  {
    name: 'images, videos and sound are as in M-RoPE',
    layout: stretched,
    segments: [image(1, 2, 3), { kind: 'audio', length: 2 }, { kind: 'video', grid: [2, 1, 1] }, text(1)],
    ids: ['0×6 3 4 5 6 7', '0 0 0 1 1 1 3 4 5 5 7', '0 1 2 0 1 2 3 4 5 5 7'],
    delta: -3,
    first: [8],
  },
])

const queries: Segment = { kind: 'queries', length: 4 }
const prompt = [text(3), queries, text(2), image(1, 1, 2), text(1)]
examples('one-dimensional strategies', [
  ...(['sequential', 'earlyFusion', 'lateFusion'] as const).map((name) => ({
    name: `${name}: queries and pictures stand in the line of the text`,
    layout: layouts[name](),
    segments: prompt,
    ids: ['0..11'],
    delta: 0,
    first: [12],
  })),
  {
    name: 'middle fusion: queries and pictures count from 0, text as without them',
    layout: layouts.middleFusion(),
    segments: prompt,
    ids: ['0 1 2 | 0 1 2 3 | 3 4 | 0 1 | 5'],
    delta: -6,
    first: [6],
  },
  {
    name: 'middle fusion: 32 queries of a Q-Former alone are a sequence of their own',
    layout: layouts.middleFusion(),
    segments: [{ kind: 'queries', length: 32 }],
    ids: ['0..31'],
    delta: -32,
    first: [0],
  },
  {
    name: 'late fusion: the 64 outputs of a Perceiver resampler among text',
    layout: layouts.lateFusion(),
    segments: [text(2), { kind: 'queries', length: 64 }, text(2)],
    ids: ['0..67'],
    delta: 0,
    first: [68],
  },
  {
    name: 'late fusion: slices in tokens, thumbnail and newlines',
    layout: layouts.lateFusion(),
    segments: [text(1), cut({ thumbnail: [2, 2], order: 'rows', rowEnds: true }), text(1)],
    ids: ['0..19'],
    delta: 0,
    first: [20],
  },
  {
    name: 'V2PE takes slices of any order and queries as tiles',
    layout: layouts.v2pe({ stride: 2, per: 4 }),
    segments: [text(1), cut({ thumbnail: [2, 2], thumbnailAt: 'back' }), text(1), queries, text(1)],
    ids: ['0 | 0.5 1 1.5 2 2.5 3 3.5 4 4.5 5 5.5 6 6.5 7 7.5 8 | 9 | 9.5 10 10.5 11 | 12'],
    delta: 13 - 23,
    first: [13],
  },
])

describe('segments of slices and queries', () => {
  it('count their tokens', () => {
    const count = (segment: Segment): number => Sequence.of([segment]).length
    assert.equal(count(cut()), 12)
    assert.equal(count(cut({ thumbnail: [7, 3] })), 33)
    assert.equal(count(cut({ thumbnail: [7, 3], order: 'rows', rowEnds: true })), 35)
    assert.equal(count({ kind: 'queries', length: 0 }), 0)
  })
  it('are blocks, and are copied', () => {
    const thumbnail: [number, number] = [2, 2]
    const sequence = Sequence.of([text(3), cut({ thumbnail }), queries])
    thumbnail[0] = 9
    assert.deepEqual(sequence.blocks(), [
      { kind: 'slices', start: 3, length: 16 },
      { kind: 'queries', start: 19, length: 4 },
    ])
  })
})
