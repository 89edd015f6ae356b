import { MropeRangeError, show } from '../../errors.js'
import { checkGrid } from '../check-segment.js'
import { cells, type Grid, type Segment } from '../segment.js'
import { readReals } from './arrays.js'
import type { ParsedPrompt, PromptRow } from './row.js'

/**
 * Segments of a GLM-Image prompt: images stand between a start and an end marker; grids without an end marker are those
 * of images still to be generated, last one first.
 * Source: transformers `glm_image` `get_rope_index`.
 */
export function readGeneratedImages(row: PromptRow, perSample: unknown): Omit<ParsedPrompt, 'padding'> {
  const { tokens, rules, images } = row
  if (rules.imageStart === undefined || rules.imageEnd === undefined) {
    const message = 'config: image_start_token_id and image_end_token_id are needed to find the images'
    throw new MropeRangeError('ERR_MROPE_CONFIG', message, rules.imageStart)
  }
  checkCount(perSample, images)
  const segments: Segment[] = []
  let cursor = 0
  for (let i = 0; i < tokens.length; i++) {
    if (tokens[i] !== rules.imageStart) continue
    const end = tokens.indexOf(rules.imageEnd, i + 1)
    if (end < 0) break
    const { raw, at } = images.next(i + 1)
    const grid = checkGrid(raw, at)
    if (end - i - 1 !== cells(grid)) {
      const message = `fromProcessor: the image at token ${i + 1} has ${end - i - 1} tokens, ${at} = [${grid}] gives ${cells(grid)}`
      throw new MropeRangeError('ERR_MROPE_BLOCK', message, end - i - 1)
    }
    segments.push({ kind: 'text', length: i + 1 - cursor }, { kind: 'image', grid })
    cursor = end
    i = end
  }
  if (cursor < tokens.length) segments.push({ kind: 'text', length: tokens.length - cursor })
  const upcoming: Grid[] = []
  while (!images.done) {
    const { raw, at } = images.next(tokens.length)
    upcoming.push(checkGrid(raw, at))
  }
  return { segments, upcoming: upcoming.reverse() }
}

/** `images_per_sample` of one row is the number of its grids. */
function checkCount(perSample: unknown, { name, all }: PromptRow['images']): void {
  if (perSample === undefined || perSample === null) return
  const count = typeof perSample === 'number' ? perSample : readReals(perSample, 'images_per_sample')[0]
  if (count === all.length) return
  const message = `fromProcessor: images_per_sample is ${show(perSample)}, ${name} has ${all.length} grids`
  throw new MropeRangeError('ERR_MROPE_GRID_COUNT', message, perSample)
}
