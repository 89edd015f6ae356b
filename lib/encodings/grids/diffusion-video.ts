import { allocations } from '../../allocations/index.js'
import { MropeRangeError, MropeTypeError, show } from '../../errors.js'
import type { Grid } from '../../sequence/segment.js'
import { spectra } from '../../spectra/index.js'
import { spectrum } from '../../spectra/spectrum.js'
import { checkOptions } from '../../tensors/check.js'
import { parameters } from '../../tensors/parameters.js'
import type { Tensor } from '../../tensors/tensor.js'
import type { Encoding } from '../encoding.js'
import { diffusion, type HeadOptions, running, thirds, thw } from './diffusion.js'
import { dense } from './directions.js'
import { checkHeadDim, chunkedAxes, numbers, positive } from './frequencies.js'
import { run, type SideIds } from './layout.js'

// Diffusion transformers whose axes or coordinates are made in a way of their own.

export interface CosmosOptions extends HeadOptions {
  /** Factor of length of t, h, w, by NTK. Default 2, 1, 1. */
  readonly scale?: readonly [t: number, h: number, w: number]
  /** Frames a second of a video, against 24 of the training; without it t is the index of the frame. */
  readonly fps?: number
}

/** Cosmos: channels as Wan, the base of each axis stretched by NTK, half-split. */
export function cosmos(options: CosmosOptions = {}): Encoding {
  const caller = 'visionEncodings.cosmos'
  checkOptions(caller, options, ['headDim', 'scale', 'fps'])
  const headDim = checkHeadDim(caller, options.headDim ?? 128, 2)
  const dims = thirds(headDim)
  const scale = numbers(caller, 'scale', options.scale ?? [2, 1, 1], 3)
  if (dims.some((d) => d <= 2)) {
    throw new MropeRangeError('ERR_MROPE_CONFIG', `${caller}: headDim must be at least 12, got ${headDim}`, headDim)
  }
  const bases = dims.map((d, a) => 1e4 * positive(caller, `scale[${a}]`, scale[a]) ** (d / (d - 2)))
  const step = options.fps === undefined ? 1 : 24 / positive(caller, 'fps', options.fps)
  return diffusion({
    name: 'cosmos',
    headDim,
    layout: {
      axes: thw,
      rules: { scale: [...scale], framesPerSecond: options.fps ?? 'by index' },
      block: (grid) => [run(0, grid, 0, step), run(1, grid), run(2, grid)],
    },
    parts: chunkedAxes(caller, dims, bases),
    pairing: 'half-split',
    source: 'transformer_cosmos.py CosmosRotaryPosEmbed',
  })
}

export interface CogVideoXOptions {
  /** Default 64. */
  readonly headDim?: number
  /**
   * Rows and columns of the training that the picture covers: `[[top, left], [bottom, right]]`. Default: raw indices.
   */
  readonly crop?: readonly [readonly [top: number, left: number], readonly [bottom: number, right: number]]
}

/** CogVideoX: t a quarter of the channels, rows and columns three eighths each; a crop is `start … stop·(n − 1)/n`. */
export function cogVideoX(options: CogVideoXOptions = {}): Encoding {
  const caller = 'visionEncodings.cogVideoX'
  checkOptions(caller, options, ['headDim', 'crop'])
  const headDim = checkHeadDim(caller, options.headDim ?? 64, 16)
  const { crop } = options
  if (crop !== undefined && (!Array.isArray(crop) || crop.length !== 2)) {
    const text = `${caller}: crop must be [[top, left], [bottom, right]], got ${show(crop)}`
    throw new MropeTypeError('ERR_MROPE_ARGUMENT', text, crop)
  }
  const [start, stop] = Array.from(crop ?? [], (corner, i) => numbers(caller, `crop[${i}]`, corner, 2))
  const cut = (along: 1 | 2, grid: Grid): SideIds => {
    const n = grid[along]
    if (crop === undefined) return run(along, grid)
    const from = start[along - 1]
    const to = (stop[along - 1] * (n - 1)) / n
    return run(along, grid, from, n === 1 ? 0 : (to - from) / (n - 1))
  }
  const dims = [headDim / 4, (headDim / 8) * 3, (headDim / 8) * 3]
  return diffusion({
    name: 'cogVideoX',
    headDim,
    layout: {
      axes: thw,
      rules: crop === undefined ? {} : { crop },
      block: (grid) => [run(0, grid), cut(1, grid), cut(2, grid)],
    },
    parts: chunkedAxes(caller, dims, [1e4, 1e4, 1e4]),
    source: 'embeddings.py get_3d_rotary_pos_embed',
  })
}

export interface MochiOptions {
  /** `pos_frequencies`, `(3, heads, pairs)`: learned directions over t, h, w. */
  readonly frequencies: Tensor
  /** Area of the training in patches. Default 192·192. */
  readonly area?: number
}

/** Mochi: learned directions; centres of the cells scaled to an equal area. */
export function mochi(options: MochiOptions): Encoding {
  const caller = 'visionEncodings.mochi'
  checkOptions(caller, options, ['frequencies', 'area'])
  const values = parameters(caller, 'frequencies', options.frequencies, [3, undefined, undefined])
  const [, heads, pairs] = options.frequencies.dims
  const area = positive(caller, 'area', options.area ?? 192 * 192)
  const centres = (along: 1 | 2, grid: Grid): SideIds => {
    const scale = Math.sqrt(area / (grid[1] * grid[2]))
    return run(along, grid, ((1 - grid[along]) / 2) * scale, scale)
  }
  return diffusion({
    name: 'mochi',
    headDim: 2 * pairs,
    layout: { axes: thw, rules: { area }, block: (grid) => [run(0, grid), centres(1, grid), centres(2, grid)] },
    parts: {
      spectrum: spectrum('learned', new Float64Array(pairs).fill(1), {}),
      allocation: dense('learned', heads, pairs, 3, (head, f, axis) => values[(axis * heads + head) * pairs + f]),
    },
    source: 'transformer_mochi.py MochiRoPE',
  })
}

export interface Ideogram4Options {
  /** Default 128. */
  readonly headDim?: number
  /** Default 5e6. */
  readonly base?: number
  /** Pairs of t, h, w. Default 24, 20, 20. */
  readonly sections?: readonly number[]
}

/**
 * Ideogram 4: the interleaved allocation of Qwen3-VL; the picture stands at 65536, which bfloat16 ids would collapse.
 */
export function ideogram4(options: Ideogram4Options = {}): Encoding {
  const caller = 'visionEncodings.ideogram4'
  checkOptions(caller, options, ['headDim', 'base', 'sections'])
  const headDim = checkHeadDim(caller, options.headDim ?? 128, 2)
  const far = 65536
  return diffusion({
    name: 'ideogram4',
    headDim,
    layout: {
      axes: thw,
      rules: { pictureAt: far },
      block: (grid) => [run(0, grid, far), run(1, grid, far), run(2, grid, far)],
      text: running,
    },
    parts: {
      spectrum: spectra.default({ base: options.base ?? 5e6, dim: headDim }),
      allocation: allocations.interleaved(options.sections ?? [24, 20, 20], headDim / 2),
    },
    pairing: 'half-split',
    source: 'transformer_ideogram4.py Ideogram4MRoPE',
  })
}
