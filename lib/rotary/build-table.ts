import type { Allocation } from '../allocations/allocation.js'
import { MropeRangeError } from '../errors.js'
import type { Positions } from '../layouts/positions.js'
import { PhaseRows } from './phases.js'
import type { Pairing, RotaryTable } from './table.js'

/** `float32` rounds every angle to float32, as `inv_freq.float() @ position_ids.float()` does. */
export type AnglePrecision = 'float64' | 'float32'

export interface TableOptions {
  /** Frequency of each pair, in the order of the pairs. */
  readonly invFreq: Float64Array
  readonly attentionFactor: number
  readonly allocation: Allocation
  readonly pairing: Pairing
  /** Default float64. */
  readonly precision?: AnglePrecision
}

/** A table of this many numbers is 4 GiB; more cannot be allocated as one array. */
const maxEntries = 2 ** 30

/**
 * Cosines and sines of every token and pair:
 *
 *     angle(h, n, f) = inv[f] · Σ_a u[h][f][a] · P[a][n]     cos, sin × attention factor, shape (heads, tokens, pairs)
 *
 * Angles are float64 unless asked otherwise, results are rounded once to float32: within 6e-8 of exact arithmetic for ids
 * up to 2^24.
 * @throws MropeRangeError ERR_MROPE_SHAPE, ERR_MROPE_POSITION
 */
export function buildTable(positions: Positions, options: TableOptions): RotaryTable {
  const { invFreq, attentionFactor, allocation, pairing, precision = 'float64' } = options
  checkEntries(positions, allocation)
  const { heads, pairs, directions } = allocation
  const tokens = positions.length
  const cos = new Float32Array(heads * tokens * pairs)
  const sin = new Float32Array(heads * tokens * pairs)
  const fill: Fill = { cos, sin, tokens, pairs, attentionFactor, float32: precision === 'float32' }
  for (let head = 0; head < heads; head++) {
    if (directions) fillDense(fill, head, positions, invFreq, directions, allocation.axes)
    else fillByAxis(fill, head, positions, invFreq, allocation)
  }
  return { cos, sin, shape: [heads, tokens, pairs], pairing }
}

/** @throws MropeRangeError ERR_MROPE_SHAPE, ERR_MROPE_POSITION */
export function checkEntries(positions: Positions, { heads, pairs, axes }: Allocation): void {
  const tokens = positions.length
  if (positions.axes.length !== axes) {
    const message = `table: positions have ${positions.axes.length} axes, the encoding ${axes}`
    throw new MropeRangeError('ERR_MROPE_SHAPE', message, positions.axes)
  }
  if (heads * tokens * pairs > maxEntries) {
    const message = `table: ${heads} × ${tokens} × ${pairs} entries are more than ${maxEntries}; build it in slices`
    throw new MropeRangeError('ERR_MROPE_SHAPE', message, tokens)
  }
  const bad = positions.ids.findIndex((id) => !Number.isFinite(id))
  if (bad >= 0) {
    const message = `table: the id of token ${bad % tokens} on axis ${positions.axes[Math.floor(bad / tokens)]} is ${positions.ids[bad]}`
    throw new MropeRangeError('ERR_MROPE_POSITION', message, positions.ids[bad])
  }
}

interface Fill {
  readonly cos: Float32Array
  readonly sin: Float32Array
  readonly tokens: number
  readonly pairs: number
  readonly attentionFactor: number
  readonly float32: boolean
}

function fillByAxis(
  fill: Fill,
  head: number,
  positions: Positions,
  invFreq: Float64Array,
  allocation: Allocation,
): void {
  const { cos, sin, tokens, pairs, attentionFactor, float32 } = fill
  const axisOf = allocation.axisOf.subarray(head * pairs, (head + 1) * pairs)
  const base = head * tokens * pairs
  for (let axis = -1; axis < allocation.axes; axis++) {
    const columns = Int32Array.from([...axisOf.keys()].filter((f) => axisOf[f] === axis))
    if (columns.length === 0) continue
    const rows = new PhaseRows(
      Float64Array.from(columns, (f) => invFreq[f]),
      float32,
    )
    const ids = axis < 0 ? undefined : positions.axis(axis)
    for (let n = 0; n < tokens; n++) {
      rows.write(ids ? ids[n] : 0, attentionFactor, cos, sin, base + n * pairs, columns)
    }
  }
}

function fillDense(
  { cos, sin, tokens, pairs, attentionFactor, float32 }: Fill,
  head: number,
  positions: Positions,
  invFreq: Float64Array,
  directions: Float64Array,
  axes: number,
): void {
  for (let n = 0; n < tokens; n++) {
    for (let f = 0; f < pairs; f++) {
      let along = 0
      for (let a = 0; a < axes; a++) along += directions[(head * pairs + f) * axes + a] * positions.ids[a * tokens + n]
      const angle = float32 ? Math.fround(invFreq[f] * along) : invFreq[f] * along
      const at = (head * tokens + n) * pairs + f
      cos[at] = attentionFactor * Math.cos(angle)
      sin[at] = attentionFactor * Math.sin(angle)
    }
  }
}
