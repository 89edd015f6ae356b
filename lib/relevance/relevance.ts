import { MropeRangeError, MropeTypeError, show } from '../errors.js'
import { checkOptions } from '../tensors/check.js'
import { checkNumber, checkWindow } from '../tensors/parameters.js'
import { checkScores } from './check.js'
import { type Box, type CouplingOptions, coupling, type NamedPlace } from './coupling.js'
import { regrid } from './pool.js'
import { type SalienceOptions, salience } from './salience.js'
import { checkTexture, type Texture } from './texture.js'

export interface RelevanceOptions extends SalienceOptions, CouplingOptions {
  /** Rows and columns of regions laid over the picture, each of which gets a budget. */
  readonly regions: readonly [rows: number, columns: number]
  /** What the query asks for: a place, or a number for every cell of the texture such as `attentionCoupling` gives. */
  readonly query?: NamedPlace | Box | Float32Array
  /** How much the coupling counts against the salience, 0 … 1. Default 0.5 with a query. */
  readonly balance?: number
}

/**
 * Relevance of every region, in raster order, in 0 … 1: salience and query–position coupling, each averaged over the
 * area of the region and divided by its largest, then
 *
 *     (1 − balance) · salience + balance · coupling
 *
 * ARR-COC learns this balance; a fixed one is ours (unverified). Without a query it is the salience alone.
 * @throws MropeTypeError ERR_MROPE_ARGUMENT, MropeRangeError ERR_MROPE_SHAPE | ERR_MROPE_GRID | ERR_MROPE_ARGUMENT
 */
export function relevance(texture: Texture, options: RelevanceOptions): Float64Array {
  const caller = 'relevance'
  const known = ['regions', 'query', 'balance', 'spread', 'fixation', 'eccentricity', 'base']
  checkOptions(caller, options, known)
  const { regions, query, spread, fixation, eccentricity, base } = options
  const grid = checkTexture(caller, texture)
  const to = checkWindow(caller, 'regions', regions)
  const balance = checkNumber(caller, 'balance', options.balance ?? (query === undefined ? 0 : 0.5), 0, 1)
  if (query === undefined && (balance > 0 || spread !== undefined)) {
    const text = `${caller}: balance and spread are about a query, and there is none`
    throw new MropeTypeError('ERR_MROPE_ARGUMENT', text, query)
  }
  const standsOut = byLargest(regrid(salience(texture, { fixation, eccentricity, base }), grid, to))
  if (query === undefined) return standsOut
  const asked = byLargest(regrid(cellCoupling(caller, query, grid, spread), grid, to))
  return standsOut.map((value, i) => (1 - balance) * value + balance * asked[i])
}

function cellCoupling(
  caller: string,
  query: NonNullable<RelevanceOptions['query']>,
  grid: readonly [number, number],
  spread: number | undefined,
): Float32Array {
  if (!(query instanceof Float32Array)) return coupling(query, grid, { spread })
  if (spread !== undefined) {
    const text = `${caller}: spread is for a query that is a place, got ${show(spread)}`
    throw new MropeRangeError('ERR_MROPE_ARGUMENT', text, spread)
  }
  return Float32Array.from(checkScores(caller, 'query', query, grid[0] * grid[1], 'cells'))
}

function byLargest(values: Float64Array): Float64Array {
  const largest = values.reduce((a, b) => Math.max(a, b), 0)
  return largest === 0 ? values : values.map((value) => value / largest)
}
