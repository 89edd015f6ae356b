import type { Segment, SegmentKind } from '../sequence/segment.js'
import { tokensOf } from '../sequence/segment.js'
import { defineLayout, type Layout, type Place, placeText } from './layout.js'

const blockKinds = [
  'image',
  'video',
  'audio',
  'audio-video',
  'canvas',
  'slices',
  'queries',
] as const satisfies readonly Exclude<SegmentKind, 'text'>[]

/** The same rule for every kind of block. */
export function placeBlocks(place: Place): { readonly [K in (typeof blockKinds)[number]]: Place<Segment> } {
  return Object.fromEntries(blockKinds.map((kind) => [kind, place])) as Record<(typeof blockKinds)[number], Place>
}

export interface SequentialLayoutOptions {
  readonly name?: string
  readonly paddingId?: number
  /**
   * `inline`: blocks stand in the line of the text. `apart`: every block is a sequence of its own that counts from 0
   * and takes no id of the text, which reads it by cross-attention.
   */
  readonly blocks?: 'inline' | 'apart'
}

/** One axis, one id a token whatever it is: plain one-dimensional positions. */
export function sequentialLayout(options: SequentialLayoutOptions = {}): Layout {
  const inline: Place = (segment, at) => placeText({ kind: 'text', length: tokensOf(segment) }, at)
  const apart: Place = (segment, at) => {
    inline(segment, { ...at, ids: at.ids.subarray(0, at.stride), next: 0 })
    return at.next
  }
  const isApart = options.blocks === 'apart'
  return defineLayout({
    name: options.name ?? 'sequential',
    axes: ['p'],
    rules: isApart ? { blocks: 'sequences of their own, from 0', text: 'as without blocks' } : {},
    place: { text: inline, ...placeBlocks(isApart ? apart : inline) },
    paddingId: options.paddingId,
    ownSequences: isApart,
  })
}
