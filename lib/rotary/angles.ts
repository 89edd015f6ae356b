import { type Allocation, checkAllocation } from '../allocations/allocation.js'
import { MropeRangeError, MropeTypeError, show } from '../errors.js'
import type { Positions } from '../layouts/positions.js'
import { checkOptions } from '../tensors/check.js'
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

  /** @throws MropeTypeError ERR_MROPE_ARGUMENT, MropeRangeError ERR_MROPE_SHAPE, ERR_MROPE_SECTIONS */
  constructor(init: RotaryAnglesInit) {
    checkAngles(init)
    const { positions, invFreq, attentionFactor, allocation, pairing, precision = 'float64' } = init
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

/** Every token that is generated makes angles of the same allocation. */
const sound = new WeakSet<Allocation>()

const names = ['positions', 'invFreq', 'attentionFactor', 'allocation', 'pairing', 'precision']

function checkAngles(init: RotaryAnglesInit): void {
  const caller = 'RotaryAngles'
  checkOptions(caller, init, names)
  const { positions, invFreq, attentionFactor, allocation, pairing, precision } = init
  const wrong = (what: string, value: unknown): MropeTypeError =>
    new MropeTypeError('ERR_MROPE_ARGUMENT', `${caller}: ${what}, got ${show(value)}`, value)
  if (!sound.has(allocation)) {
    checkAllocation(allocation)
    sound.add(allocation)
  }
  const { ids, axes, length } = Object(positions) as Positions
  if (!(ids instanceof Float64Array) || !Array.isArray(axes)) throw wrong('positions are Positions', positions)
  if (axes.length !== allocation.axes) {
    const text = `${caller}: positions have ${axes.length} axes, the encoding ${allocation.axes}`
    throw new MropeRangeError('ERR_MROPE_SHAPE', text, axes)
  }
  if (ids.length !== axes.length * length) throw wrong(`positions have ${axes.length} × ${length} ids`, ids.length)
  if (!(invFreq instanceof Float64Array)) throw wrong('invFreq is a Float64Array', invFreq)
  if (invFreq.length !== allocation.pairs) {
    const text = `${caller}: ${invFreq.length} frequencies for ${allocation.pairs} pairs`
    throw new MropeRangeError('ERR_MROPE_SHAPE', text, invFreq.length)
  }
  if (!Number.isFinite(attentionFactor)) throw wrong('attentionFactor is a finite number', attentionFactor)
  if (pairing !== 'half-split' && pairing !== 'adjacent') {
    throw wrong("pairing must be 'half-split' or 'adjacent'", pairing)
  }
  if (precision !== undefined && precision !== 'float64' && precision !== 'float32') {
    throw wrong("precision must be 'float64' or 'float32'", precision)
  }
}

/** Angles in the form that every kernel takes. */
export function asTable(rotation: RotaryTable | RotaryAngles): RotaryTable {
  return rotation instanceof RotaryAngles ? rotation.table() : rotation
}
