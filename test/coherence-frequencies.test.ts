import assert from 'node:assert/strict'
import type { Allocation } from '../lib/allocations/allocation.js'
import { allocations } from '../lib/allocations/index.js'
import { coherence } from '../lib/analysis/coherence.js'
import type { CoherenceOptions } from '../lib/analysis/options.js'
import { Encoding } from '../lib/encodings/encoding.js'
import { encodings } from '../lib/encodings/named.js'
import { layouts } from '../lib/layouts/index.js'
import type { Layout } from '../lib/layouts/layout.js'
import { Sequence } from '../lib/sequence/sequence.js'
import { encode, prompt } from './coherence-schemes.js'

describe('what text keeps of one-dimensional RoPE', () => {
  const { chunked, interleaved, greedy, perHead, repeated, spatialFirst, spatialFirstPort, spatialOnly, splitSpatial } =
    allocations
  const text = (encoding: Encoding, options?: CoherenceOptions) => {
    const { textCompatible, text: found, failed } = coherence(encoding, prompt([1, 3, 5], 7), options)
    assert.equal(failed.includes('textCompatible'), !textCompatible)
    return { compatible: textCompatible, ...found }
  }

  const kept: readonly [string, Allocation][] = [
    ['chunked [16,24,24]', chunked([16, 24, 24], 64)],
    ['interleaved [24,20,20]', interleaved([24, 20, 20], 64)],
    ['interleaved [11,11,10]', interleaved([11, 11, 10], 32)],
    ['spatial first [22,22,20]', spatialFirst([22, 22, 20], 64)],
    ['port of spatial first [24,24,16]', spatialFirstPort([24, 24, 16], 64)],
    ['split spatial [22,22,20]', splitSpatial([22, 22, 20], 64)],
    ['greedy [24,20,20]', greedy([24, 20, 20], 64)],
    ['repeated TTHWHWHW, 36 pairs', repeated([0, 0, 1, 2, 1, 2, 1, 2], 36)],
    ['per head [2,3,3] of 8', perHead([2, 3, 3], 64, 8)],
  ]
  for (const [name, allocation] of kept) {
    it(`all of it: ${name}`, () => {
      assert.deepEqual(text(encode(layouts.mrope(), allocation)), {
        compatible: true,
        axesEqual: true,
        firstUnequal: null,
        differentPairs: 0,
        attentionFactor: 1,
        sameTextModel: null,
      })
    })
  }

  it('not with pairs or heads that do not turn', () => {
    const hope = text(encode(layouts.mrope(), spatialOnly([24, 24, 16], 64)))
    assert.deepEqual([hope.compatible, hope.differentPairs], [false, 16])
    const heads = text(encode(layouts.mrope(), perHead([2, 2, 2], 64, 7)))
    assert.deepEqual([heads.compatible, heads.differentPairs], [false, 64])
    const axis: Allocation = { ...allocations.single(4), directions: Float64Array.of(1, 1, 0.5, 1) }
    assert.equal(text(encode(layouts.sequential(), axis)).differentPairs, 1)
  })

  it("not where a pair reads ggml's fourth axis, which text has at 0", () => {
    const found = text(encodings.qwen3VL({ compat: 'ggml' }))
    assert.deepEqual([found.compatible, found.axesEqual, found.firstUnequal], [false, false, 1])
    assert.equal(text(encodings.qwen2VL({ compat: 'ggml' })).compatible, true)
  })

  it('not with the attention factor of YaRN, unless the text model has it too', () => {
    const rope = { rope_type: 'yarn', factor: 4, original_max_position_embeddings: 32768 }
    const found = text(encodings.qwen2VL({ rope }))
    assert.equal(found.compatible, false)
    assert.ok(Math.abs(found.attentionFactor! - (1 + 0.1 * Math.log(4))) < 1e-12)
    assert.equal(
      text(encodings.qwen2VL({ rope }), { textModel: encodings.llama({ base: 1e6, rope }) }).compatible,
      true,
    )
  })

  it('compares with a text model: base, rotary dimension, pairing', () => {
    const compatible = (encoding: Encoding, textModel: Encoding) => text(encoding, { textModel })
    assert.equal(compatible(encodings.qwen2VL(), encodings.llama({ base: 1e6 })).compatible, true)
    // The first frequency is 1 for every base.
    const other = compatible(encodings.qwen2VL(), encodings.llama({ base: 5e6 }))
    assert.deepEqual([other.compatible, other.differentPairs, other.sameTextModel], [false, 63, true])
    const narrow = compatible(encodings.qwen2VL(), encodings.llama({ base: 1e6, headDim: 64 }))
    assert.deepEqual([narrow.compatible, narrow.sameTextModel], [false, false])
    const adjacent = compatible(encodings.ernie45VL(), encodings.llama({ base: 5e5 }))
    assert.deepEqual([adjacent.compatible, adjacent.differentPairs, adjacent.sameTextModel], [false, 0, false])
  })
})

