import assert from 'node:assert/strict'
import fc from 'fast-check'
import { allocations } from '../lib/allocations/index.js'
import { coherence, coherenceOf } from '../lib/analysis/coherence.js'
import type { Coherence } from '../lib/analysis/report.js'
import type { Encoding } from '../lib/encodings/encoding.js'
import { encodings } from '../lib/encodings/named.js'
import { layouts } from '../lib/layouts/index.js'
import type { Layout } from '../lib/layouts/layout.js'
import { Positions } from '../lib/layouts/positions.js'
import type { Grid, Segment } from '../lib/sequence/segment.js'
import { Sequence } from '../lib/sequence/sequence.js'
import { cellsOf, encode, size } from './coherence-schemes.js'

const seed = Number(process.env.MROPE_FUZZ_SEED ?? Date.now() % 2 ** 31)

const text = fc.record({ kind: fc.constant('text' as const), length: fc.integer({ min: 0, max: 9 }) })
const side = fc.integer({ min: 1, max: 6 })
const imageSegment = fc.record({
  kind: fc.constant('image' as const),
  grid: fc.tuple(fc.constant(1), side, side) as fc.Arbitrary<Grid>,
})
const videoSegment = fc.record({
  kind: fc.constant('video' as const),
  grid: fc.tuple(fc.integer({ min: 1, max: 12 }), side, side) as fc.Arbitrary<Grid>,
  secondsPerGrid: fc.constantFrom(0.25, 0.5, 1, 2),
})
const audioSegment = fc.record({ kind: fc.constant('audio' as const), length: fc.integer({ min: 0, max: 9 }) })
const soundSegment = fc.record({
  kind: fc.constant('audio-video' as const),
  grid: fc.tuple(fc.integer({ min: 1, max: 4 }), side, side) as fc.Arbitrary<Grid>,
  secondsPerGrid: fc.constantFrom(0.25, 0.5, 1),
  audioLength: fc.integer({ min: 0, max: 40 }),
})
const canvasSegment = fc.record({
  kind: fc.constant('canvas' as const),
  thumbnail: fc.tuple(side, side),
  slices: fc.option(fc.record({ rows: side, columns: side, grid: fc.tuple(side, side) }), { nil: undefined }),
  trailing: fc.constantFrom(0, 2),
})

const sequences = (...kinds: fc.Arbitrary<Segment>[]): fc.Arbitrary<Sequence> =>
  fc.array(fc.oneof(text, ...kinds), { maxLength: 8 }).map((segments) => Sequence.of(segments))

const pictures = sequences(imageSegment, videoSegment, audioSegment)
const sounds = sequences(imageSegment, videoSegment, audioSegment, soundSegment)

/** Every layout with what it takes. */
const coherent: readonly [Layout, fc.Arbitrary<Sequence>][] = [
  [layouts.sequential(), sequences(imageSegment, videoSegment, audioSegment, soundSegment, canvasSegment)],
  [layouts.mrope(), pictures],
  [layouts.mropeSeconds(2), pictures],
  [layouts.mropeTimestamps(), sequences(imageSegment, audioSegment)],
  [layouts.spatialReset(), pictures],
  [layouts.spatialReset(0.5), pictures],
  [layouts.rowsAndColumns(), sequences(imageSegment)],
  [layouts.tmropeChunked(25, 0.5), sounds],
  [layouts.tmropeSorted(25), sounds],
  [layouts.plainIndex(4), sequences(imageSegment, audioSegment)],
  [layouts.canvas(), sequences(canvasSegment)],
  [layouts.generatedImages(), sequences(imageSegment)],
]

/** An encoding that turns all axes of a layout in turn. */
const turning = (layout: Layout): Encoding =>
  encode(
    layout,
    allocations.repeated(
      layout.axes.map((_, a) => a),
      12,
    ),
  )

