import { MropeRangeError } from '../../errors.js'
import { checkGrid } from '../check-segment.js'
import { cells, type Grid, type Segment } from '../segment.js'
import type { BlockGrid, GridQueue } from './grid-queue.js'
import { type PromptRow, tokenKind } from './row.js'
import type { PromptRules } from './rules.js'

/**
 * Segments of a prompt whose blocks are runs of equal token kind, one grid for each run.
 * Every run must have just the tokens of its grid, and every grid its run: nothing is guessed.
 */
export function readRuns(row: PromptRow): Segment[] {
  const { kinds, tokens, rules } = row
  const segments: Segment[] = []
  const text = (length: number): void => {
    if (length > 0) segments.push({ kind: 'text', length })
  }
  let audioIndex = 0
  let textStart = 0
  let i = 0
  while (i < tokens.length) {
    if (kinds[i] === tokenKind.text) {
      i++
      continue
    }
    if (opensAudioVideo(row, i, textStart)) {
      text(i - 2 - textStart)
      const block = readAudioVideo(row, i, audioIndex++)
      segments.push(block.segment)
      textStart = i = block.end
      continue
    }
    text(i - textStart)
    const end = endOfRun(kinds, i)
    if (kinds[i] === tokenKind.audio) segments.push(readAudio(row, i, end, audioIndex++))
    else if (kinds[i] === tokenKind.image) segments.push(...readImage(row, i, end))
    else segments.push(readVideo(row, i, end))
    textStart = i = end
  }
  text(tokens.length - textStart)
  row.images.finish()
  row.videos.finish()
  if (rules.audioLength && audioIndex < row.audioFrames.length) {
    const message = `fromProcessor: audio_feature_lengths has ${row.audioFrames.length} entries, the tokens have ${audioIndex} audios`
    throw new MropeRangeError('ERR_MROPE_GRID_COUNT', message, row.audioFrames.length)
  }
  return segments
}

function readImage({ images, rules }: PromptRow, start: number, end: number): Segment[] {
  const block = images.next(start)
  const grid = mergedGrid(block, rules, 'image')
  if (rules.rowEnds) {
    const tokens = grid[0] * grid[1] * (grid[2] + 1)
    const marker: Segment = { kind: 'text', length: 1 }
    const image: Segment = { kind: 'image', grid, rowEnds: true }
    // The run may include its opening and its closing token.
    if (end - start === tokens + 2) return [marker, image, marker]
    checkRun(start, end, tokens, block)
    return [image]
  }
  checkRun(start, end, cells(grid), block, images, (next) => cells(mergedGrid(next, rules, 'image')))
  return [{ kind: 'image', grid }]
}

function readVideo({ videos, rules, seconds }: PromptRow, start: number, end: number): Segment {
  const block = videos.next(start)
  const grid = mergedGrid(block, rules, 'video')
  checkRun(start, end, cells(grid), block, videos, (next) => cells(mergedGrid(next, rules, 'video')))
  return { kind: 'video', grid, ...secondsOf(seconds, block.index, rules) }
}

function readAudio({ rules, audioFrames }: PromptRow, start: number, end: number, index: number): Segment {
  const length = audioTokens(rules, audioFrames, index, start)
  if (length !== undefined && length !== end - start) {
    const message = `fromProcessor: audio ${index} at token ${start} has ${end - start} tokens, ${audioFrames[index]} mel frames give ${length}`
    throw new MropeRangeError('ERR_MROPE_BLOCK', message, end - start)
  }
  return { kind: 'audio', length: end - start }
}

function opensAudioVideo({ kinds, tokens, rules, audioInVideo }: PromptRow, i: number, textStart: number): boolean {
  if (i - 2 < textStart || !audioInVideo || rules.audioStart === undefined || rules.visionStart === undefined)
    return false
  return kinds[i] !== tokenKind.image && tokens[i - 1] === rules.audioStart && tokens[i - 2] === rules.visionStart
}

