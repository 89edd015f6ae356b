import type { Allocation } from '../../allocations/allocation.js'
import { allocations } from '../../allocations/index.js'
import { MropeTypeError, show } from '../../errors.js'
import type { Pairing } from '../../rotary/table.js'
import type { Grid } from '../../sequence/segment.js'
import { type Spectrum, spectrum } from '../../spectra/spectrum.js'
import { checkOptions } from '../../tensors/check.js'
import { checkSeed, uniforms } from '../../tensors/random.js'
import { Encoding, type Verified } from '../encoding.js'
import { type Coordinate, type CoordinateRule, checkCoordinate } from './coordinates.js'
import { checkHeadDim, chunkedAxes, geometricRange, numbers, positive } from './frequencies.js'
import { cellLayout, type SideIds, sidesOf } from './layout.js'

interface Tower {
  readonly name: string
  readonly headDim: number
  /** `h`, `w` or the other way round: the order of the directions and of the runs of channels. */
  readonly axes: readonly ('h' | 'w')[]
  readonly coordinates: CoordinateRule
  /** Maps the coordinates of an axis further, by the grid: seeded augmentation. */
  readonly augment?: (ids: ArrayLike<number>, axis: 'h' | 'w') => ArrayLike<number>
  readonly spectrum: Spectrum
  readonly allocation: Allocation
  readonly pairing: Pairing
  readonly source: string
  readonly verified: Verified
  readonly warnings?: readonly string[]
  readonly rules?: Readonly<Record<string, unknown>>
}

/** An encoding of image patches. Text segments are class and register tokens: they are not turned. Frames are alike. */
export function tower({ axes, coordinates, augment = (ids) => ids, rules, ...rest }: Tower): Encoding {
  const sides = sidesOf(axes, coordinates)
  const block = (grid: Grid): readonly SideIds[] =>
    sides(grid).map((ids, a) => (typeof ids === 'number' ? ids : { ...ids, ids: augment(ids.ids, axes[a]) }))
  const layout = cellLayout({ name: 'patches', axes, rules: { ...coordinates, ...rules }, block })
  return new Encoding({ ...rest, layout })
}

/** Which axis comes first: `xy` columns, `ij` rows. */
type Indexing = 'xy' | 'ij'

/** @throws MropeTypeError ERR_MROPE_ARGUMENT */
export function axesOf(caller: string, indexing: unknown): readonly ('h' | 'w')[] {
  if (indexing === 'xy') return ['w', 'h']
  if (indexing === 'ij') return ['h', 'w']
  const text = `${caller}: indexing must be 'xy' or 'ij', got ${show(indexing)}`
  throw new MropeTypeError('ERR_MROPE_ARGUMENT', text, indexing)
}

export interface AxialOptions {
  readonly headDim: number
  /** Default 100 for rope-vit, 10000 for SAM 2. */
  readonly base?: number
  /** Default raw indices, also at another resolution. */
  readonly coordinates?: CoordinateRule | Coordinate
}

function axial(name: string, base: number, source: string, verified: Verified, options: AxialOptions): Encoding {
  const caller = `visionEncodings.${name}`
  checkOptions(caller, options, ['headDim', 'base', 'coordinates'])
  const headDim = checkHeadDim(caller, options.headDim, 4)
  const theta = positive(caller, 'base', options.base ?? base)
  return tower({
    name,
    headDim,
    axes: ['w', 'h'],
    coordinates: checkCoordinate(caller, options.coordinates ?? 'index'),
    ...chunkedAxes(caller, [headDim / 2, headDim / 2], [theta, theta]),
    pairing: 'adjacent',
    source,
    verified,
  })
}

/** rope-vit, axial: columns turn the first half of the pairs, rows the second. `compute_axial_cis`. */
export const ropeVitAxial = (options: AxialOptions): Encoding =>
  axial('ropeVitAxial', 100, 'naver-ai/rope-vit ce85c2e deit/models_v2_rope.py compute_axial_cis', 'source', options)

