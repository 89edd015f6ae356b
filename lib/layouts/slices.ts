import { MropeRangeError, show } from '../errors.js'
import { type SlicesSegment, slicedSides } from '../sequence/segment.js'
import { sliceTokens } from '../sequence/slices.js'
import { checkOptions } from '../tensors/check.js'
import { stretched } from './canvas.js'
import { placeGrid, plainGrid } from './grid.js'
import { defineLayout, type Layout, type Placement, placeText } from './layout.js'
import { offsetMap } from './maps.js'

export interface SlicesLayoutOptions {
  readonly name: string
  /** `stretched` over the slices, so that both show a place with the same ids; or a `block` of its own. */
  readonly thumbnail: 'stretched' | 'block'
}

const byIndex = { by: 'index', stride: 1 } as const

/**
 * The grid structure of a picture in slices: all slices are one grid of rows and columns, wherever its tokens stand.
 *
 *     t = o,   h = o + row of the whole,   w = o + column of the whole,   newline: w = o + W,   next = largest id + 1
 *
 * A thumbnail is stretched over the same grid, `round(linspace(0, side − 1, n))` as on the canvas of MiniCPM-V, or is
 * an M-RoPE block before or behind it. Published LLaVA and InternVL models have one running id instead: `sequential`.
 */
export function slicesLayout(options: SlicesLayoutOptions): Layout {
  checkOptions('layouts.slices', options, ['name', 'thumbnail'])
  const { name, thumbnail } = options
  if (thumbnail !== 'stretched' && thumbnail !== 'block') {
    const message = `layout ${name}: the thumbnail is stretched or a block, got ${show(thumbnail)}`
    throw new MropeRangeError('ERR_MROPE_CONFIG', message, thumbnail)
  }
  const grid = placeGrid(offsetMap, byIndex, 'all')
  return defineLayout({
    name,
    axes: ['t', 'h', 'w'],
    rules: { slices: 'one grid of rows and columns', thumbnail, next: 'largest + 1' },
    place: {
      audio: placeText,
      image: (segment, at) => grid(plainGrid(segment, name), undefined, at),
      video: (segment, at) => grid(segment.grid, undefined, at),
      slices: (segment, at) => {
        const small = segment.thumbnail
        if (!small || thumbnail === 'stretched') {
          const next = placeSlices(segment, at)
          return small ? Math.max(next, placeStretched(segment, small, at)) : next
        }
        const { thumbnail: first } = sliceTokens(segment)
        const block = { ...at, offset: at.offset + first }
        const side = [1, ...small] as const
        if (first === 0) return placeSlices(segment, { ...at, next: grid(side, undefined, block) })
        return grid(side, undefined, { ...block, next: placeSlices(segment, at) })
      },
    },
  })
}

function placeSlices(segment: SlicesSegment, { ids, stride, offset, next }: Placement): number {
  const [height, width] = slicedSides(segment)
  const { cells, rowEnds } = sliceTokens(segment)
  const put = (token: number, row: number, column: number): void => {
    ids[offset + token] = next
    ids[stride + offset + token] = next + row
    ids[2 * stride + offset + token] = next + column
  }
  for (let k = 0; k < cells.length; k++) put(cells[k], Math.floor(k / width), k % width)
  for (let row = 0; row < rowEnds.length; row++) put(rowEnds[row], row, width)
  return next + Math.max(height, width + (rowEnds.length > 0 ? 1 : 0))
}

function placeStretched(segment: SlicesSegment, [rows, columns]: readonly [number, number], at: Placement): number {
  const [height, width] = slicedSides(segment)
  const first = at.offset + sliceTokens(segment).thumbnail
  const across = stretched(columns, width)
  stretched(rows, height).forEach((h, row) => {
    across.forEach((w, column) => {
      const token = first + row * columns + column
      at.ids[token] = at.next
      at.ids[at.stride + token] = at.next + h
      at.ids[2 * at.stride + token] = at.next + w
    })
  })
  return at.next + Math.max(height, width)
}
