import { type Allocation, axisLetters, checkAllocation } from '../allocations/allocation.js'
import { MropeRangeError, MropeTypeError, show } from '../errors.js'
import type { Layout } from '../layouts/layout.js'
import type { Positions } from '../layouts/positions.js'
import { RotaryAngles } from '../rotary/angles.js'
import type { AnglePrecision } from '../rotary/build-table.js'
import type { Pairing, RotaryTable } from '../rotary/table.js'
import type { Sequence } from '../sequence/sequence.js'
import type { Spectrum } from '../spectra/spectrum.js'
import type { Compat } from './compat.js'

/** How sure the numbers are: the source was executed, only read, or could not be found. */
export type Verified = 'run' | 'source' | 'unverified'

export interface EncodingInit {
  readonly name: string
  readonly headDim: number
  readonly layout: Layout
  readonly spectrum: Spectrum
  readonly allocation: Allocation
  readonly pairing: Pairing
  /** Of the angles: float64 by default; float32 repeats the rounding of releases that keep them so. */
  readonly precision?: AnglePrecision
  readonly compat?: Compat
  readonly source?: string
  readonly verified?: Verified
  readonly warnings?: readonly string[]
}

/** What an encoding resolved to, as explicit numbers. */
export interface EncodingDescription {
  readonly name: string
  readonly axes: readonly string[]
  readonly headDim: number
  readonly rotaryDim: number
  readonly pairing: Pairing
  /** Radians a position of each pair, in the order of the pairs. */
  readonly invFreq: readonly number[]
  readonly attentionFactor: number
  /** One letter for each pair: the axis that turns it, `-` for none. */
  readonly axisOf: string
  readonly layout: { readonly name: string; readonly rules: Readonly<Record<string, unknown>> }
  readonly spectrum: { readonly name: string; readonly parameters: Readonly<Record<string, unknown>> }
  readonly allocation: { readonly name: string; readonly sections: readonly number[]; readonly heads: number }
  /** Of the angles. */
  readonly precision: AnglePrecision
  readonly compat: Compat
  readonly source: string
  readonly verified: Verified
  readonly warnings: readonly string[]
}

/**
 * Layout, spectrum, allocation and pairing of a model: everything about its rotary positions. Immutable.
 *
 *     angle(h, n, f) = inv[f] · Σ_a u[h][f][a] · P[a][n]
 */
export class Encoding {
  readonly name: string
  readonly axes: readonly string[]
  readonly headDim: number
  /** Channels that turn, from the first one on; the others are copied. */
  readonly rotaryDim: number
  readonly pairing: Pairing
  readonly layout: Layout
  readonly spectrum: Spectrum
  readonly allocation: Allocation
  /** Frequency of each pair, in the order of the pairs. */
  readonly invFreq: Float64Array
  readonly attentionFactor: number
  readonly precision: AnglePrecision
  readonly compat: Compat
  readonly source: string
  readonly verified: Verified
  readonly warnings: readonly string[]

