import { axisMap } from '../../allocations/allocation.js'
import { MropeRangeError, MropeTypeError, show } from '../../errors.js'
import { spectrum } from '../../spectra/spectrum.js'
import { checkCount, checkOptions } from '../../tensors/check.js'
import { checkAxes, checkHeads, parameters } from '../../tensors/parameters.js'
import { checkSeed, uniforms } from '../../tensors/random.js'
import type { Tensor } from '../../tensors/tensor.js'
import { Encoding } from '../encoding.js'
import { type Coordinate, type CoordinateRule, checkCoordinate } from './coordinates.js'
import { dense, goldenDirections, uniformDirections } from './directions.js'
import { checkHeadDim, positive, rangeSpectrum } from './frequencies.js'
import { cellLayout, sidesOf } from './layout.js'
import { axesOf, tower } from './towers.js'

export interface MixedOptions {
  /**
   * Learned directions: `(2, depth, heads·headDim/2)` as rope-vit stores them, `(2, depth, heads, headDim/2)` as timm
   * does, or those of one layer without `depth`. Otherwise `headDim`, `heads` and `seed`.
   */
  readonly freqs?: Tensor
  /** Which layer of `freqs`. */
  readonly layer?: number
  readonly heads: number
  readonly headDim?: number
  /** Of what is drawn where nothing is learned: default 10. */
  readonly base?: number
  readonly seed?: number
  /** The first row of `freqs` is for columns (`xy`, rope-vit; the default) or for rows (`ij`, timm's default). */
  readonly indexing?: 'xy' | 'ij'
}

/** rope-vit, mixed, also in timm: every pair of every head turns along a line of its own. `compute_mixed_cis`. */
export function ropeVitMixed(options: MixedOptions): Encoding {
  const caller = 'visionEncodings.ropeVitMixed'
  const own = options?.freqs === undefined ? ['headDim', 'base', 'seed'] : ['freqs', 'layer']
  checkOptions(caller, options, ['heads', 'indexing', ...own])
  const heads = checkHeads(caller, options.heads)
  const { values, pairs } = options.freqs === undefined ? drawn(caller, heads, options) : loaded(caller, heads, options)
  return tower({
    name: 'ropeVitMixed',
    headDim: 2 * pairs,
    axes: axesOf(caller, options.indexing ?? 'xy'),
    coordinates: { by: 'index' },
    spectrum: spectrum('mixed', new Float64Array(pairs).fill(1), options.freqs === undefined ? {} : { learned: true }),
    allocation: dense('mixed', heads, pairs, 2, (head, f, axis) => values[(axis * heads + head) * pairs + f]),
    pairing: 'adjacent',
    source: 'naver-ai/rope-vit ce85c2e models_v2_rope.py compute_mixed_cis; timm 1.0.29 RotaryEmbeddingMixed',
    verified: 'run',
  })
}

/** `(2, heads, pairs)` of one layer. */
function loaded(caller: string, heads: number, { freqs, layer = 0 }: MixedOptions) {
  const dims = freqs?.dims ?? []
  const four = dims.length === 4
  const all = parameters(
    caller,
    'freqs',
    freqs as Tensor,
    four ? [2, undefined, heads, undefined] : [2, undefined, undefined],
  )
  const [, depth, width] = four ? [2, dims[1], heads * dims[3]] : dims
  if (width < 1 || width % heads !== 0) {
    const text = `${caller}: the directions must be (2, depth, heads · pairs) for ${heads} heads, freqs.dims = ${show(dims)}`
    throw new MropeRangeError('ERR_MROPE_SHAPE', text, dims)
  }
  if (checkCount(caller, 'layer', layer) >= depth) {
    throw new MropeRangeError('ERR_MROPE_ARGUMENT', `${caller}: layer ${layer} of ${depth}`, layer)
  }
  const values = Float64Array.from({ length: 2 * width }, (_, n) => {
    return all[(Math.floor(n / width) * depth + layer) * width + (n % width)]
  })
  return { values, pairs: width / heads }
}

