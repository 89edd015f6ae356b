import { MropeRangeError, show } from '../errors.js'
import { checkOptions } from '../tensors/check.js'
import { linspace } from './channels.js'
import { checkFractions, checkScores } from './check.js'
import { channelOf, checkTexture, type Texture } from './texture.js'

/** A place in the picture: 0 … 1 from the top and from the left. */
export type Place = readonly [y: number, x: number]

export interface SalienceOptions {
  /** Where the eye rests. Default: the middle, [0.5, 0.5]. */
  readonly fixation?: Place
  /**
   * `distance`: as it is, in sides of the picture. `largest`: divided by that of the farthest cell. Default: as the
   * texture has its channel 10, `distance` for a plain one.
   */
  readonly eccentricity?: 'distance' | 'largest'
  /** What stands out in each cell, in raster order, 0 or more. Default: the channel `saliency`. */
  readonly base?: ArrayLike<number>
}

/**
 * Eccentricity-weighted salience of every cell, `base · max(0, 1 − eccentricity)`, in raster order.
 *
 *     eccentricity = sqrt((y − fixation y)² + (x − fixation x)²),   y and x = linspace(0, 1, n)
 *
 * Around the middle this is channel 11 · (1 − channel 10). Source: ARR-COC-0-1 knowing.py as quoted (unverified);
 * fixations elsewhere and the floor at 0, which only they reach, are ours.
 * @throws MropeTypeError ERR_MROPE_ARGUMENT, MropeRangeError ERR_MROPE_SHAPE | ERR_MROPE_ARGUMENT
 */
export function salience(texture: Texture, options: SalienceOptions = {}): Float32Array {
  const caller = 'salience'
  checkOptions(caller, options, ['fixation', 'eccentricity', 'base'])
  const [rows, columns] = checkTexture(caller, texture)
  const cells = rows * columns
  const base =
    options.base === undefined
      ? channelOf(texture, 'saliency')
      : checkScores(caller, 'base', options.base, cells, 'cells')
  const rule = options.eccentricity ?? (texture.scale === 'unit' ? 'largest' : 'distance')
  if (rule !== 'distance' && rule !== 'largest') {
    const text = `${caller}: eccentricity is distance or largest, got ${show(rule)}`
    throw new MropeRangeError('ERR_MROPE_ARGUMENT', text, rule)
  }
  const [y, x] = checkFractions(caller, 'fixation', options.fixation ?? [0.5, 0.5], ['y', 'x'])
  const away = distances([rows, columns], [y, x])
  const unit = rule === 'largest' ? away.reduce((a, b) => Math.max(a, b), 0) || 1 : 1
  return Float32Array.from({ length: cells }, (_, i) => base[i] * Math.max(0, 1 - away[i] / unit))
}

/** Distance of every cell from a place. */
function distances([rows, columns]: readonly [number, number], [fromY, fromX]: Place): Float64Array {
  return Float64Array.from({ length: rows * columns }, (_, i) =>
    Math.hypot(linspace(Math.floor(i / columns), rows) - fromY, linspace(i % columns, columns) - fromX),
  )
}
