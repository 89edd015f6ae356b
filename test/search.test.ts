import assert from 'node:assert/strict'
import { type FrequencyRange, type SearchOptions, searchFrequencies } from '../lib/analysis/search.js'
import { refuses } from './support/refuses.js'

const vit: SearchOptions = {
  sizes: [
    [14, 14],
    [24, 24],
  ],
  pairs: 32,
}

const rangeOf = ({ minimum, maximum, zeroShare }: FrequencyRange): number[] => [minimum, maximum, zeroShare]

describe('search of frequency ranges', () => {
  it('tries all combinations, ranked: none without findings behind one with, scores falling but for ties', () => {
    const found = searchFrequencies(vit)
    assert.equal(found.length, 3 * 3 * 2)
    assert.equal(new Set(found.map((range) => rangeOf(range).join())).size, found.length)
    found.slice(1).forEach((range, i) => {
      const before = found[i]
      assert.ok(before.findings.length === 0 || range.findings.length > 0, rangeOf(range).join())
      if (before.findings.length > 0 !== range.findings.length > 0) return
      assert.ok(before.score >= range.score - 0.01, `${rangeOf(before)} ${before.score} before ${range.score}`)
    })
  })

  it('is the same every time, and whatever the order of the lists', () => {
    const first = searchFrequencies(vit)
    const turned = searchFrequencies({ ...vit, minimum: [1, 0.5, 0.2], ratio: [100, 50, 20], zeroShare: [0.25, 0] })
    assert.deepEqual(first.map(rangeOf), searchFrequencies(vit).map(rangeOf))
    assert.deepEqual(turned.slice(0, 1).map(rangeOf), first.slice(0, 1).map(rangeOf))
  })

  it('frequencies far too low are flat, far too high ones too, and both come last', () => {
    const found = searchFrequencies({ ...vit, minimum: [0.001, 0.5, 500], ratio: [20], zeroShare: [0] })
    assert.deepEqual(found[0].minimum, 0.5)
    const low = found.find(({ minimum }) => minimum === 0.001)!
    assert.ok(low.findings.every(({ finding }) => finding.kind === 'flat' && /too low/.test(finding.words)))
    assert.ok(low.findings.length > 0)
    const high = found.find(({ minimum }) => minimum === 500)!
    assert.ok(high.findings.some(({ finding }) => /too high|aliasing/.test(finding.words)))
    assert.ok(high.score < found[0].score && low.score < found[0].score)
  })

  it('one frequency that turns once in a line has several peaks at its ends', () => {
    const [range] = searchFrequencies({
      sizes: [[33]],
      pairs: 4,
      minimum: [(2 * Math.PI) / 8],
      ratio: [1],
      zeroShare: [0],
      positions: 'index',
    })
    assert.ok(range.findings.some(({ finding }) => finding.kind === 'several-peaks'))
  })

  it('serves time, pictures and videos of ugly sizes', () => {
    for (const sizes of [[[1]], [[100]], [[3, 7]], [[33, 1]], [[3, 5, 7]]]) {
      for (const positions of ['normalised', 'index'] as const) {
        for (const range of searchFrequencies({ sizes, pairs: 36, positions })) {
          const name = `${sizes} ${positions} ${rangeOf(range)}`
          assert.ok(Number.isFinite(range.score) && range.score <= 2 && range.score >= -2, name)
          assert.ok(Math.abs(range.order) <= 1 + 1e-12, name)
        }
      }
    }
  })

  it('of ranges that score alike, the one that leaves more pairs to content is first', () => {
    // One frequency only: leaving out some of its pairs changes nothing along one side.
    const options = { sizes: [[9]], pairs: 16, minimum: [0.5], ratio: [1], zeroShare: [0, 0.25, 0.5] }
    assert.deepEqual(
      searchFrequencies(options).map(({ zeroShare }) => zeroShare),
      [0.5, 0.25, 0],
    )
  })

  it('aspect is normalised for squares, and a turned picture scores alike', () => {
    const scores = (size: number[], positions: SearchOptions['positions']): number[] =>
      searchFrequencies({ ...vit, sizes: [size], positions, zeroShare: [0], directions: 'axial', minimum: [1] }).map(
        ({ score }) => score,
      )
    assert.deepEqual(scores([7, 7], 'aspect'), scores([7, 7], 'normalised'))
    assert.notDeepEqual(scores([7, 12], 'aspect'), scores([7, 12], 'normalised'))
    scores([7, 12], 'aspect').forEach((score, i) => {
      assert.ok(Math.abs(score - scores([12, 7], 'aspect')[i]) < 0.02)
    })
  })

  const search = (options: Partial<SearchOptions>) => () => searchFrequencies({ ...vit, ...options })
  refuses('searchFrequencies', [
    ['no sizes', search({ sizes: [] }), 'Type ARGUMENT', [], /list of sides/],
    ['four sides', search({ sizes: [[1, 2, 3, 4]] }), 'Range ARGUMENT', [1, 2, 3, 4], /1 to 3 sides/],
    ['sizes of different kinds', search({ sizes: [[3], [3, 3]] }), 'Range ARGUMENT', [3, 3], /as many/],
    ['a side of 0', search({ sizes: [[3, 0]] }), 'Range ARGUMENT', 0, /side/],
    ['no pairs', search({ pairs: 0 }), 'Range ARGUMENT', 0, /pairs/],
    ['a frequency of 0', search({ minimum: [0.2, 0] }), 'Range ARGUMENT', 0, /minimum/],
    ['a ratio below 1', search({ ratio: [0.5] }), 'Range ARGUMENT', 0.5, /ratio/],
    ['all pairs still', search({ zeroShare: [1] }), 'Range ARGUMENT', 1, /zeroShare/],
    ['text', search({ minimum: '1' as never }), 'Type ARGUMENT', '1', /list of numbers/],
    ['golden in a line', search({ sizes: [[3]], directions: 'golden' }), 'Range ARGUMENT', 'golden', /two sides/],
    ['aspect of a video', search({ sizes: [[2, 3, 4]], positions: 'aspect' }), 'Range ARGUMENT', 'aspect', /two sides/],
    ['unknown directions', search({ directions: 'spiral' as never }), 'Range ARGUMENT', 'spiral', /axial, golden/],
    ['hours of work', search({ sizes: [[4096, 4096]] }), 'Range ARGUMENT', 19327352832, /smaller sizes/],
    ['an unknown option', search({ heads: 3 } as never), 'Type ARGUMENT', 'heads', /unknown option/],
  ])
})
