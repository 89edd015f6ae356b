import type { Allocation } from '../allocations/allocation.js'
import { MropeRangeError, show } from '../errors.js'
import type { Stride } from '../layouts/draw.js'
import { layouts } from '../layouts/index.js'
import { spectra } from '../spectra/index.js'
import { geometric, type Spectrum } from '../spectra/spectrum.js'
import { type Numbers, published } from './published.js'
import { interleaved } from './published-parts.js'

/**
 * What "Revisiting Multimodal Positional Encoding in Vision-Language Models" (arXiv 2510.23095, table 3) changes in
 * MRoPE-Interleave with spatial reset, one thing at a time. All of it makes results worse; it is here to be compared.
 * Only digests of the paper were found, so what they leave open is a choice of this package.
 */
const ablation = {
  headDim: 128,
  base: 1e6,
  pairing: 'half-split',
  sections: [24, 20, 20],
  allocation: interleaved,
  source: 'arXiv 2510.23095 table 3, from digests',
  verified: 'unverified',
} as const

/** Pairs of the spatial axes take their frequencies from a base `factor` times as large. */
function scaledSpatial(
  { base, headDim, own }: Numbers<{ spatialBaseFactor: number }>,
  { axisOf }: Allocation,
): Spectrum {
  const factor = own.spatialBaseFactor
  if (!(Number.isFinite(factor) && factor > 0)) {
    const message = `encodings: spatialBaseFactor is a positive number, got ${show(factor)}`
    throw new MropeRangeError('ERR_MROPE_CONFIG', message, factor)
  }
  const [temporal, spatial] = [base, base * factor].map((b) => geometric({ base: b, dim: headDim }))
  const list = temporal.map((f, pair) => (axisOf[pair] === 0 ? f : spatial[pair]))
  const parameters = { base, spatialBase: base * factor, dim: headDim }
  return { ...spectra.explicit(list), name: 'scaled-spatial-base', parameters }
}

export const ablationEncodings = {
  /** Frames on the diagonal, as in VideoRoPE: DocVQA falls from 83 to 60 and answers repeat "1111…". */
  diagonalLayout: published('diagonalLayout', {
    ...ablation,
    own: { temporalStride: 1 as Stride },
    layout: ({ temporalStride }) => layouts.diagonal(temporalStride),
    warnings: ['UNVERIFIED: only the layout is known, not its temporal stride'],
  }),
  /** Free ids between text and pictures. */
  enlargedInterval: published('enlargedInterval', {
    ...ablation,
    own: { interval: 32 },
    layout: ({ interval }) => layouts.enlargedInterval(interval),
    warnings: ['UNVERIFIED: the paper’s interval was not found; 32 ids in front and behind unless given'],
  }),
  /** Another base for rows and columns, for text too. */
  scaledSpatialBase: published('scaledSpatialBase', {
    ...ablation,
    own: { spatialBaseFactor: 4 },
    layout: () => layouts.spatialReset(),
    spectrum: scaledSpatial,
    warnings: ['UNVERIFIED: the paper’s factor was not found; 4 unless given'],
  }),
  /** Text is (i, 0, 0): no longer the language model's RoPE. ChartQA falls from 57 to 44. */
  textSpatialReset: published('textSpatialReset', {
    ...ablation,
    own: {},
    layout: () => layouts.textSpatialReset(),
    warnings: ['UNVERIFIED: where text goes on behind a picture is not known; here behind its largest id on any axis'],
  }),
} as const
