import assert from 'node:assert/strict'
import fc from 'fast-check'
import { allocations } from '../lib/allocations/index.js'
import { aliasing } from '../lib/analysis/aliasing.js'
import { judgeMap, similarityMap } from '../lib/analysis/similarity.js'
import { Encoding } from '../lib/encodings/encoding.js'
import { encodings } from '../lib/encodings/named.js'
import { layouts } from '../lib/layouts/index.js'
import type { Layout } from '../lib/layouts/layout.js'
import { rotate } from '../lib/rotary/rotate.js'
import type { Grid } from '../lib/sequence/segment.js'
import { Sequence } from '../lib/sequence/sequence.js'
import { spectra } from '../lib/spectra/index.js'
import { Tensor } from '../lib/tensors/tensor.js'
import { refuses } from './support/refuses.js'

const encode = (layout: Layout, allocation: Encoding['allocation'], invFreq?: number[]): Encoding =>
  new Encoding({
    name: allocation.name,
    headDim: 2 * allocation.pairs,
    layout,
    spectrum: invFreq ? spectra.explicit(invFreq) : spectra.default({ base: 1e4, dim: 2 * allocation.pairs }),
    allocation,
    pairing: 'half-split',
  })

const video = (grid: Grid): Sequence =>
  Sequence.of([
    { kind: 'text', length: 3 },
    { kind: 'video', grid },
    { kind: 'text', length: 2 },
  ])

/** Dot products of a vector of ones in every pair, rotated by the library to both places. */
function rotatedSimilarity(encoding: Encoding, sequence: Sequence, from: number, to: number): number {
  const { headDim, allocation } = encoding
  const table = encoding.table(encoding.positions(sequence))
  const tokens = sequence.length
  const { heads } = allocation
  const ones = Float32Array.from({ length: tokens * heads * headDim }, (_, i) => (i % headDim < headDim / 2 ? 1 : 0))
  const { data } = rotate(new Tensor('float32', ones, [tokens, heads, headDim]), table)
  let dot = 0
  for (let i = 0; i < heads * headDim; i++) dot += data[from * heads * headDim + i] * data[to * heads * headDim + i]
  return dot / (heads * allocation.pairs)
}

