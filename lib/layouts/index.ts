import { MropeTypeError, show } from '../errors.js'
import { canvasLayout } from './canvas.js'
import { type CircleLayoutOptions, circleLayout } from './circle.js'
import type { Stride } from './draw.js'
import { gridLayout } from './grid.js'
import type { Layout } from './layout.js'
import { cornersMap, diagonalMap, oneIdMap, resetMap, rowsAndColumnsMap, scaledMap, timeMap } from './maps.js'
import { plainIndexLayout } from './plain-index.js'
import { sequentialLayout } from './sequential.js'
import { type SlicesLayoutOptions, slicesLayout } from './slices.js'
import { timelineLayout } from './timeline.js'
import { type V2peLayoutOptions, v2peLayout } from './v2pe.js'

const seconds = (idsPerSecond: number, truncate: 'none' | 'product' | 'seconds' = 'product') =>
  ({ by: 'seconds', idsPerSecond, truncate, product: 'float64' }) as const

/** Spreading a number or null would leave the defaults without a word. */
function object<T>(name: string, options: T): T {
  if (typeof options === 'object' && options !== null && !Array.isArray(options)) return options
  const message = `layouts.${name}: expected an object, got ${show(options)}`
  throw new MropeTypeError('ERR_MROPE_ARGUMENT', message, options)
}

/** NaN, which the layout refuses, for what is no number. */
function wholeProduct(a: number, b: number): number {
  return typeof a === 'number' && typeof b === 'number' ? Math.trunc(a * b) : Number.NaN
}

/**
 * Every layout by name, each with its coherent rules: the id behind a block is the largest of the block + 1, and
 * generated tokens go on from there. `encodingFromConfig` makes the variants that releases differ in.
 */
export const layouts = {
  /** One running id for every token. */
  sequential: (): Layout => sequentialLayout(),
  /** M-RoPE of Qwen2-VL: t, h and w count from the start of the block, t by `temporalStride`. */
  mrope: (temporalStride: Stride = 1): Layout =>
    gridLayout({ name: 'mrope', time: { by: 'index', stride: temporalStride } }),
  /** M-RoPE of Qwen2.5-VL: t counts `tokensPerSecond` ids a second, truncated after the product. */
  mropeSeconds: (tokensPerSecond = 2): Layout => gridLayout({ name: 'mrope-seconds', time: seconds(tokensPerSecond) }),
  /** Qwen3-VL, GLM-4V and others: one block a frame, time is text between them. */
  mropeTimestamps: (): Layout => gridLayout({ name: 'mrope-timestamps', framePerBlock: true }),
  /**
   * MRoPE-Interleave, MHRoPE and Omni-RoPE: rows and columns count from 0 in every block, t by `temporalStride`: a
   * number, or numbers to draw from for every block.
   */
  spatialReset: (temporalStride: Stride = 1): Layout =>
    gridLayout({ name: 'spatial-reset', map: resetMap, time: { by: 'index', stride: temporalStride } }),
  /** NeoMME: rows and columns only. */
  rowsAndColumns: (): Layout =>
    gridLayout({ name: 'rows-and-columns', axes: ['r', 'c'], map: rowsAndColumnsMap, rowEnds: true }),
  /** TMRoPE of Qwen2.5-Omni: whole ids, sound merged in chunks. */
  tmropeChunked: (idsPerSecond = 25, secondsPerChunk = 2): Layout =>
    timelineLayout({
      name: 'tmrope-chunked',
      time: seconds(idsPerSecond),
      merge: { by: 'chunks', ids: wholeProduct(idsPerSecond, secondsPerChunk) },
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
  /** V2PE: one axis, `stride` ids for every tile of 256 visual tokens. */
  v2pe: (options: Partial<Omit<V2peLayoutOptions, 'name'>> = {}): Layout =>
    v2peLayout({ stride: 64, per: 256, ...object('v2pe', options), name: 'v2pe' }),
  /**
   * VideoRoPE and HoPE: frames stand on the diagonal of the axes. Text goes on behind the t of the last frame, not
   * behind its h and w, and overlaps with them.
   */
  diagonal: (temporalStride: Stride = 2): Layout =>
    gridLayout({ name: 'diagonal', map: diagonalMap, time: { by: 'index', stride: temporalStride }, next: 'first' }),
  /** `time_rope` of VideoRoPE's code: all axes count frames, rows and columns are not told apart. */
  timeOnly: (): Layout => gridLayout({ name: 'time-only', map: timeMap }),
  /** CircleRoPE: a picture is a ring across the diagonal of the axes. */
  circle: (options: Partial<Omit<CircleLayoutOptions, 'name'>> = {}): Layout =>
    circleLayout({ radius: 10, alpha: 0.5, ...object('circle', options), name: 'circle' }),
  /** VRoPE: four axes that count from the four corners of a frame; a frame takes rows + columns − 1 ids. */
  corners: (): Layout =>
    gridLayout({ name: 'corners', axes: ['a', 'b', 'c', 'd'], map: cornersMap, time: { by: 'sides' } }),
  /** MM-RoPE: steps of t, h and w in ids. */
  scaled: (scale: readonly [t: number, h: number, w: number] = [4, 8, 8], temporalStride: Stride = 1): Layout =>
    gridLayout({ name: 'scaled', map: scaledMap(scale), time: { by: 'index', stride: temporalStride } }),
  /** Lumina-2: text is (i, 0, 0), a picture (its start, row, column). */
  textFirstAxis: (): Layout => gridLayout({ name: 'text-first-axis', map: resetMap, usedAxes: 1, next: 'first' }),
  /** Bagel: one axis, all tokens of a picture share one id. */
  oneId: (): Layout => gridLayout({ name: 'one-id', axes: ['p'], map: oneIdMap }),
  /** Pictures in slices with a thumbnail: the slices are one grid. */
  slices: (options: Partial<Omit<SlicesLayoutOptions, 'name'>> = {}): Layout =>
    slicesLayout({ thumbnail: 'stretched', ...object('slices', options), name: 'slices' }),
  /** Early fusion (VisualBERT): regions and words are one line with one running id. */
  earlyFusion: (): Layout => sequentialLayout({ name: 'early-fusion' }),
  /**
   * Middle fusion (Q-Former of BLIP-2, Perceiver resampler of Flamingo): query tokens and pictures are sequences of
   * their own from 0; text is numbered as without them and reads them by cross-attention.
   */
  middleFusion: (): Layout => sequentialLayout({ name: 'middle-fusion', blocks: 'apart' }),
  /** Late fusion (LLaVA, InternVL): projected visual tokens, or the outputs of queries, stand among the text tokens. */
  lateFusion: (): Layout => sequentialLayout({ name: 'late-fusion' }),
  /** Ablation: M-RoPE or spatial reset with `interval` free ids in front of every block and behind it. */
  enlargedInterval: (interval = 32, spatialReset = true): Layout =>
    gridLayout({ name: 'enlarged-interval', interval, ...(spatialReset ? { map: resetMap } : {}) }),
  /** Ablation: spatial reset for text too, which is (i, 0, 0). */
  textSpatialReset: (): Layout => gridLayout({ name: 'text-spatial-reset', map: resetMap, usedAxes: 1 }),
} as const
