import { strict as assert } from 'node:assert'
import fc from 'fast-check'
import {
  allocations,
  Encoding,
  encodings,
  layouts,
  Positions,
  type RotaryTable,
  type Segment,
  Sequence,
  spectra,
} from '../lib/index.js'
import { PhaseRows } from '../lib/rotary/phases.js'
import { planes } from './support/ids.js'
import { type Entry, placed, prompts, registry } from './support/registry.js'

const runs = { numRuns: 60 }
const coherent = registry.filter(({ encoding }) => encoding.compat === 'coherent')

function forEach(title: string, entries: readonly Entry[], check: (encoding: Encoding) => void): void {
  describe(title, () => {
    for (const { name, encoding } of entries) it(name, () => check(encoding))
  })
}

describe('the registry of encodings', () => {
  it('places blocks: every encoding of more than one axis takes an image, a frame or a canvas', () => {
    for (const { name, encoding } of registry) {
      const kinds = placed(encoding).map(({ probe }) => probe.kind)
      assert.ok(encoding.axes.length === 1 || kinds.includes('image') || kinds.includes('canvas'), `${name}: ${kinds}`)
    }
  })
})

forEach('ids of a prefix are a prefix of the ids, cut at segments and inside text', registry, (encoding) => {
  fc.assert(
    fc.property(prompts(encoding), fc.nat(), (segments, cut) => {
      const whole = planes(encoding.positions(Sequence.of(segments)))
      const at = cut % (segments.length + 1)
      const next = segments[at]
      const part: Segment[] = next?.kind === 'text' ? [{ kind: 'text', length: Math.floor(next.length / 2) }] : []
      const prefix = Sequence.of([...segments.slice(0, at), ...part])
      assert.deepEqual(
        planes(encoding.positions(prefix)),
        whole.map((axis) => axis.slice(0, prefix.length)),
      )
    }),
    runs,
  )
})

forEach('a row in a padded batch has the ids, next and continuation of the row alone', registry, (encoding) => {
  fc.assert(
    fc.property(prompts(encoding), fc.integer({ min: 1, max: 33 }), (segments, padding) => {
      const alone = encoding.positions(Sequence.of(segments))
      const padded = encoding.positions(Sequence.of(segments, { padding }))
      assert.deepEqual(planes(padded.slice(padding)), planes(alone))
      assert.deepEqual([padded.padding, padded.next], [padding, alone.next])
      assert.deepEqual(planes(padded.decode(3)), planes(alone.decode(3)))
      const counted = encoding.compat === 'transformers@4.57' && encoding.axes.length > 1 ? padding : 0
      assert.equal(padded.delta, alone.delta - counted, 'only 4.57 counts delta from the padded width')
    }),
    runs,
  )
})

forEach('decode goes on with the ids that the tokens have as text of the prompt', coherent, (encoding) => {
  fc.assert(
    fc.property(prompts(encoding), fc.integer({ min: 1, max: 7 }), fc.nat(7), (segments, first, second) => {
      const sequence = Sequence.of(segments)
      const positions = encoding.positions(sequence)
      const longer = encoding.positions(sequence.concat(Sequence.of([{ kind: 'text', length: first + second }])))
      assert.deepEqual(planes(positions.decode(first + second)), planes(longer.slice(sequence.length)))
      assert.deepEqual(planes(positions.decode(first).decode(second)), planes(longer.slice(sequence.length + first)))
      assert.equal(positions.decode(first + second).next, longer.next)
      assert.equal(positions.delta, longer.delta)
    }),
    runs,
  )
})

/** XD-RoPE writes ordinals into the ids of text on purpose, and blocks apart are not in the line of the text. */
const unordered = ({ layout }: Encoding): boolean => layout.name === 'plain-index' || layout.ownSequences === true
forEach(
  'a text id is above every id before it, on the axes that its layout counts on',
  coherent.filter(({ encoding }) => !unordered(encoding)),
  (encoding) => {
    const { textAxes = encoding.axes.length, rules } = encoding.layout
    const counting = rules.next === 'first' ? 1 : textAxes
    fc.assert(
      fc.property(prompts(encoding), (segments) => {
        const sequence = Sequence.of([...segments, { kind: 'text', length: 1 }])
        const ids = planes(encoding.positions(sequence))
        let largest = -1
        let token = 0
        for (const segment of sequence.segments) {
          const end = token + Sequence.of([segment]).length
          const block = ids.map((axis) => axis.slice(token, end))
          if (segment.kind === 'text' && end > token) {
            assert.ok(
              block[0][0] > largest && block.every((axis, a) => axis[0] === (a < textAxes ? block[0][0] : 0)),
              `token ${token}: ${block.map(([id]) => id)} after ${largest}`,
            )
          }
          largest = Math.max(largest, ...block.slice(0, counting).flat())
          token = end
        }
      }),
      runs,
    )
  },
)

describe('layouts that let text overlap with a picture say so by their rule, and do', () => {
  const picture = Sequence.of([
    { kind: 'text', length: 3 },
    { kind: 'image', grid: [1, 5, 7] },
    { kind: 'text', length: 1 },
  ])
  for (const { name, encoding } of coherent) {
    if (encoding.layout.rules.next !== 'first') continue
    it(name, () => {
      const positions = encoding.positions(picture)
      assert.ok(positions.largest > positions.axis(0)[positions.length - 1], `${positions.largest}`)
    })
  }
})

