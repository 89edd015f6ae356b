import { MropeRangeError, MropeTypeError, show } from '../errors.js'
import { checkOptions, isArrayLike } from '../tensors/check.js'

/** Which way a rule moves the attention as the number of keys grows. */
export type Direction = 'sharpen' | 'flatten'

export interface SoftmaxScaleRule {
  /** The factor on the scores beside `1/√headDim`. N = keys, N0 = keys in training. */
  readonly formula: string
  /** `'given'` where the caller has to say it. */
  readonly direction: Direction | 'given' | 'none'
  readonly source: string
  /** False where no published code was found that ties the rule to a system. */
  readonly verified: boolean
}

/** Every rule of `softmaxScale`. They multiply: take at most one of them together with the attention factor of YaRN. */
export const softmaxScaleRules = {
  standard: {
    formula: '1',
    direction: 'none',
    source: 'Attention Is All You Need, arXiv 1706.03762',
    verified: true,
  },
  'entropy-invariant': {
    formula: '√(ln N / ln N0)',
    direction: 'sharpen',
    source: 'OmniGen2 attention_processor.py; diffusers, Lumina-2',
    verified: true,
  },
  'log-n': {
    formula: 'ln N / ln N0',
    direction: 'sharpen',
    source: 'common form, not tied to a listed system',
    verified: false,
  },
  'log-ratio': {
    formula: 'sharpen: ln N / ln N0; flatten: ln N0 / ln N',
    direction: 'given',
    source: 'digests of the Golden Gate RoPE post (resolution change of a ViT); its published direction was not found',
    verified: false,
  },
  'llama-4': {
    formula: '1 + attnScale · ln(1 + floor((position + 1) / floorScale)), one per query, layers without rope only',
    direction: 'sharpen',
    source: 'transformers llama4/modeling_llama4.py, attn_temperature_tuning',
    verified: true,
  },
  'yarn-mscale': {
    formula: 'm², m = 0.1 · mscaleAllDim · ln factor + 1 for factor > 1, otherwise 1',
    direction: 'sharpen',
    source: 'transformers deepseek_v3/modeling_deepseek_v3.py, yarn_apply_mscale',
    verified: true,
  },
} as const satisfies Record<string, SoftmaxScaleRule>

export type SoftmaxScaleRuleName = keyof typeof softmaxScaleRules

interface HeadScale {
  /** Channels of a query head; with DeepSeek's latent attention those of both parts, rotated and not. */
  readonly headDim: number
}

interface KeyCounts extends HeadScale {
  /** Keys (tokens, patches) now. */
  readonly keys: number
  /** Keys in training. */
  readonly trainedKeys: number
}

export type SoftmaxScaleOptions =
  | (HeadScale & { readonly rule: 'standard' })
  | (KeyCounts & { readonly rule: 'entropy-invariant' | 'log-n' })
  | (KeyCounts & { readonly rule: 'log-ratio'; readonly direction: Direction })
  | Llama4Options
  | (HeadScale & { readonly rule: 'yarn-mscale'; readonly factor: number; readonly mscaleAllDim: number })

export interface Llama4Options extends HeadScale {
  readonly rule: 'llama-4'
  /** Position of every query. */
  readonly positions: ArrayLike<number>
  /** `attn_scale` of the configuration. */
  readonly attnScale: number
  /** `floor_scale` of the configuration. */
  readonly floorScale: number
}

const optionsOf: Record<SoftmaxScaleRuleName, readonly string[]> = {
  standard: [],
  'entropy-invariant': ['keys', 'trainedKeys'],
  'log-n': ['keys', 'trainedKeys'],
  'log-ratio': ['keys', 'trainedKeys', 'direction'],
  'llama-4': ['positions', 'attnScale', 'floorScale'],
  'yarn-mscale': ['factor', 'mscaleAllDim'],
}

