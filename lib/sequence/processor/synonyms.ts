import { MropeRangeError, show } from '../../errors.js'
import { readReals, readRows } from './arrays.js'
import type { ProcessorOutput } from './output.js'

/** Seconds between two frames of each video, under either of its names. */
export function readSeconds(output: ProcessorOutput): Float64Array {
  return either(
    'second_per_grid_ts',
    isGiven(output.second_per_grid_ts) ? readReals(output.second_per_grid_ts, 'second_per_grid_ts') : undefined,
    'video_second_per_grid',
    isGiven(output.video_second_per_grid)
      ? readReals(output.video_second_per_grid, 'video_second_per_grid')
      : undefined,
  )
}

/** Mel frames of each audio: given, or the sums of the rows of `feature_attention_mask`. */
export function readAudioFrames(output: ProcessorOutput): Float64Array {
  return either(
    'audio_feature_lengths',
    isGiven(output.audio_feature_lengths)
      ? readReals(output.audio_feature_lengths, 'audio_feature_lengths')
      : undefined,
    'the sums of feature_attention_mask',
    isGiven(output.feature_attention_mask) ? rowSums(output.feature_attention_mask) : undefined,
  )
}

function isGiven(value: unknown): boolean {
  return value !== undefined && value !== null
}

function rowSums(mask: unknown): Float64Array {
  const name = 'feature_attention_mask'
  const rows = readRows(mask, name, 'flag')
  if (rows.length === 1 && rows[0].length === 0) return new Float64Array()
  return Float64Array.from(rows, (row, i) => {
    const bad = row.findIndex((value) => value !== 0 && value !== 1)
    if (bad < 0) return row.reduce((sum, value) => sum + value, 0)
    const message = `${name}[${i}][${bad}] is 0 or 1, got ${row[bad]}`
    throw new MropeRangeError('ERR_MROPE_ARGUMENT', message, row[bad])
  })
}

/** Of two accounts of the same thing, the one that is given; both must say the same. */
function either(nameA: string, a: Float64Array | undefined, nameB: string, b: Float64Array | undefined): Float64Array {
  if (!a || !b) return a ?? b ?? new Float64Array()
  if (a.length === b.length && a.every((value, i) => value === b[i])) return a
  const message = `fromProcessor: ${nameA} ${show([...a])} and ${nameB} ${show([...b])} differ; give one of them`
  throw new MropeRangeError('ERR_MROPE_ARGUMENT', message, [...b])
}
