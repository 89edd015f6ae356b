import { MropeRangeError, show } from '../errors.js'
import { type AudioVideoSegment, cells } from '../sequence/segment.js'
import { placeGrid, plainGrid } from './grid.js'
import { type DecodeRule, type DeltaRule, defineLayout, type Layout, placeText } from './layout.js'
import { type BlockMap, offsetMap } from './maps.js'
import { checkTimeRule, frameIds, type TimeRule } from './time.js'

/**
 * How a video and its sound are merged into one run of tokens.
 * `chunks`: pieces of `ids` ids in turn, video first. `sorted`: token by token by time, video first on ties.
 */
export type MergeRule = { readonly by: 'chunks'; readonly ids: number } | { readonly by: 'sorted' }

export interface TimelineLayoutOptions {
  readonly name: string
  readonly time: TimeRule
  readonly merge: MergeRule
  /** The two opening markers share one id, and so do the two closing ones; or each has its own. */
  readonly markers: 'shared' | 'consecutive'
  /** Id behind a video with sound: behind the largest of the whole block, or of the last piece that was appended. */
  readonly behind: 'block' | 'last-piece'
  readonly decode?: DecodeRule
  readonly delta?: DeltaRule
  readonly paddingId?: number
  readonly float32?: boolean
}

interface Stream {
  /** Ids of the stream's tokens on each axis. */
  readonly ids: readonly Float64Array[]
  readonly length: number
}

/**
 * Time-aligned M-RoPE: the time axis counts in real time, audio has one id a token on all axes, and a video's sound is
 * merged into it. Source: transformers `qwen2_5_omni`, `qwen3_omni_moe`: `get_rope_index`, `get_chunked_index`.
 */
export function timelineLayout(options: TimelineLayoutOptions): Layout {
  const { name, time, merge, markers, behind } = options
  checkTimeRule(time, name)
  if (merge.by === 'chunks' && !(Number.isSafeInteger(merge.ids) && merge.ids > 0)) {
    const message = `layout ${name}: a chunk is a positive number of whole ids, got ${show(merge.ids)}`
    throw new MropeRangeError('ERR_MROPE_CONFIG', message, merge.ids)
  }
  const map: BlockMap = offsetMap
  const place = placeGrid(map, time, 'all')
  const step = markers === 'shared' ? 1 : 2
  return defineLayout({
    name,
    axes: ['t', 'h', 'w'],
    rules: { time, merge, markers, behind, decode: options.decode ?? 'next' },
    place: {
      audio: placeText,
      image: (segment, at) => place(plainGrid(segment, name), undefined, at),
      video: (segment, at) => place(segment.grid, segment.secondsPerGrid, at),
      'audio-video': (segment, at) => {
        const put = (index: number, id: (axis: number) => number): void => {
          for (let a = 0; a < 3; a++) at.ids[a * at.stride + at.offset + index] = id(a)
        }
        const marker = (index: number, first: number): void => {
          put(index, () => first)
          put(index + 1, () => first + step - 1)
        }
        marker(0, at.next)
        const start = at.next + step
        const streams = [videoStream(segment, time, start), audioStream(segment, start)]
        const pieces = merge.by === 'chunks' ? inChunks(streams, merge.ids, start) : sortedByTime(streams)
        checkStreams(segment, pieces, name, at.index)
        let index = 2
        let largest = start - 1
        for (const { stream, from, to } of pieces) {
          const { ids } = streams[stream]
          if (behind === 'last-piece') largest = Number.NEGATIVE_INFINITY
          for (let i = from; i < to; i++) {
            put(index++, (a) => ids[a][i])
            largest = Math.max(largest, ids[0][i], ids[1][i], ids[2][i])
          }
        }
        marker(index, largest + 1)
        return largest + 1 + step
      },
    },
    decode: options.decode,
    delta: options.delta,
    paddingId: options.paddingId,
    float32: options.float32,
  })
}

interface Piece {
  readonly stream: 0 | 1
  readonly from: number
  readonly to: number
}

function videoStream({ grid, secondsPerGrid }: AudioVideoSegment, time: TimeRule, start: number): Stream {
  const length = cells(grid)
  const ids = [0, 1, 2].map(() => new Float64Array(length))
  const [frames, rows, columns] = grid
  const frameId = frameIds(time, { grid, seconds: secondsPerGrid })
  let i = 0
  for (let t = 0; t < frames; t++) {
    const at = start + frameId(t)
    for (let h = 0; h < rows; h++) {
      for (let w = 0; w < columns; w++, i++) {
        ids[0][i] = at
        ids[1][i] = start + h
        ids[2][i] = start + w
      }
    }
  }
  return { ids, length }
}

function audioStream({ audioLength }: AudioVideoSegment, start: number): Stream {
  const ids = Float64Array.from({ length: audioLength }, (_, i) => start + i)
  return { ids: [ids, ids, ids], length: audioLength }
}

/** Pieces of each stream by time, taken in turn. An id past the border opens one new piece, however far past it is. */
function inChunks(streams: readonly Stream[], idsPerChunk: number, start: number): Piece[] {
  const borders = streams.map(({ ids, length }) => {
    const cuts = [0]
    for (let i = 0; i < length; i++) if (ids[0][i] - start >= cuts.length * idsPerChunk) cuts.push(i)
    return [...cuts, length]
  })
  const pieces: Piece[] = []
  for (let chunk = 0; chunk < Math.max(borders[0].length, borders[1].length) - 1; chunk++) {
    for (const stream of [0, 1] as const) {
      const cuts = borders[stream]
      if (chunk + 1 < cuts.length) pieces.push({ stream, from: cuts[chunk], to: cuts[chunk + 1] })
    }
  }
  return pieces.filter(({ from, to }) => to > from)
}

/** Token by token; the last piece is one token, or the rest of the longer stream. */
function sortedByTime([video, audio]: readonly Stream[]): Piece[] {
  const pieces: Piece[] = []
  let v = 0
  let a = 0
  while (v < video.length && a < audio.length) {
    if (video.ids[0][v] <= audio.ids[0][a]) pieces.push({ stream: 0, from: v, to: ++v })
    else pieces.push({ stream: 1, from: a, to: ++a })
  }
  if (v < video.length) pieces.push({ stream: 0, from: v, to: video.length })
  if (a < audio.length) pieces.push({ stream: 1, from: a, to: audio.length })
  return pieces
}

/** The prompt's own tokens must come in the order that the rule gives, or ids would land on the wrong stream. */
function checkStreams({ streams }: AudioVideoSegment, pieces: readonly Piece[], name: string, at: number): void {
  if (!streams) return
  let i = 0
  for (const { stream, from, to } of pieces) {
    for (let n = from; n < to; n++, i++) {
      if (streams[i] === stream) continue
      const kinds = ['a video token', 'an audio token']
      const message = `layout ${name}: token ${at + 2 + i} is ${kinds[streams[i]]} where the merge rule has ${kinds[stream]}`
      throw new MropeRangeError('ERR_MROPE_BLOCK', message, i)
    }
  }
}
