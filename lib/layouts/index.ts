import { canvasLayout } from './canvas.js'
import { gridLayout, resetMap, rowsAndColumnsMap } from './grid.js'
import type { Layout } from './layout.js'
import { plainIndexLayout } from './plain-index.js'
import { sequentialLayout } from './sequential.js'
import { timelineLayout } from './timeline.js'

const seconds = (idsPerSecond: number, truncate: 'none' | 'product' | 'seconds' = 'product') =>
  ({ by: 'seconds', idsPerSecond, truncate, product: 'float64' }) as const

/**
 * Every layout by name, each with its coherent rules: the id behind a block is the largest of the block + 1, and
 * generated tokens go on from there. `encodingFromConfig` makes the variants that releases differ in.
 */
export const layouts = {
  /** One running id for every token. */
  sequential: (): Layout => sequentialLayout(),
  /** M-RoPE of Qwen2-VL: t, h and w count from the start of the block. */
  mrope: (): Layout => gridLayout({ name: 'mrope' }),
  /** M-RoPE of Qwen2.5-VL: t counts `tokensPerSecond` ids a second, truncated after the product. */
  mropeSeconds: (tokensPerSecond = 2): Layout => gridLayout({ name: 'mrope-seconds', time: seconds(tokensPerSecond) }),
  /** Qwen3-VL, GLM-4V and others: one block a frame, time is text between them. */
  mropeTimestamps: (): Layout => gridLayout({ name: 'mrope-timestamps', framePerBlock: true }),
  /** MRoPE-Interleave and MHRoPE: rows and columns count from 0 in every block, t by `temporalStride`. */
  spatialReset: (temporalStride = 1): Layout =>
    gridLayout({ name: 'spatial-reset', map: resetMap, time: { by: 'index', stride: temporalStride } }),
  /** NeoMME: rows and columns only. */
  rowsAndColumns: (): Layout =>
    gridLayout({ name: 'rows-and-columns', axes: ['r', 'c'], map: rowsAndColumnsMap, rowEnds: true }),
  /** TMRoPE of Qwen2.5-Omni: whole ids, sound merged in chunks. */
  tmropeChunked: (idsPerSecond = 25, secondsPerChunk = 2): Layout =>
    timelineLayout({
      name: 'tmrope-chunked',
      time: seconds(idsPerSecond),
      merge: { by: 'chunks', ids: Math.trunc(idsPerSecond * secondsPerChunk) },
      markers: 'shared',
      behind: 'block',
    }),
  /** TMRoPE of Qwen3-Omni: fractional ids, sound merged token by token. */
  tmropeSorted: (idsPerSecond = 25): Layout =>
    timelineLayout({
      name: 'tmrope-sorted',
      time: seconds(idsPerSecond, 'none'),
      merge: { by: 'sorted' },
      markers: 'consecutive',
      behind: 'block',
    }),
  /** XD-RoPE of HunYuan-VL, with three or four axes. */
  plainIndex: (axes: 3 | 4 = 4): Layout => plainIndexLayout({ name: 'plain-index', axes }),
  /** Canvas ids of MiniCPM-V 4.7. */
  canvas: (): Layout => canvasLayout({ name: 'canvas' }),
  /** GLM-Image: M-RoPE, and a table of ids for the images to be generated. */
  generatedImages: (): Layout => gridLayout({ name: 'generated-images', generates: true }),
} as const
