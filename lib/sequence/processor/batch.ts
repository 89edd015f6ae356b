import { MropeRangeError } from '../../errors.js'
import { readGrids, readReals, readRows } from './arrays.js'
import { checkFrames } from './grid-queue.js'
import { checkOutput } from './keys.js'
import { kindsOf } from './kinds.js'
import type { ProcessorOutput } from './output.js'
import { checkSeconds } from './parse.js'
import { type RowPlace, tokenKind } from './row.js'
import { type PromptOptions, type PromptRules, promptRulesFromConfig } from './rules.js'
import { readAudioFrames, readSeconds } from './synonyms.js'

export interface BatchRow {
  readonly output: ProcessorOutput
  /** Missing where the row has lists of its own. */
  readonly place?: RowPlace
}

/** Rows of a batch, each with the grids, seconds and audio lengths that its own blocks use. */
export function splitBatch(
  output: ProcessorOutput | readonly ProcessorOutput[],
  config: unknown,
  options: PromptOptions,
): BatchRow[] {
  // Array.from, because map would pass over the holes of a sparse list.
  if (Array.isArray(output)) return Array.from(output as readonly ProcessorOutput[], (row) => ({ output: row }))
  const batch = output as ProcessorOutput
  checkOutput(batch)
  const ids = readRows(batch.input_ids, 'input_ids')
  if (ids.length === 1) return [{ output: batch }]
  const rules = promptRulesFromConfig(config, options, batch.downsample_mode ?? undefined)
  const perRow = imagesPerSample(batch.images_per_sample, ids.length, rules)
  const masks = optionalRows(batch.attention_mask, ids.length, 'attention_mask', 'flag')
  const types = optionalRows(batch.mm_token_type_ids, ids.length, 'mm_token_type_ids')
  const grids = {
    image_grid_thw: readGrids(batch.image_grid_thw, 'image_grid_thw', 3),
    video_grid_thw: readGrids(batch.video_grid_thw, 'video_grid_thw', 3),
    target_sizes: readGrids(batch.target_sizes, 'target_sizes', 2),
    target_sizes_videos: readGrids(batch.target_sizes_videos, 'target_sizes_videos', 2),
  }
  const seconds = readSeconds(batch)
  const audio = readAudioFrames(batch)
  const taken = { image: 0, video: 0, audio: 0 }
  const imageGrids = rules.parser === 'canvas' ? grids.target_sizes : grids.image_grid_thw
  const videoGrids = rules.parser === 'canvas' ? grids.target_sizes_videos : grids.video_grid_thw
  if (rules.videoBlocks === 'frame') checkFrames('video_grid_thw', videoGrids)
  else
    checkSeconds(
      seconds.length,
      rules.parser === 'canvas' ? 'target_sizes_videos' : 'video_grid_thw',
      videoGrids.length,
    )
  return ids.map((tokens, i) => {
    const last = i === ids.length - 1
    const kinds = kindsOf(types?.[i], tokens.length, 0, tokens, rules, masks?.[i])
    // The last row takes what is left, so that a surplus is reported and not dropped.
    const runs = perRow ? perRow[i] : countRuns(kinds, tokenKind.image)
    const images = last ? imageGrids.length : taken.image + runs
    const videos = last ? videoGrids.length : taken.video + countVideos(kinds, videoGrids, taken.video, rules)
    const audios = last ? audio.length : taken.audio + countAudio(kinds, tokens, rules)
    const row = {
      input_ids: tokens,
      attention_mask: masks?.[i],
      mm_token_type_ids: types?.[i],
      [rules.parser === 'canvas' ? 'target_sizes' : 'image_grid_thw']: imageGrids.slice(taken.image, images),
      [rules.parser === 'canvas' ? 'target_sizes_videos' : 'video_grid_thw']: videoGrids.slice(taken.video, videos),
      second_per_grid_ts: seconds.length > 0 ? seconds.slice(taken.video, videos) : undefined,
      audio_feature_lengths: audio.slice(taken.audio, audios),
      use_audio_in_video: batch.use_audio_in_video,
      downsample_mode: batch.downsample_mode,
      images_per_sample: perRow?.[i],
    }
    const place: RowPlace = { row: i, images: taken.image, videos: taken.video }
    Object.assign(taken, { image: images, video: videos, audio: audios })
    return { output: row, place }
  })
}

/** How many grids each row has, where its tokens do not tell because images are still to be generated. */
function imagesPerSample(value: unknown, rows: number, rules: PromptRules): ArrayLike<number> | undefined {
  if (rules.parser !== 'generated-images') return undefined
  if (typeof value === 'number') return Array<number>(rows).fill(value)
  const counts = readReals(value, 'images_per_sample')
  if (counts.length === rows) return counts
  const message = `images_per_sample has ${counts.length} entries, input_ids ${rows} rows: it says which grids are of which row`
  throw new MropeRangeError('ERR_MROPE_GRID_COUNT', message, counts.length)
}

function optionalRows(
  value: unknown,
  rows: number,
  name: string,
  kind: 'integer' | 'flag' = 'integer',
): Float64Array[] | undefined {
  if (value === undefined || value === null) return undefined
  const read = readRows(value, name, kind)
  if (read.length !== rows) {
    throw new MropeRangeError('ERR_MROPE_SHAPE', `${name} has ${read.length} rows, input_ids ${rows}`, read.length)
  }
  return read
}

function countRuns(kinds: Uint8Array, kind: number): number {
  let runs = 0
  for (let i = 0; i < kinds.length; i++) if (kinds[i] === kind && kinds[i - 1] !== kind) runs++
  return runs
}

/** Videos of a row: its runs, or, with a block a frame, as many grids as its runs have frames. */
function countVideos(kinds: Uint8Array, grids: number[][], first: number, rules: PromptRules): number {
  if (rules.audioLength) return countInterleavedVideos(kinds)
  const runs = countRuns(kinds, tokenKind.video)
  if (rules.videoBlocks === 'one') return runs
  let frames = 0
  let videos = 0
  while (frames < runs && first + videos < grids.length) frames += grids[first + videos++][0]
  return videos
}

/** With sound in the video, runs of video and audio tokens that touch are one video. */
function countInterleavedVideos(kinds: Uint8Array): number {
  let videos = 0
  let open = false
  let seen = false
  for (const kind of kinds) {
    const inside = kind === tokenKind.video || kind === tokenKind.audio
    if (!inside) open = false
    else if (!open) {
      open = true
      seen = false
    }
    if (kind === tokenKind.video && !seen) {
      seen = true
      videos++
    }
  }
  return videos
}

function countAudio(kinds: Uint8Array, tokens: Float64Array, rules: PromptRules): number {
  if (rules.audioStart === undefined) return countRuns(kinds, tokenKind.audio)
  return tokens.reduce((count, token) => count + (token === rules.audioStart ? 1 : 0), 0)
}
