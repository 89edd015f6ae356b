import { MropeRangeError, show } from '../errors.js'
import { type Segment, tokensOf } from '../sequence/segment.js'
import { Sequence } from '../sequence/sequence.js'

/**
 * The sequence without tokens `start` to `start + count`.
 * @param length tokens that may be dropped: those that are in the cache
 * @throws MropeRangeError ERR_MROPE_ARGUMENT for a range outside, ERR_MROPE_BLOCK for a cut through a block
 */
export function dropTokens(sequence: Sequence, start: number, count: number, length: number): Sequence {
  if (
    !Number.isSafeInteger(start) ||
    !Number.isSafeInteger(count) ||
    start < 0 ||
    count < 0 ||
    start + count > length
  ) {
    const message = `session.drop: tokens ${show(start)} to ${show(start)} + ${show(count)} are not in the ${length} cached ones`
    throw new MropeRangeError('ERR_MROPE_ARGUMENT', message, [start, count])
  }
  const end = start + count
  const kept: Segment[] = []
  let at = 0
  for (const segment of sequence.segments) {
    const tokens = tokensOf(segment)
    const [from, to] = [at, at + tokens]
    at = to
    const left = Math.max(0, Math.min(start, to) - from)
    const right = Math.max(0, to - Math.max(end, from))
    if (left + right === tokens && (left === 0 || right === 0)) kept.push(segment)
    else if (segment.kind === 'text' || segment.kind === 'audio')
      kept.push({ kind: segment.kind, length: left + right })
    else if (left + right > 0) {
      const message = `session.drop: a cut at ${left > 0 ? start : end} goes through the ${segment.kind} block of tokens ${from} to ${to}`
      throw new MropeRangeError('ERR_MROPE_BLOCK', message, [start, count])
    }
  }
  return Sequence.of([]).concat(Sequence.of(kept, { upcoming: sequence.upcoming }))
}
