import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { Encoding } from '../lib/encodings/encoding.js'
import { visionEncodings } from '../lib/encodings/grids/index.js'
import { Positions } from '../lib/layouts/positions.js'
import { rotate } from '../lib/rotary/rotate.js'
import type { RotaryTable } from '../lib/rotary/table.js'
import type { Segment } from '../lib/sequence/segment.js'
import { Sequence } from '../lib/sequence/sequence.js'
import { gridCases, gridExamples } from './support/grids.js'
import { randomTensor } from './support/tensors.js'

const blocks: Segment[] = [
  { kind: 'image', grid: [1, 5, 3] },
  { kind: 'text', length: 4 },
  { kind: 'image', grid: [1, 1, 7] },
]
const video: Segment = { kind: 'video', grid: [3, 3, 5] }

/** A prompt that a scheme takes: FramePack is told where its three frames stand. */
function prompt(name: string): Segment[] {
  return name.startsWith('framePack')
    ? [{ kind: 'text', length: 2 }, video]
    : [{ kind: 'text', length: 2 }, ...blocks, video]
}

/** `Σ_f cos(angle_i − angle_j)` of each pair of channels: what rotation does to the scores of two equal vectors. */
function scores({ cos, sin, shape: [heads, tokens, pairs] }: RotaryTable): Float64Array {
  const out = new Float64Array(heads * tokens)
  for (let head = 0; head < heads; head++) {
    for (let n = 0; n < tokens; n++) {
      const [i, j] = [(head * tokens + n) * pairs, (head * tokens + ((n * 7 + 3) % tokens)) * pairs]
      for (let f = 0; f < pairs; f++) out[head * tokens + n] += cos[i + f] * cos[j + f] + sin[i + f] * sin[j + f]
    }
  }
  return out
}

function shifted(positions: Positions, by: (axis: number) => number): Positions {
  const ids = positions.axes.map((_, a) => positions.axis(a).map((id) => id + by(a)))
  return Positions.from({ axes: positions.axes, ids })
}

