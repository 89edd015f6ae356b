import type { Allocation } from '../allocations/allocation.js'
import { allocations } from '../allocations/index.js'
import type { Pairing } from '../rotary/table.js'
import { familyName, type TextFamilyName } from '../sequence/family-names.js'
import type { Verified } from './encoding.js'
import type { LayoutKind } from './family-layouts.js'

export type AllocationKind =
  | 'single'
  | 'chunked'
  | 'interleaved'
  | 'spatialFirst'
  | 'splitSpatial'
  | 'greedy'
  | 'rowsAndColumns'

/** What a model family fixes in its code, where its configuration does not say it. */
export interface Family {
  readonly name: string
  readonly layout: LayoutKind
  readonly allocation: AllocationKind
  readonly pairing: Pairing
  /** `mrope_section` where the configuration has none, in the order of the family. */
  readonly sections?: readonly number[]
  /** `rope_theta` where the configuration has none. */
  readonly base: number | { readonly [layerType: string]: number }
  readonly partialRotaryFactor?: number | { readonly [layerType: string]: number }
  readonly headDim?: number
  readonly source: string
  /** `run` where captures of its attention layers are among the tests; ids alone are not enough. */
  readonly verified: Verified
}

const transformers = (file: string): string => `huggingface/transformers 5.18, models/${file}`

const chunkedHalf = { allocation: 'chunked', pairing: 'half-split' } as const
const interleavedHalf = { allocation: 'interleaved', pairing: 'half-split' } as const