/** Rotated dot products of every q with every k, all in float64, from the table's own phases. */
function scores(encoding: Encoding, positions: Positions, vectors: readonly Float64Array[]): number[] {
  const { headDim, rotaryDim, pairing, invFreq, allocation } = encoding
  const pairs = rotaryDim / 2
  const rotated = vectors.map((x, n) => {
    const [cos, sin] = [new Float64Array(pairs).fill(1), new Float64Array(pairs)]
    for (let f = 0; f < pairs; f++) {
      const axis = allocation.axisOf[f]
      if (axis < 0) continue
      new PhaseRows(Float64Array.of(invFreq[f])).write(positions.axis(axis)[n], 1, cos, sin, f, Int32Array.of(0))
    }
    const out = Float64Array.from(x)
    for (let f = 0; f < pairs; f++) {
      const [i, j] = pairing === 'adjacent' ? [2 * f, 2 * f + 1] : [f, f + pairs]
      out[i] = x[i] * cos[f] - x[j] * sin[f]
      out[j] = x[j] * cos[f] + x[i] * sin[f]
    }
    return out
  })
  const dot = (a: Float64Array, b: Float64Array): number => {
    let sum = 0
    for (let c = 0; c < headDim; c++) sum += a[c] * b[c]
    return sum
  }
  return rotated.flatMap((q) => rotated.map((k) => dot(q, k)))
}

forEach('a constant added to all ids leaves the scores unchanged (float64, 1e-9)', registry, (encoding) => {
  const constant = fc.oneof(fc.integer({ min: -100000, max: 100000 }), fc.double({ min: -1e5, max: 1e5, noNaN: true }))
  fc.assert(
    fc.property(prompts(encoding), constant, fc.integer(), (segments, shift, seed) => {
      const some = encoding.positions(Sequence.of([...segments, { kind: 'text', length: 3 }]))
      const positions = some.slice(Math.max(0, some.length - 5))
      const moved = Positions.from({
        axes: positions.axes,
        ids: planes(positions).map((axis) => axis.map((id) => id + shift)),
      })
      const vectors = Array.from({ length: positions.length }, (_, n) =>
        Float64Array.from(
          { length: encoding.headDim },
          (__, c) => Math.sin(seed * 1e-3 + 12.9898 * n + 78.233 * c) / 8,
        ),
      )
      const before = scores(encoding, positions, vectors)
      scores(encoding, moved, vectors).forEach((score, i) => {
        assert.ok(Math.abs(score - before[i]) <= 1e-9, `score ${i}: ${score}, before ${before[i]}`)
      })
    }),
    { numRuns: 5 },
  )
})

describe('text tokens turn as in one-dimensional RoPE, whatever the allocation', () => {
  const text = Sequence.of([{ kind: 'text', length: 777 }])
  /** The same frequencies, all on one axis. */
  const single = ({ spectrum, invFreq, headDim, pairing, precision }: Encoding): RotaryTable => {
    const length = spectrum.atLength ? 777 : 0
    const flat = spectrum.atLength ? spectrum.atLength(length) : { ...spectrum, invFreq }
    const { atLength: _, ...fixed } = flat
    return new Encoding({
      name: '1-D',
      headDim,
      layout: layouts.sequential(),
      spectrum: fixed,
      allocation: allocations.single(invFreq.length),
      pairing,
      precision,
    }).table(layouts.sequential().positions(text))
  }
  for (const { name, encoding } of registry) {
    // Pairs without an axis, and of axes on which text is 0: two of ggml's [24,20,20], the spatial ones of Lumina.
    const { layout, allocation } = encoding
    const still = allocation.axisOf.map((axis) => (axis < 0 || axis >= (layout.textAxes ?? layout.axes.length) ? 1 : 0))
    const count = still.reduce((sum, one) => sum + one, 0)
    it(count > 0 ? `${name}: but for ${count} pairs, which do not turn` : name, () => {
      const table = encoding.table(encoding.positions(text))
      const expected = single(encoding)
      const [heads, tokens, pairs] = table.shape
      for (let h = 0; h < heads; h++) {
        for (let n = 0; n < tokens; n++) {
          for (let f = 0; f < pairs; f++) {
            const [i, j] = [(h * tokens + n) * pairs + f, n * pairs + f]
            const [cos, sin] = still[h * pairs + f] ? [1, 0] : [expected.cos[j], expected.sin[j]]
            if (table.cos[i] !== cos || table.sin[i] !== sin) assert.fail(`head ${h}, token ${n}, pair ${f}`)
          }
        }
      }
    })
  }
})

describe('ids of one sequence do not depend on another', () => {
  it('the same encoding, asked for other prompts between (qwen25Omni, qwen25VL, hunyuanVL, qwen3VL)', () => {
    for (const encoding of [encodings.qwen25Omni(), encodings.qwen25VL(), encodings.hunyuanVL(), encodings.qwen3VL()]) {
      fc.assert(
        fc.property(prompts(encoding), prompts(encoding), (one, other) => {
          const sequence = Sequence.of(one)
          const before = encoding.positions(sequence)
          encoding.positions(Sequence.of(other)).decode(9)
          assert.deepEqual(encoding.positions(sequence), before)
        }),
        runs,
      )
    }
  })
  it('spectra with a length: a longer table leaves the encoding as it was', () => {
    const spectrum = spectra.dynamic({ base: 1e4, dim: 64, factor: 2, maxPositions: 33 })
    const encoding = new Encoding({
      name: 'dynamic',
      headDim: 64,
      layout: layouts.sequential(),
      spectrum,
      allocation: allocations.single(32),
      pairing: 'half-split',
    })
    const short = layouts.sequential().positions(Sequence.of([{ kind: 'text', length: 3 }]))
    const before = encoding.table(short)
    const long = encoding.table(layouts.sequential().positions(Sequence.of([{ kind: 'text', length: 100 }])))
    assert.notDeepEqual(long.cos.slice(0, 96), before.cos)
    assert.deepEqual(encoding.table(short), before)
  })
})
