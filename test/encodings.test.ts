import { strict as assert } from 'node:assert'
import { ablationEncodings } from '../lib/encodings/published-ablations.js'
import { publishedEncodings } from '../lib/encodings/published-rows.js'
import {
  type ConfigOptions,
  compatNames,
  type EncodingDescription,
  encodingFromConfig,
  encodings,
  MropeError,
  type NamedOptions,
  spectra,
} from '../lib/index.js'
import { type FamilyConfigs, families, find, hunyuan, hunyuanRope, letters, textFamilies } from './support/configs.js'

const describeConfig = (config: unknown, options?: ConfigOptions): EncodingDescription =>
  encodingFromConfig(config, options).describe()
const power = (base: number, dim: number): number[] =>
  Array.from({ length: dim / 2 }, (_, i) => base ** ((-2 * i) / dim))

function checkFamily({ published, modern, row, name }: FamilyConfigs): void {
  const described = describeConfig(modern)
  const { axes, headDim, rotaryDim, pairing, axisOf, invFreq, attentionFactor, layout, allocation, warnings } =
    described
  assert.deepEqual(warnings, [])
  assert.equal(described.name, name)
  assert.deepEqual([axes.join(''), headDim, rotaryDim, pairing], [row.axes, row.headDim, row.rotaryDim, row.pairing])
  assert.equal(axisOf, letters(row.axisOf))
  assert.deepEqual(allocation.sections, row.sections)
  assert.equal(layout.name, row.layout)
  assert.equal(attentionFactor, 1)
  const frequencies = power(row.base, row.rotaryDim)
  const compass = [
    ...frequencies.slice(0, 44).filter((_, i) => i % 2 === 0),
    ...frequencies.slice(0, 44).filter((_, i) => i % 2 === 1),
    ...frequencies.slice(44),
  ]
  assert.deepEqual(invFreq, name === 'cohere_compass' ? compass : frequencies)
  assert.deepEqual(describeConfig(published), described)
}

describe('encodingFromConfig: every family, as published and as transformers 5 writes it', () => {
  for (const family of [...families, ...textFamilies]) {
    const { row } = family
    it(`${family.name}: ${row.axisOf}, ${row.pairing}, ${row.rotaryDim} of ${row.headDim}, base ${row.base}`, () =>
      checkFamily(family))
  }

  it('describe() is plain JSON', () => {
    for (const { modern } of families) {
      const described = describeConfig(modern)
      assert.deepEqual(JSON.parse(JSON.stringify(described)), described)
    }
  })

  it('numbers of the layout: ids a second', () => {
    const rule = (name: string): unknown => describeConfig(find(name).published).layout.rules
    assert.deepEqual((rule('qwen2_5_vl') as { time: object }).time, {
      by: 'seconds',
      idsPerSecond: 2,
      truncate: 'product',
      product: 'float64',
    })
    assert.deepEqual((rule('qwen2_5_omni') as { merge: object }).merge, { by: 'chunks', ids: 50 })
    assert.deepEqual((rule('qwen3_omni_moe') as { time: object }).time, {
      by: 'seconds',
      idsPerSecond: 13,
      truncate: 'none',
      product: 'float64',
    })
  })

  it('the text model alone, or the family by option', () => {
    const text = (find('qwen3_vl').modern as { text_config: object }).text_config
    assert.deepEqual(describeConfig(text), describeConfig(find('qwen3_vl').modern))
    const unknown = { ...find('qwen2_vl').published, model_type: 'my_vlm' }
    assert.deepEqual(describeConfig(unknown, { family: 'qwen2_vl' }), describeConfig(find('qwen2_vl').published))
  })
})

describe('encodings: the named ones equal their configurations', () => {
  const options: Readonly<Record<string, NamedOptions>> = {
    qwen3Omni: { idsPerSecond: 13 },
    cohereCompass: { base: 5e4 },
  }
  for (const { named, published } of families.filter((family) => family.named)) {
    it(`encodings.${named}`, () => {
      const make = encodings[named as keyof typeof encodings]
      assert.deepEqual(make(options[named!]).describe(), describeConfig(published))
    })
  }
  it('encodings.hunyuanVL and encodings.llama', () => {
    assert.deepEqual(encodings.hunyuanVL().invFreq, encodingFromConfig(hunyuan({})).invFreq)
    assert.deepEqual(encodings.llama({ headDim: 128, base: 5e5 }).describe(), describeConfig(textFamilies[0].published))
  })
  it('every one is in this list', () => {
    const listed = [...families.map(({ named }) => named), 'hunyuanVL', 'llama'].filter(Boolean)
    const papers = Object.keys({ ...publishedEncodings, ...ablationEncodings })
    assert.deepEqual(Object.keys(encodings).sort(), [...listed, ...papers].sort())
  })
  it('other numbers, and a rope type of its own', () => {
    const yarn = encodings.qwen3VL({ rope: { rope_type: 'yarn', factor: 4, original_max_position_embeddings: 262144 } })
    const expected = spectra.yarn({ base: 5e6, dim: 128, factor: 4, originalMaxPositions: 262144 })
    assert.deepEqual([yarn.invFreq, yarn.attentionFactor], [expected.invFreq, expected.attentionFactor])
    const small = encodings.qwen2VL({ headDim: 80, sections: [8, 16, 16], base: 1e4 }).describe()
    assert.deepEqual([small.rotaryDim, small.axisOf, small.invFreq], [80, letters('T×8 H×16 W×16'), power(1e4, 80)])
  })
})

