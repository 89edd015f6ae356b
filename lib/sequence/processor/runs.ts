import { MropeRangeError } from '../../errors.js'
import { cells, checkGrid, type Grid, type Segment } from '../segment.js'
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
  const raw = images.next(start)
  const grid = mergedGrid(raw, rules, 'image', `${images.name}[${images.used - 1}]`)
  if (rules.rowEnds) {
    const tokens = grid[0] * grid[1] * (grid[2] + 1)
    const marker: Segment = { kind: 'text', length: 1 }
    const image: Segment = { kind: 'image', grid, rowEnds: true }
    // The run may include its opening and its closing token.
    if (end - start === tokens + 2) return [marker, image, marker]
    checkRun(start, end, tokens, images, raw)
    return [image]
  }
  checkRun(start, end, cells(grid), images, raw, (next) => cells(mergedGrid(next, rules, 'image', images.name)))
  return [{ kind: 'image', grid }]
}

function readVideo({ videos, rules, seconds }: PromptRow, start: number, end: number): Segment {
  const raw = videos.next(start)
  const at = videos.used - 1
  const grid = mergedGrid(raw, rules, 'video', `${videos.name}[${at}]`)
  checkRun(start, end, cells(grid), videos, raw, (next) => cells(mergedGrid(next, rules, 'video', videos.name)))
  return { kind: 'video', grid, ...secondsOf(seconds, at, rules) }
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
  const raw = videos.next(start)
  const at = videos.used - 1
  const grid = mergedGrid(raw, rules, 'video', `${videos.name}[${at}]`)
  let end = start
  while (kinds[end] === tokenKind.video || kinds[end] === tokenKind.audio) end++
  const streams = Uint8Array.from(kinds.subarray(start, end), (kind) => (kind === tokenKind.audio ? 1 : 0))
  const audioLength = streams.reduce((sum, stream) => sum + stream, 0)
  checkRun(start, start + streams.length - audioLength, cells(grid), videos, raw)
  const expected = audioTokens(rules, row.audioFrames, audioIndex, start)
  if (expected !== undefined && expected !== audioLength) {
    const message = `fromProcessor: the sound of the video at token ${start} has ${audioLength} tokens, ${row.audioFrames[audioIndex]} mel frames give ${expected}`
    throw new MropeRangeError('ERR_MROPE_BLOCK', message, audioLength)
  }
  if (kinds[end] !== tokenKind.text || kinds[end + 1] !== tokenKind.text) {
    const message = `fromProcessor: the video with sound at token ${start} ends at ${end} without its two closing markers`
    throw new MropeRangeError('ERR_MROPE_BLOCK', message, tokens.length)
  }
  const segment: Segment = { kind: 'audio-video', grid, audioLength, streams, ...secondsOf(seconds, at, rules) }
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

function mergedGrid(raw: number[], rules: PromptRules, kind: 'image' | 'video', at: string): Grid {
  const [t, h, w] = checkGrid(raw, at)
  const temporal = kind === 'video' ? rules.temporalMerge : 1
  if (h % rules.merge !== 0 || w % rules.merge !== 0 || t % temporal !== 0) {
    const by = temporal > 1 ? `merge sizes ${temporal}, ${rules.merge}` : `merge size ${rules.merge}`
    throw new MropeRangeError('ERR_MROPE_GRID', `${at}: grid [${raw}] does not divide by ${by}`, raw)
  }
  return [t / temporal, h / rules.merge, w / rules.merge]
}

function checkRun(
  start: number,
  end: number,
  expected: number,
  grids: PromptRow['images'],
  raw: number[],
  tokensOfGrid?: (grid: number[]) => number,
): void {
  const length = end - start
  if (length === expected) return
  const at = grids.used - 1
  const following = grids.all[grids.used]
  if (tokensOfGrid && length > expected && following && length === expected + tokensOfGrid(following)) {
    const message = `fromProcessor: the run of ${length} tokens at ${start} spans two blocks: ${grids.name}[${at}] and [${at + 1}] have no token between`
    throw new MropeRangeError('ERR_MROPE_BLOCK', message, length)
  }
  const message = `fromProcessor: the block at token ${start} has ${length} tokens, ${grids.name}[${at}] = [${raw}] gives ${expected}`
  throw new MropeRangeError('ERR_MROPE_BLOCK', message, length)
}
