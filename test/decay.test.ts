import assert from 'node:assert/strict'
import fc from 'fast-check'
import { allocations } from '../lib/allocations/index.js'
import { decay, decayBound, usualDistances } from '../lib/analysis/decay.js'
import { Encoding } from '../lib/encodings/encoding.js'
import { encodings } from '../lib/encodings/named.js'
import { layouts } from '../lib/layouts/index.js'
import { spectra } from '../lib/spectra/index.js'

const frequencies = (base: number, pairs = 64) => [...spectra.default({ base, dim: 2 * pairs }).invFreq]
const encode = (allocation: Encoding['allocation'], base = 1e6): Encoding =>
  new Encoding({
    name: allocation.name,
    headDim: 128,
    layout: allocation.axes === 1 ? layouts.sequential() : layouts.mrope(),
    spectrum: spectra.default({ base, dim: 128 }),
    allocation,
    pairing: 'half-split',
  })

const chunked = encode(allocations.chunked([16, 24, 24], 64))
const interleaved = encode(allocations.interleaved([24, 20, 20], 64))
const spatialFirst = encode(allocations.spatialFirst([24, 24, 16], 64))

/** Half a unit of the last digit that is printed. */
function assertRow(actual: readonly number[], printed: string, name: string): void {
  const values = printed.split(' ').map(Number)
  assert.equal(actual.length, values.length)
  values.forEach((value, i) => {
    assert.ok(
      Math.abs(actual[i] - value) <= 0.000501,
      `${name} at ${usualDistances[i]}: ${actual[i]}, expected ${value}`,
    )
  })
}

