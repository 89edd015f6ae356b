/** What `describe()` must say about a family. */
export interface FamilyRow {
  readonly axes: string
  readonly headDim: number
  readonly rotaryDim: number
  readonly pairing: 'half-split' | 'adjacent'
  /** One letter a pair, with counts: `T×16 H×24 W×24`, `(THW)×20 T×4`. */
  readonly axisOf: string
  /** Numbers of pairs of each axis. */
  readonly sections: readonly number[]
  readonly base: number
  readonly layout: string
}

export interface FamilyConfigs {
  readonly name: string
  /** Name of the twin in `encodings`, if there is one. */
  readonly named?: string
  /** As published: `rope_scaling` and `rope_theta`. */
  readonly published: Record<string, unknown>
  /** As transformers 5 writes it: `rope_parameters` inside `text_config`. */
  readonly modern: Record<string, unknown>
  readonly row: FamilyRow
}

interface Init {
  readonly modelType: string
  readonly publishedType?: string
  readonly named?: string
  /** Keys of the text model, the same in both forms. */
  readonly text?: object
  readonly rope: {
    readonly rope_theta: number
    readonly partial_rotary_factor?: number
    readonly mrope_section?: readonly number[]
  }
  /** Keys of `rope_scaling` as they were published; null where there was none. */
  readonly scaling?: object | null
  /** Keys beside the text model: vision_config, ids a second. */
  readonly outer?: object
  /** The published form has the text model's keys at the top. */
  readonly flat?: boolean
  readonly wrap?: (model: object) => Record<string, unknown>
  readonly row: Omit<FamilyRow, 'base'>
}

function family(init: Init): FamilyConfigs {
  const { modelType, text = {}, rope, outer = {}, row } = init
  const { rope_theta, partial_rotary_factor, ...inside } = rope
  const scaling = init.scaling === undefined ? { type: 'mrope', ...inside } : init.scaling
  const old = {
    ...text,
    rope_theta,
    rope_scaling: scaling,
    ...(partial_rotary_factor ? { partial_rotary_factor } : {}),
  }
  const publishedType = init.publishedType ?? modelType
  const wrap = init.wrap ?? ((model) => ({ model_type: publishedType, ...model }))
  const modernWrap = init.wrap ?? ((model) => ({ model_type: modelType, ...model }))
  const newer = { model_type: `${modelType}_text`, ...text, rope_parameters: { rope_type: 'default', ...rope } }
  return {
    name: modelType,
    named: init.named,
    published: wrap(init.flat ? { ...outer, ...old } : { ...outer, text_config: old }),
    modern: modernWrap({ ...outer, text_config: newer }),
    row: { ...row, base: rope.rope_theta },
  }
}

const wide = { hidden_size: 3584, num_attention_heads: 28, max_position_embeddings: 32768 }
const d128 = { headDim: 128, rotaryDim: 128, pairing: 'half-split', axes: 'thw' } as const
const chunked = { ...d128, axisOf: 'T×16 H×24 W×24', sections: [16, 24, 24] }
const interleaved = { ...d128, axisOf: '(THW)×20 T×4', sections: [24, 20, 20], layout: 'mrope-timestamps' }
const glm = {
  axes: 'thw',
  headDim: 128,
  rotaryDim: 64,
  axisOf: 'T×8 H×12 W×12',
  sections: [8, 12, 12],
  layout: 'mrope-timestamps',
}
const glmText = { hidden_size: 4096, num_attention_heads: 32 }
const glmRope = { rope_theta: 1e4, partial_rotary_factor: 0.5, mrope_section: [8, 12, 12] }
const glmScaling = { type: 'default', mrope_section: [8, 12, 12] }
const qwen3Scaling = { mrope_interleaved: true, mrope_section: [24, 20, 20], rope_type: 'default' }
const qwen35 = {
  axes: 'thw',
  headDim: 256,
  rotaryDim: 64,
  pairing: 'half-split',
  axisOf: '(THW)×10 TH',
  sections: [11, 11, 10],
} as const
const qwen35Rope = { rope_theta: 1e7, partial_rotary_factor: 0.25, mrope_section: [11, 11, 10] }
const qwen35Scaling = { mrope_interleaved: true, mrope_section: [11, 11, 10], rope_type: 'default' }

