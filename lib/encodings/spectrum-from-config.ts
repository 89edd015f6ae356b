import { MropeRangeError, show } from '../errors.js'
import { spectra } from '../spectra/index.js'
import type { Spectrum } from '../spectra/spectrum.js'
import type { RopeParameters } from './rope-parameters.js'

export interface Geometry {
  readonly base: number
  readonly headDim: number
  readonly rotaryDim: number
  /** vLLM takes YaRN's correction range from four times the original length, for M-RoPE only. */
  readonly yarnRange: 'original' | 'vllm'
  /** `float32` makes the frequencies as the buffers of transformers are made. */
  readonly precision: 'float64' | 'float32'
}

/** The spectrum of a rope type, with every number explicit. @throws MropeRangeError ERR_MROPE_CONFIG for missing ones */
export function spectrumFromConfig(rope: RopeParameters, geometry: Geometry): Spectrum {
  const scaled = scaledSpectrum(rope, geometry)
  return geometry.precision === 'float32' ? roundSpectrum(scaled) : scaled
}

/** The last step to float32, behind the scaling. */
function roundSpectrum(spectrum: Spectrum): Spectrum {
  const { atLength } = spectrum
  return {
    ...spectrum,
    invFreq: spectrum.invFreq.map(Math.fround),
    ...(atLength ? { atLength: (length: number) => roundSpectrum(atLength(length)) } : {}),
  }
}

function scaledSpectrum(rope: RopeParameters, { base, headDim, rotaryDim, yarnRange, precision }: Geometry): Spectrum {
  const geometric = { base, dim: rotaryDim, precision }
  const need = <T>(value: T | undefined, key: string): T => {
    if (value !== undefined) return value
    throw new MropeRangeError(
      'ERR_MROPE_CONFIG',
      `config: rope type ${rope.ropeType} needs ${key}, got ${show(value)}`,
      value,
    )
  }
  switch (rope.ropeType) {
    case 'linear':
      return spectra.linear({ ...geometric, factor: need(rope.factor, 'factor') })
    case 'ntk':
      return spectra.ntk({ ...geometric, factor: need(rope.alpha ?? rope.factor, 'factor') })
    case 'dynamic':
      if (rope.alpha !== undefined) return spectra.ntk({ ...geometric, factor: rope.alpha })
      return spectra.dynamic({
        ...geometric,
        factor: need(rope.factor, 'factor'),
        maxPositions: need(rope.maxPositions, 'max_position_embeddings'),
      })
    case 'yarn':
      return spectra.yarn({
        ...geometric,
        factor: rope.factor,
        maxPositions: rope.maxPositions,
        originalMaxPositions: need(rope.originalMaxPositions ?? rope.maxPositions, 'original_max_position_embeddings'),
        betaFast: rope.betaFast,
        betaSlow: rope.betaSlow,
        truncate: rope.truncate,
        attentionFactor: rope.attentionFactor,
        mscale: rope.mscale,
        mscaleAllDim: rope.mscaleAllDim,
        range: yarnRange,
      })
    case 'longrope':
      return spectra.longrope({
        ...geometric,
        shortFactor: need(rope.shortFactor, 'short_factor'),
        longFactor: need(rope.longFactor, 'long_factor'),
        originalMaxPositions: need(rope.originalMaxPositions, 'original_max_position_embeddings'),
        maxPositions: rope.maxPositions,
        factor: rope.factor,
        attentionFactor: rope.attentionFactor,
      })
    case 'llama3':
      return spectra.llama3({
        ...geometric,
        factor: need(rope.factor, 'factor'),
        lowFreqFactor: need(rope.lowFreqFactor, 'low_freq_factor'),
        highFreqFactor: need(rope.highFreqFactor, 'high_freq_factor'),
        originalMaxPositions: need(rope.originalMaxPositions ?? rope.maxPositions, 'original_max_position_embeddings'),
      })
    case 'proportional':
      return spectra.proportional({
        base,
        headDim,
        partialRotaryFactor: rope.partialRotaryFactor ?? 1,
        factor: rope.factor,
        precision,
      })
    default:
      return spectra.default(geometric)
  }
}