/** Vision-language families, by the `model_type` of the whole model. A new one is a row here. */
const visionLanguage: readonly Family[] = [
  {
    name: 'qwen2_vl',
    layout: 'mrope',
    ...chunkedHalf,
    sections: [16, 24, 24],
    base: 1e6,
    source: transformers('qwen2_vl: get_rope_index'),
    verified: 'run',
  },
  {
    name: 'qwen2_5_vl',
    layout: 'mrope-seconds',
    ...chunkedHalf,
    sections: [16, 24, 24],
    base: 1e6,
    source: transformers('qwen2_5_vl: get_rope_index'),
    verified: 'run',
  },
  {
    name: 'qwen2_5_omni',
    layout: 'tmrope-chunked',
    ...chunkedHalf,
    sections: [16, 24, 24],
    base: 1e6,
    source: transformers('qwen2_5_omni: get_rope_index, get_chunked_index'),
    verified: 'run',
  },
  {
    name: 'qwen3_omni_moe',
    layout: 'tmrope-sorted',
    ...interleavedHalf,
    sections: [24, 20, 20],
    base: 1e6,
    source: transformers('qwen3_omni_moe: get_rope_index'),
    verified: 'run',
  },
  {
    name: 'qwen3_vl',
    layout: 'mrope-timestamps',
    ...interleavedHalf,
    sections: [24, 20, 20],
    base: 5e5,
    headDim: 128,
    source: transformers('qwen3_vl: get_rope_index, apply_interleaved_mrope'),
    verified: 'run',
  },
  {
    name: 'qwen3_vl_moe',
    layout: 'mrope-timestamps',
    ...interleavedHalf,
    sections: [24, 20, 20],
    base: 5e5,
    source: transformers('qwen3_vl_moe: get_rope_index, apply_interleaved_mrope'),
    verified: 'source',
  },
  ...['qwen3_5', 'qwen3_5_moe', 'qwen4_exp'].map(
    (name): Family => ({
      name,
      layout: 'mrope-timestamps',
      ...interleavedHalf,
      sections: [11, 11, 10],
      base: 1e7,
      partialRotaryFactor: 0.25,
      headDim: 256,
      source: transformers(`${name}: get_rope_index`),
      verified: name === 'qwen3_5' ? 'run' : 'source',
    }),
  ),
  ...['cosmos3_edge', 'cosmos3_omni'].map(
    (name): Family => ({
      name,
      layout: 'mrope-timestamps',
      ...interleavedHalf,
      sections: [24, 20, 20],
      base: name === 'cosmos3_edge' ? 1e8 : 5e5,
      headDim: 128,
      source: transformers(name),
      verified: 'source',
    }),
  ),
  ...['glm4v', 'glm_ocr', 'glm46v'].map(
    (name): Family => ({
      name,
      layout: 'mrope-timestamps',
      allocation: 'chunked',
      pairing: 'adjacent',
      sections: [8, 12, 12],
      base: 1e4,
      source: transformers(`${name}: get_rope_index, apply_rotary_pos_emb`),
      verified: name === 'glm46v' ? 'source' : 'run',
    }),
  ),
  {
    name: 'glm4v_moe',
    layout: 'mrope-timestamps',
    ...chunkedHalf,
    sections: [8, 12, 12],
    base: 1e4,
    partialRotaryFactor: 0.5,
    source: transformers('glm4v_moe: get_rope_index, apply_multimodal_rotary_pos_emb'),
    verified: 'run',
  },
  {
    name: 'glm_image',
    layout: 'generated-images',
    ...chunkedHalf,
    sections: [8, 12, 12],
    base: 1e4,
    source: transformers('glm_image: get_rope_index'),
    verified: 'run',
  },
  {
    name: 'ernie4_5_vl_moe',
    layout: 'mrope',
    allocation: 'spatialFirst',
    pairing: 'adjacent',
    sections: [22, 22, 20],
    base: 5e5,
    source: transformers('ernie4_5_vl_moe: get_rope_index, recomposition_frequencies'),
    verified: 'run',
  },
  {
    name: 'paddleocr_vl',
    layout: 'mrope',
    ...chunkedHalf,
    sections: [16, 24, 24],
    base: 5e5,
    headDim: 128,
    source: transformers('paddleocr_vl: get_rope_index'),
    verified: 'run',
  },
  {
    name: 'cohere_compass',
    layout: 'mrope-timestamps',
    allocation: 'splitSpatial',
    pairing: 'half-split',
    sections: [22, 22, 20],
    base: 1e4,
    source: transformers('cohere_compass: compute_default_rope_parameters'),
    verified: 'run',
  },
  {
    name: 'hunyuan_vl',
    layout: 'plain-index',
    ...chunkedHalf,
    sections: [16, 16, 16, 16],
    base: 1e4,
    source: 'vllm-project/vllm XDRotaryEmbedding; huggingface/transformers 5.18, models/hunyuan_vl: get_rope_index',
    verified: 'source',
  },
  {
    name: 'minicpmv4_7',
    layout: 'canvas',
    ...interleavedHalf,
    sections: [11, 11, 10],
    base: 1e7,
    partialRotaryFactor: 0.25,
    headDim: 256,
    source: transformers('minicpmv4_7: get_rope_index'),
    verified: 'run',
  },
  {
    name: 'neomme',
    layout: 'rows-and-columns',
    allocation: 'rowsAndColumns',
    pairing: 'half-split',
    base: { full_attention: 1e6, sliding_attention: 1e4 },
    partialRotaryFactor: { full_attention: 0.25, sliding_attention: 1 },
    source: transformers('neomme: recomposition_frequencies, NeoMMEProcessor'),
    verified: 'source',
  },
  {
    name: 'keye_vl',
    layout: 'mrope-timestamps',
    ...chunkedHalf,
    sections: [16, 24, 24],
    base: 1e6,
    source: 'vllm-project/vllm keye_vl1_5.py',
    verified: 'source',
  },
  {
    name: 'openpangu_vl',
    layout: 'mrope-seconds',
    allocation: 'greedy',
    pairing: 'half-split',
    sections: [24, 20, 20],
    base: 1e6,
    source: 'vllm-project/vllm mrope_interleaved.py: get_mrope_interleaved_id_list',
    verified: 'source',
  },
]

