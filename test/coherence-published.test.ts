import assert from 'node:assert/strict'
import { allocations } from '../lib/allocations/index.js'
import { coherence } from '../lib/analysis/coherence.js'
import type { BlockCoherence } from '../lib/analysis/report.js'
import type { Encoding } from '../lib/encodings/encoding.js'
import { encodings } from '../lib/encodings/named.js'
import { layouts } from '../lib/layouts/index.js'
import type { Grid, Segment } from '../lib/sequence/segment.js'
import { Sequence } from '../lib/sequence/sequence.js'
import { encode, image, long, named, prompt, size, wide } from './coherence-schemes.js'

const blockOf = (encoding: Encoding, grid: Grid, inPrompt = 33): BlockCoherence =>
  coherence(encoding, prompt(grid, inPrompt), { generated: 110 - inPrompt }).blocks[0]

/** Half a unit of the last digit that is printed. */
function assertPrinted(actual: number | null, printed: string, what: string): void {
  const digits = printed.includes('.') ? printed.length - printed.indexOf('.') - 1 : 0
  assert.ok(
    actual !== null && Math.abs(actual - Number(printed)) <= 0.5001 * 10 ** -digits,
    `${what}: ${actual}, expected ${printed}`,
  )
}

describe('coherence of the schemes of papers: one block behind 10 text tokens, 110 text ids behind it', () => {
  type Row = readonly [grid: Grid, span: string, growth: string, overlap: number, after: string, distinct: number]
  const table: readonly [string, Encoding, ...Row[]][] = [
    [
      'llava',
      encodings.llava(),
      [image, '600', '1.0', 0, '1', 600],
      [wide, '2560', '1.0', 0, '1', 2560],
      [long, '3072', '1.0', 0, '1', 3072],
    ],
    [
      'V2PE, 64 a block',
      encodings.v2pe({ stride: 64, tokensPerTile: 'block' }),
      [image, '64', '.107', 0, '1', 600],
      [wide, '64', '.025', 0, '1', 2560],
      [long, '64', '.021', 0, '1', 3072],
    ],
    [
      'MRoPE-I without reset',
      encodings.mropeI({ spatialReset: false }),
      [image, '30', '.05', 0, '1', 600],
      [wide, '16', '.0063', 0, '1', 2560],
      [long, '64', '.021', 0, '1', 3072],
    ],
    [
      'VideoRoPE, stride 2',
      encodings.videoRope(),
      [image, '1', '.0017', 15, '-14', 600],
      [wide, '31', '.0121', 8, '-7', 2560],
      [long, '127', '.041', 4, '-3', 3072],
    ],
    [
      'HoPE, stride 0.75',
      encodings.hope(),
      [image, '1', '.0017', 15, '-14', 600],
      [wide, '12.25', '.0048', 8, '-7', 2560],
      [long, '48.25', '.016', 4, '-3', 3072],
    ],
    [
      'VRoPE',
      encodings.vRope(),
      [image, '49', '.082', 0, '1', 600],
      [wide, '400', '.156', 0, '1', 2560],
      [long, '832', '.27', 0, '1', 3072],
    ],
    ...(['mropeI', 'mhRope', 'omniRope'] as const).map((name): [string, Encoding, ...Row[]] => [
      name,
      encodings[name](),
      [image, '30', '.05', 0, '11', 600],
      [wide, '16', '.0063', 0, '1', 2560],
      [long, '64', '.021', 0, '1', 3072],
    ]),
    [
      'CircleRoPE, radius 10, alpha 0.5',
      encodings.circleRope(),
      [image, '9.16', '.015', 0, '1', 600],
      [wide, '9.16', '.0036', 0, '1', 160],
      [long, '9.16', '.003', 0, '1', 48],
    ],
    ['Bagel', encodings.bagel(), [image, '1', '.0017', 0, '1', 1]],
  ]
  for (const [name, encoding, ...rows] of table) {
    for (const [grid, span, growth, overlap, after, distinct] of rows) {
      for (const inPrompt of [1, 33, 110]) {
        it(`${name}, ${named(grid)}, ${inPrompt} of the text in the prompt`, () => {
          const block = blockOf(encoding, grid, inPrompt)
          assert.equal(block.start, 10)
          assertPrinted(block.next! - 10, span, 'next − start')
          assertPrinted(block.growth, growth, 'growth')
          assert.equal(block.overlap, overlap)
          assertPrinted(block.interval.after, after, 'after')
          assert.equal(block.structure3D?.distinct, distinct)
          assert.equal(block.structure3D?.injective, distinct === size(grid))
          assert.equal(block.sharedVectors, 0)
        })
      }
    }
  }
})