describe('encodingFromConfig: what single families do', () => {
  it('hunyuan_vl: alpha scales the base, sections are P W H I', () => {
    const { axisOf, invFreq, axes } = describeConfig(hunyuan({}))
    assert.deepEqual([axes.join(''), axisOf], ['pwhi', letters('P×16 W×16 H×16 I×16')])
    assert.deepEqual(invFreq, power(1e4 * 1000 ** (128 / 126), 128))
  })
  it('hunyuan_vl: xdrope_section, inside or beside, type xdrope, and fractions mean the same', () => {
    const { mrope_section, ...rest } = hunyuanRope
    const base = describeConfig(hunyuan({}))
    const forms: object[] = [
      hunyuan({}, 'xdrope'),
      { ...hunyuan({}), rope_scaling: { type: 'xdrope', ...rest, xdrope_section: mrope_section } },
      { ...hunyuan({}), rope_scaling: { type: 'xdrope', ...rest }, xdrope_section: mrope_section },
      hunyuan({ mrope_section: [0.25, 0.25, 0.25, 0.25] }),
      { ...hunyuan({}), head_dim: undefined, attention_head_dim: 128 },
    ]
    for (const form of forms) assert.deepEqual(describeConfig(form), base)
  })
  it('hunyuan_vl: three sections have no position axis', () => {
    const { axes, axisOf } = describeConfig(hunyuan({ mrope_section: [24, 20, 20] }))
    assert.deepEqual([axes.join(''), axisOf], ['whi', letters('W×24 H×20 I×20')])
  })

  it('ernie4_5: freq_allocation counts the pairs of time; ernie_3d in rope_scaling says it too', () => {
    const base = describeConfig(find('ernie4_5_vl_moe').modern)
    const { freq_allocation: _, rope_3d: __, ...flat } = find('ernie4_5_vl_moe').published
    const scaling = { rope_type: 'ernie_3d', freq_allocation: 20 }
    assert.deepEqual(describeConfig({ ...flat, rope_scaling: scaling }), base)
    const wider = describeConfig({ ...flat, freq_allocation: 24 })
    assert.equal(wider.axisOf, letters('(HW)×20 T×24'))
  })

  it('phi3: the original length beside the factors counts, as one list or the other by length', () => {
    const phi3 = {
      model_type: 'phi3',
      hidden_size: 3072,
      num_attention_heads: 32,
      max_position_embeddings: 131072,
      original_max_position_embeddings: 4096,
      rope_theta: 1e4,
      rope_scaling: { type: 'longrope', short_factor: Array(48).fill(1.1), long_factor: Array(48).fill(4) },
    }
    const encoding = encodingFromConfig(phi3)
    assert.deepEqual(encoding.warnings, [])
    assert.equal(encoding.attentionFactor, Math.sqrt(1 + Math.log(32) / Math.log(4096)))
    const at = (length: number): number => encoding.atLength(length).invFreq[0]
    assert.deepEqual([at(4096), at(4097)], [1 / 1.1, 1 / 4])
    const su = { ...phi3, rope_scaling: { ...phi3.rope_scaling, type: 'su' } }
    assert.deepEqual(describeConfig(su), encoding.describe())
    const contradicting = describeConfig({
      ...phi3,
      rope_scaling: { ...phi3.rope_scaling, original_max_position_embeddings: 8192 },
    })
    assert.match(
      contradicting.warnings.join(),
      /original_max_position_embeddings is 8192 .* and 4096 outside; the outer one is used/,
    )
    assert.equal(contradicting.attentionFactor, encoding.attentionFactor)
  })

  it('gemma3: layer types inside rope_parameters, or rope_local_base_freq beside rope_scaling', () => {
    const shape = { model_type: 'gemma3_text', head_dim: 256 }
    const old = {
      ...shape,
      rope_theta: 1e6,
      rope_local_base_freq: 1e4,
      rope_scaling: { rope_type: 'linear', factor: 8 },
    }
    const modern = {
      ...shape,
      rope_parameters: {
        full_attention: { rope_type: 'linear', factor: 8, rope_theta: 1e6 },
        sliding_attention: { rope_type: 'default', rope_theta: 1e4 },
      },
    }
    for (const layerType of ['full_attention', 'sliding_attention']) {
      const described = describeConfig(modern, { layerType })
      assert.deepEqual(describeConfig(old, { layerType }), described)
      assert.deepEqual(
        described.invFreq,
        layerType === 'full_attention' ? power(1e6, 256).map((f) => f / 8) : power(1e4, 256),
      )
    }
    const { warnings: inside, ...first } = describeConfig(modern)
    assert.match(inside.join(), /has layer types full_attention, sliding_attention; full_attention is used/)
    assert.deepEqual({ ...first, warnings: [] }, describeConfig(modern, { layerType: 'full_attention' }))
    assert.match(describeConfig(old).warnings.join(), /sliding_attention layers have base 10000 and no scaling/)
  })

  it('cohere_compass: layers without rotation', () => {
    const rope = {
      full_attention: null,
      sliding_attention: { rope_type: 'default', rope_theta: 5e4, mrope_section: [22, 22, 20] },
    }
    const config = { model_type: 'cohere_compass', text_config: { head_dim: 128, rope_parameters: rope } }
    const described = describeConfig(config, { layerType: 'sliding_attention' })
    assert.deepEqual(described, describeConfig(find('cohere_compass').published))
    const { warnings, ...rest } = describeConfig(config)
    assert.match(warnings.join(), /sliding_attention is used/)
    assert.deepEqual({ ...rest, warnings: [] }, described)
  })

  it('neomme: two axes in turn, other numbers for other layers', () => {
    const config = {
      model_type: 'neomme',
      head_dim: 64,
      rope_parameters: {
        full_attention: { rope_theta: 1e6, partial_rotary_factor: 0.25 },
        sliding_attention: { rope_theta: 1e4, partial_rotary_factor: 1 },
      },
    }
    const full = describeConfig(config, { layerType: 'full_attention' })
    const sliding = describeConfig(config, { layerType: 'sliding_attention' })
    assert.deepEqual([full.axes, full.axisOf, full.rotaryDim], [['r', 'c'], letters('(RC)×4'), 16])
    assert.deepEqual([sliding.axisOf, sliding.rotaryDim, sliding.invFreq], [letters('(RC)×16'), 64, power(1e4, 64)])
    const { rope_parameters: _, ...bare } = config
    assert.deepEqual(describeConfig(bare, { layerType: 'full_attention' }).invFreq, full.invFreq)
    assert.deepEqual(describeConfig(bare, { layerType: 'sliding_attention' }).invFreq, sliding.invFreq)
  })

  it('partial rotary in its three spellings', () => {
    const shape = { hidden_size: 2560, num_attention_heads: 32 }
    const partial = describeConfig({ model_type: 'stablelm', ...shape, rope_theta: 1e4, partial_rotary_factor: 0.25 })
    assert.deepEqual([partial.headDim, partial.rotaryDim, partial.invFreq], [80, 20, power(1e4, 20)])
    const neox = describeConfig({ model_type: 'gpt_neox', ...shape, rotary_emb_base: 1e4, rotary_pct: 0.25 })
    assert.deepEqual([neox.rotaryDim, neox.invFreq, neox.pairing], [20, power(1e4, 20), 'half-split'])
    const gptj = describeConfig({ model_type: 'gptj', ...shape, rotary_dim: 64, rope_theta: 1e4 })
    assert.deepEqual([gptj.rotaryDim, gptj.pairing], [64, 'adjacent'])
  })

  it('rope types of text models', () => {
    const llama = { model_type: 'llama', head_dim: 128, max_position_embeddings: 131072, rope_theta: 5e5 }
    const at = { base: 5e5, dim: 128 }
    const scaled: [object, { invFreq: Float64Array; attentionFactor: number }][] = [
      [{ type: 'linear', factor: 4 }, spectra.linear({ ...at, factor: 4 })],
      [{ type: 'dynamic', factor: 2 }, spectra.dynamic({ ...at, factor: 2, maxPositions: 131072 })],
      [
        { rope_type: 'yarn', factor: 4, original_max_position_embeddings: 32768 },
        spectra.yarn({ ...at, factor: 4, originalMaxPositions: 32768 }),
      ],
      [{ rope_type: 'yarn', factor: 4 }, spectra.yarn({ ...at, factor: 4, originalMaxPositions: 131072 })],
      [
        {
          rope_type: 'yarn',
          factor: 4,
          beta_fast: 16,
          truncate: false,
          attention_factor: 1.2,
          original_max_position_embeddings: 32768,
        },
        spectra.yarn({
          ...at,
          factor: 4,
          betaFast: 16,
          truncate: false,
          attentionFactor: 1.2,
          originalMaxPositions: 32768,
        }),
      ],
      [
        {
          rope_type: 'llama3',
          factor: 8,
          low_freq_factor: 1,
          high_freq_factor: 4,
          original_max_position_embeddings: 8192,
        },
        spectra.llama3({ ...at, factor: 8, lowFreqFactor: 1, highFreqFactor: 4, originalMaxPositions: 8192 }),
      ],
      [
        { rope_type: 'proportional', partial_rotary_factor: 0.25 },
        spectra.proportional({ base: 5e5, headDim: 128, partialRotaryFactor: 0.25 }),
      ],
    ]
    for (const [rope_scaling, expected] of scaled) {
      for (const config of [
        { ...llama, rope_scaling },
        { ...llama, rope_theta: undefined, rope_parameters: { ...rope_scaling, rope_theta: 5e5 } },
      ]) {
        const { invFreq, attentionFactor } = encodingFromConfig(config)
        assert.deepEqual([invFreq, attentionFactor], [expected.invFreq, expected.attentionFactor])
      }
    }
  })

  it('dynamic grows with the largest id of a table', () => {
    const encoding = encodingFromConfig({
      model_type: 'llama',
      head_dim: 16,
      max_position_embeddings: 2048,
      rope_scaling: { type: 'dynamic', factor: 2 },
    })
    const long = spectra.dynamic({ base: 1e4, dim: 16, factor: 2, maxPositions: 2048 }).atLength!(4096)
    assert.deepEqual(encoding.atLength(4096).invFreq, long.invFreq)
    assert.equal(encoding.atLength(4096).spectrum.atLength, undefined)
  })
})

