import { strict as assert } from 'node:assert'
import { type ConfigOptions, type EncodingDescription, encodingFromConfig, MropeError } from '../lib/index.js'
import { find, hunyuan } from './support/configs.js'

const describeConfig = (config: unknown, options?: ConfigOptions): EncodingDescription =>
  encodingFromConfig(config, options).describe()

/** A plain configuration with some keys of `rope_parameters`, and others beside. */
const plain = (rope: object, beside: object = {}): object => ({
  model_type: 'llama',
  head_dim: 64,
  max_position_embeddings: 8192,
  rope_parameters: { rope_type: 'default', rope_theta: 1e4, ...rope },
  ...beside,
})
const qwen2 = (rope: object, beside: object = {}): object => ({
  ...plain({ mrope_section: [8, 12, 12], ...rope }, beside),
  model_type: 'qwen2_vl',
})

describe('encodingFromConfig: nothing is ignored in silence', () => {
  const cases: [string, object, RegExp, ConfigOptions?][] = [
    [
      'a factor beside alpha',
      plain({ rope_type: 'dynamic', alpha: 1000, factor: 4 }),
      /^factor 4 is not used beside alpha 1000$/,
    ],
    [
      'an original length of dynamic',
      plain({ rope_type: 'dynamic', factor: 2, original_max_position_embeddings: 1000 }),
      /original_max_position_embeddings is not used by rope type dynamic$/,
    ],
    ['a key nobody knows', plain({ factr: 4 }), /^config.rope_parameters.factr is unknown and not used$/],
    ['a key of another type', plain({ factor: 4 }), /^config.rope_parameters.factor is not used by rope type default$/],
    ['a rotary key beside', plain({}, { rope_percent: 0.5 }), /^config.rope_percent is unknown and not used$/],
    [
      'layers without rotation',
      plain({}, { no_rope_layers: [1, 0] }),
      /^config.no_rope_layers is unknown and not used$/,
    ],
    [
      'two bases',
      plain({}, { rope_theta: 5e5 }),
      /^rope_theta is 10000 in config.rope_parameters and 500000 outside; the inner one is used$/,
    ],
    [
      'two partial factors',
      plain({ partial_rotary_factor: 0.5 }, { partial_rotary_factor: 0.25 }),
      /^partial_rotary_factor is 0.5 in .* and 0.25 outside/,
    ],
    [
      'no base',
      { model_type: 'llama', head_dim: 64 },
      /^rope_theta is not given; 10000, the default of llama, is used$/,
    ],
    [
      'no sections',
      { model_type: 'qwen2_vl', head_dim: 128, rope_theta: 1e6 },
      /^mrope_section is not given; \[16,24,24\], the default of qwen2_vl, is used$/,
    ],
    [
      'no head_dim',
      { model_type: 'qwen3_vl', rope_theta: 5e6, rope_scaling: { mrope_section: [24, 20, 20] } },
      /^head_dim is not given; 128, the default of qwen3_vl, is used$/,
    ],
    ['no tokens_per_second', { ...qwen2({}), model_type: 'qwen2_5_vl' }, /^tokens_per_second is not given; 4 is used$/],
    [
      'no position_id_per_seconds',
      { ...qwen2({}), model_type: 'qwen2_5_omni', seconds_per_chunk: 2 },
      /^position_id_per_seconds is not given; 25 is used$/,
    ],
    [
      'sections with one axis',
      plain({ mrope_section: [16, 8, 8] }),
      /^mrope_section is not used by llama, which has one axis$/,
    ],
    [
      'an unknown text model',
      { ...plain({}), model_type: 'my_llm' },
      /^model_type "my_llm" is not known; read as Llama-like: one axis, half-split$/,
    ],
    ['no model_type', { ...plain({}), model_type: undefined }, /^model_type undefined is not known/],
    [
      'a factor below 1',
      plain({ rope_type: 'linear', factor: 0.5 }),
      /^factor 0.5 is below 1: the context is shortened$/,
    ],
    [
      'yarn that does nothing',
      plain({ rope_type: 'yarn' }),
      /^yarn without factor and original length does nothing: the factor is 1$/,
    ],
    [
      'yarn against the lengths',
      plain({ rope_type: 'yarn', factor: 3, original_max_position_embeddings: 2048 }),
      /^yarn factor 3 is used; max_position_embeddings \/ original length is 4$/,
    ],
    [
      'both forms',
      plain({}, { rope_scaling: { type: 'default' } }),
      /^config has both rope_parameters and rope_scaling; only rope_parameters is read$/,
    ],
    [
      'layerType where there are none',
      plain({}),
      /^layerType "sliding_attention" is not used: all layers have the same rotary parameters$/,
      { layerType: 'sliding_attention' },
    ],
    ['freq_allocation of another family', plain({}, { freq_allocation: 20 }), /^freq_allocation is not used by llama$/],
    [
      'truncate inside a layer type',
      {
        ...plain({}),
        rope_parameters: {
          full_attention: {
            rope_type: 'yarn',
            rope_theta: 1e4,
            factor: 2,
            original_max_position_embeddings: 4096,
            truncate: false,
          },
        },
      },
      /^full_attention.truncate is used here; transformers 5.18 ignores it/,
    ],
    [
      'a number between layer types',
      { ...plain({}), rope_parameters: { full_attention: { rope_theta: 1e4 }, rope_theta: 5e5 } },
      /^config.rope_parameters.rope_theta stands outside of the layer types and is not used$/,
    ],
  ]
  for (const [name, config, warning, options] of cases) {
    it(name, () => {
      const { warnings } = describeConfig(config, options)
      assert.deepEqual(
        [warnings.length, warnings.filter((text) => warning.test(text)).length],
        [1, 1],
        warnings.join('\n'),
      )
    })
  }
})