describe('properties of coherence', () => {
  for (const [layout, arbitrary] of coherent) {
    it(`${layout.name} ${JSON.stringify(layout.rules.time ?? '')} never overlaps, seed ${seed}`, () => {
      const encoding = turning(layout)
      fc.assert(
        fc.property(arbitrary, fc.integer({ min: 0, max: 40 }), (sequence, generated) => {
          const found = coherence(encoding, sequence, { generated })
          assert.equal(found.monotoneDecode, true)
          assert.equal(found.textCompatible, true)
          for (const block of found.blocks) {
            assert.equal(block.overlap, 0)
            assert.equal(block.sharedVectors, 0)
            assert.ok(block.interval.after! >= 1)
          }
          assert.deepEqual(JSON.parse(JSON.stringify(found)), found)
        }),
        { seed, numRuns: 150 },
      )
    })
  }

  const several = [
    turning(layouts.mrope()),
    turning(layouts.spatialReset(0.5)),
    turning(layouts.mropeSeconds(3)),
    encodings.qwen2VL({ compat: 'transformers@5.18' }),
    encodings.qwen2VL({ compat: 'transformers@5.18/forward' }),
    encodings.qwen25Omni({ compat: 'transformers@5.18' }),
  ]

  it(`start is the id that text would have there, seed ${seed}`, () => {
    for (const encoding of several) {
      fc.assert(
        fc.property(pictures, (sequence) => {
          const found = coherence(encoding, sequence)
          const numbers = sequence
            .blocks()
            .map(({ length }, b) => [b, length])
            .filter(([, length]) => length > 0)
          assert.deepEqual(
            found.blocks.map(({ index }) => index),
            numbers.map(([b]) => b),
          )
          for (const { index, start, next } of found.blocks) {
            const place = sequence.segments.findIndex(
              (segment, i) =>
                segment.kind !== 'text' &&
                sequence.segments.slice(0, i).filter(({ kind }) => kind !== 'text').length === index,
            )
            const before = encoding.positions(Sequence.of(sequence.segments.slice(0, place)))
            assert.equal(start, before.next)
            if (encoding.compat !== 'coherent') continue
            assert.equal(next, encoding.positions(Sequence.of(sequence.segments.slice(0, place + 1))).next)
          }
        }),
        { seed, numRuns: 60 },
      )
    }
  })

  it(`adding a constant to all ids changes no verdict, seed ${seed}`, () => {
    const shift = fc.oneof(fc.integer({ min: -(2 ** 20), max: 2 ** 20 }), fc.constantFrom(0.5, -7.25))
    for (const encoding of several) {
      fc.assert(
        fc.property(pictures, shift, (sequence, constant) => {
          const positions = encoding.positions(sequence)
          const blocks = sequence.blocks()
          const starts = blocks.map(() => 0)
          for (const { index, start } of coherence(encoding, sequence).blocks) starts[index] = start!
          const judged = (by: number): Coherence =>
            coherenceOf(
              new Positions({
                axes: positions.axes,
                ids: positions.ids.map((id) => id + by),
                next: positions.next + by,
                delta: positions.delta + by,
                continuation: {
                  table: new Float64Array(),
                  first: positions
                    .decode(1)
                    .at(0)
                    .map((id) => id + by),
                  step: positions.axes.map(() => 1),
                },
              }),
              sequence,
              { starts: starts.map((start) => start + by) },
            )
          assert.deepEqual(withoutIds(judged(constant)), withoutIds(judged(0)))
        }),
        { seed, numRuns: 60 },
      )
    }
  })

  it(`equals the definitions, token by token, on random ids, seed ${seed}`, () => {
    const ids = fc.integer({ min: -2, max: 4 })
    const cases = pictures.chain((sequence) =>
      fc.record({
        sequence: fc.constant(sequence),
        ids: fc.integer({ min: 1, max: 3 }).chain((axes) =>
          fc.array(fc.array(ids, { minLength: sequence.length, maxLength: sequence.length }), {
            minLength: axes,
            maxLength: axes,
          }),
        ),
        next: ids,
        generated: fc.integer({ min: 0, max: 4 }),
      }),
    )
    fc.assert(
      fc.property(cases, ({ sequence, ids, next, generated }) => {
        const axes = ids.map((_, a) => `a${a}`)
        const found = coherenceOf(Positions.from({ axes, ids, next }), sequence, { generated })
        for (const block of found.blocks) assertDefinitions(block, sequence, ids, next, generated)
      }),
      { seed, numRuns: 400 },
    )
  })
})

