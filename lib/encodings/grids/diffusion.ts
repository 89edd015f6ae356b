import type { Allocation } from '../../allocations/allocation.js'
import { MropeRangeError } from '../../errors.js'
import type { Pairing } from '../../rotary/table.js'
import type { Grid } from '../../sequence/segment.js'
import type { Spectrum } from '../../spectra/spectrum.js'
import { checkOptions } from '../../tensors/check.js'
import { Encoding } from '../encoding.js'
import { side } from './coordinates.js'
import { checkHeadDim, chunkedAxes, numbers, positive } from './frequencies.js'
import { type CellLayout, cellLayout, run, type SideIds } from './layout.js'

// Rotation in diffusion transformers, one row each: channels of the axes, base, ids of the picture and of the text.

export interface Row {
  readonly name: string
  readonly headDim: number
  readonly layout: Omit<CellLayout, 'name' | 'rules'> & { readonly rules?: CellLayout['rules'] }
  readonly parts: { readonly spectrum: Spectrum; readonly allocation: Allocation }
  readonly pairing?: Pairing
  readonly source: string
}

/** An encoding from its row. */
export function diffusion({ name, headDim, layout, parts, pairing = 'adjacent', source }: Row): Encoding {
  return new Encoding({
    name,
    headDim,
    layout: cellLayout({ rules: {}, ...layout, name }),
    ...parts,
    pairing,
    source: `diffusers 0.42.1 ${source}`,
    verified: 'run',
  })
}

export interface DimsOptions {
  /** Channels of each axis. Their sum is the head dim. */
  readonly dims?: readonly number[]
  readonly base?: number
}

export const thw = ['t', 'h', 'w']
const indices = (grid: Grid): readonly SideIds[] => [run(0, grid), run(1, grid), run(2, grid)]
export const running = (index: number): readonly number[] => [index, index, index]
const first = (index: number): readonly number[] => [index, 0, 0]

/** Models that differ in a row of numbers: channels, base, and where pictures and text stand. */
function byDims(
  name: string,
  dims: readonly number[],
  base: number,
  source: string,
  layout: Omit<Row['layout'], 'axes'>,
  axes: readonly string[] = thw,
): (options?: DimsOptions) => Encoding {
  return (options = {}) => {
    const caller = `visionEncodings.${name}`
    checkOptions(caller, options, ['dims', 'base'])
    const own = options.dims ?? dims
    const theta = positive(caller, 'base', options.base ?? base)
    const parts = chunkedAxes(caller, own, Array<number>(own.length).fill(theta))
    return diffusion({ name, headDim: own.reduce((sum, d) => sum + d, 0), layout: { axes, ...layout }, parts, source })
  }
}

/** FLUX.1: rows and columns; all text at 0, so that rotation does not order it. */
export const flux = byDims('flux', [16, 56, 56], 1e4, 'transformer_flux.py FluxPosEmbed', {
  block: (grid) => [0, run(1, grid), run(2, grid)],
})

/** FLUX.2: four axes; the picture at t = 0, reference pictures behind it at 10, 20, …, text on an axis of its own. */
export const flux2 = byDims(
  'flux2',
  [32, 32, 32, 32],
  2000,
  'transformer_flux2.py Flux2PosEmbed, pipeline_flux2.py _prepare_image_ids',
  {
    block: (grid, { block }) => [10 * block, run(1, grid), run(2, grid), 0],
    text: (index) => [0, 0, 0, index],
  },
  ['t', 'h', 'w', 'l'],
)

/** HunyuanVideo: raw indices, text is not turned. */
export const hunyuanVideo = byDims(
  'hunyuanVideo',
  [16, 56, 56],
  256,
  'transformer_hunyuan_video.py HunyuanVideoRotaryPosEmbed',
  { block: indices },
)

/** Lumina-2: text counts on the first axis, where the picture stands behind it. */
export const lumina2 = byDims('lumina2', [32, 32, 32], 1e4, 'transformer_lumina2.py Lumina2RotaryPosEmbed', {
  block: (grid, { text }) => [text, run(1, grid), run(2, grid)],
  text: first,
})

/** Z-Image: as Lumina-2, from 1 on, the text filled up to whole blocks of 32. */
export const zImage = byDims('zImage', [32, 48, 48], 256, 'transformer_z_image.py RopeEmbedder', {
  block: (grid, { text }) => [run(0, grid, 32 * Math.ceil(text / 32) + 1), run(1, grid), run(2, grid)],
  text: (index) => [index + 1, 0, 0],
})

export interface QwenImageOptions extends DimsOptions {
  /** `scale_rope`: rows and columns count from the middle. Default true. */
  readonly centred?: boolean
}

/**
 * Qwen-Image: centred rows and columns, t is the number of the picture. Text stands behind the widest picture, so the
 * ids of text in front of a picture depend on the picture.
 */
export function qwenImage(options: QwenImageOptions = {}): Encoding {
  checkOptions('visionEncodings.qwenImage', options, ['dims', 'base', 'centred'])
  const { centred = true, ...rest } = options
  const half = (n: number): number => (centred ? Math.floor(n / 2) : n)
  const by = centred ? 'centred' : 'index'
  return byDims('qwenImage', [16, 56, 56], 1e4, 'transformer_qwenimage.py QwenEmbedRope', {
    rules: { by },
    block: (grid, { block }) => [
      run(0, grid, block),
      { along: 1, ids: side({ by }, 0, [grid[1], grid[2]]) },
      { along: 2, ids: side({ by }, 1, [grid[1], grid[2]]) },
    ],
    text: (index, grids) => running(index + grids.reduce((most, [, h, w]) => Math.max(most, half(h), half(w)), 0)),
  })(rest)
}

export interface FramePackOptions extends DimsOptions {
  /** Index in the whole video of every frame of a block. */
  readonly frameIndices: ArrayLike<number>
}

/** HunyuanVideo FramePack: frames stand where they are told. */
export function framePack(options: FramePackOptions): Encoding {
  const { frameIndices, ...rest } = options ?? {}
  const ids = numbers('visionEncodings.framePack', 'frameIndices', frameIndices)
  const source = 'transformer_hunyuan_video_framepack.py HunyuanVideoFramepackRotaryPosEmbed'
  return byDims('framePack', [16, 56, 56], 256, source, {
    rules: { frameIndices: [...ids] },
    block: (grid) => {
      if (grid[0] === ids.length) return [{ along: 0, ids }, run(1, grid), run(2, grid)]
      const text = `visionEncodings.framePack: ${ids.length} frame indices for a block of ${grid[0]} frames`
      throw new MropeRangeError('ERR_MROPE_GRID', text, grid[0])
    },
  })(rest)
}

export interface HeadOptions {
  /** Default 128. */
  readonly headDim?: number
}

/** Wan: raw indices; rows and columns have a third each, rounded down to pairs, t the rest. */
export function wan(options: HeadOptions & { readonly base?: number } = {}): Encoding {
  const caller = 'visionEncodings.wan'
  checkOptions(caller, options, ['headDim', 'base'])
  const headDim = checkHeadDim(caller, options.headDim ?? 128, 2)
  const dims = thirds(headDim)
  const source = 'transformer_wan.py WanRotaryPosEmbed'
  return byDims('wan', dims, 1e4, source, { block: indices })({ base: options.base })
}

/** A third of the channels for rows and for columns, rounded down to pairs, the rest for t. */
export function thirds(headDim: number): readonly [t: number, h: number, w: number] {
  const each = 2 * Math.floor(headDim / 6)
  return [headDim - 2 * each, each, each]
}
