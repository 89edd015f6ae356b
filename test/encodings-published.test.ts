import { strict as assert } from 'node:assert'
import { ablationEncodings } from '../lib/encodings/published-ablations.js'
import { alternateLayers, deepStack } from '../lib/encodings/published-layers.js'
import { trainingStrides } from '../lib/encodings/published-parts.js'
import { publishedEncodings } from '../lib/encodings/published-rows.js'
import { type Encoding, encodings, Sequence } from '../lib/index.js'
import { image, text } from './support/examples.js'
import { A, B, vectors } from './support/ids.js'

const papers = { ...publishedEncodings, ...ablationEncodings }
const axisOf = (encoding: Encoding): string => encoding.describe().axisOf
const power = (base: number, dim: number): number[] =>
  Array.from({ length: dim / 2 }, (_, i) => base ** ((-2 * i) / dim))

describe('encodings of papers: axis of each pair', () => {
  const cases: readonly [string, Encoding, string][] = [
    ['videoRope', encodings.videoRope(), 'HW'.repeat(24) + 'T'.repeat(16)],
    ['videoRopePort: T17 H24 W23', encodings.videoRopePort(), `T${'HW'.repeat(23)}H${'T'.repeat(16)}`],
    ['hope: temporal pairs do not turn', encodings.hope(), 'HW'.repeat(24) + '-'.repeat(16)],
    ['hopePort: nor does the first', encodings.hopePort(), `-${'HW'.repeat(23)}H${'-'.repeat(16)}`],
    ['circleRope', encodings.circleRope(), 'T'.repeat(16) + 'H'.repeat(24) + 'W'.repeat(24)],
    ['vRope: corners in turn', encodings.vRope(), 'ABCD'.repeat(16)],
    ['omniRope', encodings.omniRope(), 'T'.repeat(16) + 'H'.repeat(24) + 'W'.repeat(24)],
    ['omniGen2 (40, 40, 40)', encodings.omniGen2(), 'T'.repeat(20) + 'H'.repeat(20) + 'W'.repeat(20)],
    ['lumina2 (32, 32, 32)', encodings.lumina2(), 'T'.repeat(16) + 'H'.repeat(16) + 'W'.repeat(16)],
    ['ilRope', encodings.ilRope(), `${'THW'.repeat(20)}TTTT`],
    ['mmRope', encodings.mmRope(), 'TTHWHWHW'.repeat(8)],
    ['mropeI 24:20:20', encodings.mropeI(), `${'THW'.repeat(20)}TTTT`],
    ['mropeI 48:8:8', encodings.mropeI({ sections: [48, 8, 8] }), 'THW'.repeat(8) + 'T'.repeat(40)],
    ['mropeI 32:16:16', encodings.mropeI({ sections: [32, 16, 16] }), 'THW'.repeat(16) + 'T'.repeat(16)],
    ['v2pe', encodings.v2pe(), 'P'.repeat(64)],
    ['bagel', encodings.bagel(), 'P'.repeat(64)],
    ['mhRope [2,3,3] of 8', encodings.mhRope(), [...'TTHHHWWW'].map((letter) => letter.repeat(64)).join('|')],
    [
      'mhRope [1,1,1] of 4: the last head does not turn',
      encodings.mhRope({ sections: [1, 1, 1], kvHeads: 4 }),
      [...'THW-'].map((letter) => letter.repeat(64)).join('|'),
    ],
  ]
  for (const [name, encoding, expected] of cases) it(name, () => assert.equal(axisOf(encoding), expected))
})