describe('compat: whose rule', () => {
  it('names, with their patch releases', () => {
    for (const compat of compatNames)
      assert.equal(describeConfig(find('qwen2_vl').published, { compat }).compat, compat)
    assert.equal(describeConfig(find('qwen2_vl').published).compat, 'coherent')
    assert.equal(
      describeConfig(find('qwen2_vl').published, { compat: 'transformers@4.57.6' }).compat,
      'transformers@4.57',
    )
    assert.equal(
      describeConfig(find('qwen2_vl').published, { compat: 'transformers@5.18.0' }).compat,
      'transformers@5.18',
    )
  })

  it('vllm computes the range of YaRN from four times the length, for M-RoPE only', () => {
    const yarn = { rope_type: 'yarn', factor: 4, original_max_position_embeddings: 32768, rope_theta: 1e6 }
    const vl = { model_type: 'qwen2_vl', head_dim: 128, rope_parameters: { ...yarn, mrope_section: [16, 24, 24] } }
    const range = (config: object, compat?: string): unknown[] => {
      const { low, high } = describeConfig(config, { compat }).spectrum.parameters
      return [low, high]
    }
    assert.deepEqual(
      [range(vl), range(vl, 'vllm')],
      [
        [23, 40],
        [30, 47],
      ],
    )
    const text = { model_type: 'llama', head_dim: 128, rope_parameters: yarn }
    assert.deepEqual(
      [range(text), range(text, 'vllm')],
      [
        [23, 40],
        [23, 40],
      ],
    )
  })

  it('ggml has a fourth axis, which reads two of the interleaved pairs', () => {
    const { axes, axisOf } = describeConfig(find('qwen3_vl').published, { compat: 'ggml' })
    assert.deepEqual([axes, axisOf], [['t', 'h', 'w', 'e'], letters('(THW)×20 TEET')])
    const chunked = describeConfig(find('qwen2_vl').published, { compat: 'ggml' })
    assert.deepEqual([chunked.axes.length, chunked.axisOf], [4, letters('T×16 H×24 W×24')])
  })

  const undefinedRules: [string, string][] = [
    ['ernie4_5_vl_moe', 'transformers@4.57'],
    ['qwen3_5', 'transformers@4.57'],
    ['qwen2_5_vl', 'ggml'],
    ['qwen2_5_omni', 'vllm'],
    ['qwen3_omni_moe', 'ggml'],
    ['minicpmv4_7', 'vllm'],
    ['glm_image', 'ggml'],
  ]
  for (const [name, compat] of undefinedRules) {
    it(`${name} has no rule of ${compat}`, () => {
      assert.throws(
        () => encodingFromConfig(find(name).modern, { compat }),
        (error: unknown) =>
          error instanceof MropeError &&
          error.code === 'ERR_MROPE_COMPAT' &&
          error.message === `${name} has no known rule of ${compat}`,
      )
    })
  }
})
