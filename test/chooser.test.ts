import assert from 'node:assert/strict'
import fc from 'fast-check'
import { allocations } from '../lib/allocations/index.js'
import { type Needs, type Recommendation, recommend } from '../lib/analysis/chooser.js'
import { coherence } from '../lib/analysis/coherence.js'
import { searchFrequencies } from '../lib/analysis/search.js'
import type { Encoding } from '../lib/encodings/encoding.js'
import { visionEncodings } from '../lib/encodings/grids/index.js'
import { encodings } from '../lib/encodings/named.js'
import { layouts } from '../lib/layouts/index.js'
import type { Layout } from '../lib/layouts/layout.js'
import { Sequence } from '../lib/sequence/sequence.js'
import { refuses } from './support/refuses.js'

const parts = ({ layout, allocation, encoding, tables, positions }: Recommendation) => [
  ...[layout, allocation, encoding?.make.replace(/.*\./, '') ?? null],
  ...[tables, positions],
]

const registries = { layouts, allocations, encodings, visionEncodings }
/** What stands in a registry as `registry.key`. */
function entry(path: string): unknown {
  const [registry, key] = path.split('.')
  return Object(registries[registry as keyof typeof registries])[key]
}

describe('recommend', () => {
  const cases: readonly [string, Needs, unknown[]][] = [
    ['a checkpoint is kept', { task: 'vision-language', training: 'none' }, [null, null, null, 'dynamic', null]],
    ['text', { task: 'text', training: 'scratch' }, ['sequential', 'single', 'llama', 'dynamic', 'index']],
    [
      'pictures in a language model',
      { task: 'vision-language', training: 'continue', video: true },
      ['spatialReset', 'interleaved', 'mropeI', 'dynamic', 'index'],
    ],
    [
      'pictures with one axis',
      { task: 'vision-language', training: 'continue', axes: 1 },
      ['v2pe', 'single', 'v2pe', 'dynamic', 'index'],
    ],
    [
      'pictures with two axes',
      { task: 'vision-language', training: 'continue', axes: 2 },
      ['rowsAndColumns', 'repeated', null, 'dynamic', 'index'],
    ],
    [
      'five axes, eight KV heads',
      { task: 'vision-language', training: 'scratch', axes: 5, kvHeads: 8 },
      [null, 'perHead', null, 'dynamic', 'index'],
    ],
    [
      'five axes, heads on several devices',
      { task: 'vision-language', training: 'scratch', axes: 5, kvHeads: 8, tensorParallel: true },
      [null, 'repeated', null, 'dynamic', 'index'],
    ],
    [
      'five axes, four KV heads',
      { task: 'vision-language', training: 'scratch', axes: 5, kvHeads: 4 },
      [null, 'repeated', null, 'dynamic', 'index'],
    ],
    [
      'an image encoder of one size',
      { task: 'vision', training: 'scratch', fixedSize: true },
      [null, null, 'goldenGate', 'precomputed', 'normalised'],
    ],
    [
      'an image encoder of any size',
      { task: 'vision', training: 'scratch' },
      [null, null, 'goldenGate', 'dynamic', 'normalised'],
    ],
    [
      'a video encoder',
      { task: 'vision', training: 'scratch', video: true },
      [null, null, 'nd', 'dynamic', 'normalised'],
    ],
    [
      'an encoder of volumes',
      { task: 'vision', training: 'scratch', axes: 3 },
      [null, null, 'nd', 'dynamic', 'normalised'],
    ],
  ]
  for (const [name, needs, expected] of cases) {
    it(name, () => {
      assert.deepEqual(parts(recommend(needs)), expected)
    })
  }

  it('an image encoder of any size, trained from scratch, may learn its directions', () => {
    const { alternatives } = recommend({ task: 'vision', training: 'scratch' })
    assert.ok(alternatives.some((other) => other.startsWith('visionEncodings.ropeVitMixed')))
    const fixed = recommend({ task: 'vision', training: 'scratch', fixedSize: true })
    assert.ok(!fixed.alternatives.some((other) => other.includes('ropeVitMixed')))
  })

  it('YaRN by what ids are missing, and only then', () => {
    const needs: Needs = { task: 'text', training: 'none', trainedMaximum: 32768 }
    assert.deepEqual(recommend({ ...needs, largestId: 131071 }).scaling, { name: 'yarn', factor: 4 })
    assert.equal(recommend({ ...needs, largestId: 32767 }).scaling, null)
    assert.equal(recommend(needs).scaling, null)
  })

  it('what is set has one reason with a source, can be called, and is not its own alternative', () => {
    const flag = fc.boolean()
    const needs = fc.record({
      task: fc.constantFrom('text', 'vision', 'vision-language'),
      training: fc.constantFrom('none', 'continue', 'scratch'),
      fixedSize: flag,
      video: flag,
      axes: fc.integer({ min: 1, max: 8 }),
      tensorParallel: flag,
      kvHeads: fc.integer({ min: 1, max: 9 }),
      trainedMaximum: fc.constantFrom(100, 200),
      largestId: fc.constantFrom(99, 100, 150.5),
    })
    fc.assert(
      fc.property(needs, (drawn) => {
        const given = (drawn.task === 'text' ? { ...drawn, video: false, axes: 1 } : drawn) as Needs & { axes: number }
        const { reasons, alternatives, ...found } = recommend(given)
        const choices = reasons.map(({ choice }) => choice)
        assert.equal(new Set(choices).size, choices.length, String(choices))
        for (const choice of ['tables', 'frequencies', 'scaling', 'keep'] as const) {
          assert.equal(choices.includes(choice), found[choice] !== null && found[choice] !== false, choice)
        }
        for (const { because, source } of reasons) assert.ok(because.length > 20 && source.length > 0)
        const { keep, layout, allocation, encoding } = found
        assert.ok(keep || encoding !== null || allocation !== null)
        assert.ok(allocation === null || allocation in allocations)
        const counts = layout && (entry(`layouts.${layout}`) as () => Layout)()
        if (counts) assert.equal(counts.axes.length, given.axes)
        for (const [other] of alternatives.map((text) => text.split(':'))) {
          assert.equal(typeof entry(other), 'function', other)
          assert.ok(![`layouts.${layout}`, `allocations.${allocation}`, encoding?.make].includes(other), other)
        }
        if (!encoding) return
        const axes = ['t', 'h', 'w', 'a', 'b', 'c', 'd', 'e'].slice(0, given.axes)
        const sizes = { headDim: 128, ...(encoding.make.startsWith('vision') && { heads: 2 }) }
        const named = encoding.make === 'visionEncodings.nd' && { axes }
        const made = (entry(encoding.make) as (options: object) => Encoding)({
          ...sizes,
          ...encoding.options,
          ...named,
        })
        assert.equal(made.axes.length, given.axes)
        if (counts) assert.equal(made.layout.name, counts.name)
        if (allocation) assert.equal(made.allocation.name, allocation)
      }),
      { numRuns: 300 },
    )
  })

  it('what it names for language models is coherent', () => {
    const { encoding } = recommend({ task: 'vision-language', training: 'continue' })
    assert.ok(encoding?.make === 'encodings.mropeI')
    const sequence = Sequence.of([
      { kind: 'text', length: 10 },
      { kind: 'video', grid: [64, 6, 8] },
      { kind: 'text', length: 5 },
    ])
    assert.deepEqual(coherence(encodings.mropeI({ ...encoding.options }), sequence).failed, [])
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
    ['nine axes', () => recommend({ task: 'vision', training: 'none', axes: 9 }), 'Range ARGUMENT', 9, /1 to 8/],
    ['text with three axes', () => recommend({ ...good, axes: 3 }), 'Range ARGUMENT', 3, /1 to 1 for text/],
    ['text with video', () => recommend({ ...good, video: true }), 'Range ARGUMENT', true, /no video/],
    ['an id of NaN', () => recommend({ ...good, largestId: NaN }), 'Range ARGUMENT', NaN, /largestId/],
    ['an unknown need', () => recommend({ ...good, fast: true } as never), 'Type ARGUMENT', 'fast', /unknown option/],
  ])
})