/** As the source starts: one random angle for each head, the second half of the pairs at a right angle to the first. */
function drawn(caller: string, heads: number, { headDim, base = 10, seed = 0 }: MixedOptions) {
  const half = checkHeadDim(caller, headDim, 4) / 4
  const theta = positive(caller, 'base', base)
  const next = uniforms(checkSeed(caller, seed))
  const turns = Array.from({ length: heads }, () => 2 * Math.PI * next())
  const pairs = 2 * half
  const values = Float64Array.from({ length: 2 * heads * pairs }, (_, n) => {
    const f = n % pairs
    const angle = turns[Math.floor(n / pairs) % heads] + (f < half ? 0 : Math.PI / 2)
    const size = theta ** (-(f % half) / half)
    return size * (n < heads * pairs ? Math.cos(angle) : Math.sin(angle))
  })
  return { values, pairs }
}

export interface LinesOptions {
  readonly headDim: number
  readonly heads: number
  /** Lowest and highest frequency. Default 0.2 and 20. */
  readonly min?: number
  readonly max?: number
  /** Share of the pairs that do not turn; they come first. Default 0. */
  readonly zeroShare?: number
}

export interface GoldenGateOptions extends LinesOptions {
  /** Default `aspect`: squares stay squares. `corners` is −1 … 1 on both axes. */
  readonly coordinates?: CoordinateRule | Coordinate
}

const lineOptions = ['headDim', 'heads', 'min', 'max', 'zeroShare']
const blog = 'jerryxio.ng/posts/nd-rope, from copies of its code; its own repository was not found'

/** Golden Gate: directions by the golden angle, frequencies ascending. Axes are columns, rows. */
export function goldenGate(options: GoldenGateOptions): Encoding {
  const caller = 'visionEncodings.goldenGate'
  checkOptions(caller, options, [...lineOptions, 'coordinates'])
  const { headDim, heads, spectrum } = lines(caller, options)
  return tower({
    name: 'goldenGate',
    headDim,
    axes: ['w', 'h'],
    coordinates: checkCoordinate(caller, options.coordinates ?? 'aspect'),
    spectrum,
    allocation: goldenDirections(heads, headDim / 2),
    pairing: 'half-split',
    source: blog,
    verified: 'source',
  })
}

function lines(caller: string, { min = 0.2, max = 20, zeroShare = 0, ...sizes }: LinesOptions) {
  const headDim = checkHeadDim(caller, sizes.headDim, 2)
  const heads = checkHeads(caller, sizes.heads)
  return { headDim, heads, spectrum: rangeSpectrum(caller, headDim / 2, { min, max, zeroShare }) }
}

export interface NdOptions extends LinesOptions {
  /** Names, up to eight. t, h and w are those of a block; others are 0 there and are given as `Positions.from`. */
  readonly axes: readonly string[]
  /** `uniform` over the sphere, or pair f along axis f mod N. Default `uniform`. */
  readonly directions?: 'uniform' | 'axial'
  /** Of t, h and w: default raw indices. */
  readonly coordinates?: CoordinateRule | Coordinate
}

/** Any number of axes: directions evenly over the sphere, or axes in turn. */
export function nd(options: NdOptions): Encoding {
  const caller = 'visionEncodings.nd'
  checkOptions(caller, options, [...lineOptions, 'axes', 'directions', 'coordinates'])
  const { headDim, heads, spectrum } = lines(caller, options)
  const { axes, directions = 'uniform' } = options
  if (directions !== 'uniform' && directions !== 'axial') {
    const text = `${caller}: directions must be 'uniform' or 'axial', got ${show(directions)}`
    throw new MropeTypeError('ERR_MROPE_ARGUMENT', text, directions)
  }
  const coordinates = checkCoordinate(caller, options.coordinates ?? 'index')
  const names = checkAxes(caller, axes)
  const layout = cellLayout({
    name: 'patches',
    axes: names,
    rules: { ...coordinates },
    block: sidesOf(names, coordinates),
  })
  const pairs = headDim / 2
  const inTurn = axisMap(
    'in-turn',
    axes.length,
    Array.from({ length: pairs }, (_, f) => f % axes.length),
  )
  return new Encoding({
    name: 'nd',
    headDim,
    layout,
    spectrum,
    allocation: directions === 'axial' ? inTurn : uniformDirections(heads, pairs, axes.length),
    pairing: 'half-split',
    source: blog,
    verified: 'source',
  })
}