describe('similarity map', () => {
  const grid: Grid = [3, 5, 7]
  const schemes: readonly [string, Encoding][] = [
    ['M-RoPE, chunked', encode(layouts.mrope(), allocations.chunked([9, 12, 12], 33))],
    ['spatial reset, interleaved', encode(layouts.spatialReset(0.5), allocations.interleaved([14, 10, 9], 33))],
    ['MHRoPE, 5 heads, one still', encode(layouts.mrope(), allocations.perHead([1, 1, 2], 20, 5))],
    ['sequential', encode(layouts.sequential(), allocations.single(36))],
  ]
  for (const [name, encoding] of schemes) {
    it(`${name}: is what rotation makes of equal vectors, 3×5×7`, () => {
      const map = similarityMap(encoding, video(grid), { query: [1, 4, 2] })
      const tokenOf = (t: number, h: number, w: number): number => 3 + (t * 5 + h) * 7 + w
      for (const [h, w] of [
        [0, 0],
        [4, 2],
        [4, 6],
        [2, 1],
      ]) {
        const expected = rotatedSimilarity(encoding, video(grid), tokenOf(1, 4, 2), tokenOf(1, h, w))
        assert.ok(Math.abs(map.frame[h * 7 + w] - expected) < 1e-5, `row ${h}, column ${w}`)
      }
      for (let t = 0; t < 3; t++) {
        const expected = rotatedSimilarity(encoding, video(grid), tokenOf(1, 4, 2), tokenOf(t, 4, 2))
        assert.ok(Math.abs(map.time[t] - expected) < 1e-5, `frame ${t}`)
      }
      assert.equal(map.frame[4 * 7 + 2], 1)
    })
  }

  it('takes the middle of the largest picture, and single heads', () => {
    const sequence = Sequence.of([
      { kind: 'image', grid: [1, 2, 3] },
      { kind: 'text', length: 1 },
      { kind: 'image', grid: [1, 6, 5] },
      { kind: 'audio', length: 100 },
    ])
    const encoding = encode(layouts.mrope(), allocations.perHead([1, 1, 2], 20, 4))
    const { block, grid: own, query } = similarityMap(encoding, sequence)
    assert.deepEqual([block, own, query], [1, [1, 6, 5], [0, 3, 2]])
    const rowsOnly = similarityMap(encoding, sequence, { head: 1 })
    assert.ok(rowsOnly.frame.slice(15, 20).every((value) => value === 1))
    assert.ok(rowsOnly.frame[10] < 1)
  })

  it('chunked with base 1e6 is flat over a picture; the same pairs interleaved are not', () => {
    const image = Sequence.of([{ kind: 'image', grid: [1, 20, 30] }])
    const kinds = (encoding: Encoding): string[] =>
      similarityMap(encoding, image).findings.frame.map((finding) => finding.kind)
    assert.deepEqual(kinds(encodings.qwen2VL()), ['flat'])
    assert.deepEqual(kinds(encodings.qwen3VL()), [])
  })

  it('equal ids have no central peak', () => {
    const twoRows = similarityMap(encode(layouts.rowsAndColumns(), allocations.repeated([0, 1], 32)), video([4, 3, 3]))
    assert.deepEqual(
      twoRows.findings.time.map(({ kind }) => kind),
      ['flat', 'no-central-peak'],
    )
    assert.match(twoRows.findings.time[1].words, /3 other cells are as similar/)
  })

  it('too high and too few frequencies have several peaks', () => {
    // One turn every 4 rows and every 4 columns.
    const frequencies = Array.from({ length: 8 }, () => Math.PI / 2)
    const encoding = encode(layouts.rowsAndColumns(), allocations.repeated([0, 1], 8), frequencies)
    const image = Sequence.of([{ kind: 'image', grid: [1, 13, 13] }])
    const { findings } = similarityMap(encoding, image, { rules: { peak: 0.8 } })
    assert.deepEqual(
      findings.frame.map(({ kind }) => kind),
      ['no-central-peak', 'several-peaks'],
    )
    // Every fourth row and column from the middle, but for the middle itself.
    assert.match(findings.frame[1].words, /^8 other peaks/)
    assert.ok(findings.frame[1].cells.every(([row, column]) => row % 4 === 2 && column % 4 === 2))
  })

  refuses('similarityMap', [
    ['no encoding', () => similarityMap(3 as never, video(grid)), 'Type ARGUMENT', 3, /encoding must be an Encoding/],
    ['no sequence', () => similarityMap(schemes[0][1], null as never), 'Type ARGUMENT', null, /expected a Sequence/],
    [
      'text only',
      () => similarityMap(schemes[0][1], Sequence.of([{ kind: 'text', length: 4 }])),
      'Range SEGMENT',
      undefined,
      /no block/,
    ],
    ['an unknown block', () => similarityMap(schemes[0][1], video(grid), { block: 1 }), 'Range ARGUMENT', 1, /below 1/],
    [
      'a query outside',
      () => similarityMap(schemes[0][1], video(grid), { query: [0, 5, 0] }),
      'Range ARGUMENT',
      [0, 5, 0],
      /outside of the grid of 3 × 5 × 7/,
    ],
    ['a head too many', () => similarityMap(schemes[2][1], video(grid), { head: 5 }), 'Range ARGUMENT', 5, /below 5/],
    [
      'an unknown option',
      () => similarityMap(schemes[0][1], video(grid), { heads: 1 } as never),
      'Type ARGUMENT',
      'heads',
      /unknown option "heads"/,
    ],
    [
      'a threshold of 0',
      () => similarityMap(schemes[0][1], video(grid), { rules: { peak: 0 } }),
      'Range ARGUMENT',
      0,
      /rules.peak/,
    ],
  ])
})

