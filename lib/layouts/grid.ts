import { MropeRangeError, show } from '../errors.js'
import type { Grid, ImageSegment, VideoSegment } from '../sequence/segment.js'
import type { Sequence } from '../sequence/sequence.js'
import { type DecodeRule, type DeltaRule, defineLayout, type Layout, type Place, placeText } from './layout.js'
import { type BlockMap, checkMap, countFrom, describeMap, offsetMap } from './maps.js'
import { checkTimeRule, frameIds, type TimeRule } from './time.js'

export interface GridLayoutOptions {
  readonly name: string
  readonly axes?: readonly string[]
  /** Text counts on this many axes and is 0 on those behind: ggml's fourth, Lumina's rows and columns. Default: all. */
  readonly usedAxes?: number
  readonly map?: BlockMap
  /** Time axis of videos. Images have frame 0 only. Default: one id a frame. */
  readonly time?: TimeRule
  /**
   * Which axes count for the id behind a block: the largest id of the block on these axes + 1 (relative to the start).
   * `all` is the coherent rule; transformers 5.x counts `spatial` only, diagonal layouts the `first` only.
   */
  readonly next?: NextRule
  /** Ids that are left free in front of every block and behind it. Default 0. */
  readonly interval?: number
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

const byIndex: TimeRule = { by: 'index', stride: 1 }

/** Layouts that place a block as a grid: M-RoPE and its relatives. Text and audio are running ids on every axis. */
export function gridLayout(options: GridLayoutOptions): Layout {
  const { name, axes = ['t', 'h', 'w'], map = offsetMap, next = 'all', interval = 0, framePerBlock = false } = options
  const used = options.usedAxes ?? axes.length
  const time = checkTimeRule(options.time ?? byIndex, name)
  checkMap(map, name)
  if (!(Number.isFinite(interval) && interval >= 0)) {
    const message = `layout ${name}: the interval is a number of ids, not negative, got ${show(interval)}`
    throw new MropeRangeError('ERR_MROPE_CONFIG', message, interval)
  }
  const placeBlock = placeGrid(map, time, next)
  const place: PlaceBlock = (grid, seconds, at) =>
    interval === 0
      ? placeBlock(grid, seconds, at)
      : placeBlock(grid, seconds, { ...at, next: at.next + interval }) + interval
  const text: Place<{ kind: 'text' | 'audio'; length: number }> =
    used === axes.length
      ? placeText
      : (segment, at) => placeText(segment, { ...at, ids: at.ids.subarray(0, used * at.stride) })
  return defineLayout({
    name,
    axes,
    rules: {
      map: describeMap(map, axes),
      time,
      next,
      ...(interval > 0 ? { interval } : {}),
      ...(used < axes.length ? { text: `counts on ${axes.slice(0, used).join(', ')}` } : {}),
      framePerBlock,
      decode: options.decode ?? 'next',
    },
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

export type NextRule = 'all' | 'spatial' | 'first'

/** Writes one block and returns the next text id. */
export type PlaceBlock = (
  grid: Grid,
  seconds: number | undefined,
  at: { ids: Float64Array; stride: number; offset: number; next: number; block?: number },
) => number

export function placeGrid(map: BlockMap, time: TimeRule, next: NextRule): PlaceBlock {
  return (grid, seconds, { ids, stride, offset, next: start, block }) => {
    const [frames, rows, columns] = grid
    const frameId = frameIds(time, { grid, seconds, block })
    let extent = 0
    map.matrix.forEach(([byTime, byRow, byColumn], a) => {
      const base = map.fromStart[a] ? start : 0
      const [fromRow, fromColumn] = map.counts?.[a] ?? ['first', 'first']
      const counts = next === 'all' || (next === 'first') === (a === 0)
      const across = Float64Array.from({ length: columns }, (_, w) => byColumn * countFrom(fromColumn, w, columns))
      let i = a * stride + offset
      for (let t = 0; t < frames; t++) {
        const atFrame = byTime * frameId(t)
        for (let h = 0; h < rows; h++) {
          const atRow = atFrame + byRow * countFrom(fromRow, h, rows)
          if (counts) extent = Math.max(extent, atRow + across[0], atRow + across[columns - 1])
          for (let w = 0; w < columns; w++) ids[i++] = base + (atRow + across[w])
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

function imageGrid(segment: ImageSegment, options: GridLayoutOptions): Grid {
  const { grid, rowEnds } = segment
  return rowEnds && options.rowEnds ? [grid[0], grid[1], grid[2] + 1] : plainGrid(segment, options.name)
}

/** @throws MropeRangeError ERR_MROPE_SEGMENT for images with row ends, where a layout has no place for them */
export function plainGrid({ grid, rowEnds }: ImageSegment, layout: string): Grid {
  if (!rowEnds) return grid
  const message = `layout ${layout} does not place images with row ends`
  throw new MropeRangeError('ERR_MROPE_SEGMENT', message, grid)
}

function wholeVideo(name: string, { grid }: VideoSegment): MropeRangeError {
  const message = `layout ${name} takes one block a frame with its timestamp as text between, got a video of grid [${grid}]`
  return new MropeRangeError('ERR_MROPE_BLOCK', message, grid)
}
