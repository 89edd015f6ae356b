import { MropeRangeError, show } from '../errors.js'
import { type Segment, tokensOf } from '../sequence/segment.js'
import { checkOptions } from '../tensors/check.js'
import { checkStride, type Stride, strideOf } from './draw.js'
import { defineLayout, type Layout, type Placement } from './layout.js'
import { placeBlocks } from './sequential.js'

export interface V2peLayoutOptions {
  readonly name: string
  /** Ids that the visual tokens of one tile, or of one block, take together; drawn anew for every block in training. */
  readonly stride: Stride
  /** Tokens of a tile, 256 in InternVL; or `block`, and the stride is for the whole block. */
  readonly per: number | 'block'
}

/**
 * Variable visual position encoding: one axis, on which visual tokens advance by a fraction of an id.
 *
 *     id[j] = id of the token in front + j · stride / tokens of a tile,  j = 1, 2, …      text behind: ceil(last) + 1
 *
 * Products are made before they are divided, so the last id of a tile is exact.
 * Source: OpenGVLab/V2PE `get_rope_pos_id`.
 */
export function v2peLayout(options: V2peLayoutOptions): Layout {
  checkOptions('layouts.v2pe', options, ['name', 'stride', 'per'])
  const { name, stride: given, per } = options
  const stride = checkStride(given, name)
  if (per !== 'block' && !(Number.isSafeInteger(per) && per > 0)) {
    const message = `layout ${name}: a tile has a positive number of tokens, or \`block\`; got ${show(per)}`
    throw new MropeRangeError('ERR_MROPE_CONFIG', message, per)
  }
  const place = (segment: Segment, { ids, offset, next, block }: Placement): number => {
    const length = tokensOf(segment)
    const span = strideOf(stride, block)
    const tokens = per === 'block' ? length : per
    const before = next - 1
    for (let j = 1; j <= length; j++) ids[offset + j - 1] = before + (j * span) / tokens
    return length === 0 ? next : Math.ceil(before + (length * span) / tokens) + 1
  }
  const { audio: _, 'audio-video': __, canvas: ___, ...visual } = placeBlocks(place)
  return defineLayout({
    name,
    axes: ['p'],
    rules: { stride, per, next: 'ceil(last id) + 1' },
    place: visual,
  })
}
