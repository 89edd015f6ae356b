import type { Mask } from '../attention/mask.js'
import type { Encoding } from '../encodings/encoding.js'
import { visionEncodingFromConfig } from '../encodings/vision.js'
import { MropeRangeError, show } from '../errors.js'
import { readJson } from '../io/json.js'
import type { RotaryTable } from '../rotary/table.js'
import type { Grid } from '../sequence/segment.js'
import { loadSequence } from './inputs.js'

/** What one attention of a capture or a model layer needs besides q, k and v. */
export interface LayerRotation {
  readonly table: RotaryTable
  readonly mask: Mask
  readonly axes: readonly string[]
}

export const prefixes = ['lm', 'vision.full', 'vision.window'] as const
export type Prefix = (typeof prefixes)[number]

/** Table and mask of the layer that a prefix names. `tokens` is the number of rows of the tensors. */
export async function rotationOf(
  prefix: Prefix,
  encoding: Encoding,
  config: unknown,
  sequencePath: string,
  tokens: number,
  family?: string,
): Promise<LayerRotation> {
  if (prefix === 'lm') {
    const sequence = await loadSequence(sequencePath, config, family)
    if (sequence.length + sequence.padding !== tokens) {
      const message = `the sequence has ${sequence.length + sequence.padding} tokens, the tensors ${tokens}`
      throw new MropeRangeError('ERR_MROPE_SHAPE', message, tokens)
    }
    const table = encoding.table(encoding.positions(sequence))
    return { table, mask: { causal: true, padding: sequence.padding }, axes: encoding.axes }
  }
  const vision = visionEncodingFromConfig(config, { family })
  const grids = await patchGrids(sequencePath, tokens)
  const windows = vision.windows(grids)
  if (prefix === 'vision.window' && !windows) {
    const message = `${vision.encoding.name} has no window attention`
    throw new MropeRangeError('ERR_MROPE_FAMILY', message, prefix)
  }
  const cuSeqlens = prefix === 'vision.window' && windows ? windows.cuSeqlens : vision.cuSeqlens(grids)
  return { table: vision.table(grids), mask: { causal: false, cuSeqlens }, axes: vision.encoding.axes }
}

/** The grids whose patches the tensors are: the images, the videos, or both, whichever has as many patches. */
async function patchGrids(path: string, patches: number): Promise<Grid[]> {
  const document = (await readJson(path)) as Record<string, Grid[] | undefined> | null
  const images = document?.image_grid_thw ?? []
  const videos = document?.video_grid_thw ?? []
  const choices: Grid[][] =
    Array.isArray(images) && Array.isArray(videos) ? [images, videos, [...images, ...videos]] : []
  const count = (grids: Grid[]): number => grids.reduce((sum, grid) => sum + grid[0] * grid[1] * grid[2], 0)
  const found = choices.find((grids) => grids.length > 0 && grids.every(Array.isArray) && count(grids) === patches)
  if (found) return found
  const message = `${path}: no grids with ${patches} patches: image_grid_thw ${show(images)}, video_grid_thw ${show(videos)}`
  throw new MropeRangeError('ERR_MROPE_GRID_COUNT', message, patches)
}
