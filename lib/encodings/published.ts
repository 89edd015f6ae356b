import type { Allocation } from '../allocations/allocation.js'
import { MropeRangeError } from '../errors.js'
import type { Layout } from '../layouts/layout.js'
import type { Pairing } from '../rotary/table.js'
import { spectra } from '../spectra/index.js'
import type { Spectrum } from '../spectra/spectrum.js'
import { checkOptions } from '../tensors/check.js'
import { readCompat } from './compat.js'
import { Encoding, type Verified } from './encoding.js'

/** What every scheme of a paper takes; what is its own comes beside it. */
export interface PublishedOptions {
  readonly headDim?: number
  /** `rope_theta`. */
  readonly base?: number
  /** Pairs of each axis in the order of the scheme; KV heads for MHRoPE. */
  readonly sections?: readonly number[]
  /** That of the language model which the scheme is put into. */
  readonly pairing?: Pairing
  /** Releases do not differ in these; only `coherent` is known. */
  readonly compat?: string
}

/** The numbers of one encoding, given or by default. */
export interface Numbers<Own> {
  readonly own: Own
  readonly base: number
  readonly headDim: number
  readonly pairs: number
  readonly sections: readonly number[]
}

/** A scheme of a paper as data: a new one is a row. */
export interface Published<Own extends object> {
  readonly headDim: number
  readonly base: number
  /** Whose base that is, where the scheme has none of its own. */
  readonly host?: string
  readonly pairing: Pairing
  readonly sections?: readonly number[]
  /** Options of its own, with their defaults. */
  readonly own: Own
  readonly layout: (own: Own) => Layout
  readonly allocation: (numbers: Numbers<Own>) => Allocation
  /** Default: plain RoPE over the whole head. */
  readonly spectrum?: (numbers: Numbers<Own>, allocation: Allocation) => Spectrum
  readonly source: string
  readonly verified: Verified
  /** What a user should know before relying on it. */
  readonly warnings?: readonly string[]
}

const common = ['headDim', 'base', 'sections', 'pairing', 'compat']

/**
 * The function that makes encodings of a row.
 * @throws MropeTypeError ERR_MROPE_ARGUMENT for options that nobody reads; MropeRangeError ERR_MROPE_CONFIG,
 *   ERR_MROPE_SECTIONS, ERR_MROPE_HEADS for numbers that do not fit, ERR_MROPE_COMPAT for rules of releases
 */
export function published<Own extends object>(
  name: string,
  row: Published<Own>,
): (options?: PublishedOptions & Partial<Own>) => Encoding {
  return (options = {}) => {
    checkOptions(`encodings: ${name}`, options, [...common, ...Object.keys(row.own)])
    const compat = readCompat(options.compat)
    if (compat !== 'coherent') {
      throw new MropeRangeError('ERR_MROPE_COMPAT', `${name} has no known rule of ${compat}`, compat)
    }
    const own = withGiven(row.own, options)
    const { headDim, base, pairing, sections } = withGiven(
      { headDim: row.headDim, base: row.base, pairing: row.pairing, sections: row.sections ?? [] },
      options,
    )
    const numbers = { own, base, headDim, pairs: headDim / 2, sections }
    const allocation = row.allocation(numbers)
    return new Encoding({
      name,
      headDim,
      layout: row.layout(own),
      spectrum: row.spectrum?.(numbers, allocation) ?? spectra.default({ base, dim: headDim }),
      allocation,
      pairing,
      source: row.source,
      verified: row.verified,
      warnings: warningsOf(row, numbers, allocation, options.base !== undefined),
    })
  }
}

/** The defaults with those of their keys that were given. */
function withGiven<T extends object>(defaults: T, options: Partial<T>): T {
  const given = (Object.keys(defaults) as (keyof T)[]).filter((key) => options[key] !== undefined)
  return { ...defaults, ...(Object.fromEntries(given.map((key) => [key, options[key]])) as Partial<T>) }
}

function warningsOf<Own extends object>(
  { host, warnings = [] }: Published<Own>,
  { base, sections }: Numbers<Own>,
  { name, axisOf }: Allocation,
  hasBase: boolean,
): string[] {
  const turned = sections.map((_, axis) => axisOf.filter((a) => a === axis).length)
  return [
    ...warnings,
    ...(host && !hasBase ? [`base is not given; ${base}, that of ${host}, is used`] : []),
    // The rule of Qwen3-VL reads two sections and can give an axis fewer pairs than it asks for.
    ...(name === 'interleaved' && turned.join() !== sections.join()
      ? [`sections [${sections}] give ${turned.join(', ')} pairs`]
      : []),
  ]
}
