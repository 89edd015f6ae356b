import { strict as assert } from 'node:assert'
import fc from 'fast-check'
import type { Allocation } from '../lib/allocations/allocation.js'
import { allocations, Encoding, encodings, layouts, Positions, type RotaryTable, spectra } from '../lib/index.js'
import { cosSin, distance, type Fixed, fraction, fromNumber, ln, multiply, one, pi, power } from './support/exact.js'

const tolerance = 1e-7

/** Whole, negative and fractional ids, up to ±2^24. */
const ids = [
  ...[0, 1, 3, 33, 100, 255, 256, 257, 777, 65535, 65536, 131073, 1048577, 4194305, 2 ** 24 - 1, 2 ** 24],
  ...[-1, -33, -256, -257, -65537, -1048577, -(2 ** 24)],
  ...[0.5, 2.5, 1 / 3, 11.527, 16.5, -5.165, 100000 + 1 / 3, 2 ** 23 + 0.3, 2 ** 24 - 0.25, -(2 ** 24) + 0.1],
]

/** Largest distance of a table from `af · cos`, `af · sin` of exact angles, with the entry where it is. */
function worst(table: RotaryTable, angle: (head: number, token: number, pair: number) => Fixed, af: Fixed = one) {
  const [heads, tokens, pairs] = table.shape
  let largest = { error: -1, at: '' }
  for (let h = 0; h < heads; h++) {
    for (let n = 0; n < tokens; n++) {
      for (let f = 0; f < pairs; f++) {
        const exact = cosSin(angle(h, n, f))
        const i = (h * tokens + n) * pairs + f
        const error = Math.max(
          distance(table.cos[i], multiply(af, exact.cos)),
          distance(table.sin[i], multiply(af, exact.sin)),
        )
        if (!(error <= largest.error)) largest = { error, at: `head ${h}, token ${n}, pair ${f}` }
      }
    }
  }
  return largest
}

function assertExact(...args: Parameters<typeof worst>): void {
  const { error, at } = worst(...args)
  assert.ok(error <= tolerance, `error ${error} at ${at}`)
}

/** base^(−2i/dim) of every pair, exactly. */
const exactFrequencies = (base: number, dim: number): Fixed[] =>
  Array.from({ length: dim / 2 }, (_, i) => power(base, -2 * i, dim))

function oneAxis(spectrum: Parameters<typeof spectraEncoding>[0]): RotaryTable {
  return spectraEncoding(spectrum).table(Positions.from({ axes: ['p'], ids: [ids] }))
}

function spectraEncoding(spectrum: ReturnType<typeof spectra.default>): Encoding {
  const pairs = spectrum.invFreq.length
  const allocation = allocations.single(pairs)
  return new Encoding({
    name: 'test',
    headDim: pairs * 2,
    layout: layouts.sequential(),
    spectrum,
    allocation,
    pairing: 'half-split',
  })
}

describe('the oracle of exact arithmetic', () => {
  const digits = (x: Fixed): string => String((x * 10n ** 50n) >> 256n)
  const known: [string, Fixed, string][] = [
    ['π', pi, '314159265358979323846264338327950288419716939937510'],
    ['ln 10', ln(10n * one), '230258509299404568401799145468436420760110148862877'],
    ['10000^(−1/4) = 1/10', power(10000, -1, 4), '9999999999999999999999999999999999999999999999999'],
    ['sin(π/6) = 1/2', cosSin(pi / 6n).sin, '49999999999999999999999999999999999999999999999999'],
  ]
  for (const [name, value, expected] of known) {
    it(`${name} to 49 digits`, () => {
      // The last digit may be carried from …999.
      const difference = BigInt(digits(value)) - BigInt(expected)
      assert.ok(difference >= -1n && difference <= 1n, digits(value))
    })
  }

  it('cos² + sin² = 1 to 2^-240, angles up to 2^24', () => {
    for (const id of ids) {
      const { cos, sin } = cosSin(fromNumber(id))
      const off = multiply(cos, cos) + multiply(sin, sin) - one
      assert.ok((off < 0n ? -off : off) < 1n << 16n, `${id}: ${off}`)
    }
  })
})