describe('decay bound, head dimension 128', () => {
  const axis = (encoding: Encoding, name: string) => decay(encoding).axes.find((curve) => curve.axis === name)!.values
  const table: readonly [string, () => readonly number[], string][] = [
    ['text, base 1e6', () => decay(chunked).text.values, '.974 .758 .603 .499 .396 .332 .173 .183 .156'],
    ['chunked t', () => axis(chunked, 't'), '.966 .580 .240 .328 .219 .154 .122 .358 .504'],
    ['chunked h', () => axis(chunked, 'h'), '1.000 .999 .991 .862 .461 .316 .372 .153 .182'],
    ['chunked w', () => axis(chunked, 'w'), '1.000 1.000 1.000 1.000 1.000 .999 .981 .741 .353'],
    ['interleaved t', () => axis(interleaved, 't'), '.966 .743 .569 .503 .442 .379 .245 .219 .436'],
    ['interleaved h', () => axis(interleaved, 'h'), '.975 .746 .731 .676 .364 .300 .175 .285 .229'],
    ['interleaved w', () => axis(interleaved, 'w'), '.984 .803 .594 .436 .434 .545 .263 .129 .185'],
    ['VideoRoPE t', () => axis(spatialFirst, 't'), '1.000 1.000 1.000 1.000 1.000 1.000 .999 .991 .860'],
    ['VideoRoPE h', () => axis(spatialFirst, 'h'), '.964 .681 .465 .366 .362 .332 .208 .280 .222'],
    ['VideoRoPE w', () => axis(spatialFirst, 'w'), '.977 .739 .600 .514 .321 .354 .195 .251 .214'],
    [
      'text, base 5e6',
      () => decay(encode(allocations.single(64), 5e6)).text.values,
      '.975 .775 .632 .606 .386 .306 .247 .347 .121',
    ],
  ]
  for (const [name, actual, printed] of table) it(name, () => assertRow(actual(), printed, name))

  it('base 5e6: chunked w stays at .959 and above up to 16384, VideoRoPE t at .986 up to 65536', () => {
    const w = axis(encode(allocations.chunked([16, 24, 24], 64), 5e6), 'w')
    assert.ok(Math.min(...w.slice(0, 8)) >= 0.9585, String(w))
    const t = axis(encode(allocations.spatialFirst([24, 24, 16], 64), 5e6), 't')
    assert.ok(Math.min(...t) >= 0.9855, String(t))
  })

  it('one head of MHRoPE has on its axis what text has on all', () => {
    const heads = decay(encode(allocations.perHead([2, 3, 3], 64, 8)))
    for (const curve of heads.axes) assert.deepEqual(curve.values, decay(chunked).text.values)
  })

  it('pairs that do not turn are left out, and an axis without pairs does not decay', () => {
    const { axes, text } = decay(encode(allocations.spatialOnly([24, 24, 16], 64)))
    assert.deepEqual(
      axes.map(({ axis, pairs }) => [axis, pairs]),
      [
        ['t', 0],
        ['h', 24],
        ['w', 24],
      ],
    )
    assert.ok(axes[0].values.every((value) => value === 1))
    assert.equal(text.pairs, 48)
  })

  it('is 1 at distance 0, between 0 and 1, and the same for −Δ', () => {
    const list = fc.array(fc.double({ min: -10, max: 10, noNaN: true }), { minLength: 1, maxLength: 40 })
    fc.assert(
      fc.property(list, fc.double({ min: 0, max: 1e6, noNaN: true }), (frequencies, distance) => {
        assert.ok(Math.abs(decayBound(frequencies, 0) - 1) < 1e-12)
        const value = decayBound(frequencies, distance)
        assert.ok(value >= 0 && value <= 1 + 1e-12, String(value))
        assert.ok(Math.abs(value - decayBound(frequencies, -distance)) < 1e-9)
      }),
    )
  })

  it('bounds the score of any query and key', () => {
    const unit = fc.double({ min: -1, max: 1, noNaN: true })
    const vector = fc.array(fc.tuple(unit, unit), { minLength: 33, maxLength: 33 })
    const theta = frequencies(1e4, 33)
    fc.assert(
      fc.property(vector, vector, fc.nat(100_000), (q, k, distance) => {
        // h = q · conj(k) of each pair, and the score is the real part of Σ h · exp(iΔθ).
        const h = q.map(([a, b], i): [number, number] => [a * k[i][0] + b * k[i][1], b * k[i][0] - a * k[i][1]])
        const [re, im] = theta.reduce(
          ([x, y], f, i) => {
            const [c, s] = [Math.cos(distance * f), Math.sin(distance * f)]
            return [x + h[i][0] * c - h[i][1] * s, y + h[i][0] * s + h[i][1] * c]
          },
          [0, 0],
        )
        const steps = h.map(([x, y], i) => Math.hypot((h[i + 1]?.[0] ?? 0) - x, (h[i + 1]?.[1] ?? 0) - y))
        const sum = decayBound(theta, distance) * ((33 * 34) / 2)
        assert.ok(Math.hypot(re, im) <= Math.max(...steps) * sum + 1e-9)
      }),
    )
  })

  describe('refuses', () => {
    const cases: readonly [string, () => unknown, string, string][] = [
      ['no encoding', () => decay({} as never), 'MropeTypeError', 'ERR_MROPE_ARGUMENT'],
      ['an unknown option', () => decay(chunked, { far: 1 } as never), 'MropeTypeError', 'ERR_MROPE_ARGUMENT'],
      ['no distances', () => decay(chunked, { distances: [] }), 'MropeTypeError', 'ERR_MROPE_ARGUMENT'],
      ['NaN', () => decay(chunked, { distances: [1, NaN] }), 'MropeRangeError', 'ERR_MROPE_ARGUMENT'],
      ['infinity', () => decayBound([1], Infinity), 'MropeRangeError', 'ERR_MROPE_ARGUMENT'],
      ['text as a distance', () => decayBound([1], '3' as never), 'MropeTypeError', 'ERR_MROPE_ARGUMENT'],
      ['frequencies that are no numbers', () => decayBound([1, NaN], 1), 'MropeTypeError', 'ERR_MROPE_ARGUMENT'],
    ]
    for (const [name, call, error, code] of cases) it(name, () => assert.throws(call, { name: error, code }))
  })

  it('llama: text is the only axis', () => {
    const { axes, text } = decay(encodings.llama(), { distances: [0, 33, 777] })
    assert.deepEqual(axes[0].values, text.values)
    assert.ok(Math.abs(text.values[0] - 1) < 1e-12)
  })
})