  /** @throws MropeRangeError ERR_MROPE_CONFIG | ERR_MROPE_SECTIONS when the parts do not fit each other */
  constructor(init: EncodingInit) {
    const { headDim, layout, spectrum, allocation, pairing } = Object(init) as EncodingInit
    if (!Number.isSafeInteger(headDim) || headDim < 1 || headDim > 65536) {
      throw new MropeRangeError(
        'ERR_MROPE_CONFIG',
        `Encoding: headDim is a positive integer, got ${show(headDim)}`,
        headDim,
      )
    }
    if (pairing !== 'half-split' && pairing !== 'adjacent') {
      throw new MropeRangeError(
        'ERR_MROPE_CONFIG',
        `Encoding: pairing is half-split or adjacent, got ${show(pairing)}`,
        pairing,
      )
    }
    checkAllocation(allocation)
    if (typeof layout?.positions !== 'function' || !(spectrum?.invFreq instanceof Float64Array)) {
      const message = 'Encoding: layout is one of layouts.…(), spectrum one of spectra.…()'
      throw new MropeTypeError(
        'ERR_MROPE_ARGUMENT',
        message,
        typeof layout?.positions === 'function' ? spectrum : layout,
      )
    }
    if (layout.axes.length !== allocation.axes) {
      const message = `Encoding: the layout has axes ${layout.axes.join(', ')}, the allocation ${allocation.axes}`
      throw new MropeRangeError('ERR_MROPE_SECTIONS', message, allocation.axes)
    }
    if (spectrum.invFreq.length !== allocation.pairs) {
      const message = `Encoding: the spectrum has ${spectrum.invFreq.length} pairs, the allocation ${allocation.pairs}`
      throw new MropeRangeError('ERR_MROPE_SECTIONS', message, allocation.pairs)
    }
    if (allocation.pairs * 2 > headDim) {
      const message = `Encoding: rotary dimension ${allocation.pairs * 2} is larger than headDim ${headDim}`
      throw new MropeRangeError('ERR_MROPE_CONFIG', message, allocation.pairs * 2)
    }
    this.name = init.name
    this.axes = layout.axes
    this.headDim = headDim
    this.rotaryDim = allocation.pairs * 2
    this.pairing = pairing
    this.layout = layout
    this.spectrum = spectrum
    this.allocation = allocation
    const { frequencyOf } = allocation
    this.invFreq = frequencyOf ? Float64Array.from(frequencyOf, (f) => spectrum.invFreq[f]) : spectrum.invFreq
    this.attentionFactor = spectrum.attentionFactor
    this.precision = init.precision ?? 'float64'
    this.compat = init.compat ?? 'coherent'
    this.source = init.source ?? 'given by the caller'
    this.verified = init.verified ?? 'unverified'
    this.warnings = Object.freeze([...(init.warnings ?? [])])
    Object.freeze(this)
  }

  /** Positions of every token: a pure function of the whole sequence. */
  positions(sequence: Sequence): Positions {
    // By shape, not by class: a sequence of the CommonJS copy is one for the ESM copy too.
    if (!Array.isArray(sequence?.segments) || !Number.isSafeInteger(sequence.length)) {
      const message = `Encoding.positions: expected a Sequence, got ${show(sequence)}`
      throw new MropeTypeError('ERR_MROPE_ARGUMENT', message, sequence)
    }
    return this.layout.positions(sequence)
  }

  /**
   * Cosines and sines for positions, `(heads, tokens, pairs)`. A spectrum that depends on the length is taken at the
   * largest id of these positions + 1; fix it with `atLength` where tables are built piece by piece.
   */
  table(positions: Positions): RotaryTable {
    checkPositions('table', positions)
    return this.angles(positions).table()
  }

  /**
   * The angles of positions, to be turned into numbers by the backend that rotates: taken wherever a table is. A spectrum
   * that depends on the length as in `table`.
   */
  angles(positions: Positions): RotaryAngles {
    checkPositions('angles', positions)
    if (this.spectrum.atLength) return this.atLength(positions.largest + 1).angles(positions)
    const { invFreq, attentionFactor, allocation, pairing, precision } = this
    return new RotaryAngles({ positions, invFreq, attentionFactor, allocation, pairing, precision })
  }

  /** This encoding with the spectrum of a fixed length; itself where the spectrum does not depend on it. */
  atLength(length: number): Encoding {
    if (!this.spectrum.atLength) return this
    const { atLength: _, ...spectrum } = this.spectrum.atLength(length)
    return new Encoding({ ...this, spectrum })
  }

  /** Everything resolved, for people and for JSON. */
  describe(): EncodingDescription {
    const { allocation, layout, spectrum } = this
    const sections = layout.axes.map((_, a) =>
      allocation.axisOf.reduce((count, axis) => count + (axis === a ? 1 : 0), 0),
    )
    return {
      name: this.name,
      axes: this.axes,
      headDim: this.headDim,
      rotaryDim: this.rotaryDim,
      pairing: this.pairing,
      invFreq: [...this.invFreq],
      attentionFactor: this.attentionFactor,
      axisOf: axisLetters(allocation, this.axes),
      layout: { name: layout.name, rules: layout.rules },
      spectrum: { name: spectrum.name, parameters: spectrum.parameters },
      allocation: { name: allocation.name, sections, heads: allocation.heads },
      precision: this.precision,
      compat: this.compat,
      source: this.source,
      verified: this.verified,
      warnings: this.warnings,
    }
  }
}

function checkPositions(call: string, positions: Positions): void {
  if (positions?.ids instanceof Float64Array && Array.isArray(positions.axes)) return
  const message = `Encoding.${call}: expected Positions, got ${show(positions)}`
  throw new MropeTypeError('ERR_MROPE_ARGUMENT', message, positions)
}