describe('table: within 1e-7 of exact arithmetic, ids −2^24 … 2^24, whole and fractional', () => {
  for (const base of [1e4, 1e6, 5e6, 1e7]) {
    for (const dim of [64, 80, 128]) {
      it(`base ${base}, rotary dim ${dim}`, () => {
        const inv = exactFrequencies(base, dim)
        assertExact(oneAxis(spectra.default({ base, dim })), (_h, n, f) => (fromNumber(ids[n]) * inv[f]) >> 256n)
      })
    }
  }

  it('any id, any pair, any base from 100 to 1e8', () => {
    const id = fc.oneof(
      fc.integer({ min: -(2 ** 24), max: 2 ** 24 }),
      fc.double({ min: -(2 ** 24), max: 2 ** 24, noNaN: true }),
    )
    const dim = fc.integer({ min: 1, max: 64 }).map((pairs) => 2 * pairs)
    fc.assert(
      fc.property(id, fc.integer({ min: 100, max: 1e8 }), dim, fc.nat(), (position, base, d, pick) => {
        const pair = pick % (d / 2)
        const { cos, sin } = spectraEncoding(spectra.default({ base, dim: d })).table(
          Positions.from({ axes: ['p'], ids: [[position]] }),
        )
        const exact = cosSin(multiply(fromNumber(position), power(base, -2 * pair, d)))
        assert.ok(distance(cos[pair], exact.cos) <= tolerance)
        assert.ok(distance(sin[pair], exact.sin) <= tolerance)
      }),
      { numRuns: 300 },
    )
  })

  it('YaRN of Qwen2.5-VL (factor 4, 32768, base 1e6, pairs 23 to 40), attention factor 0.1 ln 4 + 1', () => {
    const clamp = (x: Fixed): Fixed => (x < 0n ? 0n : x > one ? one : x)
    const inv = exactFrequencies(1e6, 128).map((f, i) => {
      const ramp = clamp(fraction(i - 23, 40 - 23))
      return multiply(f, one - ramp + ramp / 4n)
    })
    const spectrum = spectra.yarn({ base: 1e6, dim: 128, factor: 4, originalMaxPositions: 32768 })
    const af = one + ln(4n * one) / 10n
    assertExact(oneAxis(spectrum), (_h, n, f) => multiply(fromNumber(ids[n]), inv[f]), af)
  })

  it('llama3 (factor 8, 8192, base 5e5)', () => {
    const inv = exactFrequencies(5e5, 128).map((f) => {
      const turns = (8192n * f * one) / (2n * pi)
      if (turns > 4n * one) return f
      if (turns < one) return f / 8n
      const smooth = (turns - one) / 3n
      return multiply(one - smooth, f / 8n) + multiply(smooth, f)
    })
    const spectrum = spectra.llama3({
      base: 5e5,
      dim: 128,
      factor: 8,
      lowFreqFactor: 1,
      highFreqFactor: 4,
      originalMaxPositions: 8192,
    })
    assertExact(oneAxis(spectrum), (_h, n, f) => multiply(fromNumber(ids[n]), inv[f]))
  })

  it('frequencies given one by one: rising, with zeros in front', () => {
    const invFreq = [0, 0, 0.2, 0.7, 2, 20]
    const table = oneAxis(spectra.explicit(invFreq))
    assertExact(table, (_h, n, f) => multiply(fromNumber(ids[n]), fromNumber(invFreq[f])))
  })
})

