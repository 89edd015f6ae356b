import { type CanvasSegment, type Grid, type Segment, slicedSides } from '../sequence/segment.js'
import { sliceTokens } from '../sequence/slices.js'

/** The cells of a block: which of its tokens stands for which cell of the grid. */
export interface Cells {
  readonly grid: Grid
  /** Token of each cell in raster order, counted from the first of the block; without it, cell k is token k. */
  readonly tokens?: Int32Array
}

/**
 * The grid of a block. Newlines, markers and sound are no cells; a sound block is a grid in time only. A canvas is
 * judged by its slices, or by its thumbnail where it has none: both show the same places with the same ids on purpose.
 * Null where the sequence does not say which tokens are cells, and for queries, which have no places.
 */
export function cellsOf(segment: Exclude<Segment, { kind: 'text' }>): Cells | null {
  switch (segment.kind) {
    case 'image':
      return segment.rowEnds ? withRowEnds(segment.grid) : { grid: segment.grid }
    case 'video':
      return { grid: segment.grid }
    case 'audio':
      return segment.length > 0 ? { grid: [segment.length, 1, 1] } : null
    case 'audio-video':
      return segment.streams ? { grid: segment.grid, tokens: videoTokens(segment.streams) } : null
    case 'canvas':
      return canvasCells(segment)
    case 'slices':
      return { grid: [1, ...slicedSides(segment)], tokens: sliceTokens(segment).cells }
    case 'queries':
      return null
  }
}

function withRowEnds(grid: Grid): Cells {
  const [frames, rows, columns] = grid
  const tokens = Int32Array.from(
    { length: frames * rows * columns },
    (_, k) => Math.floor(k / columns) * (columns + 1) + (k % columns),
  )
  return { grid, tokens }
}

/** Two opening markers stand before the two streams. */
function videoTokens(streams: Uint8Array): Int32Array {
  const tokens: number[] = []
  streams.forEach((stream, i) => {
    if (stream === 0) tokens.push(i + 2)
  })
  return Int32Array.from(tokens)
}

function canvasCells({ thumbnail, slices }: CanvasSegment): Cells {
  const [height, width] = thumbnail
  if (!slices) return { grid: [1, height, width], tokens: Int32Array.from({ length: height * width }, (_, k) => k + 1) }
  const [h, w] = slices.grid
  const columns = slices.columns * w
  const first = height * width + 2
  const slice = h * w + 2
  const tokens = Int32Array.from({ length: slices.rows * h * columns }, (_, k) => {
    const row = Math.floor(k / columns)
    const column = k % columns
    const sliceRow = Math.floor(row / h)
    const before = sliceRow * slices.columns + Math.floor(column / w)
    return first + before * slice + sliceRow + 1 + (row % h) * w + (column % w)
  })
  return { grid: [1, slices.rows * h, columns], tokens }
}
