import { MropeRangeError, MropeTypeError, show } from '../errors.js'
import { isArrayLike } from '../tensors/check.js'

/**
 * A list of numbers, finite and not negative.
 * @throws MropeTypeError ERR_MROPE_ARGUMENT, MropeRangeError ERR_MROPE_SHAPE | ERR_MROPE_ARGUMENT
 */
export function checkScores(
  caller: string,
  name: string,
  scores: unknown,
  count?: number,
  what = 'regions',
): ArrayLike<number> {
  if (!isArrayLike(scores)) {
    throw new MropeTypeError(
      'ERR_MROPE_ARGUMENT',
      `${caller}: ${name} is a list of numbers, got ${show(scores)}`,
      scores,
    )
  }
  if (count !== undefined && scores.length !== count) {
    const text = `${caller}: ${name} has ${scores.length} numbers for ${count} ${what}`
    throw new MropeRangeError('ERR_MROPE_SHAPE', text, scores.length)
  }
  for (let i = 0; i < scores.length; i++) {
    const score = scores[i]
    if (typeof score === 'number' && score >= 0 && score < Infinity) continue
    const text = `${caller}: ${name} are finite numbers of at least 0, number ${i} is ${show(score)}`
    if (typeof score !== 'number') throw new MropeTypeError('ERR_MROPE_ARGUMENT', text, score)
    throw new MropeRangeError('ERR_MROPE_ARGUMENT', text, score)
  }
  return scores as ArrayLike<number>
}

/** Numbers in 0 … 1, one for each of the names. @throws MropeTypeError, MropeRangeError ERR_MROPE_ARGUMENT */
export function checkFractions(caller: string, name: string, value: unknown, names: readonly string[]): number[] {
  const list = Array.isArray(value) ? Array.from(value) : []
  const wanted = `${caller}: ${name} is [${names.join(', ')}] in 0 … 1, got ${show(value)}`
  if (list.length !== names.length || !list.every((n) => typeof n === 'number')) {
    throw new MropeTypeError('ERR_MROPE_ARGUMENT', wanted, value)
  }
  if (list.every((n) => n >= 0 && n <= 1)) return list
  throw new MropeRangeError('ERR_MROPE_ARGUMENT', wanted, value)
}
