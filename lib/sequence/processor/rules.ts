import { MropeRangeError, MropeTypeError, show } from '../../errors.js'
import { type AudioLengthRule, qwen3OmniAudioLength, qwen25OmniAudioLength } from '../audio-lengths.js'
import { familyName, textFamilyNames } from '../family-names.js'

/** How the prompt of a model family is written: its special tokens and how many tokens a grid becomes. */
export interface PromptRules {
  readonly family: string
  readonly image?: number
  readonly video?: number
  readonly audio?: number
  /** Markers in front of and behind a block, where the parser needs them. */
  readonly visionStart?: number
  readonly audioStart?: number
  readonly videoStart?: number
  readonly videoEnd?: number
  readonly imageStart?: number
  readonly imageEnd?: number
  readonly sliceStart?: number
  readonly sliceEnd?: number
  readonly newline?: number
  /** Patches of a grid that become one token, along h and along w. */
  readonly merge: number
  /** Frames of a video grid that become one. */
  readonly temporalMerge: number
  readonly parser: 'runs' | 'canvas' | 'generated-images'
  /** A video is one block, or one block a frame with text between. */
  readonly videoBlocks: 'one' | 'frame'
  /** Video frames use the image token, and stand between the video markers. */
  readonly framesAreImages: boolean
  /** Image rows end in a newline token of the same kind; the run may have one more token at either end. */
  readonly rowEnds: boolean
  readonly audioLength?: AudioLengthRule
}

type Shape = Partial<Pick<PromptRules, 'parser' | 'videoBlocks' | 'framesAreImages' | 'rowEnds'>> & {
  readonly temporalMerge?: true
  readonly merge?: 1
  readonly audio?: 'qwen2.5-omni' | 'qwen3-omni'
}

const oneBlock: Shape = {}
const framePerBlock: Shape = { videoBlocks: 'frame' }
const glm: Shape = { videoBlocks: 'frame', framesAreImages: true }

/** Prompt shapes by the `model_type` of the whole model. */
const shapes: Readonly<Record<string, Shape>> = {
  qwen2_vl: oneBlock,
  qwen2_5_vl: oneBlock,
  qwen2_5_omni: { audio: 'qwen2.5-omni' },
  qwen3_omni_moe: { audio: 'qwen3-omni' },
  qwen3_vl: framePerBlock,
  qwen3_vl_moe: framePerBlock,
  qwen3_5: framePerBlock,
  qwen3_5_moe: framePerBlock,
  qwen4_exp: framePerBlock,
  cosmos3_edge: framePerBlock,
  cosmos3_omni: framePerBlock,
  cohere_compass: framePerBlock,
  keye_vl: framePerBlock,
  glm4v: glm,
  glm4v_moe: glm,
  glm46v: glm,
  glm_ocr: glm,
  glm_image: { parser: 'generated-images', merge: 1 },
  ernie4_5_vl_moe: { temporalMerge: true },
  paddleocr_vl: oneBlock,
  hunyuan_vl: { rowEnds: true },
  minicpmv4_7: { parser: 'canvas' },
}

export interface PromptOptions {
  /** Read the prompt as that of this family, whatever the `model_type` of the configuration. */
  readonly family?: string
}

/**
 * Prompt rules of a model from its config.json.
 * @param downsampleMode overrides that of the configuration for this prompt (MiniCPM-V)
 * @throws MropeTypeError ERR_MROPE_CONFIG when it is not an object, MropeRangeError ERR_MROPE_FAMILY for unknown families
 */
