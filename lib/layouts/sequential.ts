import { tokensOf } from '../sequence/segment.js'
import { defineLayout, type Layout, type Place, placeText } from './layout.js'

/** One axis, one id a token whatever it is: plain one-dimensional positions. */
export function sequentialLayout(options: { readonly name?: string; readonly paddingId?: number } = {}): Layout {
  const place: Place = (segment, at) => placeText({ kind: 'text', length: tokensOf(segment) }, at)
  return defineLayout({
    name: options.name ?? 'sequential',
    axes: ['p'],
    place: { text: place, image: place, video: place, audio: place, 'audio-video': place, canvas: place },
    paddingId: options.paddingId,
  })
}
