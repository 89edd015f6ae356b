import type { CanvasSegment } from '../sequence/segment.js'
import { defineLayout, type Layout, type Placement } from './layout.js'

/**
 * Canvas ids of MiniCPM-V 4.7: a picture's thumbnail and slices share one canvas that starts at the running id o.
 *
 *     <image>  o−1 o−1        thumbnail: stretched over the canvas, round(linspace(0, side − 1, n))
 *     </image> o+H o+W        slice (r, c): o + r·h + row, o + c·w + column; <slice>, </slice>: its first and last corner
 *     newline  last row of its slices, o+W          t = o for all; next = o + max(H, W) + 1
 *
 * Source: transformers `minicpmv4_7` `get_rope_index`, `get_vision_position_ids`.
 */
export function canvasLayout(options: { readonly name: string }): Layout {
  return defineLayout({
    name: options.name,
    axes: ['t', 'h', 'w'],
    rules: { image: 'thumbnail and slices on one canvas', next: 'start + longer side + 1' },
    place: { canvas: placeCanvas },
  })
}

function placeCanvas({ thumbnail, slices, trailing = 0 }: CanvasSegment, at: Placement): number {
  const origin = at.next
  const [height, width] = slices ? [slices.rows * slices.grid[0], slices.columns * slices.grid[1]] : thumbnail
  let index = at.offset
  const put = (h: number, w: number): void => {
    at.ids[index] = origin
    at.ids[at.stride + index] = h
    at.ids[2 * at.stride + index] = w
    index++
  }
  const halo = Math.max(origin - 1, 0)
  put(halo, halo)
  const hs = stretched(thumbnail[0], height)
  const ws = stretched(thumbnail[1], width)
  for (const h of hs) for (const w of ws) put(origin + h, origin + w)
  put(origin + height, origin + width)
  if (slices) {
    const [rows, columns] = slices.grid
    for (let r = 0; r < slices.rows; r++) {
      for (let c = 0; c < slices.columns; c++) {
        const top = origin + r * rows
        const left = origin + c * columns
        put(top, left)
        for (let h = 0; h < rows; h++) for (let w = 0; w < columns; w++) put(top + h, left + w)
        put(top + rows - 1, left + columns - 1)
      }
      if (r + 1 < slices.rows) put(origin + (r + 1) * rows - 1, origin + width)
    }
  }
  for (let i = 0; i < trailing; i++) put(origin, origin)
  return origin + Math.max(height, width) + 1
}

/** `round(linspace(0, side − 1, n))`, in float32 from both ends and with ties to even, as torch makes it. */
export function stretched(n: number, side: number): number[] {
  const end = side - 1
  const step = n > 1 ? Math.fround(end / (n - 1)) : 0
  return Array.from({ length: n }, (_, i) => {
    const x =
      i < Math.floor(n / 2) ? Math.fround(step * i) : n > 1 ? Math.fround(end - Math.fround(step * (n - 1 - i))) : 0
    const floor = Math.floor(x)
    const rest = x - floor
    return rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor
  })
}