/**
 * SAM 2. The frames of a video are alike, so keys of several memory frames repeat the angles of one
 * (`rope_k_repeat`), and text segments stand for the object pointers at the end, which are not turned
 * (`num_k_exclude_rope`). The grid is given, never guessed from the number of tokens, so it need not be square.
 */
export const sam2 = (options: AxialOptions): Encoding =>
  axial('sam2', 1e4, 'facebookresearch/sam2 2b90b9f position_encoding.py; transformers 5.18 sam2_video', 'run', options)

const normings = ['separate', 'max', 'min'] as const

export interface Augmentation {
  readonly seed: number
  /** Adds up to ± this to each axis. */
  readonly shift?: number
  /** Multiplies each axis by up to this, or its inverse. */
  readonly jitter?: number
  /** Multiplies both axes by up to this, or its inverse. */
  readonly rescale?: number
}

export interface Dinov3Options {
  readonly headDim: number
  /** Base of the periods. Default 100. Not with `periods`. */
  readonly base?: number
  /** First and last period instead of a base. */
  readonly periods?: readonly [min: number, max: number]
  /** The side that coordinates are normed by: the own one, the longer or the shorter. Default `separate`. */
  readonly coordinates?: (typeof normings)[number]
  /** In training only. The same seed gives the same coordinates. */
  readonly augment?: Augmentation
  /** timm has it also as `adjacent`. Default `half-split`. */
  readonly pairing?: Pairing
}

/** DINOv3: half-pixel coordinates in −1 … 1, `angle = 2π · coordinate / period`. `RopePositionEmbedding`. */
export function dinov3(options: Dinov3Options): Encoding {
  const caller = 'visionEncodings.dinov3'
  checkOptions(caller, options, ['headDim', 'base', 'periods', 'coordinates', 'augment', 'pairing'])
  const headDim = checkHeadDim(caller, options.headDim, 4)
  const { coordinates = 'separate', augment, periods } = options
  if (!normings.includes(coordinates)) {
    const text = `${caller}: coordinates must be one of ${normings.join(', ')}, got ${show(coordinates)}`
    throw new MropeTypeError('ERR_MROPE_ARGUMENT', text, coordinates)
  }
  if (periods !== undefined && options.base !== undefined) {
    const text = `${caller}: base and periods exclude each other`
    throw new MropeTypeError('ERR_MROPE_ARGUMENT', text, periods)
  }
  const count = headDim / 4
  const base = positive(caller, 'base', options.base ?? 100)
  const [min, max] = periods === undefined ? [] : numbers(caller, 'periods', periods, 2)
  const one =
    periods === undefined
      ? Float64Array.from({ length: count }, (_, i) => base ** ((4 * i) / headDim))
      : geometricRange(positive(caller, 'periods[0]', min), positive(caller, 'periods[1]', max), count)
  const invFreq = Float64Array.from({ length: 2 * count }, (_, f) => (2 * Math.PI) / one[f % count])
  const factors = augmentation(caller, augment)
  return tower({
    name: 'dinov3',
    headDim,
    axes: ['h', 'w'],
    coordinates: { by: coordinates },
    augment: (ids, axis) => Float64Array.from(ids, (x) => (x + factors[axis].shift) * factors[axis].factor),
    spectrum: spectrum('periods', invFreq, periods === undefined ? { base } : { periods: [min, max] }),
    allocation: allocations.axial(2 * count),
    pairing: options.pairing ?? 'half-split',
    source: 'facebookresearch/dinov3 6876159 layers/rope_position_encoding.py; timm 1.0.29 RotaryEmbeddingDinoV3',
    verified: 'run',
    warnings: augment === undefined ? [] : ['coordinates are augmented, as in training'],
    rules: augment === undefined ? {} : { augment },
  })
}

