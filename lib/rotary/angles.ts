import type { Allocation } from '../allocations/allocation.js'
import type { Positions } from '../layouts/positions.js'
import { type AnglePrecision, buildTable } from './build-table.js'
import type { Pairing, RotaryTable } from './table.js'

export interface RotaryAnglesInit {
  readonly positions: Positions
  /** Radians a position of each pair. */
  readonly invFreq: Float64Array
  readonly attentionFactor: number
  readonly allocation: Allocation
  readonly pairing: Pairing
  readonly precision?: AnglePrecision
}

/** All layers of a step use the same angles. */
const made = new WeakMap<RotaryAngles, RotaryTable>()

/**
 * The angles of a prompt as ids and frequencies, not yet as numbers: a backend turns them where it computes, once per
 * token and pair. Taken wherever a `RotaryTable` is, with the same results.
 *
 *     angle(h, n, f) = inv[f] · Σ_a u[h][f][a] · P[a][n]
 */
export class RotaryAngles {
  readonly positions: Positions
  readonly invFreq: Float64Array
  readonly attentionFactor: number
  readonly allocation: Allocation
  readonly pairing: Pairing
  readonly precision: AnglePrecision
  /** Of the table that they stand for. */
  readonly shape: readonly [heads: number, tokens: number, pairs: number]

  constructor({ positions, invFreq, attentionFactor, allocation, pairing, precision = 'float64' }: RotaryAnglesInit) {
    this.positions = positions
    this.invFreq = invFreq
    this.attentionFactor = attentionFactor
    this.allocation = allocation
    this.pairing = pairing
    this.precision = precision
    this.shape = [allocation.heads, positions.length, allocation.pairs]
    Object.freeze(this)
  }

  /** The numbers, made once. @throws MropeRangeError ERR_MROPE_SHAPE, ERR_MROPE_POSITION */
  table(): RotaryTable {
    const known = made.get(this)
    if (known !== undefined) return known
    const table = buildTable(this.positions, this)
    made.set(this, table)
    return table
  }
}

/** Angles in the form that every kernel takes. */
export function asTable(rotation: RotaryTable | RotaryAngles): RotaryTable {
  return rotation instanceof RotaryAngles ? rotation.table() : rotation
}