export function promptRulesFromConfig(config: unknown, options: PromptOptions, downsampleMode?: unknown): PromptRules {
  const whole = asObject(config)
  const model = 'thinker_config' in whole ? asObject(whole.thinker_config) : whole
  if (options.family !== undefined) checkFamily(options.family)
  const given = options.family ?? model.model_type ?? whole.model_type
  const family = familyName(given)
  // A model without another tower has prompts of text only, whatever its family.
  const textOnly = !('vision_config' in model || 'audio_config' in model || 'image_token_id' in model)
  const shape = Object.hasOwn(shapes, family) ? shapes[family] : textOnly ? oneBlock : undefined
  if (!shape) {
    const message = `fromProcessor: no prompt rules for ${options.family === undefined ? 'model_type' : 'family'} ${show(given)}; declare segments with Sequence.of`
    throw new MropeRangeError('ERR_MROPE_FAMILY', message, given)
  }
  const vision = 'vision_config' in model ? asObject(model.vision_config) : {}
  const token = (...names: string[]): number | undefined => {
    for (const name of names) {
      const id = model[name] ?? whole[name]
      if (id === undefined || id === null) continue
      if (!Number.isSafeInteger(id)) {
        throw new MropeTypeError('ERR_MROPE_CONFIG', `config.${name} is a token id, got ${show(id)}`, id)
      }
      return id as number
    }
    return undefined
  }
  const size = (name: string, fallback: number, from: Record<string, unknown> = vision): number => {
    const value = from[name] ?? model[name] ?? fallback
    if (!Number.isSafeInteger(value) || (value as number) < 1) {
      throw new MropeRangeError('ERR_MROPE_CONFIG', `config ${name} is a positive integer, got ${show(value)}`, value)
    }
    return value as number
  }
  const encoder = 'audio_config' in model ? asObject(model.audio_config) : {}
  const audioWindow = shape.audio === 'qwen3-omni' ? size('n_window', 50, encoder) : 0
  const { audio, merge, temporalMerge, ...rules } = shape
  return {
    family,
    image: token('image_token_id', 'image_token_index', 'im_patch_id'),
    video: token('video_token_id', 'video_token_index'),
    audio: token('audio_token_id', 'audio_token_index'),
    visionStart: token('vision_start_token_id'),
    audioStart: token('audio_start_token_id'),
    videoStart: token('video_start_token_id'),
    videoEnd: token('video_end_token_id'),
    imageStart: token('image_start_token_id', 'image_start_id'),
    imageEnd: token('image_end_token_id', 'image_end_id'),
    sliceStart: token('slice_start_id'),
    sliceEnd: token('slice_end_id'),
    newline: token('newline_id'),
    merge:
      merge ??
      (shape.parser === 'canvas'
        ? canvasMerge(downsampleMode ?? model.downsample_mode ?? '16x')
        : size('spatial_merge_size', 2)),
    temporalMerge: temporalMerge ? size('temporal_merge_size', 2) : 1,
    parser: 'runs',
    videoBlocks: 'one',
    framesAreImages: false,
    rowEnds: false,
    audioLength:
      audio === 'qwen2.5-omni'
        ? qwen25OmniAudioLength
        : audio === 'qwen3-omni'
          ? (frames) => qwen3OmniAudioLength(frames, audioWindow)
          : undefined,
    ...rules,
  }
}

/** A family that is named must be one that is known: a misspelt one would be read as a text model. */
function checkFamily(family: unknown): void {
  const known = [...Object.keys(shapes), ...textFamilyNames]
  if (typeof family === 'string' && known.includes(familyName(family))) return
  const message = `fromProcessor: family is one of ${Object.keys(shapes).join(', ')} or a text model; got ${show(family)}`
  throw new MropeRangeError('ERR_MROPE_FAMILY', message, family)
}

/** Patches along each side of a token: the vision tower merges 4×4, or 2×2 where its window merger is skipped. */
function canvasMerge(mode: unknown): number {
  if (mode === '16x') return 4
  if (mode === '4x') return 2
  throw new MropeRangeError('ERR_MROPE_CONFIG', `downsample_mode is '16x' or '4x', got ${show(mode)}`, mode)
}

function asObject(value: unknown): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new MropeTypeError('ERR_MROPE_CONFIG', `config: expected an object, got ${show(value)}`, value)
  }
  return value as Record<string, unknown>
}