describe('table: axes, heads, directions', () => {
  const axes = ['t', 'h', 'w']
  /** Three axes that differ at every token, so that a wrong axis shows. */
  const planes = [ids, ids.map((id) => id / 3 - 7), ids.map((id) => 1000.25 - id)]
  const positions = Positions.from({ axes, ids: planes })
  const inv = exactFrequencies(5e6, 128)
  const angleOn = (axis: number, n: number, f: number): Fixed => multiply(fromNumber(planes[axis][n]), inv[f])
  const three = (allocation: Allocation): Encoding =>
    new Encoding({
      name: 'test',
      headDim: 128,
      layout: layouts.mrope(),
      spectrum: spectra.default({ base: 5e6, dim: 128 }),
      allocation,
      pairing: 'half-split',
    })

  const maps: [string, Allocation][] = [
    ['chunked [16,24,24]', allocations.chunked([16, 24, 24], 64)],
    ['interleaved [24,20,20]', allocations.interleaved([24, 20, 20], 64)],
    ['spatial first [22,22,20]', allocations.spatialFirst([22, 22, 20], 64)],
    ['split spatial [22,22,20], pairs out of the order of frequencies', allocations.splitSpatial([22, 22, 20], 64)],
    ['per head [2,3,3] of 8 KV heads', allocations.perHead([2, 3, 3], 64, 8)],
    ['per head [1,1,1] of 5 KV heads, two do not turn', allocations.perHead([1, 1, 1], 64, 5)],
  ]
  for (const [name, allocation] of maps) {
    it(name, () => {
      const table = three(allocation).table(positions)
      assert.deepEqual(table.shape, [allocation.heads, ids.length, 64])
      assertExact(table, (h, n, f) => {
        const axis = allocation.axisOf[h * 64 + f]
        return axis < 0 ? 0n : angleOn(axis, n, allocation.frequencyOf?.[f] ?? f)
      })
    })
  }

  it('pairs that do not turn are exactly (attention factor, 0), for text too', () => {
    const table = three(allocations.spatialOnly([24, 24, 16], 64)).table(positions)
    for (let n = 0; n < ids.length; n++) {
      for (let f = 48; f < 64; f++) {
        assert.equal(table.cos[n * 64 + f], 1)
        assert.equal(table.sin[n * 64 + f], 0)
      }
    }
  })

  it('dense directions: two heads, 5 pairs, 2 axes, one pair along both', () => {
    const invFreq = [0, 0.2, 0.9, 2, 20]
    const directions = Float64Array.from({ length: 2 * 5 * 2 }, (_, i) => Math.cos(i * 2.4) * (i % 3 === 0 ? -1 : 1))
    const planar = [ids.map((id) => id / 4096), ids.map((id) => 3 - id / 2048)]
    const encoding = new Encoding({
      name: 'test',
      headDim: 10,
      layout: layouts.rowsAndColumns(),
      spectrum: spectra.explicit(invFreq),
      allocation: { name: 'dense', axes: 2, pairs: 5, heads: 2, axisOf: new Int8Array(10).fill(-1), directions },
      pairing: 'adjacent',
    })
    const table = encoding.table(Positions.from({ axes: ['r', 'c'], ids: planar }))
    assert.deepEqual(table.shape, [2, ids.length, 5])
    assert.equal(table.pairing, 'adjacent')
    assertExact(table, (h, n, f) => {
      const along = [0, 1].map((a) => multiply(fromNumber(directions[(h * 5 + f) * 2 + a]), fromNumber(planar[a][n])))
      return multiply(along[0] + along[1], fromNumber(invFreq[f]))
    })
  })

  it('no tokens give an empty table', () => {
    const table = encodings.qwen2VL().table(Positions.from({ axes, ids: [[], [], []] }))
    assert.deepEqual([table.shape, table.cos.length, table.sin.length], [[1, 0, 64], 0, 0])
  })

  it('a table of pieces equals the pieces of the table, 777 tokens cut at 1, 33, 100', () => {
    const encoding = encodings.qwen25VL()
    const long = Positions.from({
      axes,
      ids: axes.map((_, a) => Array.from({ length: 777 }, (__, n) => n * (a + 1) - 5.5)),
    })
    const whole = encoding.table(long)
    for (const [from, to] of [
      [0, 1],
      [1, 33],
      [33, 100],
      [100, 777],
    ]) {
      const piece = encoding.table(long.slice(from, to))
      assert.deepEqual(piece.cos, whole.cos.slice(from * 64, to * 64))
      assert.deepEqual(piece.sin, whole.sin.slice(from * 64, to * 64))
    }
  })

  it('a rule of transformers takes cos and sin of float32 angles, from float32 ids and frequencies', () => {
    const encoding = encodings.qwen3VL({ compat: 'transformers@5.18' })
    assert.deepEqual([...encoding.invFreq], [...Float32Array.from(encoding.invFreq)])
    assertExact(encoding.table(positions), (_h, n, f) =>
      fromNumber(Math.fround(encoding.invFreq[f] * Math.fround(planes[encoding.allocation.axisOf[f]][n]))),
    )
  })
})