describe('encodingFromConfig: defaults of a family where its file says nothing', () => {
  // Gemma 3 as published: no head_dim, no rope_theta; the scaling is for the layers that see everything.
  const gemma3 = {
    model_type: 'gemma3',
    text_config: {
      model_type: 'gemma3_text',
      hidden_size: 3840,
      num_attention_heads: 16,
      rope_scaling: { factor: 8, rope_type: 'linear' },
    },
  }
  const expected: [string, object, ConfigOptions, number, number, number][] = [
    ['Gemma 3, full layers', gemma3, { layerType: 'full_attention' }, 256, 256, 1e6 ** (-2 / 256) / 8],
    ['Gemma 3, sliding layers', gemma3, { layerType: 'sliding_attention' }, 256, 256, 1e4 ** (-2 / 256)],
    ['gpt-oss', { model_type: 'gpt_oss' }, {}, 64, 64, 1.5e5 ** (-2 / 64)],
    ['GLM-4', { model_type: 'glm4' }, {}, 128, 64, 1e4 ** (-2 / 64)],
    ['SmolLM3', { model_type: 'smollm3', head_dim: 128 }, {}, 128, 128, 2e6 ** (-2 / 128)],
    ['GPT-NeoX', { model_type: 'gpt_neox', hidden_size: 6144, num_attention_heads: 64 }, {}, 96, 24, 1e4 ** (-2 / 24)],
  ]
  for (const [name, config, options, headDim, rotaryDim, second] of expected) {
    it(`${name}: head ${headDim}, rotary ${rotaryDim}`, () => {
      const described = describeConfig(config, options)
      assert.deepEqual([described.headDim, described.rotaryDim], [headDim, rotaryDim])
      assert.ok(Math.abs(described.invFreq[1] / second - 1) < 1e-14)
    })
  }

  it('Gemma 3 without a layer type says that there are two', () => {
    const { warnings } = describeConfig(gemma3)
    assert.ok(warnings.includes('sliding_attention layers have base 10000 and no scaling; choose them with layerType'))
  })
})