describe('grids: every scheme', () => {
  it('has an example that the tests run over', () => {
    assert.deepEqual(Object.keys(gridExamples).sort(), Object.keys(visionEncodings).sort())
  })
  for (const { name, make } of gridCases) {
    const encoding: Encoding = make()
    const positions = encoding.positions(Sequence.of(prompt(name)))
    const table = encoding.table(positions)
    const [heads, tokens, pairs] = table.shape

    it(`${name} says what it is, where it comes from and whether that was run`, () => {
      const description = encoding.describe()
      assert.equal(description.name, name.replace(/ \(.*/, ''))
      assert.ok(description.source.length > 8, description.source)
      assert.equal(description.verified === 'unverified', name.startsWith('hierarchical'))
      assert.equal(description.invFreq.length, pairs)
      assert.deepEqual(JSON.parse(JSON.stringify(description)), description)
    })

    it(`${name} keeps the length of every vector: ${tokens} tokens, seed 1`, () => {
      const headDim = encoding.headDim
      const x = randomTensor('float32', [tokens, 2 * heads, headDim], 1)
      const y = rotate(x, table)
      for (let row = 0; row < tokens * 2 * heads; row++) {
        let [before, after] = [0, 0]
        for (let c = row * headDim; c < (row + 1) * headDim; c++) {
          before += x.data[c] ** 2
          after += y.data[c] ** 2
        }
        assert.ok(Math.abs(before - after) <= 2 ** -22 * before, `${after} of ${before}`)
      }
    })

    it(`${name}: scores depend on differences of positions alone`, () => {
      const before = scores(table)
      for (const by of [() => 8, () => -37, (axis: number) => 1.5 + axis]) {
        const after = scores(encoding.table(shifted(positions, by)))
        before.forEach((score, n) => {
          assert.ok(Math.abs(score - after[n]) <= 2 ** -21 * pairs, `${after[n]}, ${score}`)
        })
      }
    })

    it(`${name}: positions of a part of the prompt are the part of its positions`, () => {
      // Text of Qwen-Image stands behind the widest picture, wherever that comes.
      const whole = name.startsWith('qwenImage')
        ? [...prompt(name)].sort((a, b) => a.kind.localeCompare(b.kind))
        : prompt(name)
      const full = encoding.positions(Sequence.of(whole))
      for (let count = 0; count <= whole.length; count++) {
        if (name.startsWith('qwenImage') && whole[count]?.kind !== 'text' && count < whole.length) continue
        const part = encoding.positions(Sequence.of(whole.slice(0, count)))
        for (let a = 0; a < full.axes.length; a++) {
          assert.deepEqual(part.axis(a), full.axis(a).slice(0, part.length))
        }
      }
    })

    it(`${name}: padding moves nothing`, () => {
      const padded = encoding.positions(Sequence.of(prompt(name), { padding: 3 }))
      for (let a = 0; a < padded.axes.length; a++) assert.deepEqual(padded.axis(a).slice(3), positions.axis(a).slice())
      assert.equal(padded.next, positions.next)
    })

    it(`${name} gives the same when it is made again`, () => {
      const again = make()
      assert.deepEqual(again.table(again.positions(Sequence.of(prompt(name)))), table)
      assert.deepEqual(again.describe(), encoding.describe())
    })

    it(`${name} turns a side of 1 and a picture of 1 × 1 without NaN`, () => {
      for (const grid of [
        [1, 1, 1],
        [1, 1, 4],
        [1, 6, 1],
      ] as const) {
        if (name.startsWith('framePack')) continue
        const small = encoding.table(encoding.positions(Sequence.of([{ kind: 'image', grid }])))
        assert.ok(small.cos.every(Number.isFinite) && small.sin.every(Number.isFinite))
      }
    })
  }
})

describe('grids: class and register tokens, object pointers', () => {
  for (const name of [
    'ropeVitAxial',
    'ropeVitMixed',
    'sam2',
    'dinov3',
    'timm',
    'genlip',
    'goldenGate',
    'nd',
    'hunyuanVideo',
    'flux',
  ] as const) {
    it(`${name} does not turn them`, () => {
      const encoding = gridExamples[name][0]()
      const segments: Segment[] = [
        { kind: 'text', length: 5 },
        { kind: 'image', grid: [1, 2, 3] },
        { kind: 'text', length: 2 },
      ]
      const { cos, sin, shape } = encoding.table(encoding.positions(Sequence.of(segments)))
      for (const n of [0, 1, 4, 11, 12]) {
        for (let f = 0; f < shape[2]; f++) assert.deepEqual([cos[n * shape[2] + f], sin[n * shape[2] + f]], [1, 0])
      }
    })
  }

  it('SAM 2: keys of several memory frames repeat the angles of one, oblong grids too (fast-check)', () => {
    const sam2 = visionEncodings.sam2({ headDim: 64 })
    const side = fc.integer({ min: 1, max: 9 })
    fc.assert(
      fc.property(side, side, fc.integer({ min: 1, max: 4 }), fc.nat(5), (rows, columns, frames, pointers) => {
        const query = sam2.table(sam2.positions(Sequence.of([{ kind: 'image', grid: [1, rows, columns] }])))
        const memory: Segment[] = [
          { kind: 'video', grid: [frames, rows, columns] },
          { kind: 'text', length: pointers },
        ]
        const key = sam2.table(sam2.positions(Sequence.of(memory)))
        for (let frame = 0; frame < frames; frame++) {
          const at = frame * query.cos.length
          assert.deepEqual(key.cos.slice(at, at + query.cos.length), query.cos)
          assert.deepEqual(key.sin.slice(at, at + query.sin.length), query.sin)
        }
        assert.ok(key.cos.slice(frames * query.cos.length).every((c) => c === 1))
      }),
    )
  })
})