/** What a text family fixes: defaults of its configuration class in transformers 5.18, where the file says nothing. */
type TextFamily = Pick<Family, 'headDim' | 'partialRotaryFactor'> & Partial<Pick<Family, 'base' | 'pairing'>>

const adjacent = { pairing: 'adjacent' } as const
const llama4Text = { ...adjacent, base: 5e5, headDim: 128 }
/** Sliding layers keep plain frequencies of their own; scaling is for the others. */
const gemma3 = { base: { full_attention: 1e6, sliding_attention: 1e4 }, headDim: 256 }

/** Base 1e4, half-split and the whole head where a row says nothing else. */
const textFamilies: Readonly<Record<TextFamilyName, TextFamily>> = {
  llama: {},
  mistral: {},
  mixtral: { base: 1e6 },
  ministral: {},
  qwen2: {},
  qwen2_moe: {},
  qwen3: { headDim: 128 },
  qwen3_moe: {},
  qwen3_next: { headDim: 256, partialRotaryFactor: 0.25 },
  gemma: { headDim: 256 },
  gemma2: { headDim: 256 },
  gemma3,
  gemma3_text: gemma3,
  phi: { partialRotaryFactor: 0.5 },
  phi3: {},
  olmo: {},
  olmo2: {},
  granite: {},
  starcoder2: {},
  stablelm: { partialRotaryFactor: 0.25 },
  smollm3: { base: 2e6 },
  gpt_neox: { partialRotaryFactor: 0.25 },
  gpt_oss: { base: 1.5e5, headDim: 64 },
  exaone4: {},
  hunyuan_v1_dense: {},
  glm: { ...adjacent, headDim: 128, partialRotaryFactor: 0.5 },
  glm4: { ...adjacent, headDim: 128, partialRotaryFactor: 0.5 },
  cohere: { ...adjacent, base: 5e5 },
  cohere2: adjacent,
  ernie4_5: { ...adjacent, base: 5e5, headDim: 128 },
  ernie4_5_moe: { ...adjacent, base: 5e5 },
  gptj: adjacent,
  codegen: adjacent,
  llama4: llama4Text,
  llama4_text: llama4Text,
}

/** Those whose layers were run and captured. */
const textRun: ReadonlySet<string> = new Set(['llama', 'phi3'])

/** Text families: one axis, all pairs on it. */
const text: readonly Family[] = Object.entries(textFamilies).map(([name, row]) => ({
  name,
  layout: 'sequential',
  allocation: 'single',
  pairing: 'half-split',
  base: 1e4,
  ...row,
  source: `huggingface/transformers 5.18, modeling_rope_utils.py and models/${name}`,
  verified: textRun.has(name) ? 'run' : 'source',
}))

const families = new Map([...visionLanguage, ...text].map((family) => [family.name, family]))

/** The family of a `model_type`, or undefined. */
export function familyOf(modelType: unknown): Family | undefined {
  // Some text models, such as gemma3_text, are families of their own.
  if (typeof modelType !== 'string') return undefined
  return families.get(modelType) ?? families.get(familyName(modelType))
}

/** A one-dimensional family that is not in the list, taken for Llama-like. */
export function llamaLike(modelType: unknown): Family {
  return {
    ...(families.get('llama') as Family),
    name: typeof modelType === 'string' ? modelType : 'llama',
    verified: 'unverified',
  }
}

export const familyNames: readonly string[] = visionLanguage.map(({ name }) => name)

/** Pairs to axes for a family. `ggml` reads its interleaved sections in another way. */
export function familyAllocation(
  kind: AllocationKind,
  sections: readonly number[],
  pairs: number,
  ggml: boolean,
): Allocation {
  if (kind === 'single') return allocations.single(pairs)
  if (kind === 'rowsAndColumns') return allocations.repeated([0, 1], pairs)
  if (!ggml) return allocations[kind](sections, pairs)
  if (kind === 'interleaved') return allocations.ggmlInterleaved([...sections, 0], pairs)
  return { ...allocations[kind](sections, pairs), axes: 4 }
}
