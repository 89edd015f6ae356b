import assert from 'node:assert/strict'
import { allocations } from '../lib/allocations/index.js'
import { coherence, coherenceOf } from '../lib/analysis/coherence.js'
import type { CoherenceOptions, PositionsCoherenceOptions } from '../lib/analysis/options.js'
import type { Coherence } from '../lib/analysis/report.js'
import type { Encoding } from '../lib/encodings/encoding.js'
import { encodings } from '../lib/encodings/named.js'
import { MropeError } from '../lib/errors.js'
import { layouts } from '../lib/layouts/index.js'
import { Positions } from '../lib/layouts/positions.js'
import type { Segment } from '../lib/sequence/segment.js'
import { Sequence } from '../lib/sequence/sequence.js'
import { circle, encode, image, judgeScheme, long, oneId, prompt, reset, wide } from './coherence-schemes.js'

describe('the verdict in words', () => {
  const say = (encoding: Encoding, sequence: Sequence, options?: CoherenceOptions): Coherence =>
    coherence(encoding, sequence, options)

  it('says which text ids collide with which block, and what to do', () => {
    const found = say(encodings.qwen2VL({ compat: 'transformers@5.18' }), prompt(long, 5), { generated: 105 })
    assert.equal(found.coherent, false)
    assert.deepEqual(found.failed, ['noOverlap', 'modalityInterval', 'fullSpectrum'])
    const sentence = found.words.find((line) => line.includes('56 text tokens'))
    assert.ok(sentence, found.words.join('\n'))
    for (const part of [
      'Block 0 (video of 64×6×8, tokens 10 to 3081)',
      'ids up to 73',
      '5 of the prompt, 51 generated',
      'ids 18 to 73',
      'here 74',
      'without compat transformers@5.18',
    ]) {
      assert.ok(sentence.includes(part), `${part} in: ${sentence}`)
    }
  })

  it('says that all is well in one sentence', () => {
    const found = say(encodings.qwen3VL(), prompt(image, 5))
    assert.equal(found.coherent, true)
    assert.deepEqual(found.failed, [])
    assert.deepEqual(found.words, [
      'The positions are coherent: 615 tokens with ids up to 44; 1 block takes 0.05 ids a token and ends below the text behind it; generated text goes on from 45 (110 tokens looked at).',
    ])
    // One cell is one step away on every axis: as near as can be.
    assert.deepEqual(say(encodings.qwen3VL(), prompt([1, 1, 1], 1)).failed, [])
    const plain = say(encodings.llama(), Sequence.of([{ kind: 'text', length: 777 }]))
    assert.equal(plain.coherent, true)
    assert.match(plain.words[0], /777 tokens with ids up to 776; all of them are text; generated text goes on from 777/)
    const empty = say(encodings.qwen2VL(), Sequence.of([]), { generated: 0 })
    assert.deepEqual([empty.coherent, empty.maxId, empty.growth, empty.decode.last], [true, -1, null, null])
    assert.equal(empty.words[0], 'The prompt is empty, so nothing in it can be wrong.')
    const begun = say(encodings.qwen2VL(), Sequence.of([]))
    assert.equal(begun.words[0], 'The prompt is empty, so nothing in it can be wrong; generated text starts at 0.')
  })

  it('has a sentence for every predicate that fails', () => {
    const stride = encode(layouts.spatialReset(), allocations.chunked([16, 24, 24], 64))
    const cases: readonly [Coherence, string, RegExp][] = [
      [say(encodings.llama(), prompt(image, 1)), 'structure3D', /2 directions, its ids have 1/],
      [say(encodings.llama(), prompt(image, 1)), 'growth', /600 ids for 600 tokens, 1 each and more than 0\.25/],
      [say(encodings.qwen25Omni(), prompt(long, 1)), 'growth', /1576 ids for 3072 tokens.*Take fewer ids a second/],
      [say(encodings.qwen2VL(), prompt(image, 1), { trainedMaximum: 100 }), 'trainedMaximum', /stay below 100/],
      [
        say(encodings.qwen2VL({ compat: 'transformers@5.18/forward' }), prompt(long, 1)),
        'monotoneDecode',
        /Generated text starts at 74.* 18 and 19 was expected/,
      ],
      [
        say(
          stride,
          Sequence.of([
            { kind: 'text', length: 777 },
            { kind: 'image', grid: [1, 3, 5] },
          ]),
        ),
        'modalityInterval',
        /1093\.188 ids away.*count anew in every block/,
      ],
      [say(reset, prompt(image, 1), { intervalLimit: 10 }), 'modalityInterval', /starts 11 ids above it, more than 10/],
      [
        say(encodings.qwen3VL({ compat: 'ggml' }), prompt(image, 1)),
        'textCompatible',
        /different ids on the axes t, h, w, e/,
      ],
      [say(encodings.qwen2VL(), prompt(image, 1)), 'fullSpectrum', /t has numbers 1 to 16 of 64; h has/],
      [
        judgeScheme(oneId, [1, 3, 5]),
        'structure3D',
        /1 different ids for 15 cells: frame 0, row 0, column 0 and frame 0, row 0, column 1/,
      ],
      [judgeScheme(circle, wide), 'structure3D', /not equal steps of ids/],
      [
        judgeScheme((grid, p) => ({ ...oneId(grid, p), next: p }), [1, 1, 1]),
        'noSharedVector',
        /1 text token and tokens of block 0/,
      ],
      [
        judgeScheme((grid, p) => ({ ...oneId(grid, p), next: p + 0.5 }), [1, 1, 1]),
        'modalityInterval',
        /goes on 0\.5 ids from its largest id, 10/,
      ],
    ]
    for (const [found, predicate, pattern] of cases) {
      assert.ok(
        found.failed.some((failed) => failed === predicate),
        `${predicate} in ${found.failed}`,
      )
      assert.ok(
        found.words.some((line) => pattern.test(line)),
        `${pattern} in:\n${found.words.join('\n')}`,
      )
    }
  })

  it('keeps its length for a thousand blocks and names a few of them', () => {
    const frames = Array.from({ length: 1000 }, (): Segment[] => [
      { kind: 'text', length: 2 },
      { kind: 'video', grid: [9, 2, 2] },
    ])
    const sequence = Sequence.of(frames.flat())
    const found = say(encodings.qwen2VL({ compat: 'transformers@5.18' }), sequence)
    assert.equal(found.blocks.filter(({ noOverlap }) => !noOverlap).length, 1000)
    assert.ok(found.words.length < 10, `${found.words.length} sentences`)
    assert.ok(
      found.words.some((line) => /^The same is true of blocks \d+, \d+, \d+, \d+, \d+ and 994 more\.$/.test(line)),
    )
  })

  it('judges growth by thresholds and trained maximum', () => {
    const small = say(encodings.llama(), prompt([1, 5, 51], 1))
    assert.deepEqual([small.slowGrowth, small.visualGrowth], [true, 1])
    assert.equal(say(encodings.llama(), prompt([1, 4, 64], 1)).slowGrowth, false)
    assert.equal(say(encodings.llama(), prompt([1, 4, 64], 1), { growthThreshold: 1 }).slowGrowth, true)
    // Many small frames count together.
    const frame: Segment[] = [
      { kind: 'text', length: 1 },
      { kind: 'image', grid: [1, 2, 3] },
    ]
    const video = say(encodings.qwen3VL(), Sequence.of(Array.from({ length: 43 }, () => frame).flat()))
    assert.deepEqual([video.slowGrowth, video.visualGrowth, video.failed], [false, 0.5, ['growth']])
    // Sound is read at its own pace, like text.
    const sound = Sequence.of([
      { kind: 'text', length: 1 },
      { kind: 'audio', length: 777 },
    ])
    const heard = say(encodings.qwen3Omni(), sound)
    assert.deepEqual([heard.slowGrowth, heard.visualGrowth, heard.blocks[0].growth], [true, null, 1])
    // The largest id is 40: 151 is the first maximum above 40 + 110.
    assert.equal(say(encodings.qwen2VL(), prompt(image, 1), { trainedMaximum: 150 }).withinTrainedMaximum, false)
    assert.equal(say(encodings.qwen2VL(), prompt(image, 1), { trainedMaximum: 151 }).withinTrainedMaximum, true)
    assert.equal(say(encodings.qwen2VL(), prompt(image, 1)).withinTrainedMaximum, null)
  })
})