/** Every multimodal family, in both forms. */
export const families: readonly FamilyConfigs[] = [
  family({
    modelType: 'qwen2_vl',
    named: 'qwen2VL',
    text: wide,
    rope: { rope_theta: 1e6, mrope_section: [16, 24, 24] },
    flat: true,
    row: { ...chunked, layout: 'mrope' },
  }),
  family({
    modelType: 'qwen2_5_vl',
    named: 'qwen25VL',
    text: wide,
    rope: { rope_theta: 1e6, mrope_section: [16, 24, 24] },
    scaling: { mrope_section: [16, 24, 24], rope_type: 'default', type: 'default' },
    outer: { vision_config: { tokens_per_second: 2 } },
    flat: true,
    row: { ...chunked, layout: 'mrope-seconds' },
  }),
  family({
    modelType: 'qwen2_5_omni',
    named: 'qwen25Omni',
    text: wide,
    rope: { rope_theta: 1e6, mrope_section: [16, 24, 24] },
    outer: { position_id_per_seconds: 25, seconds_per_chunk: 2 },
    wrap: (model) => ({ model_type: 'qwen2_5_omni', thinker_config: { model_type: 'qwen2_5_omni_thinker', ...model } }),
    row: { ...chunked, layout: 'tmrope-chunked' },
  }),
  family({
    modelType: 'qwen3_omni_moe',
    named: 'qwen3Omni',
    text: { head_dim: 128, hidden_size: 2048, num_attention_heads: 32 },
    rope: { rope_theta: 1e6, mrope_section: [24, 20, 20] },
    scaling: { ...qwen3Scaling, interleaved: true, type: 'default' },
    outer: { position_id_per_seconds: 13 },
    wrap: (model) => ({
      model_type: 'qwen3_omni_moe',
      thinker_config: { model_type: 'qwen3_omni_moe_thinker', ...model },
    }),
    row: { ...interleaved, layout: 'tmrope-sorted' },
  }),
  family({
    modelType: 'qwen3_vl',
    named: 'qwen3VL',
    text: { head_dim: 128, hidden_size: 2560, num_attention_heads: 32 },
    rope: { rope_theta: 5e6, mrope_section: [24, 20, 20] },
    scaling: qwen3Scaling,
    row: interleaved,
  }),
  family({
    modelType: 'qwen3_vl_moe',
    text: { head_dim: 128 },
    rope: { rope_theta: 5e6, mrope_section: [24, 20, 20] },
    scaling: qwen3Scaling,
    row: interleaved,
  }),
  ...['qwen3_5', 'qwen3_5_moe', 'qwen4_exp'].map((modelType) =>
    family({
      modelType,
      named: modelType === 'qwen3_5' ? 'qwen35' : undefined,
      text: { head_dim: 256 },
      rope: qwen35Rope,
      scaling: qwen35Scaling,
      row: { ...qwen35, layout: 'mrope-timestamps' },
    }),
  ),
  ...['glm4v', 'glm_ocr', 'glm46v'].map((modelType) =>
    family({
      modelType,
      named: modelType === 'glm4v' ? 'glm4V' : undefined,
      text: glmText,
      rope: glmRope,
      scaling: glmScaling,
      row: { ...glm, pairing: 'adjacent' },
    }),
  ),
  family({
    modelType: 'glm4v_moe',
    named: 'glm4VMoe',
    text: { head_dim: 128 },
    rope: glmRope,
    scaling: glmScaling,
    row: { ...glm, pairing: 'half-split' },
  }),
  family({
    modelType: 'glm_image',
    named: 'glmImage',
    text: glmText,
    rope: glmRope,
    scaling: glmScaling,
    row: { ...glm, pairing: 'half-split', layout: 'generated-images' },
  }),
  family({
    modelType: 'ernie4_5_vl_moe',
    publishedType: 'ernie4_5_moe_vl',
    named: 'ernie45VL',
    text: { head_dim: 128, hidden_size: 2560, num_attention_heads: 20 },
    rope: { rope_theta: 5e5, mrope_section: [22, 22, 20] },
    scaling: null,
    outer: { rope_3d: true, freq_allocation: 20 },
    flat: true,
    row: { ...d128, pairing: 'adjacent', axisOf: '(HW)×22 T×20', sections: [20, 22, 22], layout: 'mrope' },
  }),
  family({
    modelType: 'paddleocr_vl',
    named: 'paddleOcrVL',
    text: { head_dim: 128, hidden_size: 1024, num_attention_heads: 16 },
    rope: { rope_theta: 5e5, mrope_section: [16, 24, 24] },
    scaling: { mrope_section: [16, 24, 24], rope_type: 'default', type: 'default' },
    flat: true,
    row: { ...chunked, layout: 'mrope' },
  }),
  family({
    modelType: 'cohere_compass',
    named: 'cohereCompass',
    text: { head_dim: 128 },
    rope: { rope_theta: 5e4, mrope_section: [22, 22, 20] },
    row: { ...d128, axisOf: 'H×22 W×22 T×20', sections: [20, 22, 22], layout: 'mrope-timestamps' },
  }),
  family({
    modelType: 'minicpmv4_7',
    named: 'miniCpmV47',
    text: { model_type: 'qwen3_5_text', head_dim: 256 },
    rope: qwen35Rope,
    scaling: qwen35Scaling,
    row: { ...qwen35, layout: 'canvas' },
  }),
  family({
    modelType: 'cosmos3_edge',
    text: { head_dim: 128 },
    rope: { rope_theta: 1e8, mrope_section: [24, 20, 20] },
    scaling: qwen3Scaling,
    row: interleaved,
  }),
  family({
    modelType: 'cosmos3_omni',
    text: { model_type: 'qwen3_vl_text', head_dim: 128 },
    rope: { rope_theta: 5e6, mrope_section: [24, 20, 20] },
    scaling: qwen3Scaling,
    row: interleaved,
  }),
  family({
    modelType: 'keye_vl',
    publishedType: 'KeyeVL1_5',
    named: 'keyeVL',
    text: { head_dim: 128, hidden_size: 4096, num_attention_heads: 32 },
    rope: { rope_theta: 1e6, mrope_section: [16, 24, 24] },
    scaling: { mrope_section: [16, 24, 24], rope_type: 'default', type: 'default' },
    flat: true,
    row: { ...chunked, layout: 'mrope-timestamps' },
  }),
  family({
    modelType: 'openpangu_vl',
    text: { head_dim: 128 },
    rope: { rope_theta: 1e6, mrope_section: [24, 20, 20] },
    scaling: { mrope_interleaved: true, mrope_section: [24, 20, 20], type: 'default' },
    outer: { vision_config: { tokens_per_second: 2 } },
    row: {
      ...d128,
      axisOf: '(THW)×7 THT (WTH)×6 WTHT (WTH)×5 WTT',
      sections: [24, 20, 20],
      layout: 'mrope-seconds',
    },
  }),
]

