import { MropeRangeError } from '../errors.js'
import type { Sequence } from '../sequence/sequence.js'
import { type ConfigFlags, loadSequences } from './inputs.js'

export interface RowFlags extends ConfigFlags {
  readonly sequence: string
  /** Which row of a batch, from 0. */
  readonly row?: number
}

/** The one sequence of a file, or the row of a batch that was asked for. */
export async function loadRow({ sequence, row, family }: RowFlags, config: unknown): Promise<Sequence> {
  const rows = await loadSequences(sequence, config, family)
  if (row === undefined && rows.length === 1) return rows[0]
  if (row !== undefined && row < rows.length) return rows[row]
  const message = `${sequence} has ${rows.length === 1 ? 'one row' : `${rows.length} rows`}; name one with --row, from 0`
  throw new MropeRangeError('ERR_MROPE_SEGMENT', message, row ?? rows.length)
}
