import { MropeRangeError, show } from '../errors.js'
import { tokensOf } from '../sequence/segment.js'
import { defineLayout, type Layout, type Place, placeText } from './layout.js'

/**
 * XD-RoPE of HunYuan-VL: every token keeps its plain index; image tokens get their column, row and image ordinal on the
 * last three axes. Rows have one newline token more than columns, and it has column W. Text behind is not shifted.
 * Sources: transformers `hunyuan_vl` `get_rope_index`, vLLM `XDRotaryEmbedding`.
 *
 *     axes (p) w h i        2×3 image at index 4:   w 0 1 2 3 0 1 2 3   h 0 0 0 0 1 1 1 1   i 0 …   p 4 … 11
 */
export function plainIndexLayout(options: { readonly name: string; readonly axes: 3 | 4 }): Layout {
  if (options.axes !== 3 && options.axes !== 4) {
    const message = `layout ${options.name}: 3 or 4 axes, got ${show(options.axes)}`
    throw new MropeRangeError('ERR_MROPE_SECTIONS', message, options.axes)
  }
  const axes = options.axes === 4 ? ['p', 'w', 'h', 'i'] : ['w', 'h', 'i']
  const plain: Place = (segment, at) => placeText({ kind: 'text', length: tokensOf(segment) }, at)
  const first = axes.length - 3
  return defineLayout({
    name: options.name,
    axes,
    rules: { text: 'plain index', image: 'column, row, image ordinal' },
    place: {
      audio: plain,
      image: (segment, at) => {
        const next = plain(segment, at)
        const columns = segment.grid[2] + (segment.rowEnds ? 1 : 0)
        const length = tokensOf(segment)
        for (let i = 0; i < length; i++) {
          const cell = [i % columns, Math.floor(i / columns), at.block]
          for (let a = 0; a < 3; a++) at.ids[(first + a) * at.stride + at.offset + i] = cell[a]
        }
        return next
      },
    },
  })
}
