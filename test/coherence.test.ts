import assert from 'node:assert/strict'
import fc from 'fast-check'
import { coherence, coherenceOf } from '../lib/analysis/coherence.js'
import type { Encoding } from '../lib/encodings/encoding.js'
import { encodings } from '../lib/encodings/named.js'
import { layouts } from '../lib/layouts/index.js'
import { Positions } from '../lib/layouts/positions.js'
import type { Grid, Segment } from '../lib/sequence/segment.js'
import { Sequence } from '../lib/sequence/sequence.js'
import {
  circle,
  diagonal,
  image,
  judgeScheme,
  long,
  named,
  oneId,
  place,
  prompt,
  reset,
  type Scheme,
  size,
  v2pe,
  vrope,
  wide,
} from './coherence-schemes.js'

const seed = Number(process.env.MROPE_FUZZ_SEED ?? Date.now() % 2 ** 31)

/** Half a unit of the last digit that is printed. */
function assertPrinted(actual: number, printed: string, what: string): void {
  const digits = printed.includes('.') ? printed.length - printed.indexOf('.') - 1 : 0
  assert.ok(Math.abs(actual - Number(printed)) <= 0.5001 * 10 ** -digits, `${what}: ${actual}, expected ${printed}`)
}

describe('coherence of one block behind 10 text tokens, 110 text ids behind it', () => {
  // next − start, growth, overlap, after
  type Row = readonly [span: string, growth: string, overlap: number, after: string]
  const table: readonly [string, Encoding, ...(readonly [Grid, Row])[]][] = [
    [
      'sequential',
      encodings.llama(),
      [image, ['600', '1.0', 0, '1']],
      [wide, ['2560', '1.0', 0, '1']],
      [long, ['3072', '1.0', 0, '1']],
    ],
    [
      'M-RoPE, all axes count',
      encodings.qwen2VL(),
      [image, ['30', '.05', 0, '1']],
      [wide, ['16', '.0063', 0, '1']],
      [long, ['64', '.021', 0, '1']],
    ],
    [
      'M-RoPE of transformers@5.18',
      encodings.qwen2VL({ compat: 'transformers@5.18' }),
      [image, ['30', '.05', 0, '1']],
      [wide, ['16', '.0063', 0, '1']],
      [long, ['8', '.0026', 56, '-55']],
    ],
    [
      'spatial reset',
      reset,
      [image, ['30', '.05', 0, '11']],
      [wide, ['16', '.0063', 0, '1']],
      [long, ['64', '.021', 0, '1']],
    ],
  ]
  for (const [name, encoding, ...cases] of table) {
    for (const [grid, [span, growth, overlap, after]] of cases) {
      for (const inPrompt of [1, 33, 110]) {
        it(`${name}, ${named(grid)}, ${inPrompt} of the text in the prompt`, () => {
          const found = coherence(encoding, prompt(grid, inPrompt), { generated: 110 - inPrompt })
          const [block] = found.blocks
          assert.equal(block.start, 10)
          assert.equal(block.next! - block.start!, Number(span))
          assert.equal(block.growth, Number(span) / size(grid))
          assertPrinted(block.growth, growth, 'growth')
          assert.equal(block.overlap, overlap)
          assert.equal(block.noOverlap, overlap === 0)
          assert.equal(block.overlapping.prompt + block.overlapping.generated, overlap)
          assert.equal(block.overlapping.prompt, Math.min(overlap, inPrompt))
          assert.equal(block.interval.after, Number(after))
          assert.equal(block.structure3D?.distinct, size(grid))
          assert.equal(block.structure3D?.injective, true)
          assert.equal(block.sharedVectors, 0)
          assert.equal(found.monotoneDecode, true)
        })
      }
    }
  }
})

describe('coherence of schemes given as ids only', () => {
  const flat = ([, h, w]: Grid): number => h * w
  type Row = readonly [grid: Grid, span: string, growth: string, overlap: number, after: string, distinct: number]
  const table: readonly [string, Scheme, ...Row[]][] = [
    [
      'V2PE, 64 a block',
      v2pe,
      [image, '64', '.107', 0, '1', 600],
      [wide, '64', '.025', 0, '1', 2560],
      [long, '64', '.021', 0, '1', 3072],
    ],
    [
      'VideoRoPE, stride 2',
      diagonal(2),
      [image, '1', '.0017', 15, '-14', 600],
      [wide, '31', '.0121', 8, '-7', 2560],
      [long, '127', '.041', 4, '-3', 3072],
    ],
    [
      'HoPE, stride 0.75',
      diagonal(0.75),
      [image, '1', '.0017', 15, '-14', 600],
      [wide, '12.25', '.0048', 8, '-7', 2560],
      [long, '48.25', '.016', 4, '-3', 3072],
    ],
    [
      'VRoPE',
      vrope,
      [image, '49', '.082', 0, '1', 600],
      [wide, '400', '.156', 0, '1', 2560],
      [long, '832', '.27', 0, '1', 3072],
    ],
    [
      'CircleRoPE, radius 10',
      circle,
      [image, '9.16', '.015', 0, '1', 600],
      [wide, '9.16', '.0036', 0, '1', flat(wide)],
      [long, '9.16', '.003', 0, '1', flat(long)],
    ],
    ['Bagel', oneId, [image, '1', '.0017', 0, '1', 1]],
  ]
  for (const [name, scheme, ...rows] of table) {
    for (const [grid, span, growth, overlap, after, distinct] of rows) {
      it(`${name}, ${named(grid)}`, () => {
        const [block] = judgeScheme(scheme, grid).blocks
        assertPrinted(block.next! - block.start!, span, 'next − start')
        assertPrinted(block.growth!, growth, 'growth')
        assert.equal(block.overlap, overlap)
        assertPrinted(block.interval.after!, after, 'after')
        assert.equal(block.structure3D?.distinct, distinct)
        assert.equal(block.structure3D?.injective, distinct === size(grid))
        assert.equal(block.sharedVectors, 0)
      })
    }
  }

  it(`diagonal layouts overlap with ceil((longer side − 1) / 2) text ids, seed ${seed}`, () => {
    const side = fc.integer({ min: 1, max: 40 })
    const grids = fc.tuple(fc.integer({ min: 1, max: 5 }), side, side)
    fc.assert(
      fc.property(grids, fc.constantFrom(0.5, 0.75, 1, 2), (grid, stride) => {
        const [block] = judgeScheme(diagonal(stride), grid, 3).blocks
        assert.equal(block.overlap, Math.ceil((Math.max(grid[1], grid[2]) - 1) / 2))
      }),
      { seed, numRuns: 200 },
    )
  })

  it('leaves growth open where no text tells the ids, and takes `starts`', () => {
    const sequence = Sequence.of([
      { kind: 'image', grid: [1, 2, 3] },
      { kind: 'image', grid: [1, 2, 3] },
      { kind: 'text', length: 1 },
    ])
    const positions = layouts.mrope().positions(sequence)
    const open = coherenceOf(positions, sequence).blocks.map(({ start, next, growth }) => [start, next, growth])
    assert.deepEqual(open, [
      [null, null, null],
      [null, 6, null],
    ])
    const told = coherenceOf(positions, sequence, { starts: [0, 3] })
    assert.deepEqual(
      told.blocks.map(({ start, next, growth }) => [start, next, growth]),
      [
        [0, 3, 0.5],
        [3, 6, 0.5],
      ],
    )
    assert.equal(told.visualGrowth, 0.5)
    assert.ok(coherenceOf(positions, sequence).words.some((line) => line.includes('growth of blocks 0, 1 was not')))
  })
})

