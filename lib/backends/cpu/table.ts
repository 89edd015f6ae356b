import { RotaryAngles } from '../../rotary/angles.js'
import { checkEntries } from '../../rotary/build-table.js'
import type { RotaryTable } from '../../rotary/table.js'
import { type NativeAddon, pack, type TableArguments, tablePlaces } from '../native/addon.js'

/** Angles that are cheaper to make than to hand to another thread. */
const fewAngles = 4096

/** All layers of a step use the same angles. */
const made = new WeakMap<RotaryAngles, RotaryTable>()

/** Cosines and sines of angles, made by the addon; a table as it is. */
export async function nativeTable(addon: NativeAddon, rotation: RotaryTable | RotaryAngles): Promise<RotaryTable> {
  if (!(rotation instanceof RotaryAngles)) return rotation
  const known = made.get(rotation)
  if (known !== undefined) return known
  const [heads, tokens, pairs] = rotation.shape
  if (rotation.precision === 'float32' || heads * tokens * pairs <= fewAngles) return nativeTableSync(addon, rotation)
  const { args, table } = tableJob(rotation)
  await addon.table(...args, undefined)
  made.set(rotation, table)
  return table
}

export function nativeTableSync(addon: NativeAddon, rotation: RotaryTable | RotaryAngles): RotaryTable {
  if (!(rotation instanceof RotaryAngles)) return rotation
  // Only the reference repeats the float32 rounding of angles of a release.
  if (rotation.precision === 'float32') return rotation.table()
  const known = made.get(rotation)
  if (known !== undefined) return known
  const { args, table } = tableJob(rotation)
  addon.tableSync(...args)
  made.set(rotation, table)
  return table
}

function tableJob({ positions, invFreq, attentionFactor, allocation, pairing, shape }: RotaryAngles) {
  checkEntries(positions, allocation)
  const [heads, tokens, pairs] = shape
  const cos = new Float32Array(heads * tokens * pairs)
  const sin = new Float32Array(heads * tokens * pairs)
  const params = pack(tablePlaces, { axes: allocation.axes, tokens, heads, pairs, factor: attentionFactor })
  const axisOf = Int32Array.from(allocation.axisOf)
  const args: TableArguments = [params, positions.ids, invFreq, axisOf, allocation.directions, cos, sin]
  const table: RotaryTable = { cos, sin, shape, pairing }
  return { args, table }
}
