import { coherence } from '../analysis/coherence.js'
import { type ConfigFlags, loadConfig, loadSequences } from './inputs.js'
import type { Report } from './output.js'

export interface CoherenceFlags extends ConfigFlags {
  readonly sequence: string
  readonly generated: number
}

/** `mrope coherence`: do positions of blocks and text overlap, grow too fast, or lose structure? */
export async function coherenceCommand(flags: CoherenceFlags): Promise<Report> {
  const { config, encoding } = await loadConfig(flags)
  const sequences = await loadSequences(flags.sequence, config, flags.family)
  const rows = sequences.map((sequence) => coherence(encoding, sequence, { generated: flags.generated }))
  const text = rows.map((row, i) => [...(rows.length > 1 ? [`row ${i}:`] : []), ...row.words].join('\n'))
  return { json: { rows, encoding: encoding.describe() }, text: text.join('\n\n') }
}