function readAudioVideo(row: PromptRow, start: number, audioIndex: number): { segment: Segment; end: number } {
  const { videos, rules, seconds, kinds, tokens } = row
  const block = videos.next(start)
  const grid = mergedGrid(block, rules, 'video')
  let end = start
  while (kinds[end] === tokenKind.video || kinds[end] === tokenKind.audio) end++
  const streams = Uint8Array.from(kinds.subarray(start, end), (kind) => (kind === tokenKind.audio ? 1 : 0))
  const audioLength = streams.reduce((sum, stream) => sum + stream, 0)
  checkRun(start, start + streams.length - audioLength, cells(grid), block)
  const expected = audioTokens(rules, row.audioFrames, audioIndex, start)
  if (expected !== undefined && expected !== audioLength) {
    const message = `fromProcessor: the sound of the video at token ${start} has ${audioLength} tokens, ${row.audioFrames[audioIndex]} mel frames give ${expected}`
    throw new MropeRangeError('ERR_MROPE_BLOCK', message, audioLength)
  }
  if (kinds[end] !== tokenKind.text || kinds[end + 1] !== tokenKind.text) {
    const message = `fromProcessor: the video with sound at token ${start} ends at ${end} without its two closing markers`
    throw new MropeRangeError('ERR_MROPE_BLOCK', message, tokens.length)
  }
  const segment: Segment = {
    kind: 'audio-video',
    grid,
    audioLength,
    streams,
    ...secondsOf(seconds, block.index, rules),
  }
  return { segment, end: end + 2 }
}

function audioTokens(rules: PromptRules, frames: Float64Array, index: number, start: number): number | undefined {
  if (!rules.audioLength) return undefined
  if (index >= frames.length) {
    const message = `fromProcessor: the audio at token ${start} has no entry in audio_feature_lengths (${frames.length})`
    throw new MropeRangeError('ERR_MROPE_GRID_COUNT', message, frames.length)
  }
  return rules.audioLength(frames[index])
}

/** Seconds are 1 where the processor gave none; families that count frames do not read them. */
function secondsOf(seconds: Float64Array, at: number, rules: PromptRules): { secondsPerGrid?: number } {
  return rules.videoBlocks === 'one' && seconds.length > 0 ? { secondsPerGrid: seconds[at] } : {}
}

function endOfRun(kinds: Uint8Array, start: number): number {
  let end = start
  while (end < kinds.length && kinds[end] === kinds[start]) end++
  return end
}

/** The grid of a block after merging. */
function mergedGrid({ raw, frames, at }: BlockGrid, rules: PromptRules, kind: 'image' | 'video'): Grid {
  const [, h, w] = checkGrid(raw, at)
  const temporal = kind === 'video' ? rules.temporalMerge : 1
  if (h % rules.merge !== 0 || w % rules.merge !== 0 || frames % temporal !== 0) {
    const by = temporal > 1 ? `merge sizes ${temporal}, ${rules.merge}` : `merge size ${rules.merge}`
    throw new MropeRangeError('ERR_MROPE_GRID', `${at}: grid [${raw}] does not divide by ${by}`, [...raw])
  }
  return [frames / temporal, h / rules.merge, w / rules.merge]
}

function checkRun(
  start: number,
  end: number,
  expected: number,
  { raw, at }: BlockGrid,
  grids?: GridQueue,
  tokensOfGrid?: (grid: BlockGrid) => number,
): void {
  const length = end - start
  if (length === expected) return
  const following = length > expected ? grids?.peek() : undefined
  if (following && length === expected + (tokensOfGrid?.(following) ?? 0)) {
    const message = `fromProcessor: the run of ${length} tokens at ${start} spans two blocks: ${at} and ${following.at} have no token between`
    throw new MropeRangeError('ERR_MROPE_BLOCK', message, length)
  }
  const message = `fromProcessor: the block at token ${start} has ${length} tokens, ${at} = [${raw}] gives ${expected}`
  throw new MropeRangeError('ERR_MROPE_BLOCK', message, length)
}
