import { MropeTypeError, show } from '../errors.js'
import { checkOptions } from '../tensors/check.js'
import type { Encoding } from './encoding.js'
import { type ConfigOptions, encodingFromConfig } from './from-config.js'
import { ablationEncodings } from './published-ablations.js'
import { publishedEncodings } from './published-rows.js'

/** Numbers of a named encoding; each has the default of the published checkpoints. */
export interface NamedOptions extends Pick<ConfigOptions, 'compat'> {
  readonly headDim?: number
  /** `rope_theta`. */
  readonly base?: number
  /** Pairs of each axis, in the order of the family. */
  readonly sections?: readonly number[]
  readonly partialRotaryFactor?: number
  /** Further keys of `rope_parameters`, in their own names: a rope type with its numbers. */
  readonly rope?: Readonly<Record<string, unknown>>
  /** Ids a second: `tokens_per_second` (Qwen2.5-VL) or `position_id_per_seconds` (Omni). */
  readonly idsPerSecond?: number
}

const optionNames = ['headDim', 'base', 'sections', 'partialRotaryFactor', 'rope', 'idsPerSecond', 'compat']

function named(modelType: string, defaults: NamedOptions): (options?: NamedOptions) => Encoding {
  return (options = {}) => {
    checkOptions(`encodings: ${modelType}`, options, optionNames)
    if (typeof options !== 'object' || options === null) {
      const message = `encodings: options is an object, got ${show(options)}`
      throw new MropeTypeError('ERR_MROPE_ARGUMENT', message, options)
    }
    const { headDim, base, sections, partialRotaryFactor, rope, idsPerSecond, compat } = { ...defaults, ...options }
    const perSecond =
      modelType === 'qwen2_5_vl'
        ? { vision_config: { tokens_per_second: idsPerSecond } }
        : { position_id_per_seconds: idsPerSecond, seconds_per_chunk: 2 }
    const parameters = {
      rope_theta: base,
      ...(sections ? { mrope_section: sections } : {}),
      ...(partialRotaryFactor !== undefined ? { partial_rotary_factor: partialRotaryFactor } : {}),
      ...rope,
    }
    const config = { model_type: modelType, head_dim: headDim, rope_parameters: parameters, ...perSecond }
    return encodingFromConfig(config, { compat })
  }
}

/**
 * Encodings of model families with the numbers of their published checkpoints, schemes of papers, and the ablations of
 * one. `describe()` says how sure each is: `verified`, `source`, `warnings`.
 */
export const encodings = {
  qwen2VL: named('qwen2_vl', { headDim: 128, base: 1e6, sections: [16, 24, 24] }),
  qwen25VL: named('qwen2_5_vl', { headDim: 128, base: 1e6, sections: [16, 24, 24], idsPerSecond: 2 }),
  qwen25Omni: named('qwen2_5_omni', { headDim: 128, base: 1e6, sections: [16, 24, 24], idsPerSecond: 25 }),
  qwen3Omni: named('qwen3_omni_moe', { headDim: 128, base: 1e6, sections: [24, 20, 20], idsPerSecond: 25 }),
  qwen3VL: named('qwen3_vl', { headDim: 128, base: 5e6, sections: [24, 20, 20] }),
  qwen35: named('qwen3_5', { headDim: 256, base: 1e7, sections: [11, 11, 10], partialRotaryFactor: 0.25 }),
  glm4V: named('glm4v', { headDim: 128, base: 1e4, sections: [8, 12, 12], partialRotaryFactor: 0.5 }),
  glm4VMoe: named('glm4v_moe', { headDim: 128, base: 1e4, sections: [8, 12, 12], partialRotaryFactor: 0.5 }),
  glmImage: named('glm_image', { headDim: 128, base: 1e4, sections: [8, 12, 12], partialRotaryFactor: 0.5 }),
  ernie45VL: named('ernie4_5_vl_moe', { headDim: 128, base: 5e5, sections: [22, 22, 20] }),
  paddleOcrVL: named('paddleocr_vl', { headDim: 128, base: 5e5, sections: [16, 24, 24] }),
  hunyuanVL: named('hunyuan_vl', {
    headDim: 128,
    base: 1e4,
    sections: [16, 16, 16, 16],
    rope: { rope_type: 'ntk', alpha: 1000 },
  }),
  cohereCompass: named('cohere_compass', { headDim: 128, base: 1e4, sections: [22, 22, 20] }),
  miniCpmV47: named('minicpmv4_7', { headDim: 256, base: 1e7, sections: [11, 11, 10], partialRotaryFactor: 0.25 }),
  keyeVL: named('keye_vl', { headDim: 128, base: 1e6, sections: [16, 24, 24] }),
  /** Plain one-dimensional RoPE, half-split. */
  llama: named('llama', { headDim: 128, base: 1e4 }),
  ...publishedEncodings,
  ...ablationEncodings,
} as const
