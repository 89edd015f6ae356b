import { MropeRangeError } from '../errors.js'
import type { Grid, ImageSegment, VideoSegment } from '../sequence/segment.js'
import type { Sequence } from '../sequence/sequence.js'
import { type DecodeRule, type DeltaRule, defineLayout, type Layout, type Place, placeText } from './layout.js'
import { checkTimeRule, frameId, type TimeRule } from './time.js'

/**
 * How a cell (frame, row, column) of a block becomes ids: one matrix, for M-RoPE the identity.
 *
 *     id[a] = (fromStart[a] ? id of the block's start : 0) + Σ_g matrix[a][g] · cell[g]      cell = (time, row, column)
 */
export interface BlockMap {
  readonly matrix: readonly (readonly [time: number, row: number, column: number])[]
  readonly fromStart: readonly boolean[]
}

export interface GridLayoutOptions {
  readonly name: string
  readonly axes?: readonly string[]
  /** Axes behind these are constant 0 for every token, such as ggml's fourth row. Default: none. */
  readonly usedAxes?: number
  readonly map?: BlockMap
  /** Time axis of videos. Images have frame 0 only. Default: one id a frame. */
  readonly time?: TimeRule
  /**
   * Which axes count for the id behind a block: the largest id of the block on these axes + 1 (relative to the start).
   * `all` is the coherent rule; transformers 5.x counts `spatial` only.
   */
  readonly next?: 'all' | 'spatial'
  /** Videos must come as one block a frame, with their timestamps as text between. */
  readonly framePerBlock?: boolean
  readonly decode?: DecodeRule
  readonly delta?: DeltaRule
  readonly paddingId?: number
  readonly float32?: boolean
  /** Images to be generated get their ids from a table (GLM-Image). */
  readonly generates?: boolean
  /** Rows may end in a newline token, which counts as one more column (NeoMME). */
  readonly rowEnds?: boolean
}

/** M-RoPE: every axis counts from the start of the block. */
export const offsetMap: BlockMap = {
  matrix: [
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 1],
  ],
  fromStart: [true, true, true],
}

/** Spatial reset: rows and columns count from 0 in every block. */
export const resetMap: BlockMap = { ...offsetMap, fromStart: [true, false, false] }

/** Two axes without time. */
export const rowsAndColumnsMap: BlockMap = {
  matrix: [
    [0, 1, 0],
    [0, 0, 1],
  ],
  fromStart: [true, true],
}

const byIndex: TimeRule = { by: 'index', stride: 1 }

/** Layouts that place a block as a grid: M-RoPE and its relatives. Text and audio are running ids on every axis. */
export function gridLayout(options: GridLayoutOptions): Layout {
  const { name, axes = ['t', 'h', 'w'], map = offsetMap, time = byIndex, next = 'all', framePerBlock = false } = options
  const used = options.usedAxes ?? axes.length
  checkTimeRule(time, name)
  const place = placeGrid(map, time, next)
  const text: Place<{ kind: 'text' | 'audio'; length: number }> =
    used === axes.length
      ? placeText
      : (segment, at) => placeText(segment, { ...at, ids: at.ids.subarray(0, used * at.stride) })
  return defineLayout({
    name,
    axes,
    rules: { map: describeMap(map, axes), time, next, framePerBlock, decode: options.decode ?? 'next' },
    place: {
      text,
      audio: text,
      image: (segment, at) => place(imageGrid(segment, options), undefined, at),
      video: (segment, at) => {
        if (framePerBlock && segment.grid[0] !== 1) throw wholeVideo(name, segment)
        return place(segment.grid, segment.secondsPerGrid, at)
      },
    },
    decode: options.decode,
    delta: options.delta,
    paddingId: options.paddingId,
    float32: options.float32,
    usedAxes: used,
    ...(options.generates ? { upcoming: generatedImages } : {}),
  })
}

/** Writes one block and returns the next text id. */
export type PlaceBlock = (
  grid: Grid,
  seconds: number | undefined,
  at: { ids: Float64Array; stride: number; offset: number; next: number },
) => number

export function placeGrid(map: BlockMap, time: TimeRule, next: 'all' | 'spatial'): PlaceBlock {
  return ([frames, rows, columns], seconds, { ids, stride, offset, next: start }) => {
    let extent = 0
    map.matrix.forEach(([byTime, byRow, byColumn], a) => {
      const base = map.fromStart[a] ? start : 0
      const counts = next === 'all' || a > 0
      let i = a * stride + offset
      for (let t = 0; t < frames; t++) {
        const atFrame = byTime * frameId(time, t, seconds)
        for (let h = 0; h < rows; h++) {
          const atRow = atFrame + byRow * h
          if (counts) extent = Math.max(extent, atRow, atRow + byColumn * (columns - 1))
          for (let w = 0; w < columns; w++) ids[i++] = base + (atRow + byColumn * w)
        }
      }
    })
    return start + extent + 1
  }
}

/**
 * Decode ids of images to be generated, in order: t constant, h and w from the running id; then one end marker.
 * Source: transformers `glm_image` `get_rope_index`.
 */
function generatedImages(sequence: Sequence, next: number): { table: Float64Array; next: number } {
  const { upcoming } = sequence
  if (upcoming.length === 0) return { table: new Float64Array(), next }
  const steps = upcoming.reduce((sum, [t, h, w]) => sum + t * h * w, 1)
  const table = new Float64Array(3 * steps)
  const place = placeGrid(offsetMap, byIndex, 'all')
  let offset = 0
  let at = next
  for (const grid of upcoming) {
    at = place(grid, undefined, { ids: table, stride: steps, offset, next: at })
    offset += grid[0] * grid[1] * grid[2]
  }
  for (let a = 0; a < 3; a++) table[a * steps + offset] = at
  return { table, next: at + 1 }
}

function imageGrid({ grid, rowEnds }: ImageSegment, options: GridLayoutOptions): Grid {
  if (!rowEnds) return grid
  if (!options.rowEnds) {
    const message = `layout ${options.name} does not place images with row ends`
    throw new MropeRangeError('ERR_MROPE_SEGMENT', message, grid)
  }
  return [grid[0], grid[1], grid[2] + 1]
}

function wholeVideo(name: string, { grid }: VideoSegment): MropeRangeError {
  const message = `layout ${name} takes one block a frame with its timestamp as text between, got a video of grid [${grid}]`
  return new MropeRangeError('ERR_MROPE_BLOCK', message, grid)
}

function describeMap({ matrix, fromStart }: BlockMap, axes: readonly string[]): string[] {
  const cell = ['time', 'row', 'column']
  return matrix.map((weights, a) => {
    const terms = weights.flatMap((weight, g) =>
      weight === 0 ? [] : [weight === 1 ? cell[g] : `${weight}·${cell[g]}`],
    )
    return `${axes[a]} = ${[...(fromStart[a] ? ['start'] : []), ...terms].join(' + ')}`
  })
}