describe('which schemes overlap text, and by how many ids', () => {
  it('M-RoPE of transformers@5.18: 56 on a video of 64×6×8', () => {
    const release = encodings.qwen2VL({ compat: 'transformers@5.18' })
    assert.equal(blockOf(release, long).overlap, 56)
    assert.equal(blockOf(encodings.qwen2VL(), long).overlap, 0)
  })
  it('VideoRoPE: 15 on an image of 20×30; ceil((longer side − 1) / 2) on any', () => {
    assert.equal(blockOf(encodings.videoRope(), image).overlap, 15)
    const grids: Grid[] = [
      [1, 33, 3],
      [7, 1, 100],
      [3, 2, 2],
      [1, 1, 1],
    ]
    for (const grid of grids) {
      const expected = Math.ceil((Math.max(grid[1], grid[2]) - 1) / 2)
      for (const name of ['videoRope', 'hope', 'diagonalLayout'] as const) {
        assert.equal(blockOf(encodings[name](), grid).overlap, expected, `${name}, ${named(grid)}`)
      }
    }
  })
  it('no other scheme of this package, but those diagonal layouts', () => {
    const overlapping = Object.entries(encodings).filter(([, make]) => {
      const encoding = make()
      try {
        return coherence(encoding, prompt(image, 33)).blocks[0].overlap > 0
      } catch (error) {
        if ((error as { code?: string }).code === 'ERR_MROPE_SEGMENT') return false
        throw error
      }
    })
    assert.deepEqual(overlapping.map(([name]) => name).sort(), [
      'diagonalLayout',
      'hope',
      'hopePort',
      'videoRope',
      'videoRopePort',
    ])
  })
})

describe('structure of the schemes of papers', () => {
  const cases: readonly [string, Encoding, readonly (readonly number[])[]][] = [
    ['V2PE is a line', encodings.v2pe({ stride: 64, tokensPerTile: 'block' }), [[4, 0.4, 0.025]]],
    [
      'VideoRoPE',
      encodings.videoRope(),
      [
        [2, 0, 0],
        [2, 1, 0],
        [2, 0, 1],
      ],
    ],
    [
      'HoPE',
      encodings.hope(),
      [
        [0.75, 0, 0],
        [0.75, 1, 0],
        [0.75, 0, 1],
      ],
    ],
    [
      'VRoPE',
      encodings.vRope(),
      [
        [25, 1, 1],
        [25, 1, -1],
        [25, -1, 1],
        [25, -1, -1],
      ],
    ],
    [
      'MM-RoPE',
      encodings.mmRope(),
      [
        [4, 0, 0],
        [0, 8, 0],
        [0, 0, 8],
      ],
    ],
  ]
  for (const [name, encoding, matrix] of cases) {
    it(name, () => {
      const found = blockOf(encoding, wide).structure3D!
      found.matrix!.forEach((row, a) => {
        row.forEach((step, g) => {
          assert.ok(Math.abs(step - matrix[a][g]) < 1e-9, `axis ${a}: ${row}`)
        })
      })
      assert.deepEqual([found.affine, found.rank], [true, matrix.length === 1 ? 1 : 3])
    })
  }
  it('rings are not affine, and frames of a video share them', () => {
    const found = blockOf(encodings.circleRope(), wide).structure3D!
    assert.deepEqual([found.affine, found.rank, found.distinct], [false, null, 160])
    const apart = blockOf(encodings.circleRope({ frameStride: 1 }), wide).structure3D!
    assert.deepEqual([apart.affine, apart.distinct], [false, 2560])
  })
  it('rows and columns mean the same in every block where they count from 0 only', () => {
    const frames: Segment[] = [1, 2].flatMap(() => [
      { kind: 'text', length: 3 },
      { kind: 'image', grid: [1, 4, 5] },
    ])
    const across = (name: keyof typeof encodings) =>
      coherence(encodings[name](), Sequence.of(frames)).blocks.map(({ structure3D }) => structure3D?.disentangled)
    for (const name of ['mropeI', 'mhRope', 'omniRope', 'omniGen2', 'ilRope', 'lumina2'] as const) {
      assert.deepEqual(across(name), [true, true], name)
    }
    for (const name of ['videoRope', 'hope', 'vRope', 'circleRope', 'mmRope', 'v2pe'] as const) {
      assert.deepEqual(across(name), [false, false], name)
    }
  })
})