/** What does not move with the ids. */
function withoutIds(found: Coherence) {
  const { words: _, maxId, growth, decode, blocks, ...rest } = found
  return {
    ...rest,
    sameStep: decode.first.map((id, a) => id - decode.expected[a]),
    blocks: blocks.map(({ start, next, largest, overlapping, ...block }) => {
      const { ids, ...counts } = overlapping
      return { ...block, counts, range: ids && ids[1] - ids[0], sizes: [next! - start!, largest - start!] }
    }),
  }
}

/** Section by section as the predicates are defined, over all pairs of tokens. */
function assertDefinitions(
  block: Coherence['blocks'][number],
  sequence: Sequence,
  ids: readonly number[][],
  next: number,
  generated: number,
): void {
  const kinds = sequence.segments.flatMap(({ kind, ...segment }) =>
    Array<string>('grid' in segment ? size(segment.grid as Grid) : (segment as { length: number }).length).fill(kind),
  )
  const vectors = kinds.map((_, n) => ids.map((axis) => axis[n]))
  const all = [
    ...vectors.map((vector, n) => ({ vector, text: kinds[n] === 'text' })),
    ...Array.from({ length: generated }, (_, i) => ({ vector: ids.map(() => next + i), text: true })),
  ]
  // An axis that is the same for every token, generated ones too, places nothing.
  const changing = ids.map((axis) => axis.some((id) => id !== next))
  const live = changing.includes(true) ? changing : changing.map(() => true)
  const on = (vector: number[]): number[] => vector.filter((_, a) => live[a])
  const own = vectors.slice(block.token, block.token + block.tokens).map(on)
  const behind = all.slice(block.token + block.tokens).filter((token) => token.text)
  const largest = Math.max(...own.flat())
  const under = behind.map(({ vector }) => Math.min(...on(vector))).filter((id) => id <= largest)
  assert.equal(block.largest, largest)
  assert.equal(block.overlap, under.length)
  assert.deepEqual(block.overlapping.ids, under.length > 0 ? [Math.min(...under), Math.max(...under)] : null)
  const shared = all.filter(({ vector, text }) => text && own.some((cell) => String(cell) === String(on(vector))))
  assert.equal(block.sharedVectors, shared.length)
  ids.forEach((axis, a) => {
    const earlier = axis.slice(0, block.token).filter((_, n) => kinds[n] === 'text')
    const visual = axis.slice(block.token, block.token + block.tokens)
    assert.equal(block.sharedWithEarlierText[`a${a}`], earlier.filter((id) => visual.includes(id)).length)
  })
  if (kinds[block.token - 1] === 'text') {
    const front = on(vectors[block.token - 1])
    const distances = own.map((cell) => Math.hypot(...cell.map((id, a) => id - front[a])))
    assert.ok(Math.abs(block.interval.distance! - Math.min(...distances)) < 1e-9)
    assert.equal(block.interval.before, Math.min(...own.flat()) - Math.max(...front))
  } else {
    assert.equal(block.interval.distance, null)
    assert.equal(block.interval.before, null)
  }
  const grid: Grid = block.grid ?? [block.tokens, 1, 1]
  const whole = vectors.slice(block.token, block.token + block.tokens)
  assert.equal(block.structure3D?.distinct, new Set(whole.map(String)).size)
  assert.equal(block.structure3D?.affine, isAffine(cellsOf(grid), whole))
}

/** Is the difference of ids of two cells a function of their difference in the grid, and additive? */
function isAffine(cells: readonly number[][], vectors: readonly number[][]): boolean {
  const steps = new Map<string, string>()
  for (let i = 0; i < cells.length; i++) {
    for (let j = 0; j < cells.length; j++) {
      const key = String(cells[i].map((x, g) => x - cells[j][g]))
      const step = String(vectors[i].map((x, a) => x - vectors[j][a]))
      if ((steps.get(key) ?? step) !== step) return false
      steps.set(key, step)
    }
  }
  return true
}
