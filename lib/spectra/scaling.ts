import { MropeRangeError, MropeTypeError, show } from '../errors.js'
import { checkOptions, checkPositive, type Geometric, geometric, type Spectrum, spectrum } from './spectrum.js'

// Source of this file: transformers `modeling_rope_utils.py` (5.18), unless said.

/** Plain RoPE. `_compute_default_rope_parameters` of each model. */
export function defaultSpectrum(options: Geometric): Spectrum {
  checkOptions(options, 'default')
  return spectrum('default', geometric(options), { ...options })
}

/** Position interpolation: the same as dividing every id by `factor`. `_compute_linear_scaling_rope_parameters`. */
export function linearSpectrum(options: Geometric & { readonly factor: number }): Spectrum {
  const factor = checkPositive(checkOptions(options, 'linear').factor, 'factor')
  const invFreq = geometric(options).map((f) => f / factor)
  return spectrum('linear', invFreq, { ...options })
}

/**
 * NTK-aware scaling of the base: the highest frequency stays, the lowest is divided by `factor`.
 * HunYuan calls the factor `alpha`. Source: vLLM `NTKScalingRotaryEmbedding`, HunYuan.
 */
export function ntkSpectrum(options: Geometric & { readonly factor: number }): Spectrum {
  const { base, dim, precision } = checkOptions(options, 'ntk')
  const factor = checkPositive(options.factor, 'factor')
  const scaled = scaledBase(base, dim, factor)
  return spectrum('ntk', geometric({ base: scaled, dim, precision }), { ...options, scaledBase: scaled })
}

export interface DynamicOptions extends Geometric {
  readonly factor: number
  /** Length up to which nothing is scaled. */
  readonly maxPositions: number
}

/** NTK scaling that grows with the largest position id. `_compute_dynamic_ntk_parameters`. */
export function dynamicSpectrum(options: DynamicOptions): Spectrum {
  const { base, dim, precision } = checkOptions(options, 'dynamic')
  const factor = checkPositive(options.factor, 'factor')
  const trained = checkPositive(options.maxPositions, 'maxPositions')
  const atLength = (length: number): Spectrum => {
    const n = Math.max(checkLength(length), trained)
    const scaled = scaledBase(base, dim, (factor * n) / trained - (factor - 1))
    return {
      ...spectrum('dynamic', geometric({ base: scaled, dim, precision }), {
        ...options,
        length: n,
        scaledBase: scaled,
      }),
      atLength,
    }
  }
  return atLength(trained)
}

/** A length is the largest id + 1, so it may be fractional, and 0 or less where there are no ids. */
function checkLength(length: number): number {
  if (typeof length === 'number' && Number.isFinite(length)) return length
  const message = `spectrum: the length is a finite number, got ${show(length)}`
  throw new MropeRangeError('ERR_MROPE_ARGUMENT', message, length)
}

function scaledBase(base: number, dim: number, factor: number): number {
  return dim > 2 ? base * factor ** (dim / (dim - 2)) : base
}

export interface YarnOptions extends Geometric {
  /** Missing: `maxPositions / originalMaxPositions`. */
  readonly factor?: number
  readonly maxPositions?: number
  /** Missing: `maxPositions`, which makes the factor 1. */
  readonly originalMaxPositions?: number
  /** Default 32; 0 means the default, as in the reference. */
  readonly betaFast?: number
  /** Default 1; 0 means the default. */
  readonly betaSlow?: number
  readonly truncate?: boolean
  readonly attentionFactor?: number
  readonly mscale?: number
  readonly mscaleAllDim?: number
  /**
   * Length from which the correction range is computed: `original`, or `vllm`, which takes four times that for M-RoPE
   * (vLLM `MRotaryEmbedding`).
   */
  readonly range?: 'original' | 'vllm'
}

