import { MropeRangeError, show } from '../../errors.js'
import { readGrids, readReals, readRow } from './arrays.js'
import { readCanvas } from './canvas.js'
import { readGeneratedImages } from './generated.js'
import { kindsOf } from './kinds.js'
import { checkOutput, type ProcessorOutput } from './output.js'
import { GridQueue, type ParsedPrompt, type PromptRow } from './row.js'
import { type PromptRules, promptRulesFromConfig } from './rules.js'
import { readRuns } from './runs.js'

export function segmentsFromProcessor(output: ProcessorOutput, config: unknown): ParsedPrompt {
  checkOutput(output)
  const rules = promptRulesFromConfig(config, output.downsample_mode ?? undefined)
  const ids = readRow(output.input_ids, 'input_ids')
  const padding = leftPadding(output.attention_mask, ids.length)
  const tokens = ids.subarray(padding)
  const pairs = rules.parser === 'canvas'
  const row: PromptRow = {
    rules,
    tokens,
    kinds: kindsOf(output.mm_token_type_ids, ids.length, padding, tokens, rules),
    images: pairs
      ? new GridQueue('target_sizes', readGrids(output.target_sizes, 'target_sizes', 2))
      : new GridQueue('image_grid_thw', readGrids(output.image_grid_thw, 'image_grid_thw', 3)),
    videos: pairs
      ? new GridQueue('target_sizes_videos', readGrids(output.target_sizes_videos, 'target_sizes_videos', 2))
      : new GridQueue('video_grid_thw', splitFrames(readGrids(output.video_grid_thw, 'video_grid_thw', 3), rules)),
    seconds: readReals(output.second_per_grid_ts, 'second_per_grid_ts'),
    audioFrames: readReals(output.audio_feature_lengths, 'audio_feature_lengths'),
    audioInVideo: output.use_audio_in_video === true,
  }
  checkSeconds(row)
  if (rules.parser === 'canvas') return { segments: readCanvas(row), padding, upcoming: [] }
  if (rules.parser === 'generated-images') return { ...readGeneratedImages(row, output.images_per_sample), padding }
  return { segments: readRuns(row), padding, upcoming: [] }
}

/** Zeros in front are padding. A zero anywhere else is refused: ids behind it would not be those of the row alone. */
function leftPadding(mask: unknown, width: number): number {
  if (mask === undefined || mask === null) return 0
  const values = readRow(mask, 'attention_mask')
  if (values.length !== width) {
    const message = `attention_mask has ${values.length} entries, input_ids ${width}`
    throw new MropeRangeError('ERR_MROPE_SHAPE', message, values.length)
  }
  let padding = 0
  while (padding < width && values[padding] === 0) padding++
  const bad = values.findIndex((value, i) => i >= padding && value !== 1)
  if (bad >= 0) {
    const message = `attention_mask[${bad}] is ${values[bad]}: only padding in front of the prompt is taken; cut off what is behind it`
    throw new MropeRangeError('ERR_MROPE_ARGUMENT', message, values[bad])
  }
  return padding
}

/** A video grid of T frames becomes T grids of one frame where the prompt has a block for each frame. */
function splitFrames(grids: number[][], rules: PromptRules): number[][] {
  if (rules.videoBlocks === 'one') return grids
  return grids.flatMap(([t, h, w]) => {
    if (!(t > 0 && t <= 2 ** 20)) {
      throw new MropeRangeError('ERR_MROPE_GRID', `video_grid_thw: ${show([t, h, w])} has no valid number of frames`, t)
    }
    return Array.from({ length: t }, () => [1, h, w])
  })
}

function checkSeconds({ rules, seconds, videos }: PromptRow): void {
  if (seconds.length === 0 || rules.videoBlocks === 'frame') return
  if (seconds.length !== videos.all.length) {
    const message = `second_per_grid_ts has ${seconds.length} entries, video_grid_thw ${videos.all.length}`
    throw new MropeRangeError('ERR_MROPE_GRID_COUNT', message, seconds.length)
  }
}
