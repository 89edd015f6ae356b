import { type Allocation, axisMap } from '../allocations/allocation.js'
import type { Verified } from '../encodings/encoding.js'
import { MropeRangeError, MropeTypeError, show } from '../errors.js'
import { Positions } from '../layouts/positions.js'
import { buildTable } from '../rotary/build-table.js'
import { checkOptions } from '../tensors/check.js'
import { checkAxes, checkNumber, parameters } from '../tensors/parameters.js'
import { checkSeed, gaussians } from '../tensors/random.js'
import type { Tensor } from '../tensors/tensor.js'
import { AbsoluteEmbedding, checkDim } from './embedding.js'

// Sines and cosines of the angles of the one formula, laid out as channels:
//
//   interleaved     s c s c s c …          all pairs in order
//   halves          s s s … c c c …        all sines, then all cosines
//   halves by axis  s s … c c … | s s …    the same, axis after axis

type Layout = 'interleaved' | 'halves' | 'halves by axis'

interface AngleInit {
  readonly name: string
  readonly axes: readonly string[]
  readonly invFreq: Float64Array
  readonly allocation: Allocation
  readonly layout: Layout
  /** Ids are mapped to `stretch · id + shift` first. */
  readonly stretch?: number
  readonly shift?: number
  readonly formula: string
  readonly parameters: Readonly<Record<string, unknown>>
  readonly source: string
  readonly verified: Verified
}

class AngleEmbedding extends AbsoluteEmbedding {
  readonly #init: AngleInit

  constructor(init: AngleInit) {
    const { name, axes, formula, source, verified } = init
    super({ name, dim: 2 * init.invFreq.length, axes, formula, parameters: init.parameters, source, verified })
    this.#init = init
  }

  protected override write(ids: readonly Float64Array[], to: Float32Array): void {
    const { invFreq, allocation, layout, stretch = 1, shift = 0 } = this.#init
    const lists = ids.map((list) => list.map((id) => stretch * id + shift))
    const positions = Positions.from({ axes: this.axes, ids: lists })
    const options = { invFreq, attentionFactor: 1, allocation, pairing: 'adjacent' } as const
    const { cos, sin } = buildTable(positions, options)
    const pairs = invFreq.length
    const group = layout === 'halves by axis' ? pairs / this.axes.length : pairs
    for (let f = 0; f < pairs; f++) {
      const start = 2 * (f - (f % group)) + (f % group)
      const [sineAt, cosineAt] = layout === 'interleaved' ? [2 * f, 2 * f + 1] : [start, start + group]
      for (let n = 0; n < positions.length; n++) {
        to[n * 2 * pairs + sineAt] = sin[n * pairs + f]
        to[n * 2 * pairs + cosineAt] = cos[n * pairs + f]
      }
    }
  }
}

const orders = {
  interleaved: {
    layout: 'interleaved',
    closed: false,
    formula: 'sin, cos in turn; base^(−2i/d)',
    source: 'Attention Is All You Need, arXiv 1706.03762',
  },
  whisper: {
    layout: 'halves',
    closed: true,
    formula: 'sines, then cosines; base^(−i/(d/2 − 1))',
    source: 'tensor2tensor; transformers 5.18 whisper/modeling_whisper.py sinusoids',
  },
  'transformer-xl': {
    layout: 'halves',
    closed: false,
    formula: 'sines, then cosines; base^(−2i/d)',
    source: 'Transformer-XL, arXiv 1901.02860; transformers 5.18 xlnet/modeling_xlnet.py positional_embedding',
  },
} as const

export type SinusoidalOrder = keyof typeof orders

export interface SinusoidalOptions {
  readonly dim: number
  readonly order: SinusoidalOrder
  /** Default 10000. */
  readonly base?: number
}

/**
 * Sines and cosines of one running id.
 * @throws MropeTypeError, MropeRangeError ERR_MROPE_ARGUMENT
 */
export function sinusoidal(options: SinusoidalOptions): AbsoluteEmbedding {
  const caller = 'embeddings.sinusoidal'
  checkOptions(caller, options, ['dim', 'order', 'base'])
  const { layout, closed, formula, source } = pick(caller, 'order', options.order, orders)
  const dim = checkDim(caller, options.dim, closed ? 4 : 2)
  const base = checkBase(caller, options.base ?? 10000)
  return new AngleEmbedding({
    name: `sinusoidal (${options.order})`,
    axes: ['n'],
    invFreq: frequencies(dim / 2, base, closed ? dim / 2 - 1 : dim / 2),
    allocation: axisMap('single', 1, new Int8Array(dim / 2)),
    layout,
    formula,
    parameters: { order: options.order, base },
    source,
    verified: 'run',
  })
}

const grids = {
  detr: {
    layout: 'interleaved',
    source: 'DETR and SAM PositionEmbeddingSine; transformers 5.18 detr/modeling_detr.py',
  },
  timm: { layout: 'halves', source: 'timm 1.0.29 build_sincos2d_pos_embed' },
  'timm-interleaved': { layout: 'halves by axis', source: 'timm 1.0.29 build_sincos2d_pos_embed, interleave_sin_cos' },
} as const

export type SinusoidalGridOrder = keyof typeof grids

