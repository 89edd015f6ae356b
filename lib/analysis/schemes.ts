import type { Allocation } from '../allocations/allocation.js'
import { allocations } from '../allocations/index.js'
import { Encoding } from '../encodings/encoding.js'
import { familyLayout } from '../encodings/family-layouts.js'
import { encodings } from '../encodings/named.js'
import { MropeError } from '../errors.js'
import { layouts } from '../layouts/index.js'
import type { Layout } from '../layouts/layout.js'

/** One way to place and turn the tokens of a prompt. */
export interface Scheme {
  readonly name: string
  /** The model itself, the model by the rules of a release, a published encoding or a layout of the registries. */
  readonly kind: 'model' | 'release' | 'published' | 'layout'
  readonly encoding: Encoding
}

/** M-RoPE as transformers 5.x places it, which every comparison has: text may stand inside of a long video there. */
const release = 'transformers@5.18'

/**
 * The model first, then the same model by the rules of other releases, then the registries: every named encoding and
 * every layout with its defaults. All have the spectrum and the pairing of the model: only positions and axes differ.
 */
export function schemesOf(model: Encoding, releases: readonly Encoding[], kvHeads: number): Scheme[] {
  const numbers = { axes: 3, tokensPerSecond: 2, positionIdPerSeconds: 25, secondsPerChunk: 2 }
  const asReleased = familyLayout('mrope', numbers, release, 'qwen2_vl')
  const scheme = (kind: Scheme['kind'], name: string, layout: Layout, wanted?: Allocation): Scheme[] => {
    const allocation = suitable(model, layout, kvHeads, wanted)
    return allocation ? [{ name, kind, encoding: withParts(model, name, layout, allocation) }] : []
  }
  return [
    { name: model.name, kind: 'model', encoding: model },
    ...releases.map(
      (encoding): Scheme => ({ name: `${model.name} under ${encoding.compat}`, kind: 'release', encoding }),
    ),
    ...scheme('release', `mrope under ${release}`, asReleased),
    ...Object.entries(encodings).flatMap(([name, make]) => {
      const found = attempt(make as () => Encoding)
      return found ? scheme('published', name, found.layout, found.allocation) : []
    }),
    ...Object.entries(layouts).flatMap(([name, make]) => {
      const layout = attempt(make as () => Layout)
      return layout ? scheme('layout', name, layout) : []
    }),
  ]
}

/** What the scheme is published with, or else what the model has, with as many pairs as the model. */
function suitable(model: Encoding, { axes }: Layout, kvHeads: number, wanted?: Allocation): Allocation | undefined {
  const { allocation, axes: own } = model
  const ofModel = axes.join() === own.join() ? allocation : undefined
  if (!wanted && ofModel) return ofModel
  if (wanted?.pairs === allocation.pairs && (wanted.heads === 1 || wanted.heads === kvHeads)) return wanted
  const fitting = fittingAllocations(model, axes, kvHeads)
  return (fitting.find(({ allocation: { name } }) => name === wanted?.name) ?? fitting[0])?.allocation ?? ofModel
}

/** The model with other parts; the allocation takes the frequencies in the order of the spectrum. */
export function withParts(model: Encoding, name: string, layout: Layout, allocation: Allocation): Encoding {
  const { headDim, spectrum, pairing, precision } = model
  return new Encoding({ name, headDim, layout, spectrum, allocation, pairing, precision, source: model.source })
}

interface FittingAllocation {
  readonly key: string
  readonly allocation: Allocation
}

/**
 * Every allocation of the registry that serves these axes with as many pairs as the model has. Those that name time,
 * rows and columns are for axes t, h, w only.
 */
export function fittingAllocations(model: Encoding, axes: readonly string[], kvHeads: number): FittingAllocation[] {
  const { pairs } = model.allocation
  return Object.entries(allocations).flatMap(([key, make]) => {
    const call = make as (...args: unknown[]) => Allocation
    const found = argumentsFor(key, axes, pairs, kvHeads)
      .map((args) => attempt(() => call(...args)))
      .find((allocation) => allocation?.axes === axes.length && allocation.pairs === pairs)
    return found ? [{ key, allocation: found }] : []
  })
}

/** Arguments to try, in the shapes that the registry has: sections and pairs, pairs alone, a pattern of axes. */
function argumentsFor(key: string, axes: readonly string[], pairs: number, kvHeads: number): unknown[][] {
  const n = axes.length
  const timeRowsColumns = axes.join() === 't,h,w'
  const inTurn = Array.from({ length: n }, (_, a) => a)
  switch (key) {
    case 'single':
      return n === 1 ? [[pairs]] : []
    case 'axial':
      return n === 2 ? [[pairs]] : []
    case 'chunked':
      return n === 1 ? [] : [[shares(pairs, timeRowsColumns ? [2, 3, 3] : inTurn.map(() => 1)), pairs]]
    case 'repeated':
      return n === 1 ? [] : [[timeRowsColumns ? [0, 0, 1, 2, 1, 2, 1, 2] : inTurn, pairs]]
    case 'perHead':
      return n === 1 || kvHeads < n
        ? []
        : [[shares(kvHeads, timeRowsColumns ? [2, 3, 3] : inTurn.map(() => 1)), pairs, kvHeads]]
    case 'spatialFirst':
    case 'spatialOnly':
    case 'spatialFirstPort':
    case 'spatialOnlyPort':
    case 'splitSpatial':
      return timeRowsColumns ? [[shares(pairs, [3, 3, 2], 2), pairs]] : []
    default: {
      if (timeRowsColumns) return [[shares(pairs, [24, 20, 20], 0), pairs], [pairs]]
      return axes.join() === 't,h,w,e' ? [[[...shares(pairs, [24, 20, 20], 0), 0], pairs]] : []
    }
  }
}

/** Whole numbers in these proportions; what is left over goes to one of them, the last by default. */
function shares(total: number, weights: readonly number[], rest = weights.length - 1): number[] {
  const sum = weights.reduce((a, b) => a + b, 0)
  const whole = weights.map((weight) => Math.floor((total * weight) / sum))
  whole[rest] += total - whole.reduce((a, b) => a + b, 0)
  return whole
}

/** The result, or undefined where mrope refuses the arguments. */
function attempt<T>(make: () => T): T | undefined {
  try {
    return make()
  } catch (error) {
    if (error instanceof MropeError) return undefined
    throw error
  }
}
