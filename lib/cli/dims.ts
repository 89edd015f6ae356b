import type { TensorType } from '../tensors/tensor.js'

/** Numbers of a model that positions do not need, but memory does. */
export interface ModelDims {
  readonly layers: number | null
  readonly heads: number | null
  readonly kvHeads: number | null
  readonly dtype: TensorType
  readonly trainedMaximum: number | null
}

type Json = Readonly<Record<string, unknown>>

/** Read from config.json, where its text model has them; null where it has not. */
export function modelDims(config: unknown): ModelDims {
  const whole = objectOf(config)
  const model = 'thinker_config' in whole ? objectOf(whole.thinker_config) : whole
  const inner = ['text_config', 'llm_config', 'language_config'].find((key) => key in model)
  const text = inner === undefined ? model : objectOf(model[inner])
  const count = (key: string): number | null => {
    const value = text[key] ?? model[key]
    return Number.isSafeInteger(value) && (value as number) > 0 ? (value as number) : null
  }
  const dtype = text.dtype ?? text.torch_dtype ?? model.dtype ?? model.torch_dtype
  const heads = count('num_attention_heads')
  return {
    layers: count('num_hidden_layers'),
    heads,
    kvHeads: count('num_key_value_heads') ?? heads,
    dtype: dtype === 'float32' || dtype === 'float16' ? dtype : 'bfloat16',
    trainedMaximum: count('max_position_embeddings'),
  }
}

function objectOf(value: unknown): Json {
  return typeof value === 'object' && value !== null ? (value as Json) : {}
}