/** YaRN: high frequencies stay, low ones are interpolated, with a ramp between. `_compute_yarn_parameters`. */
export function yarnSpectrum(options: YarnOptions): Spectrum {
  const { base, dim, truncate = true, mscale, mscaleAllDim } = checkOptions(options, 'yarn')
  const original = checkPositive(options.originalMaxPositions ?? options.maxPositions, 'originalMaxPositions')
  const factor = checkPositive(options.factor ?? (options.maxPositions ?? original) / original, 'factor')
  const range = yarnRange({ ...options, originalMaxPositions: original })
  const invFreq = geometric(options).map((f, i) => {
    const ramp = Math.min(Math.max((i - range.low) / (range.high - range.low), 0), 1)
    return f * (1 - ramp + ramp / factor)
  })
  const derived =
    mscale && mscaleAllDim ? yarnMscale(factor, mscale) / yarnMscale(factor, mscaleAllDim) : yarnMscale(factor, 1)
  const attentionFactor = options.attentionFactor ?? derived
  const numbers = { base, dim, factor, originalMaxPositions: original, truncate, ...range }
  return spectrum('yarn', invFreq, { ...options, ...numbers }, attentionFactor)
}

/** Pair indices between which YaRN's ramp runs, clamped to 0 … dim − 1 (not dim/2 − 1), and before that. */
export function yarnRange(options: YarnOptions & { readonly originalMaxPositions: number }): {
  readonly low: number
  readonly high: number
  readonly rawLow: number
  readonly rawHigh: number
} {
  const { base, dim, betaFast, betaSlow, truncate = true, range = 'original' } = options
  if (range !== 'original' && range !== 'vllm') {
    throw new MropeRangeError('ERR_MROPE_CONFIG', `yarn: range is 'original' or 'vllm', got ${show(range)}`, range)
  }
  const length = options.originalMaxPositions * (range === 'vllm' ? 4 : 1)
  const pairOf = (turns: number): number => (dim * Math.log(length / (turns * 2 * Math.PI))) / (2 * Math.log(base))
  const rawLow = pairOf(betaFast || 32)
  const rawHigh = pairOf(betaSlow || 1)
  const low = Math.max(truncate ? Math.floor(rawLow) : rawLow, 0)
  const high = Math.min(truncate ? Math.ceil(rawHigh) : rawHigh, dim - 1)
  return { low, high: low === high ? high + 0.001 : high, rawLow, rawHigh }
}

/** `0.1 · k · ln(factor) + 1`, and 1 for factors up to 1. DeepSeek models also scale the softmax by its square. */
export function yarnMscale(factor: number, k: number): number {
  return factor <= 1 ? 1 : 0.1 * k * Math.log(factor) + 1
}

export interface LongRopeOptions extends Geometric {
  readonly shortFactor: readonly number[]
  readonly longFactor: readonly number[]
  readonly originalMaxPositions: number
  readonly maxPositions?: number
  readonly factor?: number
  readonly attentionFactor?: number
}

/**
 * LongRoPE: one divisor for each pair, from the long list when the largest id reaches the original length. The attention
 * factor does not depend on the list. `_compute_longrope_parameters`.
 */
export function longRopeSpectrum(options: LongRopeOptions): Spectrum {
  const original = checkPositive(checkOptions(options, 'longrope').originalMaxPositions, 'originalMaxPositions')
  const factor = checkPositive(options.factor ?? (options.maxPositions ?? original) / original, 'factor')
  const plain = geometric(options)
  const lists = { short: options.shortFactor, long: options.longFactor }
  for (const [name, list] of Object.entries(lists)) {
    if (!Array.isArray(list) || list.length !== plain.length || !list.every((x) => Number.isFinite(x) && x > 0)) {
      const message = `longrope: ${name} factors are ${plain.length} positive numbers, got ${show(list)}`
      throw new MropeRangeError('ERR_MROPE_CONFIG', message, list)
    }
  }
  const attentionFactor =
    options.attentionFactor ?? (factor <= 1 ? 1 : Math.sqrt(1 + Math.log(factor) / Math.log(original)))
  const atLength = (length: number): Spectrum => {
    const list = checkLength(length) > original ? 'long' : 'short'
    const invFreq = plain.map((f, i) => f / lists[list][i])
    return { ...spectrum('longrope', invFreq, { ...options, factor, list }, attentionFactor), atLength }
  }
  return atLength(0)
}