describe('frequencies of each axis', () => {
  const spectrum = (layout: Layout, allocation: Allocation) => {
    const { fullSpectrum, spectrum: found, failed } = coherence(encode(layout, allocation), prompt([1, 3, 5], 7))
    assert.equal(failed.includes('fullSpectrum'), !fullSpectrum)
    const axes = found!.axes.map(({ pairs, ranks, maxGap, full }) => [pairs, ranks, maxGap, full])
    return { full: fullSpectrum, ranks: found!.ranks, axes, coverage: found!.axes.map(({ coverage }) => coverage) }
  }

  it('chunked [16,24,24]: none has all', () => {
    const found = spectrum(layouts.mrope(), allocations.chunked([16, 24, 24], 64))
    assert.equal(found.full, false)
    assert.deepEqual(found.axes, [
      [16, [0, 15], 1, false],
      [24, [16, 39], 1, false],
      [24, [40, 63], 1, false],
    ])
    assert.deepEqual(found.coverage[0], [0, 15 / 63])
  })

  it('interleaved [24,20,20]: all; h and w end at 92 and 94 %', () => {
    const found = spectrum(layouts.mrope(), allocations.interleaved([24, 20, 20], 64))
    assert.equal(found.full, true)
    assert.deepEqual(found.axes, [
      [24, [0, 63], 3, true],
      [20, [1, 58], 3, true],
      [20, [2, 59], 3, true],
    ])
    assert.deepEqual(found.coverage, [
      [0, 1],
      [1 / 63, 58 / 63],
      [2 / 63, 59 / 63],
    ])
  })

  it('spatial first: t has slow ones only, or none', () => {
    const videorope = spectrum(layouts.mrope(), allocations.spatialFirst([24, 24, 16], 64))
    assert.equal(videorope.full, false)
    assert.deepEqual(videorope.axes[0], [16, [48, 63], 1, false])
    assert.deepEqual(videorope.axes[1], [24, [0, 46], 2, false])
    const hope = spectrum(layouts.mrope(), allocations.spatialOnly([24, 24, 16], 64))
    assert.deepEqual(hope.axes[0], [0, null, 0, false])
    assert.equal(hope.coverage[0], null)
  })

  it('leaves out axes that are the same for all tokens, generated ones too', () => {
    const axes = (encoding: Encoding, sequence: Sequence): string[] =>
      coherence(encoding, sequence).spectrum!.axes.map(({ axis }) => axis)
    assert.deepEqual(axes(encodings.qwen3VL({ compat: 'ggml' }), prompt([1, 3, 5], 7)), ['t', 'h', 'w'])
    // The only image has t = 0 throughout, but the text that is generated has not.
    assert.deepEqual(axes(encodings.qwen3VL(), Sequence.of([{ kind: 'image', grid: [1, 3, 5] }])), ['t', 'h', 'w'])
  })

  it('ranks pairs by frequency, not by their order', () => {
    const ordered = spectrum(layouts.mrope(), allocations.spatialFirst([22, 22, 20], 64))
    assert.deepEqual(spectrum(layouts.mrope(), allocations.splitSpatial([22, 22, 20], 64)), ordered)
  })

  it('a head for each axis, or one axis: all', () => {
    const heads = spectrum(layouts.mrope(), allocations.perHead([2, 3, 3], 64, 8))
    assert.deepEqual([heads.full, heads.axes[1]], [true, [192, [0, 63], 1, true]])
    assert.equal(spectrum(layouts.sequential(), allocations.single(40)).full, true)
    assert.equal(spectrum(layouts.sequential(), allocations.single(1)).full, true)
  })

  it('a gap in the middle fails', () => {
    const hole = allocations.repeated([0, 1, 2], 63)
    const axisOf = hole.axisOf.map((axis, f) => (f > 20 && f < 40 && axis === 1 ? 2 : axis))
    const found = spectrum(layouts.mrope(), { ...hole, axisOf })
    assert.deepEqual(
      found.axes.map((axis) => axis[3]),
      [true, false, true],
    )
    assert.deepEqual(found.axes[1], [15, [1, 61], 21, false])
  })

  it('pairs of one frequency share a rank, pairs of frequency 0 have none', () => {
    const invFreq = Float64Array.of(1, 0.1, 0.01, 0, 1, 0.1, 0.01, 0)
    const axial = new Encoding({
      name: 'axial',
      headDim: 16,
      layout: layouts.rowsAndColumns(),
      spectrum: { name: 'explicit', invFreq, attentionFactor: 1, parameters: {} },
      allocation: allocations.axial(8),
      pairing: 'half-split',
    })
    const { spectrum: found, fullSpectrum } = coherence(axial, prompt([1, 3, 5], 7))
    assert.equal(found?.ranks, 3)
    assert.deepEqual(
      found?.axes.map(({ ranks }) => ranks),
      [
        [0, 2],
        [0, 2],
      ],
    )
    assert.equal(fullSpectrum, true)
  })
})
