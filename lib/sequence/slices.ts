import { type SlicesSegment, slicedSides, tokensOf } from './segment.js'

/** Which tokens of a sliced picture are what, counted from the first of the segment. */
export interface SliceTokens {
  /** First token of the thumbnail; its cells follow in raster order. */
  readonly thumbnail: number
  /** Token of each cell of the joined slices, in raster order over the whole picture. */
  readonly cells: Int32Array
  /** Newline token of each row of cells; empty where there are none. */
  readonly rowEnds: Int32Array
}

export function sliceTokens(segment: SlicesSegment): SliceTokens {
  const { slices, thumbnail = [0, 0], thumbnailAt = 'front', order = 'slices', rowEnds = false } = segment
  const [height, width] = slicedSides(segment)
  const small = thumbnail[0] * thumbnail[1]
  const first = thumbnailAt === 'front' ? small : 0
  const [h, w] = slices.grid
  const inSlices = (row: number, column: number): number => {
    const slice = Math.floor(row / h) * slices.columns + Math.floor(column / w)
    return slice * h * w + (row % h) * w + (column % w)
  }
  const perRow = width + (rowEnds ? 1 : 0)
  const inRows = (row: number, column: number): number => row * perRow + column
  const place = order === 'rows' ? inRows : inSlices
  return {
    thumbnail: thumbnailAt === 'front' ? 0 : tokensOf(segment) - small,
    cells: Int32Array.from({ length: height * width }, (_, k) => first + place(Math.floor(k / width), k % width)),
    rowEnds: Int32Array.from({ length: rowEnds ? height : 0 }, (_, row) => first + inRows(row, width)),
  }
}