describe('findings of a map', () => {
  const hill = (rows: number, columns: number, row: number, column: number): Float64Array =>
    Float64Array.from({ length: rows * columns }, (_, k) =>
      Math.exp(-0.2 * Math.hypot(Math.floor(k / columns) - row, (k % columns) - column)),
    )
  const kinds = (values: ArrayLike<number>, rows: number, columns: number, query: [number, number]): string[] =>
    judgeMap(values, { rows, columns, query }).map(({ kind }) => kind)

  it('one peak that fades has none, wherever it is', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 2, max: 12 }),
        fc.integer({ min: 2, max: 12 }),
        fc.nat(),
        fc.nat(),
        (r, c, i, j) => {
          const query: [number, number] = [i % r, j % c]
          assert.deepEqual(kinds(hill(r, c, ...query), r, c, query), [])
        },
      ),
    )
  })

  it('nearly equal values are flat: too low', () => {
    const values = hill(5, 7, 2, 3).map((value) => 0.95 + 0.05 * value)
    const [finding, ...others] = judgeMap(values, { rows: 5, columns: 7, query: [2, 3] })
    assert.equal(others.length, 0)
    assert.equal(finding.kind, 'flat')
    assert.match(finding.words, /too low/)
  })

  it('all lost in the first step is flat: too high', () => {
    const values = hill(5, 7, 2, 3).map((value) => (value === 1 ? 1 : 0.1 + 0.02 * value))
    const [finding] = judgeMap(values, { rows: 5, columns: 7, query: [2, 3] })
    assert.equal(finding.kind, 'flat')
    assert.match(finding.words, /too high/)
  })

  it('a second hill is one other peak, at its top', () => {
    const values = hill(6, 20, 2, 3)
    hill(6, 20, 4, 15).forEach((value, k) => {
      values[k] = Math.max(values[k], 0.8 * value)
    })
    const [finding] = judgeMap(values, { rows: 6, columns: 20, query: [2, 3], rules: { peak: 0.5 } })
    assert.deepEqual([finding.kind, finding.cells], ['several-peaks', [[4, 15]]])
    assert.deepEqual(judgeMap(values, { rows: 6, columns: 20, query: [2, 3], rules: { peak: 0.9 } }), [])
  })

  it('a peak elsewhere is no central peak: the rotation is at fault', () => {
    const [finding] = judgeMap(hill(5, 7, 0, 6), { rows: 5, columns: 7, query: [3, 3] })
    assert.equal(finding.kind, 'no-central-peak')
    assert.match(finding.words, /fault of the rotation/)
    assert.deepEqual(finding.cells.length <= 8, true)
  })

  it('one cell has nothing to be compared with', () => {
    assert.deepEqual(kinds([1], 1, 1, [0, 0]), [])
  })

  refuses('judgeMap', [
    ['NaN', () => kinds([1, Number.NaN], 1, 2, [0, 0]), 'Type ARGUMENT', [1, Number.NaN], /finite numbers/],
    ['too few values', () => kinds([1, 2, 3], 2, 2, [0, 0]), 'Range SHAPE', 3, /2 × 2 cells need 4 values, got 3/],
    ['no query', () => judgeMap([1], { rows: 1, columns: 1 } as never), 'Type ARGUMENT', undefined, /query/],
    ['no rows', () => kinds([], 0, 2, [0, 0]), 'Range ARGUMENT', 0, /rows/],
  ])
})

describe('aliasing', () => {
  it('one pair repeats after its wavelength', () => {
    const encoding = encode(layouts.sequential(), allocations.single(1), [Math.PI / 8])
    const [axis] = aliasing(encoding, { extent: 33 })
    assert.deepEqual([axis.frequencies, axis.folded, axis.repeating, axis.aliased], [1, 0, 1, true])
    assert.ok(Math.abs(axis.wavelengths![0] - 16) < 1e-12 && Math.abs(axis.unambiguous - 8) < 1e-12)
    assert.equal(axis.echo!.distance % 16, 0)
    assert.ok(Math.abs(axis.echo!.similarity - 1) < 1e-12)
    const [near] = aliasing(encoding, { extent: 7 })
    assert.deepEqual([near.echo, near.repeating, near.aliased], [null, 0, false])
  })

  it('pairs of more than half a turn in a step are folded', () => {
    const encoding = encode(layouts.sequential(), allocations.single(3), [4, 3, 0.1])
    assert.equal(aliasing(encoding, { extent: 10 })[0].folded, 1)
    assert.equal(aliasing(encoding, { extent: 10, step: 0.5 })[0].folded, 0)
  })

  it('qwen2VL: only t repeats over 64 frames, rows and columns of a picture never do', () => {
    const [t, h, w] = aliasing(encodings.qwen2VL(), { extent: [64, 30, 30] })
    assert.ok(t.repeating > 0 && h.repeating === 0 && w.repeating === 0)
    assert.deepEqual([h.echo, w.echo], [null, null])
    assert.ok(t.echo !== null && t.echo.similarity < 0.9 && !t.aliased)
  })

  it('an axis that turns no pair has no wavelength', () => {
    const [t] = aliasing(encode(layouts.mrope(), allocations.spatialOnly([3, 3, 2], 8)), { extent: 9 })
    assert.deepEqual([t.wavelengths, t.unambiguous, t.echo], [null, Number.POSITIVE_INFINITY, null])
  })

  const llama = encodings.llama()
  refuses('aliasing', [
    ['no extent', () => aliasing(llama, {} as never), 'Type ARGUMENT', undefined, /extent of p must be a number/],
    ['extents of other axes', () => aliasing(llama, { extent: [1, 2] }), 'Range ARGUMENT', [1, 2], /2 numbers/],
    ['an extent of 0', () => aliasing(llama, { extent: 0 }), 'Range ARGUMENT', 0, /positive/],
    ['too many steps', () => aliasing(llama, { extent: 1e9 }), 'Range ARGUMENT', 1e9, /steps/],
    ['a level of NaN', () => aliasing(llama, { extent: 1, level: NaN }), 'Range ARGUMENT', NaN, /level/],
  ])
})
