import assert from 'node:assert/strict'
import fc from 'fast-check'
import { allocations } from '../lib/allocations/index.js'
import { type Needs, type Recommendation, recommend } from '../lib/analysis/chooser.js'
import { coherence } from '../lib/analysis/coherence.js'
import { searchFrequencies } from '../lib/analysis/search.js'
import { Encoding } from '../lib/encodings/encoding.js'
import { layouts } from '../lib/layouts/index.js'
import type { Layout } from '../lib/layouts/layout.js'
import { Sequence } from '../lib/sequence/sequence.js'
import { spectra } from '../lib/spectra/index.js'
import { refuses } from './support/refuses.js'

const parts = ({ layout, allocation, tables, positions }: Recommendation) => [layout, allocation, tables, positions]

describe('recommend', () => {
  const cases: readonly [string, Needs, unknown[]][] = [
    ['a checkpoint is kept', { task: 'vision-language', training: 'none' }, [null, null, 'dynamic', null]],
    ['text', { task: 'text', training: 'scratch' }, ['sequential', 'single', 'dynamic', 'index']],
    [
      'pictures in a language model',
      { task: 'vision-language', training: 'continue', video: true },
      ['spatialReset', 'interleaved', 'dynamic', 'index'],
    ],
    [
      'five axes, eight KV heads',
      { task: 'vision-language', training: 'scratch', axes: 5, kvHeads: 8 },
      ['spatialReset', 'perHead', 'dynamic', 'index'],
    ],
    [
      'five axes, heads on several devices',
      { task: 'vision-language', training: 'scratch', axes: 5, kvHeads: 8, tensorParallel: true },
      ['spatialReset', 'interleaved', 'dynamic', 'index'],
    ],
    [
      'an image encoder of one size',
      { task: 'vision', training: 'scratch', fixedSize: true },
      ['grid', 'goldenGate', 'precomputed', 'normalised'],
    ],
    [
      'an image encoder of any size',
      { task: 'vision', training: 'scratch' },
      ['grid', 'goldenGate', 'dynamic', 'normalised'],
    ],
    [
      'a video encoder',
      { task: 'vision', training: 'scratch', video: true },
      ['grid', 'interleaved', 'dynamic', 'normalised'],
    ],
  ]
  for (const [name, needs, expected] of cases) {
    it(name, () => {
      assert.deepEqual(parts(recommend(needs)), expected)
    })
  }

  it('an image encoder of any size, trained from scratch, may learn its directions', () => {
    const { alternatives } = recommend({ task: 'vision', training: 'scratch' })
    assert.ok(alternatives.some((other) => other.startsWith('mixed')))
    const fixed = recommend({ task: 'vision', training: 'scratch', fixedSize: true })
    assert.ok(!fixed.alternatives.some((other) => other.startsWith('mixed')))
  })

  it('YaRN by what ids are missing, and only then', () => {
    const needs: Needs = { task: 'text', training: 'none', trainedMaximum: 32768 }
    assert.deepEqual(recommend({ ...needs, largestId: 131071 }).scaling, { name: 'yarn', factor: 4 })
    assert.equal(recommend({ ...needs, largestId: 32767 }).scaling, null)
    assert.equal(recommend(needs).scaling, null)
  })

  it('what is set has a reason with a source', () => {
    const flag = fc.boolean()
    const needs = fc.record({
      task: fc.constantFrom('text', 'vision', 'vision-language'),
      training: fc.constantFrom('none', 'continue', 'scratch'),
      fixedSize: flag,
      video: flag,
      axes: fc.integer({ min: 1, max: 6 }),
      tensorParallel: flag,
      kvHeads: fc.integer({ min: 1, max: 9 }),
      trainedMaximum: fc.constantFrom(100, 200),
      largestId: fc.constantFrom(99, 100, 150.5),
    })
    fc.assert(
      fc.property(needs, (given) => {
        const { reasons, ...found } = recommend(given as Needs)
        for (const choice of ['tables', 'frequencies', 'scaling', 'keep'] as const) {
          const isSet = found[choice] !== null && found[choice] !== false
          assert.equal(
            reasons.some((reason) => reason.choice === choice),
            isSet,
            choice,
          )
        }
        for (const { because, source } of reasons) assert.ok(because.length > 20 && source.length > 0)
        assert.ok(found.keep || (found.layout !== null && found.allocation !== null))
      }),
    )
  })

  it('what it names for language models exists and is coherent', () => {
    const { layout, allocation } = recommend({ task: 'vision-language', training: 'continue' })
    const make = layouts as unknown as Record<string, () => Layout>
    assert.ok(layout !== null && layout in layouts && allocation === 'interleaved')
    const encoding = new Encoding({
      name: 'recommended',
      headDim: 128,
      layout: make[layout](),
      spectrum: spectra.default({ base: 1e6, dim: 128 }),
      allocation: allocations.interleaved([24, 20, 20], 64),
      pairing: 'half-split',
    })
    const sequence = Sequence.of([
      { kind: 'text', length: 10 },
      { kind: 'video', grid: [64, 6, 8] },
      { kind: 'text', length: 5 },
    ])
    assert.deepEqual(coherence(encoding, sequence).failed, [])
  })

  it('its ranges can be searched', () => {
    const { frequencies } = recommend({ task: 'vision', training: 'scratch' })
    assert.ok(frequencies)
    assert.equal(searchFrequencies({ sizes: [[14, 14]], pairs: 32, ...frequencies }).length, 18)
  })

  const good: Needs = { task: 'text', training: 'none' }
  refuses('recommend', [
    ['nothing', () => recommend(undefined as never), 'Type ARGUMENT', undefined, /expected an object/],
    ['an unknown task', () => recommend({ ...good, task: 'audio' as never }), 'Range ARGUMENT', 'audio', /task/],
    ['no training', () => recommend({ task: 'text' } as never), 'Range ARGUMENT', undefined, /training/],
    ['a flag as text', () => recommend({ ...good, video: 'yes' as never }), 'Type ARGUMENT', 'yes', /video/],
    ['no axes', () => recommend({ ...good, axes: 0 }), 'Range ARGUMENT', 0, /axes/],
    ['an id of NaN', () => recommend({ ...good, largestId: NaN }), 'Range ARGUMENT', NaN, /largestId/],
    ['an unknown need', () => recommend({ ...good, fast: true } as never), 'Type ARGUMENT', 'fast', /unknown option/],
  ])
})