/** `(x + shift) · factor` of each axis: shift and jitter by axis, the rescaling shared, in the order of the source. */
function augmentation(caller: string, augment: Augmentation | undefined) {
  const none = { shift: 0, factor: 1 }
  if (augment === undefined) return { h: none, w: none }
  checkOptions(`${caller}: augment`, augment, ['seed', 'shift', 'jitter', 'rescale'])
  const next = uniforms(checkSeed(caller, augment.seed))
  const between = (limit: number): number => (2 * next() - 1) * limit
  const factor = (name: 'jitter' | 'rescale', count: number): number[] => {
    const limit = Math.log(positive(caller, name, augment[name] ?? 1))
    return Array.from({ length: count }, () => Math.exp(between(limit)))
  }
  const limit = augment.shift ?? 0
  if (limit !== 0) positive(caller, 'shift', limit)
  const [down, across] = [between(limit), between(limit)]
  const [jitterH, jitterW] = factor('jitter', 2)
  const [rescale] = factor('rescale', 1)
  return {
    h: { shift: down, factor: jitterH * rescale },
    w: { shift: across, factor: jitterW * rescale },
  }
}

export interface TimmOptions {
  readonly headDim: number
  /**
   * True: coordinates from −1 to 1 and bands up to `maxRes`/2 waves. False (EVA-02): indices and a base. Default
   * false.
   */
  readonly inPixels?: boolean
  /** `temperature`, without `inPixels`. Default 10000. */
  readonly base?: number
  /** With `inPixels`. Default 224. */
  readonly maxRes?: number
  /** With `inPixels`: bands by equal steps, not by equal factors. Default false. */
  readonly linearBands?: boolean
  /** `ref_feat_shape`: rows and columns of the pre-training. */
  readonly trained?: readonly [rows: number, columns: number]
  /** `grid_offset`, without `inPixels`. */
  readonly offset?: number
  /** `grid_indexing`: `ij` rows first, `xy` columns first (Perception Encoder). Default `ij`. */
  readonly indexing?: Indexing
}

/** timm `RotaryEmbeddingCat`: EVA-02 and others. Not in pixels, an index is `(i + offset) / rows · trained rows`. */
export function timm(options: TimmOptions): Encoding {
  const caller = 'visionEncodings.timm'
  const { inPixels = false, linearBands = false, trained, offset, indexing = 'ij' } = options ?? {}
  const own = inPixels ? ['maxRes', 'linearBands'] : ['base', 'offset']
  checkOptions(caller, options, ['headDim', 'inPixels', 'trained', 'indexing', ...own])
  const headDim = checkHeadDim(caller, options.headDim, 4)
  const count = headDim / 4
  const top = positive(caller, 'maxRes', options.maxRes ?? 224) / 2
  const base = positive(caller, 'base', options.base ?? 10000)
  const bands = !inPixels
    ? Float64Array.from({ length: count }, (_, i) => base ** (-i / count))
    : (linearBands ? linear(1, top, count) : geometricRange(1, top, count)).map((x) => x * Math.PI)
  return tower({
    name: 'timm',
    headDim,
    axes: axesOf(caller, indexing),
    coordinates: checkCoordinate(caller, {
      by: inPixels ? 'corners' : 'index',
      ...(trained && { trained }),
      ...(offset !== undefined && { offset }),
    }),
    spectrum: spectrum('bands', Float64Array.from([...bands, ...bands]), inPixels ? { maxRes: 2 * top } : { base }),
    allocation: allocations.axial(2 * count),
    pairing: 'adjacent',
    source: 'timm 1.0.29 pos_embed_sincos.py RotaryEmbeddingCat',
    verified: 'run',
  })
}

function linear(first: number, last: number, count: number): Float64Array {
  return Float64Array.from({ length: count }, (_, i) => first + (count === 1 ? 0 : ((last - first) * i) / (count - 1)))
}
