/** Names under which the same families are published. */
const aliases: Readonly<Record<string, string>> = {
  qwen2_5_omni_thinker: 'qwen2_5_omni',
  qwen3_omni_moe_thinker: 'qwen3_omni_moe',
  ernie4_5_moe_vl: 'ernie4_5_vl_moe',
  KeyeVL1_5: 'keye_vl',
  keye_vl1_5: 'keye_vl',
  keye_vl_1_5: 'keye_vl',
  glm4_6v: 'glm46v',
  'minicpm-v4_7': 'minicpmv4_7',
}

/** The family that a `model_type` belongs to: one name for its aliases and for its text model. Empty for other values. */
export function familyName(modelType: unknown): string {
  if (typeof modelType !== 'string') return ''
  return Object.hasOwn(aliases, modelType) ? aliases[modelType] : modelType.replace(/_text$/, '')
}

/** Text models: one axis, prompts without blocks. */
export const textFamilyNames = [
  'llama',
  'mistral',
  'mixtral',
  'ministral',
  'qwen2',
  'qwen2_moe',
  'qwen3',
  'qwen3_moe',
  'qwen3_next',
  'gemma',
  'gemma2',
  'gemma3',
  'gemma3_text',
  'phi',
  'phi3',
  'olmo',
  'olmo2',
  'granite',
  'starcoder2',
  'stablelm',
  'smollm3',
  'gpt_neox',
  'gpt_oss',
  'exaone4',
  'hunyuan_v1_dense',
  'glm',
  'glm4',
  'cohere',
  'cohere2',
  'ernie4_5',
  'ernie4_5_moe',
  'gptj',
  'codegen',
  'llama4',
  'llama4_text',
] as const

export type TextFamilyName = (typeof textFamilyNames)[number]
