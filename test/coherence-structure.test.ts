import assert from 'node:assert/strict'
import fc from 'fast-check'
import { allocations } from '../lib/allocations/index.js'
import { coherence, coherenceOf } from '../lib/analysis/coherence.js'
import type { Encoding } from '../lib/encodings/encoding.js'
import { encodings } from '../lib/encodings/named.js'
import { layouts } from '../lib/layouts/index.js'
import { Positions } from '../lib/layouts/positions.js'
import type { Grid, Segment } from '../lib/sequence/segment.js'
import { Sequence } from '../lib/sequence/sequence.js'
import {
  cellsOf,
  circle,
  diagonal,
  encode,
  image,
  judgeScheme,
  named,
  prompt,
  reset,
  vrope,
  wide,
} from './coherence-schemes.js'

const seed = Number(process.env.MROPE_FUZZ_SEED ?? Date.now() % 2 ** 31)

describe('structure of a block', () => {
  const structure = (encoding: Encoding, grid: Grid) => coherence(encoding, prompt(grid, 2)).blocks[0].structure3D!

  it('is a line for sequential ids: rank 1 of 3 directions', () => {
    const found = structure(encodings.llama(), wide)
    assert.deepEqual(found.matrix, [[160, 16, 1]])
    assert.deepEqual(
      [found.rank, found.dimensions, found.injective, found.affine, found.holds],
      [1, 3, true, true, false],
    )
  })

  it('is diag(stride, 1, 1) for M-RoPE and the spatial reset', () => {
    const diag = (stride: number): number[][] => [
      [stride, 0, 0],
      [0, 1, 0],
      [0, 0, 1],
    ]
    assert.deepEqual(structure(encodings.qwen2VL(), wide).matrix, diag(1))
    assert.deepEqual(structure(encodings.qwen25VL(), wide).matrix, diag(2))
    const half = encode(layouts.spatialReset(0.5), allocations.interleaved([24, 20, 20], 64))
    assert.deepEqual(structure(half, wide).matrix, diag(0.5))
    assert.deepEqual(structure(encodings.qwen2VL(), image).matrix, diag(0))
    for (const grid of [image, wide, [1, 1, 1], [3, 1, 1], [1, 33, 1]] as Grid[]) {
      const found = structure(encodings.qwen2VL(), grid)
      assert.equal(found.rank, grid.filter((n) => n > 1).length, named(grid))
      assert.equal(found.holds, true, named(grid))
    }
  })

  it('is tilted for diagonal layouts and VRoPE, with full rank', () => {
    const videorope = judgeScheme(diagonal(2), wide).blocks[0].structure3D!
    assert.deepEqual(videorope.matrix, [
      [2, 0, 0],
      [2, 1, 0],
      [2, 0, 1],
    ])
    const corners = judgeScheme(vrope, wide).blocks[0].structure3D!
    assert.deepEqual(corners.matrix, [
      [25, 1, 1],
      [25, 1, -1],
      [25, -1, 1],
      [25, -1, -1],
    ])
    for (const found of [videorope, corners]) {
      assert.deepEqual([found.rank, found.holds, found.disentangledWithin], [3, true, false])
    }
  })

  it('is not affine for rings and for time that is rounded to whole ids', () => {
    const ring = judgeScheme(circle, wide).blocks[0].structure3D!
    assert.deepEqual([ring.affine, ring.matrix, ring.rank, ring.holds], [false, null, null, false])
    const video: Segment = { kind: 'video', grid: [4, 2, 2], secondsPerGrid: 0.4 }
    const found = coherence(encodings.qwen25VL(), Sequence.of([{ kind: 'text', length: 3 }, video])).blocks[0]
    // t = 3, 3, 4, 5: two frames are one, and the others are not on a line.
    assert.deepEqual(found.structure3D?.collision, [
      [0, 0, 0],
      [1, 0, 0],
    ])
    assert.equal(found.structure3D?.distinct, 12)
    assert.ok(Math.abs(found.structure3D!.deviation - 2 / 3) < 1e-12)
  })

  it('is disentangled across blocks for the spatial reset only', () => {
    const frame: Segment = { kind: 'image', grid: [1, 3, 5] }
    const text: Segment = { kind: 'text', length: 7 }
    for (const segments of [[frame], [text, frame], [text, frame, text, frame], [frame, frame, frame, text]]) {
      const of = (encoding: Encoding) =>
        coherence(encoding, Sequence.of(segments)).blocks.map(({ structure3D }) => [
          structure3D?.disentangledWithin,
          structure3D?.disentangled,
        ])
      const blocks = segments.filter(({ kind }) => kind === 'image')
      assert.deepEqual(
        of(reset),
        blocks.map(() => [true, true]),
      )
      assert.deepEqual(
        of(encodings.qwen2VL()),
        blocks.map(() => [true, false]),
      )
      assert.deepEqual(
        of(encodings.llama()),
        blocks.map(() => [false, false]),
      )
    }
    // From ids alone one block says nothing about a second one.
    const alone = Sequence.of([text, frame])
    const [block] = coherenceOf(encodings.qwen2VL().positions(alone), alone).blocks
    assert.equal(block.structure3D?.disentangled, null)
  })

  it('is not disentangled where blocks count in different steps or from different places', () => {
    const frame: Segment = { kind: 'image', grid: [1, 2, 2] }
    const sequence = Sequence.of([frame, { kind: 'text', length: 1 }, frame])
    const across = (...second: number[]): boolean | null | undefined => {
      const ids = [
        [0, 0, 0, 0, 9, 20, 20, 20, 20],
        [0, 0, 1, 1, 9, ...second],
        [0, 1, 0, 1, 9, 0, 1, 0, 1],
      ]
      const { blocks } = coherenceOf(Positions.from({ axes: ['t', 'h', 'w'], ids }), sequence)
      assert.equal(blocks[0].structure3D?.disentangled, blocks[1].structure3D?.disentangled)
      return blocks[0].structure3D?.disentangled
    }
    assert.equal(across(0, 0, 1, 1), true)
    assert.equal(across(0, 0, 2, 2), false)
    assert.equal(across(5, 5, 6, 6), false)
    assert.equal(across(0, 1, 1, 2), false)
  })

  it('finds the cells among newlines, markers, slices and sound', () => {
    const hunyuan = coherence(
      encodings.hunyuanVL(),
      Sequence.of([
        { kind: 'text', length: 4 },
        { kind: 'image', grid: [1, 5, 3], rowEnds: true },
      ]),
    )
    assert.deepEqual(hunyuan.blocks[0].structure3D?.matrix, [
      [0, 4, 1],
      [0, 0, 1],
      [0, 1, 0],
      [0, 0, 0],
    ])
    const plane = [
      [0, 0, 0],
      [0, 1, 0],
      [0, 0, 1],
    ]
    const slices = { rows: 3, columns: 2, grid: [4, 5] } as const
    for (const canvas of [{ thumbnail: [7, 3] }, { thumbnail: [7, 3], slices, trailing: 2 }] as const) {
      const [block] = coherence(
        encodings.miniCpmV47(),
        Sequence.of([
          { kind: 'text', length: 4 },
          { kind: 'canvas', ...canvas },
        ]),
      ).blocks
      assert.deepEqual(block.grid, 'slices' in canvas ? [1, 12, 10] : [1, 7, 3])
      assert.deepEqual(block.structure3D?.matrix, plane)
      assert.equal(block.structure3D?.holds, true)
    }
    // Two frames 0.1 s apart and four tokens of sound, as Qwen3-Omni merges them.
    const sound = { kind: 'audio-video', grid: [2, 2, 2], secondsPerGrid: 0.1, audioLength: 4 } as const
    const streams = Uint8Array.of(0, 0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 1)
    const known = coherence(encodings.qwen3Omni(), Sequence.of([{ ...sound, streams }]))
    assert.deepEqual(known.blocks[0].structure3D?.matrix, [[2.5, 0, 0], ...plane.slice(1)])
    const unknown = coherence(encodings.qwen3Omni(), Sequence.of([sound]))
    assert.equal(unknown.blocks[0].structure3D, null)
    assert.ok(unknown.words.some((line) => line.includes('which tokens are sound')))
  })

  it('takes rounding for nothing: thirds and sevenths on two axes are one direction', () => {
    const cells = cellsOf([1, 33, 7])
    const line = cells.map(([, h, w]) => 10 + h / 3 + w / 7)
    const positions = Positions.from({ axes: ['a', 'b'], ids: [line, line.map((id) => 0.3 * id)] })
    const found = coherenceOf(positions, Sequence.of([{ kind: 'image', grid: [1, 33, 7] }])).blocks[0].structure3D!
    assert.deepEqual([found.affine, found.rank], [true, 1])
  })

  it(`gives the matrix and the rank of random maps back, seed ${seed}`, () => {
    const row = fc.tuple(...[0, 1, 2].map(() => fc.integer({ min: -3, max: 3 })))
    const side = fc.integer({ min: 1, max: 4 })
    fc.assert(
      fc.property(fc.array(row, { minLength: 1, maxLength: 4 }), fc.tuple(side, side, side), (rows, grid) => {
        const cells = cellsOf(grid)
        const sequence = Sequence.of([{ kind: 'video', grid }])
        const ids = rows.map((m) => cells.map((cell) => 7.5 + m[0] * cell[0] + m[1] * cell[1] + m[2] * cell[2]))
        const positions = Positions.from({ axes: rows.map((_, a) => `a${a}`), ids })
        const found = coherenceOf(positions, sequence).blocks[0].structure3D!
        const seen = rows.map((m) => m.map((step, g) => (grid[g] > 1 ? step : 0)))
        assert.deepEqual(
          found.matrix,
          seen.map((m) => m.map((step) => step + 0)),
        )
        assert.equal(found.rank, rankByMinors(seen))
        assert.equal(found.distinct, new Set(cells.map((_, k) => ids.map((axis) => axis[k]).join())).size)
      }),
      { seed, numRuns: 500 },
    )
  })
})

/** Largest square of rows and columns with a determinant that is not 0; exact for small integers. */
function rankByMinors(matrix: readonly (readonly number[])[]): number {
  const determinant = (m: number[][]): number =>
    m.length === 0
      ? 1
      : m[0].reduce(
          (sum, x, j) => sum + (-1) ** j * x * determinant(m.slice(1).map((r) => r.filter((_, i) => i !== j))),
          0,
        )
  const subsets = (n: number): number[][] =>
    Array.from({ length: 2 ** n }, (_, bits) => Array.from({ length: n }, (_, i) => i).filter((i) => bits & (1 << i)))
  let rank = 0
  for (const rows of subsets(matrix.length)) {
    for (const columns of subsets(3)) {
      if (rows.length !== columns.length) continue
      if (determinant(rows.map((r) => columns.map((c) => matrix[r][c]))) !== 0) rank = Math.max(rank, rows.length)
    }
  }
  return rank
}
