import { MropeRangeError } from '../errors.js'
import { canvasLayout } from '../layouts/canvas.js'
import { type GridLayoutOptions, gridLayout } from '../layouts/grid.js'
import type { DecodeRule, Layout } from '../layouts/layout.js'
import { rowsAndColumnsMap } from '../layouts/maps.js'
import { plainIndexLayout } from '../layouts/plain-index.js'
import { sequentialLayout } from '../layouts/sequential.js'
import type { TimeRule } from '../layouts/time.js'
import { timelineLayout } from '../layouts/timeline.js'
import type { Compat } from './compat.js'

/** Numbers that a layout takes from the model's configuration. */
export interface LayoutNumbers {
  /** Number of axes, for families that have three or four. */
  readonly axes: number
  /** Qwen2.5-VL: ids a second. */
  readonly tokensPerSecond: number
  /** Omni: ids a second, and seconds in one chunk of the merged streams. */
  readonly positionIdPerSeconds: number
  readonly secondsPerChunk: number
}

export type LayoutKind =
  | 'sequential'
  | 'mrope'
  | 'mrope-seconds'
  | 'mrope-timestamps'
  | 'tmrope-chunked'
  | 'tmrope-sorted'
  | 'plain-index'
  | 'canvas'
  | 'generated-images'
  | 'rows-and-columns'

/** What the releases do otherwise than the coherent rule, for layouts that place blocks as grids. */
const gridRules: { readonly [C in Compat]: Partial<GridLayoutOptions> } = {
  coherent: {},
  'transformers@4.57': { delta: 'width', paddingId: 1 },
  'transformers@5.18': { next: 'spatial', decode: 'last-column' },
  'transformers@5.18/forward': { next: 'spatial', decode: 'largest' },
  vllm: {},
  ggml: { next: 'spatial', axes: ['t', 'h', 'w', 'e'], usedAxes: 3 },
}

const secondsRules: { readonly [C in Compat]?: Pick<Extract<TimeRule, { by: 'seconds' }>, 'truncate' | 'product'> } = {
  coherent: { truncate: 'product', product: 'float64' },
  'transformers@4.57': { truncate: 'seconds', product: 'float64' },
  'transformers@5.18': { truncate: 'product', product: 'float32 rate-first' },
  'transformers@5.18/forward': { truncate: 'product', product: 'float32 rate-first' },
  vllm: { truncate: 'product', product: 'float32 seconds-first' },
}

const decodeRules: { readonly [C in Compat]: DecodeRule } = {
  coherent: 'next',
  'transformers@4.57': 'next',
  'transformers@5.18': 'last-column',
  'transformers@5.18/forward': 'largest',
  vllm: 'next',
  ggml: 'next',
}

const transformersOnly: readonly Compat[] = ['coherent', 'transformers@5.18', 'transformers@5.18/forward']

/** Families of `get_rope_index` in transformers 4.57; later ones have no rule of it. */
const families457 = 'qwen2_vl qwen2_5_vl qwen2_5_omni qwen3_omni_moe qwen3_vl qwen3_vl_moe glm4v glm4v_moe'.split(' ')

/**
 * The layout of a kind under the rules of a release.
 * @throws MropeRangeError ERR_MROPE_COMPAT when the release does not define it, or its rule is not known
 */
export function familyLayout(kind: LayoutKind, numbers: LayoutNumbers, compat: Compat, family: string): Layout {
  const grid = gridRules[compat]
  if (compat === 'transformers@4.57' && kind !== 'sequential' && !families457.includes(family)) {
    throw undefinedRule(compat, family)
  }
  switch (kind) {
    case 'sequential':
      return sequentialLayout({ paddingId: compat === 'transformers@4.57' ? 1 : 0 })
    case 'mrope':
      return gridLayout({ name: kind, ...grid })
    case 'mrope-timestamps':
      return gridLayout({ name: kind, framePerBlock: true, ...grid })
    case 'mrope-seconds': {
      const rule = secondsRules[compat]
      if (!rule) throw undefinedRule(compat, family)
      return gridLayout({
        name: kind,
        time: { by: 'seconds', idsPerSecond: numbers.tokensPerSecond, ...rule },
        ...grid,
      })
    }
    case 'tmrope-chunked':
    case 'tmrope-sorted':
      return omniLayout(kind, numbers, compat, family)
    case 'plain-index': {
      allow(transformersOnly, compat, family, 'vllm')
      if (numbers.axes === 3 || numbers.axes === 4) return plainIndexLayout({ name: kind, axes: numbers.axes })
      throw new MropeRangeError('ERR_MROPE_SECTIONS', `${family}: 3 or 4 sections, got ${numbers.axes}`, numbers.axes)
    }
    case 'canvas':
      allow(transformersOnly, compat, family)
      return canvasLayout({ name: kind })
    case 'generated-images':
      allow(transformersOnly, compat, family)
      // The model class keeps delta at zero and reads decode ids from the table.
      return gridLayout({
        name: kind,
        generates: true,
        ...(compat === 'coherent' ? {} : { delta: 'zero', paddingId: 1 }),
      })
    case 'rows-and-columns':
      allow(transformersOnly, compat, family)
      return gridLayout({ name: kind, axes: ['r', 'c'], map: rowsAndColumnsMap, rowEnds: true })
  }
}

function omniLayout(
  kind: 'tmrope-chunked' | 'tmrope-sorted',
  numbers: LayoutNumbers,
  compat: Compat,
  family: string,
): Layout {
  allow(transformersOnly, compat, family, 'transformers@4.57')
  const exact = compat === 'coherent'
  const sorted = kind === 'tmrope-sorted'
  const ids = numbers.positionIdPerSeconds
  return timelineLayout({
    name: kind,
    time: {
      by: 'seconds',
      idsPerSecond: ids,
      truncate: sorted ? 'none' : 'product',
      product: exact ? 'float64' : 'float32 seconds-first',
    },
    merge: sorted ? { by: 'sorted' } : { by: 'chunks', ids: Math.trunc(ids * numbers.secondsPerChunk) },
    markers: sorted ? 'consecutive' : 'shared',
    behind: exact ? 'block' : 'last-piece',
    // Index + delta, where 4.57 counts delta from the largest id and not from the last one.
    decode: compat === 'transformers@4.57' ? 'largest' : decodeRules[compat],
    delta: compat === 'transformers@4.57' ? 'width' : 'tokens',
    paddingId: exact || sorted ? 0 : 1,
    float32: sorted && !exact,
  })
}

function allow(known: readonly Compat[], compat: Compat, family: string, ...more: Compat[]): void {
  if (!known.includes(compat) && !more.includes(compat)) throw undefinedRule(compat, family)
}

function undefinedRule(compat: Compat, family: string): MropeRangeError {
  return new MropeRangeError('ERR_MROPE_COMPAT', `${family} has no known rule of ${compat}`, compat)
}