export interface Llama3Options extends Geometric {
  readonly factor: number
  readonly lowFreqFactor: number
  readonly highFreqFactor: number
  readonly originalMaxPositions: number
}

/** Llama 3: scaled by wavelength, with a smooth part between. `_compute_llama3_parameters`. */
export function llama3Spectrum(options: Llama3Options): Spectrum {
  const factor = checkPositive(checkOptions(options, 'llama3').factor, 'factor')
  const low = checkPositive(options.lowFreqFactor, 'lowFreqFactor')
  const high = checkPositive(options.highFreqFactor, 'highFreqFactor')
  const original = checkPositive(options.originalMaxPositions, 'originalMaxPositions')
  if (high === low) {
    throw new MropeRangeError('ERR_MROPE_CONFIG', `llama3: low and high frequency factor are both ${low}`, low)
  }
  const invFreq = geometric(options).map((f) => {
    const wavelength = (2 * Math.PI) / f
    if (wavelength < original / high) return f
    if (wavelength > original / low) return f / factor
    const smooth = (original / wavelength - low) / (high - low)
    return (1 - smooth) * (f / factor) + smooth * f
  })
  return spectrum('llama3', invFreq, { ...options })
}

export interface ProportionalOptions extends Pick<Geometric, 'base' | 'precision'> {
  readonly headDim: number
  readonly partialRotaryFactor: number
  readonly factor?: number
}

/**
 * Gemma 4: the first pairs of the whole head turn, the rest have frequency zero; the exponent counts over the whole head.
 * Not the same as a partial rotary dimension. `_compute_proportional_rope_parameters`.
 */
export function proportionalSpectrum(options: ProportionalOptions): Spectrum {
  const { base, headDim, partialRotaryFactor, factor = 1, precision } = checkOptions(options, 'proportional')
  checkPositive(factor, 'factor')
  if (!(checkPositive(partialRotaryFactor, 'partialRotaryFactor') <= 1)) {
    const message = `proportional: partialRotaryFactor is at most 1, got ${show(partialRotaryFactor)}`
    throw new MropeRangeError('ERR_MROPE_CONFIG', message, partialRotaryFactor)
  }
  const turning = Math.floor((partialRotaryFactor * headDim) / 2)
  const invFreq = geometric({ base, dim: headDim, precision }).map((f, i) => (i < turning ? f / factor : 0))
  return spectrum('proportional', invFreq, { ...options })
}

/** Vision towers: headDim/4 frequencies, `base^(−4i/headDim)`, the same list for rows and for columns. */
export function axialSpectrum(options: Pick<Geometric, 'base' | 'precision'> & { readonly headDim: number }): Spectrum {
  const { base, headDim, precision } = checkOptions(options, 'axial')
  if (!Number.isSafeInteger(headDim) || headDim % 4 !== 0) {
    throw new MropeRangeError(
      'ERR_MROPE_CONFIG',
      `axial: the head dimension divides by 4, got ${show(headDim)}`,
      headDim,
    )
  }
  const one = geometric({ base, dim: headDim / 2, precision })
  const invFreq = new Float64Array(one.length * 2)
  invFreq.set(one)
  invFreq.set(one, one.length)
  return spectrum('axial', invFreq, { base, headDim })
}

/** Frequencies given one by one, such as a model's own buffer. */
export function explicitSpectrum(invFreq: ArrayLike<number>, attentionFactor = 1): Spectrum {
  if (!Array.isArray(invFreq) && !(ArrayBuffer.isView(invFreq) && 'length' in invFreq)) {
    const message = `spectrum: the frequencies are a list of numbers, got ${show(invFreq)}`
    throw new MropeTypeError('ERR_MROPE_ARGUMENT', message, invFreq)
  }
  const list = Float64Array.from(invFreq, (f: unknown) => (typeof f === 'number' ? f : Number.NaN))
  const bad = list.findIndex((f) => !Number.isFinite(f))
  if (bad >= 0) {
    throw new MropeRangeError('ERR_MROPE_CONFIG', `spectrum: frequency ${bad} is ${list[bad]}`, list[bad])
  }
  return spectrum('explicit', list, {}, checkPositive(attentionFactor, 'attentionFactor'))
}