describe('encodings of papers: frequencies', () => {
  it('OmniGen2 and Lumina-2 start anew on every axis', () => {
    for (const [encoding, dim] of [
      [encodings.omniGen2(), 40],
      [encodings.lumina2(), 32],
      [encodings.omniGen2({ headDim: 96, sections: [16, 16, 16] }), 32],
    ] as const) {
      assert.deepEqual(
        [...encoding.invFreq],
        [0, 1, 2].flatMap(() => power(1e4, dim)),
      )
      assert.deepEqual(encoding.describe().spectrum.parameters, { base: 1e4, dims: [dim, dim, dim] })
    }
  })
  it('a scaled base is for the spatial pairs only', () => {
    const scaled = encodings.scaledSpatialBase({ spatialBaseFactor: 3 })
    const letters = axisOf(scaled)
    const [plain, spatial] = [power(1e6, 128), power(3e6, 128)]
    scaled.invFreq.forEach((f, pair) => {
      assert.equal(f, letters[pair] === 'T' ? plain[pair] : spatial[pair], `pair ${pair}`)
    })
  })
  it('all others are plain over the whole head', () => {
    for (const [name, make] of Object.entries(papers)) {
      if (['omniGen2', 'lumina2', 'scaledSpatialBase'].includes(name)) continue
      const { base, headDim } = { base: make().spectrum.parameters.base as number, headDim: make().headDim }
      assert.deepEqual([...make().invFreq], power(base, headDim), name)
      assert.deepEqual([...make({ base: 333, headDim: 128 }).invFreq], power(333, 128), name)
    }
  })
  it('MHRoPE turns every pair of a head by the id of its axis, and idle heads not at all', () => {
    const encoding = encodings.mhRope({ sections: [1, 2, 1], kvHeads: 5, temporalStride: 2 })
    const positions = encoding.positions(Sequence.of([text(3), { kind: 'video', grid: [3, 4, 5] }]))
    const table = encoding.table(positions)
    assert.deepEqual(table.shape, [5, 63, 64])
    const token = 3 + 2 * 20 + 1 * 5 + 4
    assert.deepEqual(positions.at(token), [7, 1, 4])
    for (const [head, id] of [7, 1, 1, 4, 0].entries()) {
      for (const pair of [0, 33, 63]) {
        const i = (head * 63 + token) * 64 + pair
        assert.ok(Math.abs(table.cos[i] - Math.cos(id * encoding.invFreq[pair])) < 1e-7)
        assert.ok(Math.abs(table.sin[i] - Math.sin(id * encoding.invFreq[pair])) < 1e-7)
      }
    }
  })
})

describe('encodings of papers: how sure they are', () => {
  it('describe() names a source for each, and what could not be verified', () => {
    const verified: Record<string, string[]> = {}
    for (const [name, make] of Object.entries(papers)) {
      const described = make().describe()
      assert.equal(described.name, name)
      assert.ok(described.source.length > 10, name)
      const marked = described.warnings.some((warning) => warning.startsWith('UNVERIFIED'))
      assert.equal(marked, described.verified === 'unverified', name)
      verified[described.verified] = [...(verified[described.verified] ?? []), name]
    }
    assert.deepEqual(verified, {
      source: ['bagel', 'llava', 'lumina2', 'omniGen2', 'v2pe'],
      run: [
        'circleRope',
        'hope',
        'hopePort',
        'mhRope',
        'mmRope',
        'mropeI',
        'omniRope',
        'videoRope',
        'videoRopePort',
        'vRope',
      ],
      unverified: ['ilRope', 'diagonalLayout', 'enlargedInterval', 'scaledSpatialBase', 'textSpatialReset'],
    })
  })
  it('a base of the language model is said, unless it is given', () => {
    assert.deepEqual(encodings.mropeI().warnings, ['base is not given; 1000000, that of Qwen2 and Qwen2.5, is used'])
    assert.deepEqual(encodings.mropeI({ base: 5e6 }).warnings, [])
  })
  it('an interleave ratio that gives other pairs than it says is said', () => {
    assert.deepEqual(encodings.mropeI({ base: 1e6, sections: [16, 24, 24] }).warnings, [
      'sections [16,24,24] give 22, 21, 21 pairs',
    ])
    assert.deepEqual(encodings.mropeI({ base: 1e6, sections: [48, 8, 8] }).warnings, [])
  })
  it('pairing is that of the language model', () => {
    assert.equal(encodings.vRope().pairing, 'half-split')
    assert.equal(encodings.vRope({ pairing: 'adjacent' }).pairing, 'adjacent')
    assert.deepEqual([encodings.omniGen2().pairing, encodings.lumina2().pairing], ['adjacent', 'adjacent'])
  })
  it('layouts say their rules: where rows count from, strides and seeds', () => {
    const rules = (encoding: Encoding) => encoding.describe().layout.rules
    assert.deepEqual(rules(encodings.videoRope()).map, [
      't = start + time',
      'h = start + time + (row − (rows − 1)//2)',
      'w = start + time + (column − (columns − 1)//2)',
    ])
    assert.equal(
      (rules(encodings.vRope()).map as string[])[3],
      'd = start + time + (rows − 1 − row) + (columns − 1 − column)',
    )
    assert.deepEqual(rules(encodings.bagel()).map, ['p = start'])
    assert.deepEqual(rules(encodings.hope({ temporalStride: { among: trainingStrides.hope, seed: 7 } })).time, {
      by: 'index',
      stride: { among: [0.5, 0.75, 1, 1.25, 1.5], seed: 7 },
    })
    assert.equal(rules(encodings.lumina2()).text, 'counts on t')
    assert.equal(rules(encodings.enlargedInterval()).interval, 32)
    assert.equal(rules(encodings.circleRope({ radius: 'auto-2' })).radius, 'auto-2')
  })
  it('describe() of every one is JSON', () => {
    for (const make of Object.values(papers)) {
      const described = make().describe()
      assert.deepEqual(JSON.parse(JSON.stringify(described)), described)
    }
  })
})

