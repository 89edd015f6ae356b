import { MropeRangeError } from '../../errors.js'
import type { CanvasSegment, Segment } from '../segment.js'
import type { BlockGrid } from './grid-queue.js'
import { type PromptRow, tokenKind } from './row.js'
import type { PromptRules } from './rules.js'

interface Crop {
  readonly start: number
  readonly end: number
}

/**
 * Segments of a MiniCPM-V prompt: pictures and video frames as a thumbnail with its slices on one canvas.
 * Source: transformers `minicpmv4_7` `_group_visual_frames`. Every token from `<image>` to the last marker that follows
 * belongs to the canvas; slices must be full rows of equal crops.
 */
export function readCanvas(row: PromptRow): Segment[] {
  const { tokens, rules } = row
  const segments: Segment[] = []
  const frames = groupFrames(row)
  let cursor = 0
  frames.forEach((crops, f) => {
    const start = crops[0].start - 1
    if (start < cursor || tokens[start] !== rules.imageStart) {
      throw damaged(`the picture at token ${crops[0].start} has no <image> marker in front`, start)
    }
    if (start > cursor) segments.push({ kind: 'text', length: start - cursor })
    const kind = row.kinds[crops[0].start] === tokenKind.video ? row.videos : row.images
    const sizes = crops.map((crop) => cropSize(kind.next(crop.start), crop, rules))
    const limit = f + 1 < frames.length ? frames[f + 1][0].start - 1 : tokens.length
    const end = endOfMarkers(tokens, crops.at(-1)?.end ?? 0, limit, rules)
    segments.push(canvasOf(crops, sizes, row, end))
    cursor = end
  })
  if (cursor < tokens.length) segments.push({ kind: 'text', length: tokens.length - cursor })
  row.images.finish()
  row.videos.finish()
  return segments
}

/** A crop with `<slice>` in front belongs to the picture before it; any other crop opens a picture. */
function groupFrames({ kinds, tokens, rules }: PromptRow): Crop[][] {
  const frames: Crop[][] = []
  for (let i = 0; i < kinds.length; ) {
    if (kinds[i] === tokenKind.text) {
      i++
      continue
    }
    const start = i
    while (i < kinds.length && kinds[i] === kinds[start]) i++
    const crop = { start, end: i }
    const frame = frames.at(-1)
    if (tokens[start - 1] === rules.sliceStart && frame) frame.push(crop)
    else frames.push([crop])
  }
  return frames
}

function canvasOf(crops: Crop[], sizes: [number, number][], row: PromptRow, end: number): CanvasSegment {
  const [thumbnail, ...slices] = crops
  checkMarker(row, thumbnail.end, row.rules.imageEnd, '</image>')
  if (slices.length === 0) {
    return { kind: 'canvas', thumbnail: sizes[0], trailing: end - thumbnail.end - 1 }
  }
  const grid = sizes[1]
  const odd = sizes.findIndex(([h, w], i) => i > 0 && (h !== grid[0] || w !== grid[1]))
  if (odd > 0) throw damaged(`slice ${odd - 1} has grid [${sizes[odd]}], the first one [${grid}]`, sizes[odd])
  for (const slice of slices) checkMarker(row, slice.end, row.rules.sliceEnd, '</slice>')
  // Two markers stand between slices of a row; a newline more ends the row.
  const gap = (i: number): number => slices[i + 1].start - slices[i].end
  const broken = slices.findIndex((_, i) => i + 1 < slices.length && gap(i) > 2)
  const columns = broken < 0 ? slices.length : broken + 1
  const rows = slices.length / columns
  for (let i = 0; i + 1 < slices.length; i++) {
    const expected = (i + 1) % columns === 0 ? 3 : 2
    if (!Number.isInteger(rows) || gap(i) !== expected || slices[0].start - thumbnail.end !== 2) {
      throw damaged(`the slices at token ${slices[0].start} are not ${columns} in every row`, slices.length)
    }
  }
  const trailing = end - slices[slices.length - 1].end - 1
  return { kind: 'canvas', thumbnail: sizes[0], slices: { rows, columns, grid }, trailing }
}

function cropSize({ raw, at }: BlockGrid, crop: Crop, { merge }: PromptRules): [number, number] {
  const [h, w] = raw.map((side) => Math.floor(side / merge))
  if (!(h > 0 && w > 0) || h * w !== crop.end - crop.start) {
    const message = `the crop at token ${crop.start} has ${crop.end - crop.start} tokens, ${at} = [${raw}] gives ${h * w}`
    throw damaged(message, crop.end - crop.start)
  }
  return [h, w]
}

function endOfMarkers(tokens: Float64Array, from: number, limit: number, rules: PromptRules): number {
  const markers = [rules.sliceStart, rules.sliceEnd, rules.imageStart, rules.imageEnd, rules.newline]
  let end = from
  while (end < limit && markers.includes(tokens[end])) end++
  return end
}

function checkMarker({ tokens }: PromptRow, at: number, marker: number | undefined, name: string): void {
  if (tokens[at] !== marker) throw damaged(`token ${at} should be ${name} (${marker}), got ${tokens[at]}`, tokens[at])
}

function damaged(message: string, value: unknown): MropeRangeError {
  return new MropeRangeError('ERR_MROPE_BLOCK', `fromProcessor: ${message}`, value)
}