describe('encodingFromConfig: what cannot be is a typed error', () => {
  for (const attention_factor of [1e300, 1e-300]) {
    it(`an attention factor that a float32 table cannot hold: ${attention_factor}`, () => {
      const rope = { rope_type: 'yarn', factor: 4, original_max_position_embeddings: 2048, attention_factor }
      assert.throws(() => encodingFromConfig(plain(rope)), { code: 'ERR_MROPE_CONFIG', value: attention_factor })
    })
  }

  it('rotary keys beside the part of the text model are not ignored', () => {
    const text_config = { model_type: 'qwen3_vl_text', head_dim: 128, rope_theta: 5e6 }
    const rope_scaling = { rope_type: 'yarn', factor: 3, original_max_position_embeddings: 262144 }
    const config = { model_type: 'qwen3_vl', text_config, rope_scaling }
    assert.throws(() => encodingFromConfig(config), {
      code: 'ERR_MROPE_CONFIG',
      message: /^config\.rope_scaling .* stands outside of the text model's part, where rope_scaling is undefined$/,
    })
    assert.throws(() => encodingFromConfig({ model_type: 'qwen3_vl', text_config, rope_theta: 1e4 }), {
      code: 'ERR_MROPE_CONFIG',
    })
    assert.doesNotThrow(() => encodingFromConfig({ model_type: 'qwen3_vl', text_config, rope_theta: 5e6 }))
  })

  type Bad = readonly [name: string, config: unknown, code: string, message: RegExp, options?: ConfigOptions]
  const cases: Bad[] = [
    ['not an object', 'config.json', 'ERR_MROPE_CONFIG', /config: expected an object, got "config.json"/],
    ['a list', [], 'ERR_MROPE_CONFIG', /expected an object, got \[\]/],
    ['nothing', undefined, 'ERR_MROPE_CONFIG', /expected an object, got undefined/],
    [
      'unknown rope type',
      plain({ rope_type: 'yarm' }),
      'ERR_MROPE_ROPE_TYPE',
      /unknown rope type "yarm"; known are default, linear/,
    ],
    [
      'rope type from Object.prototype',
      plain({ rope_type: 'constructor' }),
      'ERR_MROPE_ROPE_TYPE',
      /unknown rope type "constructor"/,
    ],
    ['rope type as a number', plain({ rope_type: 1 }), 'ERR_MROPE_CONFIG', /rope_type is a name, got 1/],
    [
      'two rope types',
      plain({ rope_type: 'yarn', type: 'linear', factor: 2 }),
      'ERR_MROPE_CONFIG',
      /rope_type is "yarn", type is "linear"/,
    ],
    [
      'both forms disagree on the type',
      plain({}, { rope_scaling: { type: 'linear', factor: 2 } }),
      'ERR_MROPE_CONFIG',
      /rope_parameters.rope_type is "default", rope_scaling says "linear"/,
    ],
    [
      'both forms disagree on a number',
      plain({ rope_type: 'linear', factor: 2 }, { rope_scaling: { type: 'linear', factor: 4 } }),
      'ERR_MROPE_CONFIG',
      /rope_parameters.factor is 2, rope_scaling says 4/,
    ],
    [
      'rope_parameters as text',
      { ...plain({}), rope_parameters: 'default' },
      'ERR_MROPE_CONFIG',
      /config.rope_parameters: expected an object, got "default"/,
    ],
    [
      'rope_scaling as a list',
      { model_type: 'llama', head_dim: 64, rope_scaling: [] },
      'ERR_MROPE_CONFIG',
      /config.rope_scaling: expected an object, got \[\]/,
    ],
    [
      'sections that do not sum',
      qwen2({ mrope_section: [8, 12, 13] }),
      'ERR_MROPE_SECTIONS',
      /sections \[8, 12, 13\] .* sum to 32 pairs/,
    ],
    [
      'sections of a larger head',
      qwen2({ mrope_section: [16, 24, 24] }),
      'ERR_MROPE_SECTIONS',
      /\[16, 24, 24\] .* 32 pairs/,
    ],
    [
      'two sections',
      qwen2({ mrope_section: [16, 16] }),
      'ERR_MROPE_SECTIONS',
      /layout has axes t, h, w, the allocation 2/,
    ],
    ['a negative section', qwen2({ mrope_section: [-8, 20, 20] }), 'ERR_MROPE_SECTIONS', /\[-8, 20, 20\]/],
    [
      'sections as text',
      qwen2({ mrope_section: '8,12,12' }),
      'ERR_MROPE_CONFIG',
      /mrope_section: expected a list of numbers, got "8,12,12"/,
    ],
    [
      'a section as text',
      qwen2({ mrope_section: [8, '12', 12] }),
      'ERR_MROPE_CONFIG',
      /expected a list of numbers, got \[8, "12", 12\]/,
    ],
    [
      'two lists of sections',
      qwen2({ xdrope_section: [12, 12, 8] }),
      'ERR_MROPE_CONFIG',
      /mrope_section \[8, 12, 12\] and xdrope_section \[12, 12, 8\] differ/,
    ],
    [
      'freq_allocation against sections',
      {
        ...find('ernie4_5_vl_moe').modern,
        text_config: {
          head_dim: 128,
          freq_allocation: 24,
          rope_parameters: { rope_theta: 5e5, mrope_section: [22, 22, 20] },
        },
      },
      'ERR_MROPE_CONFIG',
      /freq_allocation 24 makes sections \[20,20,24\], mrope_section is \[22, 22, 20\]/,
    ],
    [
      'odd freq_allocation',
      { ...find('ernie4_5_vl_moe').published, freq_allocation: 21 },
      'ERR_MROPE_SECTIONS',
      /\[21.5, 21.5, 21\]/,
    ],
    [
      'the other allocation',
      qwen2({ mrope_interleaved: true }),
      'ERR_MROPE_CONFIG',
      /mrope_interleaved is true, but qwen2_vl allocates chunked/,
    ],
    [
      'the other allocation of Qwen3-VL',
      { ...qwen2({ mrope_section: [12, 10, 10], mrope_interleaved: false }), model_type: 'qwen3_vl' },
      'ERR_MROPE_CONFIG',
      /mrope_interleaved is false, but qwen3_vl allocates interleaved/,
    ],
    [
      'interleaved and not',
      qwen2({ mrope_interleaved: false, interleaved: true }),
      'ERR_MROPE_CONFIG',
      /mrope_interleaved false and interleaved true differ/,
    ],
    [
      'three sections for Ernie that do not alternate',
      { ...qwen2({ mrope_section: [12, 10, 10] }), model_type: 'ernie4_5_vl_moe' },
      'ERR_MROPE_SECTIONS',
      /h and w alternate/,
    ],
    [
      'five sections for HunYuan',
      hunyuan({ mrope_section: [16, 16, 16, 8, 8] }),
      'ERR_MROPE_SECTIONS',
      /3 or 4 sections, got 5/,
    ],
    ['odd head_dim', plain({}, { head_dim: 65 }), 'ERR_MROPE_CONFIG', /rotary dimension is even .*got 65/],
    [
      'an odd rotary part',
      plain({ partial_rotary_factor: 0.9 }, { head_dim: 70 }),
      'ERR_MROPE_CONFIG',
      /got 63 \(head_dim 70 × 0.9\)/,
    ],
    [
      'partial 0',
      plain({ partial_rotary_factor: 0 }),
      'ERR_MROPE_CONFIG',
      /partial_rotary_factor is above 0 and at most 1, got 0/,
    ],
    ['partial 2', plain({ partial_rotary_factor: 2 }), 'ERR_MROPE_CONFIG', /at most 1, got 2/],
    [
      'rotary_dim beyond the head',
      plain({}, { rotary_dim: 128 }),
      'ERR_MROPE_CONFIG',
      /from 2 to head_dim 64, got 128/,
    ],
    [
      'head_dim 0',
      plain({}, { head_dim: 0 }),
      'ERR_MROPE_CONFIG',
      /config.head_dim: expected a positive integer, got 0/,
    ],
    ['head_dim −64', plain({}, { head_dim: -64 }), 'ERR_MROPE_CONFIG', /got -64/],
    [
      'head_dim as text',
      plain({}, { head_dim: '64' }),
      'ERR_MROPE_CONFIG',
      /config.head_dim: expected a number, got "64"/,
    ],
    ['head_dim 1e9', plain({}, { head_dim: 1e9 }), 'ERR_MROPE_CONFIG', /got 1000000000/],
    ['no size at all', { model_type: 'llama' }, 'ERR_MROPE_CONFIG', /needs hidden_size for the head dimension/],
    [
      'heads that do not divide',
      { model_type: 'llama', hidden_size: 100, num_attention_heads: 3 },
      'ERR_MROPE_HEADS',
      /hidden_size 100 does not divide by num_attention_heads 3/,
    ],
    [
      '0 heads',
      { model_type: 'llama', hidden_size: 100, num_attention_heads: 0 },
      'ERR_MROPE_CONFIG',
      /num_attention_heads: expected a positive integer, got 0/,
    ],
    ['base 0', plain({ rope_theta: 0 }), 'ERR_MROPE_CONFIG', /base is a positive number, got 0/],
    ['base as text', plain({ rope_theta: '1e4' }), 'ERR_MROPE_CONFIG', /rope_theta: expected a number, got "1e4"/],
    [
      'base beyond float64',
      plain({ rope_theta: Number.POSITIVE_INFINITY }),
      'ERR_MROPE_CONFIG',
      /expected a number, got Infinity/,
    ],
    ['linear without factor', plain({ rope_type: 'linear' }), 'ERR_MROPE_CONFIG', /rope type linear needs factor/],
    ['factor 0', plain({ rope_type: 'linear', factor: 0 }), 'ERR_MROPE_CONFIG', /factor is a positive number, got 0/],
    [
      'longrope without lists',
      plain({ rope_type: 'longrope', factor: 4 }),
      'ERR_MROPE_CONFIG',
      /rope type longrope needs short_factor/,
    ],
    [
      'longrope with a short list',
      plain({ rope_type: 'longrope', factor: 4, short_factor: [1], long_factor: [1] }),
      'ERR_MROPE_CONFIG',
      /short factors are 32 positive numbers/,
    ],
    [
      'llama3 without its factors',
      plain({ rope_type: 'llama3', factor: 8 }),
      'ERR_MROPE_CONFIG',
      /rope type llama3 needs low_freq_factor/,
    ],
    [
      'yarn with a negative length',
      plain({ rope_type: 'yarn', factor: 4, original_max_position_embeddings: -1 }),
      'ERR_MROPE_CONFIG',
      /originalMaxPositions is a positive number, got -1/,
    ],
    [
      'truncate as text',
      plain({ rope_type: 'yarn', factor: 4, truncate: 'no' }),
      'ERR_MROPE_CONFIG',
      /truncate: expected true or false, got "no"/,
    ],
    [
      'a layer type that is not there',
      { ...plain({}), rope_parameters: { full_attention: { rope_theta: 1e4 } } },
      'ERR_MROPE_CONFIG',
      /has layer types full_attention, got "sliding_attention"/,
      { layerType: 'sliding_attention' },
    ],
    [
      'a layer that does not rotate',
      { ...plain({}), rope_parameters: { full_attention: null, sliding_attention: { rope_theta: 1e4 } } },
      'ERR_MROPE_CONFIG',
      /full_attention is null: these layers do not rotate/,
      { layerType: 'full_attention' },
    ],
    [
      'tokens_per_second 0',
      { ...qwen2({}, { vision_config: { tokens_per_second: 0 } }), model_type: 'qwen2_5_vl' },
      'ERR_MROPE_CONFIG',
      /ids per second is a positive number, got 0/,
    ],
    [
      'seconds_per_chunk −2',
      { ...qwen2({}, { position_id_per_seconds: 25, seconds_per_chunk: -2 }), model_type: 'qwen2_5_omni' },
      'ERR_MROPE_CONFIG',
      /a chunk is a positive number of whole ids, got -50/,
    ],
    [
      'an unknown family with sections',
      { ...qwen2({}), model_type: 'my_vlm' },
      'ERR_MROPE_FAMILY',
      /"my_vlm" has mrope_section but is not a known family/,
    ],
    [
      'a family from Object.prototype',
      { ...qwen2({}), model_type: 'constructor' },
      'ERR_MROPE_FAMILY',
      /"constructor"/,
    ],
    [
      'latent attention',
      { ...plain({}), model_type: 'deepseek_v3', qk_rope_head_dim: 64 },
      'ERR_MROPE_FAMILY',
      /"deepseek_v3" rotates a part of latent attention/,
    ],
    ['an unknown family by option', plain({}), 'ERR_MROPE_FAMILY', /got "qwen9_vl"/, { family: 'qwen9_vl' }],
    [
      'unknown compat',
      plain({}),
      'ERR_MROPE_COMPAT',
      /compat is one of coherent, .*; got "transformers@9"/,
      { compat: 'transformers@9' },
    ],
    ['compat as an object', plain({}), 'ERR_MROPE_COMPAT', /got \{\}/, { compat: {} as never }],
  ]
  for (const [name, config, code, message, options] of cases) {
    it(name, () => {
      assert.throws(
        () => encodingFromConfig(config, options),
        (error: unknown) => {
          assert.ok(error instanceof MropeError, String(error))
          assert.equal(error.code, code)
          assert.match(error.message, message)
          return true
        },
      )
    })
  }
})