describe('alternating geometry encoding: ring or grid by layer', () => {
  const ring = encodings.circleRope()
  const grid = encodings.qwen2VL()
  const rings = (layers: number, strategy?: 'strategy_2' | 'strategy_3' | 'strategy_4'): string =>
    alternateLayers(ring, grid, { layers, strategy })
      .encodings.map((one) => (one === ring ? 'o' : '#'))
      .join('')
  it('36 layers', () => {
    assert.equal(rings(36, 'strategy_2'), 'o'.repeat(18) + '#'.repeat(18))
    assert.equal(rings(36, 'strategy_3'), '#'.repeat(18) + 'o'.repeat(18))
    assert.equal(rings(36, 'strategy_4'), 'o#'.repeat(18))
    assert.equal(rings(36), 'o#'.repeat(18))
  })
  it('1 and 7 layers', () => {
    assert.deepEqual([rings(1), rings(7, 'strategy_2'), rings(7, 'strategy_3')], ['o', 'oooo###', '####ooo'])
  })
  it('text behind a picture and generated tokens have the ids of their layer', () => {
    const { encodings: layers } = alternateLayers(ring, grid, { layers: 2 })
    const [first, second] = layers.map((encoding) => encoding.positions(Sequence.of(A)))
    assert.ok(Math.abs(first.axis('t')[9] - 11.527) < 6e-4)
    assert.equal(second.axis('t')[9], 6)
    assert.ok(Math.abs(first.decode(1).at(0)[0] - 13.527) < 6e-4)
    assert.deepEqual(second.decode(1).at(0), [8, 8, 8])
  })
})

describe('DeepStack: the same positions at several layers', () => {
  const sequence = Sequence.of([...A, { kind: 'audio', length: 4 }, ...B], { padding: 5 })
  const positions = encodings.qwen2VL().positions(sequence)
  it('features of layers 8, 16 and 24 of the tower go to language layers 0, 1 and 2', () => {
    const injections = deepStack(positions, sequence, [8, 16, 24])
    assert.deepEqual(
      injections.map(({ layer, visionLayer }) => [layer, visionLayer]),
      [
        [0, 8],
        [1, 16],
        [2, 24],
      ],
    )
    const tokens = [...Array.from({ length: 6 }, (_, i) => 3 + i), ...Array.from({ length: 16 }, (_, i) => 18 + i)]
    for (const injection of injections) {
      assert.deepEqual([...injection.tokens], tokens)
      assert.deepEqual(
        vectors(injection.positions),
        tokens.map((token) => positions.at(5 + token)),
      )
    }
  })
  it('nothing to add without visual tokens, or without layers', () => {
    const words = Sequence.of([text(7)])
    assert.equal(deepStack(encodings.qwen3VL().positions(words), words, [8])[0].tokens.length, 0)
    assert.deepEqual(deepStack(positions, sequence, []), [])
  })
  it('frames of a video written with timestamps', () => {
    const frames = Sequence.of([text(2), image(1, 2, 2), text(3), image(1, 2, 2)])
    const [{ tokens }] = deepStack(encodings.qwen3VL().positions(frames), frames, [5])
    assert.deepEqual([...tokens], [2, 3, 4, 5, 9, 10, 11, 12])
  })
})
