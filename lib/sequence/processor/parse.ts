import { MropeRangeError } from '../../errors.js'
import { readGrids, readRow } from './arrays.js'
import { readCanvas } from './canvas.js'
import { readGeneratedImages } from './generated.js'
import { GridQueue, type GridQueueOptions } from './grid-queue.js'
import { checkOutput } from './keys.js'
import { kindsOf } from './kinds.js'
import type { ProcessorOutput } from './output.js'
import type { ParsedPrompt, PromptRow, RowPlace } from './row.js'
import { type PromptOptions, promptRulesFromConfig } from './rules.js'
import { readRuns } from './runs.js'
import { readAudioFrames, readSeconds } from './synonyms.js'

export function segmentsFromProcessor(
  output: ProcessorOutput,
  config: unknown,
  options: PromptOptions,
  place?: RowPlace,
): ParsedPrompt {
  checkOutput(output)
  const rules = promptRulesFromConfig(config, options, output.downsample_mode ?? undefined)
  const ids = readRow(output.input_ids, 'input_ids')
  const padding = leftPadding(output.attention_mask, ids.length)
  const tokens = ids.subarray(padding)
  const pairs = rules.parser === 'canvas'
  const queue = (name: 'image_grid_thw' | 'video_grid_thw' | 'target_sizes' | 'target_sizes_videos', first = 0) => {
    const where: GridQueueOptions = { byFrame: name === 'video_grid_thw' && rules.videoBlocks === 'frame', first }
    return new GridQueue(name, readGrids(output[name], name, pairs ? 2 : 3), { ...where, row: place?.row })
  }
  const row: PromptRow = {
    rules,
    tokens,
    kinds: kindsOf(output.mm_token_type_ids, ids.length, padding, tokens, rules),
    images: queue(pairs ? 'target_sizes' : 'image_grid_thw', place?.images),
    videos: queue(pairs ? 'target_sizes_videos' : 'video_grid_thw', place?.videos),
    seconds: readSeconds(output),
    audioFrames: readAudioFrames(output),
    audioInVideo: output.use_audio_in_video === true,
  }
  if (rules.videoBlocks === 'one') checkSeconds(row.seconds.length, row.videos.name, row.videos.all.length)
  if (rules.parser === 'canvas') return { segments: readCanvas(row), padding, upcoming: [] }
  if (rules.parser === 'generated-images') return { ...readGeneratedImages(row, output.images_per_sample), padding }
  return { segments: readRuns(row), padding, upcoming: [] }
}

/** Zeros in front are padding. A zero anywhere else is refused: ids behind it would not be those of the row alone. */
function leftPadding(mask: unknown, width: number): number {
  if (mask === undefined || mask === null) return 0
  const values = readRow(mask, 'attention_mask', 'flag')
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

/** Seconds are for all videos or for none. */
export function checkSeconds(seconds: number, name: string, videos: number): void {
  if (seconds === 0 || seconds === videos) return
  const message = `second_per_grid_ts has ${seconds} entries, ${name} ${videos}`
  throw new MropeRangeError('ERR_MROPE_GRID_COUNT', message, seconds)
}
