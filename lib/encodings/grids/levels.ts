import { axisMap } from '../../allocations/allocation.js'
import { MropeRangeError, show } from '../../errors.js'
import { spectra } from '../../spectra/index.js'
import { checkOptions } from '../../tensors/check.js'
import { Encoding } from '../encoding.js'
import { checkHeadDim, chunkedAxes, numbers, positive } from './frequencies.js'
import { cellLayout, run, type SideIds } from './layout.js'

export interface GenlipOptions {
  readonly headDim: number
  /** Pairs of t, h, w; those of h and w set how far the interleaving goes. Default 8, 12, 12. */
  readonly sections?: readonly [t: number, h: number, w: number]
  /** Default 10000. */
  readonly base?: number
}

/** GenLIP: the interleaved M-RoPE of a language model in an image tower, t is 0. timm `RotaryEmbeddingMRope`. */
export function genlip(options: GenlipOptions): Encoding {
  const caller = 'visionEncodings.genlip'
  checkOptions(caller, options, ['headDim', 'sections', 'base'])
  const headDim = checkHeadDim(caller, options.headDim, 2)
  const [, rows, columns] = numbers(caller, 'sections', options.sections ?? [8, 12, 12], 3)
  const axisOf = Array.from({ length: headDim / 2 }, (_, f) => {
    return f % 3 === 1 && f < 3 * rows ? 1 : f % 3 === 2 && f < 3 * columns ? 2 : 0
  })
  return new Encoding({
    name: 'genlip',
    headDim,
    layout: cellLayout({
      name: 'patches',
      axes: ['t', 'h', 'w'],
      rules: { t: 0 },
      block: (grid) => [0, run(1, grid), run(2, grid)],
    }),
    spectrum: spectra.default({ base: options.base ?? 10000, dim: headDim }),
    allocation: axisMap('interleaved, cut off', 3, axisOf),
    pairing: 'half-split',
    source: 'timm 1.0.29 pos_embed_sincos.py RotaryEmbeddingMRope',
    verified: 'run',
  })
}

export interface HierarchicalOptions {
  /** A multiple of 4 · levels, the finest level included. */
  readonly headDim: number
  /** Sides of the cells of the coarser levels, in patches, each a multiple of the next. Default 16, 4. */
  readonly cells?: readonly number[]
  /** Default 100. */
  readonly base?: number
}

/**
 * Coarse and fine positions as axes of the one formula: on each level the row and the column of a cell inside its
 * cell of the level above. A shift by whole cells of the coarsest level leaves all scores as they are.
 *
 *     row 37, cells of 16 and 4:   h16 = 2   h4 = 1   h = 1        37 = 2·16 + 1·4 + 1
 */
export function hierarchical(options: HierarchicalOptions): Encoding {
  const caller = 'visionEncodings.hierarchical'
  checkOptions(caller, options, ['headDim', 'cells', 'base'])
  const coarse = [...numbers(caller, 'cells', options.cells ?? [16, 4])]
  const bad = coarse.find((size, k) => !Number.isSafeInteger(size) || size < 2 || size % (coarse[k + 1] ?? 1) !== 0)
  if (bad !== undefined || new Set(coarse).size !== coarse.length || coarse.length > 7) {
    const text = `${caller}: cells must be up to 7 sides of 2 or more, each a multiple of the next, got ${show(options.cells)}`
    throw new MropeRangeError('ERR_MROPE_ARGUMENT', text, options.cells)
  }
  const sizes = [...coarse, 1]
  const headDim = checkHeadDim(caller, options.headDim, 4 * sizes.length)
  const base = positive(caller, 'base', options.base ?? 100)
  const axes = sizes.flatMap((size) => (size === 1 ? ['h', 'w'] : [`h${size}`, `w${size}`]))
  const level = (along: 1 | 2, k: number, n: number): SideIds => {
    const ids = Float64Array.from({ length: n }, (_, i) => {
      const inside = k === 0 ? i : i % sizes[k - 1]
      return Math.floor(inside / sizes[k])
    })
    return { along, ids }
  }
  return new Encoding({
    name: 'hierarchical',
    headDim,
    layout: cellLayout({
      name: 'levels',
      axes,
      rules: { cells: coarse },
      block: ([, rows, columns]) => sizes.flatMap((_, k) => [level(1, k, rows), level(2, k, columns)]),
    }),
    ...chunkedAxes(
      caller,
      axes.map(() => headDim / axes.length),
      axes.map(() => base),
    ),
    pairing: 'half-split',
    source: 'no published code: coarse and fine positions as axes of one rotation',
    verified: 'unverified',
  })
}