export interface SinusoidalGridOptions {
  /** A multiple of two for each axis. */
  readonly dim: number
  /** `detr`: sin, cos in turn. `timm`: all sines, all cosines. `timm-interleaved`: the same axis by axis. */
  readonly order: SinusoidalGridOrder
  /** In the order of their channels. Default h, w. */
  readonly axes?: readonly string[]
  /** Default 10000. */
  readonly base?: number
}

/**
 * Sines and cosines of several axes, an equal share of the channels for each. DETR and SAM take ids normed to 2π, see
 * `gridPositions`.
 * @throws MropeTypeError, MropeRangeError ERR_MROPE_ARGUMENT
 */
export function sinusoidalGrid(options: SinusoidalGridOptions): AbsoluteEmbedding {
  const caller = 'embeddings.sinusoidalGrid'
  checkOptions(caller, options, ['dim', 'order', 'axes', 'base'])
  const { layout, source } = pick(caller, 'order', options.order, grids)
  const axes = checkAxes(caller, options.axes ?? ['h', 'w'])
  const dim = checkDim(caller, options.dim, 2 * axes.length)
  const base = checkBase(caller, options.base ?? 10000)
  const each = dim / 2 / axes.length
  const one = frequencies(each, base, each)
  return new AngleEmbedding({
    name: `sinusoidal grid (${options.order})`,
    axes,
    invFreq: Float64Array.from({ length: dim / 2 }, (_, f) => one[f % each]),
    allocation: axisMap(
      'chunked',
      axes.length,
      Array.from({ length: dim / 2 }, (_, f) => Math.floor(f / each)),
    ),
    layout,
    formula: `${axes.join(', ')} one after the other, base^(−2i/(d/${axes.length}))`,
    parameters: { order: options.order, base },
    source,
    verified: 'run',
  })
}

export interface RandomFourierOptions {
  /** The Gaussian matrix of a checkpoint, `(axes, dim/2)`. Otherwise `dim` and `seed`. */
  readonly matrix?: Tensor
  readonly dim?: number
  readonly seed?: number
  /** Standard deviation of the matrix that is drawn. Default 1. */
  readonly scale?: number
  /** In the order of the rows of the matrix. Default w, h, as SAM has them. */
  readonly axes?: readonly string[]
}

/**
 * Random Fourier features `2π · (2x − 1) · G`, sines then cosines; ids are parts of the side, from 0 to 1.
 * Source: segment-anything `PositionEmbeddingRandom`.
 * @throws MropeTypeError ERR_MROPE_ARGUMENT, MropeRangeError ERR_MROPE_ARGUMENT | ERR_MROPE_SHAPE
 */
export function randomFourier(options: RandomFourierOptions): AbsoluteEmbedding {
  const caller = 'embeddings.randomFourier'
  checkOptions(caller, options, ['matrix', 'dim', 'seed', 'scale', 'axes'])
  const axes = checkAxes(caller, options.axes ?? ['w', 'h'])
  const { matrix, seed = 0, scale = 1 } = options
  const spread = checkNumber(caller, 'scale', scale, 0)
  if (matrix !== undefined && (options.dim ?? options.seed ?? options.scale) !== undefined) {
    const text = `${caller}: matrix and dim, seed, scale exclude each other`
    throw new MropeTypeError('ERR_MROPE_ARGUMENT', text, matrix)
  }
  const pairs = matrix === undefined ? checkDim(caller, options.dim, 2) / 2 : (matrix?.dims?.[1] ?? 0)
  const rows =
    matrix === undefined
      ? gaussians(axes.length * pairs, checkSeed(caller, seed)).map((x) => spread * x)
      : parameters(caller, 'matrix', matrix, [axes.length, undefined])
  checkDim(caller, 2 * pairs, 2)
  const directions = Float64Array.from({ length: pairs * axes.length }, (_, n) => {
    return rows[(n % axes.length) * pairs + Math.floor(n / axes.length)]
  })
  return new AngleEmbedding({
    name: 'random Fourier',
    axes,
    invFreq: new Float64Array(pairs).fill(2 * Math.PI),
    allocation: { ...axisMap('random', axes.length, new Int8Array(pairs)), directions },
    layout: 'halves',
    stretch: 2,
    shift: -1,
    formula: '[sin | cos] of 2π · (2x − 1) · G',
    parameters: matrix === undefined ? { seed, scale } : { matrix: 'given' },
    source: 'segment-anything PositionEmbeddingRandom; transformers 5.18 sam/modeling_sam.py SamPositionalEmbedding',
    verified: 'run',
  })
}

function frequencies(count: number, base: number, steps: number): Float64Array {
  return Float64Array.from({ length: count }, (_, i) => base ** (-i / steps))
}

function pick<T>(caller: string, name: string, key: unknown, from: Readonly<Record<string, T>>): T {
  if (typeof key === 'string' && Object.hasOwn(from, key)) return from[key]
  const text = `${caller}: ${name} must be one of ${Object.keys(from).join(', ')}, got ${show(key)}`
  throw new MropeTypeError('ERR_MROPE_ARGUMENT', text, key)
}

function checkBase(caller: string, base: unknown): number {
  if (typeof base === 'number' && Number.isFinite(base) && base > 0) return base
  const text = `${caller}: base must be a positive number, got ${show(base)}`
  throw new MropeRangeError('ERR_MROPE_ARGUMENT', text, base)
}