/**
 * The softmax scale of a temperature rule, `1/√headDim` included: what `attend` takes as `scale`.
 *
 * @returns one number; for `llama-4` one per query
 * @throws MropeTypeError ERR_MROPE_ARGUMENT, MropeRangeError ERR_MROPE_ARGUMENT
 */
export function softmaxScale(options: Llama4Options): Float64Array
export function softmaxScale(options: Exclude<SoftmaxScaleOptions, Llama4Options>): number
export function softmaxScale(options: SoftmaxScaleOptions): number | Float64Array
export function softmaxScale(options: SoftmaxScaleOptions): number | Float64Array {
  const rule: unknown = (options as SoftmaxScaleOptions | undefined)?.rule
  if (typeof rule !== 'string' || !Object.hasOwn(optionsOf, rule)) {
    const text = `softmaxScale: rule must be one of ${Object.keys(optionsOf).join(', ')}, got ${show(rule)}`
    throw new MropeTypeError('ERR_MROPE_ARGUMENT', text, rule)
  }
  checkOptions('softmaxScale', options, ['headDim', 'rule', ...optionsOf[rule as SoftmaxScaleRuleName]])
  const base = 1 / Math.sqrt(atLeast('headDim', options.headDim, 1))
  switch (options.rule) {
    case 'standard':
      return base
    case 'entropy-invariant':
      return base * Math.sqrt(logRatio(options))
    case 'log-n':
      return base * logRatio(options)
    case 'log-ratio':
      return options.direction === 'sharpen' ? base * logRatio(options) : base / flattening(options)
    case 'llama-4':
      return llama4(options, base)
    case 'yarn-mscale': {
      const factor = atLeast('factor', options.factor, 0)
      const m = factor > 1 ? 0.1 * atLeast('mscaleAllDim', options.mscaleAllDim, 0) * Math.log(factor) + 1 : 1
      return base * m * m
    }
  }
}

/** `ln N / ln N0`. */
function logRatio({ keys, trainedKeys }: KeyCounts): number {
  return Math.log(atLeast('keys', keys, 1)) / Math.log(atLeast('trainedKeys', trainedKeys, 2))
}

function flattening(options: KeyCounts & { direction: Direction }): number {
  // Published codes disagree on the direction, so there is no default.
  if (options.direction !== 'flatten') {
    const text = `softmaxScale: direction must be 'sharpen' or 'flatten', got ${show(options.direction)}`
    throw new MropeTypeError('ERR_MROPE_ARGUMENT', text, options.direction)
  }
  atLeast('keys', options.keys, 2)
  return logRatio(options)
}

function llama4({ positions, attnScale, floorScale }: Llama4Options, base: number): Float64Array {
  if (!isArrayLike(positions)) {
    const text = `softmaxScale: positions must be an array of numbers, got ${show(positions)}`
    throw new MropeTypeError('ERR_MROPE_ARGUMENT', text, positions)
  }
  atLeast('attnScale', attnScale, 0)
  if (atLeast('floorScale', floorScale, 0) === 0) {
    throw new MropeRangeError('ERR_MROPE_ARGUMENT', 'softmaxScale: floorScale must be above 0', floorScale)
  }
  const scales = new Float64Array(positions.length)
  for (let i = 0; i < scales.length; i++) {
    const position = atLeast(`positions[${i}]`, positions[i], 0)
    scales[i] = base * (1 + attnScale * Math.log(1 + Math.floor((position + 1) / floorScale)))
  }
  return scales
}

function atLeast(name: string, value: unknown, least: number): number {
  if (typeof value !== 'number') {
    throw new MropeTypeError('ERR_MROPE_ARGUMENT', `softmaxScale: ${name} must be a number, got ${show(value)}`, value)
  }
  if (!Number.isFinite(value) || value < least) {
    const text = `softmaxScale: ${name} must be a finite number of at least ${least}, got ${value}`
    throw new MropeRangeError('ERR_MROPE_ARGUMENT', text, value)
  }
  return value
}