describe('the step from prompt to generated text', () => {
  const text: Segment = { kind: 'text', length: 3 }
  const video: Segment = { kind: 'video', grid: [9, 2, 2] }
  const monotone = (encoding: Encoding, ...segments: Segment[]): boolean =>
    coherence(encoding, Sequence.of(segments)).monotoneDecode

  it('goes on under the coherent rule, whatever the prompt ends with', () => {
    const ends: readonly (readonly Segment[])[] = [
      [],
      [text],
      [video],
      [text, video],
      [text, video, text],
      [text, video, { kind: 'audio', length: 4 }],
    ]
    const { llama, qwen2VL, qwen25VL, qwen25Omni } = encodings
    for (const encoding of [llama(), qwen2VL(), qwen25VL(), qwen25Omni(), reset]) {
      for (const segments of ends) assert.equal(monotone(encoding, ...segments), true, encoding.name)
    }
  })

  it('jumps under the index + delta rule of transformers@5.18 for videos that reach further on t', () => {
    const forward = encodings.qwen2VL({ compat: 'transformers@5.18/forward' })
    const found = coherence(forward, Sequence.of([text, video, text]))
    assert.equal(found.monotoneDecode, false)
    assert.deepEqual(found.decode, { last: [7, 7, 7], expected: [8, 8, 8], first: [12, 12, 12] })
    assert.ok(found.failed.includes('monotoneDecode'))
    assert.equal(monotone(forward, text, { kind: 'image', grid: [1, 4, 5] }, text), true)
    // generate() goes on from the last column: in step behind text, three different ids behind a block.
    const generate = encodings.qwen2VL({ compat: 'transformers@5.18' })
    assert.equal(monotone(generate, text, video, text), true)
    const behindBlock = coherence(generate, Sequence.of([text, video]))
    assert.deepEqual(behindBlock.decode.first, [12, 5, 5])
    assert.equal(behindBlock.monotoneDecode, false)
    assert.equal(behindBlock.text.firstUnequal, 39)
    assert.equal(behindBlock.textCompatible, false)
  })

  it('jumps for sound in video of Qwen2.5-Omni under transformers@5.18', () => {
    const sound: Segment = { kind: 'audio-video', grid: [2, 2, 2], secondsPerGrid: 1, audioLength: 2 }
    const segments: Segment[] = [{ kind: 'text', length: 1 }, sound, { kind: 'text', length: 1 }]
    const found = coherence(encodings.qwen25Omni({ compat: 'transformers@5.18/forward' }), Sequence.of(segments))
    assert.deepEqual([found.decode.last, found.decode.first, found.monotoneDecode], [[5, 5, 5], [28, 28, 28], false])
    assert.equal(monotone(encodings.qwen25Omni(), ...segments), true)
  })

  it('restarts from the plain index in the official HoPE decode', () => {
    const grid: Grid = [4, 2, 2]
    const { axes, ids } = place(diagonal(0.75), grid, 2)
    const planar = axes.map((_, a) => ids.subarray(a * 28, (a + 1) * 28))
    const restarted = Positions.from({ axes, ids: planar, next: 28 })
    assert.equal(coherenceOf(restarted, prompt(grid, 2)).monotoneDecode, false)
    assert.equal(coherenceOf(place(diagonal(0.75), grid, 2), prompt(grid, 2)).monotoneDecode, true)
  })

  it('does not count images to be generated as text', () => {
    const sequence = Sequence.of([text, { kind: 'image', grid: [1, 2, 3] }, text], {
      upcoming: [
        [1, 4, 5],
        [1, 2, 2],
      ],
    })
    const found = coherence(encodings.glmImage(), sequence, { generated: 3 })
    assert.equal(found.monotoneDecode, true)
    assert.equal(found.text.axesEqual, true)
    assert.equal(found.blocks[0].overlap, 0)
  })
})
