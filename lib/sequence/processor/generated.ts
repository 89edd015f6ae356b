import { MropeRangeError } from '../../errors.js'
import { cells, checkGrid, type Grid, type Segment } from '../segment.js'
import type { ParsedPrompt, PromptRow } from './row.js'

/**
 * Segments of a GLM-Image prompt: images stand between a start and an end marker; grids without an end marker are those
 * of images still to be generated, last one first.
 * Source: transformers `glm_image` `get_rope_index`.
 */
export function readGeneratedImages({ tokens, rules, images }: PromptRow): Omit<ParsedPrompt, 'padding'> {
  const segments: Segment[] = []
  let cursor = 0
  for (let i = 0; i < tokens.length; i++) {
    if (tokens[i] !== rules.imageStart) continue
    const end = tokens.indexOf(rules.imageEnd ?? Number.NaN, i + 1)
    if (end < 0) break
    const grid = checkGrid(images.next(i + 1), `${images.name}[${images.used}]`)
    if (end - i - 1 !== cells(grid)) {
      const message = `fromProcessor: the image at token ${i + 1} has ${end - i - 1} tokens, its grid [${grid}] gives ${cells(grid)}`
      throw new MropeRangeError('ERR_MROPE_BLOCK', message, end - i - 1)
    }
    segments.push({ kind: 'text', length: i + 1 - cursor }, { kind: 'image', grid })
    cursor = end
    i = end
  }
  if (cursor < tokens.length) segments.push({ kind: 'text', length: tokens.length - cursor })
  const upcoming: Grid[] = []
  while (images.used < images.all.length) upcoming.unshift(checkGrid(images.next(tokens.length), images.name))
  return { segments, upcoming }
}
