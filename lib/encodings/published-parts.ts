import { allocations } from '../allocations/index.js'
import { MropeRangeError, MropeTypeError, show } from '../errors.js'
import type { Stride } from '../layouts/draw.js'
import { layouts } from '../layouts/index.js'
import type { Layout } from '../layouts/layout.js'
import { spectra } from '../spectra/index.js'
import { geometric, type Spectrum } from '../spectra/spectrum.js'
import type { Numbers } from './published.js'

/** What V2PE and HoPE draw from in training, for every block anew. */
export const trainingStrides = {
  v2pe: [1, 2, 4, 8, 16, 32, 64, 128, 256],
  hope: [0.5, 0.75, 1, 1.25, 1.5],
} as const

/** All pairs on the one axis. */
export const single = ({ pairs }: Numbers<object>) => allocations.single(pairs)
export const chunked = ({ sections, pairs }: Numbers<object>) => allocations.chunked(sections, pairs)
export const interleaved = ({ sections, pairs }: Numbers<object>) => allocations.interleaved(sections, pairs)
/** Sections come as t, h, w. */
export const spatial =
  (kind: 'spatialFirst' | 'spatialOnly' | 'spatialFirstPort' | 'spatialOnlyPort') =>
  ({ sections, pairs }: Numbers<object>) => {
    const [t, ...rest] = Array.isArray(sections) ? sections : []
    return allocations[kind]([...rest, t], pairs)
  }

/** Frequencies that start anew on every axis: `base^(−2i / channels of the axis)`. */
export function perAxis({ base, sections }: Numbers<object>): Spectrum {
  const list = sections.flatMap((pairs) => [...geometric({ base, dim: 2 * pairs })])
  return { ...spectra.explicit(list), name: 'per-axis', parameters: { base, dims: sections.map((pairs) => 2 * pairs) } }
}

export interface ResetOptions {
  readonly spatialReset: boolean
  readonly temporalStride: Stride
}

export function mropeOrReset({ spatialReset, temporalStride }: ResetOptions): Layout {
  if (typeof spatialReset !== 'boolean') {
    const message = `encodings: spatialReset is true or false, got ${show(spatialReset)}`
    throw new MropeTypeError('ERR_MROPE_ARGUMENT', message, spatialReset)
  }
  return spatialReset ? layouts.spatialReset(temporalStride) : layouts.mrope(temporalStride)
}

export interface V2peOptions {
  readonly mode: 'default' | 'fixed' | 'random'
  readonly stride: number
  readonly tokensPerTile: number | 'block'
  readonly seed: number
}

export function v2peMode({ mode, stride, tokensPerTile: per, seed }: V2peOptions): Layout {
  switch (mode) {
    case 'default':
      return layouts.v2pe({ stride: 1, per: 1 })
    case 'fixed':
      return layouts.v2pe({ stride, per })
    case 'random':
      return layouts.v2pe({ stride: { among: trainingStrides.v2pe, seed }, per })
    default: {
      const message = `encodings: mode of v2pe is default, fixed or random, got ${show(mode)}`
      throw new MropeRangeError('ERR_MROPE_ARGUMENT', message, mode)
    }
  }
}