/** Plain one-dimensional RoPE. */
export const textFamilies: readonly FamilyConfigs[] = [
  ...['llama', 'mistral', 'qwen2', 'qwen3', 'gemma', 'olmo2', 'smollm3'].map((modelType) =>
    textFamily(modelType, 'half-split'),
  ),
  ...['glm4', 'cohere', 'cohere2', 'ernie4_5', 'llama4_text'].map((modelType) => textFamily(modelType, 'adjacent')),
]

function textFamily(modelType: string, pairing: FamilyRow['pairing']): FamilyConfigs {
  // The numbers of the file, whatever the defaults of the family.
  const text = {
    model_type: modelType,
    hidden_size: 2048,
    num_attention_heads: 16,
    head_dim: 128,
    partial_rotary_factor: 1,
  }
  return {
    name: modelType,
    published: { ...text, rope_theta: 5e5, rope_scaling: null },
    modern: { ...text, rope_parameters: { rope_type: 'default', rope_theta: 5e5 } },
    row: {
      axes: 'p',
      headDim: 128,
      rotaryDim: 128,
      pairing,
      axisOf: 'P×64',
      sections: [64],
      base: 5e5,
      layout: 'sequential',
    },
  }
}

/** `(THW)×20 T×4` written out. */
export function letters(short: string): string {
  return short
    .split(' ')
    .map((word) => {
      const [, pattern, count] = word.match(/^\(?([A-Z-]+)\)?×(\d+)$/) ?? ['', word, '1']
      return pattern.repeat(Number(count))
    })
    .join('')
}

export const hunyuanRope = { alpha: 1000, factor: 1, mrope_section: [16, 16, 16, 16] }
/** HunYuan-VL as published: alpha scales the base. */
export function hunyuan(rope: object, type = 'dynamic'): object {
  return {
    model_type: 'hunyuan_vl',
    head_dim: 128,
    rope_theta: 1e4,
    rope_scaling: { type, ...hunyuanRope, ...rope },
  }
}

/** A family of the list by its name. */
export const find = (name: string): FamilyConfigs => families.find((family) => family.name === name)!