describe('layouts that promise something else', () => {
  const two = (grid: Grid): Sequence =>
    Sequence.of([
      { kind: 'text', length: 10 },
      { kind: 'image', grid },
      { kind: 'text', length: 7 },
    ])
  it('text that counts on one axis is in front of and behind a picture on that axis', () => {
    const found = coherence(encodings.lumina2(), two([1, 20, 30]))
    const [block] = found.blocks
    assert.deepEqual([block.overlap, block.interval.before, block.interval.after, block.largest], [0, 1, 1, 10])
    assert.deepEqual([found.monotoneDecode, found.decode.first], [true, [18, 0, 0]])
    assert.deepEqual([found.textCompatible, found.text.firstUnequal], [false, 1])
    assert.ok(found.failed.includes('textCompatible') && !found.failed.includes('noOverlap'), found.failed.join())
  })
  it('the same of the ablation, whose text goes on behind the longer side', () => {
    const [block] = coherence(encodings.textSpatialReset(), two([1, 20, 30])).blocks
    assert.deepEqual([block.overlap, block.interval.after, block.next], [0, 30, 40])
    assert.equal(coherence(encodings.textSpatialReset(), two([1, 20, 30])).textCompatible, false)
  })
  it('scaled base: spatial pairs do not turn as in the language model, which is seen with its encoding', () => {
    const textModel = encodings.llava({ base: 1e6 })
    const scaled = coherence(encodings.scaledSpatialBase(), two([1, 3, 4]), { textModel })
    assert.equal(scaled.text.differentPairs, 40)
    assert.equal(coherence(encodings.mropeI(), two([1, 3, 4]), { textModel }).text.differentPairs, 0)
  })
  it('an enlarged interval is seen on both sides', () => {
    const found = coherence(encodings.enlargedInterval({ interval: 33 }), two([1, 5, 4]))
    // Behind a reset block text goes on behind its longer side, 5.
    assert.deepEqual([found.blocks[0].interval.after, found.blocks[0].interval.coherent], [38, false])
    assert.ok(found.failed.includes('modalityInterval'))
    const whole = encode(layouts.enlargedInterval(33, false), allocations.chunked([16, 24, 24], 64))
    const [{ interval }] = coherence(whole, two([1, 5, 4])).blocks
    assert.deepEqual([interval.before, interval.after, interval.coherent], [34, 34, false])
  })
  it('blocks apart from the text are not held against it, and the words say so', () => {
    const encoding = encode(layouts.middleFusion(), allocations.single(64))
    const sequence = Sequence.of([
      { kind: 'text', length: 4 },
      { kind: 'queries', length: 32 },
      { kind: 'text', length: 5 },
      { kind: 'audio', length: 9 },
    ])
    const found = coherence(encoding, sequence)
    assert.deepEqual(
      found.blocks.map(({ overlap, sharedVectors, growth, interval }) => [
        overlap,
        sharedVectors,
        growth,
        interval.after,
      ]),
      [
        [0, 0, 0, null],
        [0, 0, 0, null],
      ],
    )
    assert.deepEqual([found.coherent, found.monotoneDecode, found.decode.first], [true, true, [9]])
    assert.match(found.words[0], /2 blocks take 0 ids a token and are sequences of their own/)
    assert.ok(found.words.some((line) => line.includes('by cross-attention')))
    assert.ok(found.words.some((line) => line.includes('query tokens have no places')))
  })
  it('slices are one grid, whatever the order of their tokens', () => {
    const slices = { rows: 2, columns: 3, grid: [4, 5] } as const
    for (const order of ['slices', 'rows'] as const) {
      for (const thumbnailAt of ['front', 'back'] as const) {
        for (const thumbnail of ['stretched', 'block'] as const) {
          const encoding = encode(layouts.slices({ thumbnail }), allocations.interleaved([24, 20, 20], 64))
          const sequence = Sequence.of([
            { kind: 'text', length: 4 },
            { kind: 'slices', slices, thumbnail: [4, 5], thumbnailAt, order, rowEnds: order === 'rows' },
            { kind: 'text', length: 2 },
          ])
          const [block] = coherence(encoding, sequence).blocks
          assert.deepEqual(block.grid, [1, 8, 15])
          assert.deepEqual(block.structure3D?.matrix, [
            [0, 0, 0],
            [0, 1, 0],
            [0, 0, 1],
          ])
          assert.deepEqual([block.overlap, block.sharedVectors], [0, 0])
        }
      }
    }
  })
  it('advice fits the block: steps of rows, queries, rings of one frame', () => {
    const words = (encoding: Encoding, segments: readonly Segment[]): string =>
      coherence(encoding, Sequence.of(segments)).words.join(' ')
    assert.match(
      words(encodings.mmRope(), [{ kind: 'image', grid: [1, 20, 30] }]),
      /smaller steps of rows and columns\./,
    )
    assert.match(words(encodings.llava(), [{ kind: 'queries', length: 300 }]), /Take fewer query tokens\./)
    const ring = words(encodings.circleRope(), [{ kind: 'image', grid: [1, 20, 30] }])
    assert.match(ring, /times fixed steps\. /)
    const rings = words(encodings.circleRope(), [{ kind: 'video', grid: [2, 20, 30] }])
    assert.match(rings, /times fixed steps; where time is rounded/)
  })
})