describe('coherence, arguments', () => {
  const encoding = encodings.qwen2VL()
  const sequence = prompt([1, 3, 5], 2)
  const positions = encoding.positions(sequence)
  const options = (value: unknown) => value as CoherenceOptions & PositionsCoherenceOptions
  const bad: readonly [string, () => unknown, code: string, message: RegExp][] = [
    [
      'no encoding',
      () => coherence(undefined as never, sequence),
      'ARGUMENT',
      /encoding must be an Encoding, got undefined/,
    ],
    ['a description', () => coherence(encoding.describe() as never, sequence), 'ARGUMENT', /must be an Encoding/],
    ['segments', () => coherence(encoding, [...sequence.segments] as never), 'ARGUMENT', /expected a Sequence/],
    ['null', () => coherence(encoding, null as never), 'ARGUMENT', /expected a Sequence.*got null/],
    ['lists of ids', () => coherenceOf([[1, 2]] as never, sequence), 'ARGUMENT', /expected Positions/],
    [
      'options of a wrong kind',
      () => coherence(encoding, sequence, options(110)),
      'ARGUMENT',
      /expected an object, got 110/,
    ],
    [
      'an unknown option',
      () => coherence(encoding, sequence, options({ generate: 1 })),
      'ARGUMENT',
      /unknown option "generate"/,
    ],
    [
      'starts with an encoding',
      () => coherence(encoding, sequence, options({ starts: [10] })),
      'ARGUMENT',
      /unknown option "starts"/,
    ],
    [
      'negative counts',
      () => coherence(encoding, sequence, { generated: -1 }),
      'ARGUMENT',
      /generated must be .* got -1/,
    ],
    ['fractional counts', () => coherence(encoding, sequence, { generated: 1.5 }), 'ARGUMENT', /got 1\.5/],
    [
      'counts beyond memory',
      () => coherence(encoding, sequence, { generated: 2 ** 40 }),
      'ARGUMENT',
      /at most 1048576/,
    ],
    ['counts as text', () => coherence(encoding, sequence, options({ generated: '9' })), 'ARGUMENT', /got "9"/],
    [
      'a NaN threshold',
      () => coherence(encoding, sequence, { growthThreshold: Number.NaN }),
      'ARGUMENT',
      /growthThreshold .* NaN/,
    ],
    ['no range', () => coherence(encoding, sequence, { trainedMaximum: 0 }), 'ARGUMENT', /trainedMaximum .* got 0/],
    [
      'a limit as text',
      () => coherence(encoding, sequence, options({ intervalLimit: '5' })),
      'ARGUMENT',
      /intervalLimit .* "5"/,
    ],
    [
      'a text model of a wrong kind',
      () => coherence(encoding, sequence, options({ textModel: {} })),
      'ARGUMENT',
      /textModel must be/,
    ],
    [
      'too few starts',
      () => coherenceOf(positions, sequence, { starts: [] }),
      'SHAPE',
      /starts has 0 ids, the sequence has 1 blocks/,
    ],
    [
      'starts that are no list',
      () => coherenceOf(positions, sequence, options({ starts: 10 })),
      'ARGUMENT',
      /starts must be a list/,
    ],
    [
      'an infinite start',
      () => coherenceOf(positions, sequence, { starts: [Infinity] }),
      'POSITION',
      /a start is Infinity/,
    ],
    [
      'positions of another sequence',
      () => coherenceOf(positions, prompt([1, 3, 5], 3)),
      'SHAPE',
      /positions of 27 tokens \(27 with padding\), the sequence has 28/,
    ],
    [
      'a segment that the layout does not take',
      () => coherence(encodings.qwen3VL(), prompt([2, 3, 5], 1)),
      'BLOCK',
      /one block a frame/,
    ],
    [
      'NaN ids',
      () =>
        coherenceOf(
          new Positions({ axes: ['p'], ids: Float64Array.of(0, Number.NaN), next: 2, delta: 0 }),
          Sequence.of([{ kind: 'text', length: 2 }]),
        ),
      'POSITION',
      /id 1 on axis p is NaN/,
    ],
    [
      'an infinite next id',
      () =>
        coherenceOf(
          Positions.from({ axes: ['p'], ids: [[0]], next: Infinity }),
          Sequence.of([{ kind: 'text', length: 1 }]),
        ),
      'POSITION',
      /Infinity/,
    ],
  ]
  for (const [name, call, code, message] of bad) {
    it(`refuses ${name}`, () => {
      assert.throws(call, (error) => {
        assert.ok(error instanceof MropeError, String(error))
        assert.equal(error.code, `ERR_MROPE_${code}`)
        assert.match(error.message, message)
        return true
      })
    })
  }

  it('leaves padding out', () => {
    const padded = Sequence.of([...sequence.segments], { padding: 33 })
    assert.deepEqual(coherence(encoding, padded), coherence(encoding, sequence))
    assert.deepEqual(coherenceOf(encoding.positions(padded), padded), coherenceOf(positions, sequence))
    const release = encodings.qwen2VL({ compat: 'transformers@4.57' })
    assert.deepEqual(coherence(release, padded).blocks, coherence(release, sequence).blocks)
  })

  it('takes no limit at all', () => {
    const found = coherence(reset, prompt(image, 1), { intervalLimit: Infinity, trainedMaximum: Infinity })
    assert.deepEqual([found.blocks[0].interval.limit, found.trainedMaximum, found.coherent], [null, null, true])
    assert.deepEqual(JSON.parse(JSON.stringify(found)), found)
  })
})
