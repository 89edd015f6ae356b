import { checkOptions } from '../tensors/check.js'
import { checkHeads, checkNumber } from '../tensors/parameters.js'
import { type AttentionBias, defineBias } from './bias.js'
import { distanceTable, seenDistances } from './distances.js'

// Straight lines over the distance, one slope for each head.
//
//   slopes of 8 heads    2^-1 2^-2 … 2^-8
//   slopes of 12 heads   2^-1 2^-2 … 2^-8, then every second one of 16 heads: 2^-0.5 2^-1.5 2^-2.5 2^-3.5

/** Exponents `biasMax · k / n`: those of the power of two below, then the odd ones of twice as many. */
function exponents(heads: number): number[] {
  const whole = 2 ** Math.floor(Math.log2(heads))
  const rest = heads - whole
  return Array.from({ length: heads }, (_, h) => (h < whole ? (h + 1) / whole : (2 * (h - whole) + 1) / (2 * whole)))
    .slice(0, whole + rest)
    .map((part) => -8 * part)
}

/**
 * As `exponents`, but from the power of two at or above: every second one from the second on, then from the first on.
 */
function mptExponents(heads: number, biasMax: number): number[] {
  const whole = 2 ** Math.ceil(Math.log2(heads))
  const all = Array.from({ length: whole }, (_, k) => -((k + 1) * biasMax) / whole)
  if (whole === heads) return all
  return [...all.filter((_, k) => k % 2 === 1), ...all.filter((_, k) => k % 2 === 0)].slice(0, heads)
}

export interface AlibiOptions {
  /** Query heads. */
  readonly heads: number
}

export interface MptOptions extends AlibiOptions {
  /** `alibi_bias_max`: the exponent of the last head. */
  readonly biasMax?: number
}

/**
 * ALiBi, `−slope · |i − j|`. Source: arXiv 2108.12409, fairseq `get_slopes`.
 * @throws MropeTypeError ERR_MROPE_ARGUMENT, MropeRangeError ERR_MROPE_HEADS
 */
export function alibi(options: AlibiOptions): AttentionBias {
  checkOptions('biases.alibi', options, ['heads'])
  const heads = checkHeads('biases.alibi', options.heads)
  const slopes = exponents(heads).map((e) => 2 ** e)
  const values = Float32Array.from(slopes)
  return defineBias(
    {
      name: 'alibi',
      heads,
      formula: '−slope · |i − j|',
      evaluated: 'slope',
      readsQueries: false,
      readsKeys: false,
      exchange: 'same',
      parameters: { slopes },
      source: 'ALiBi, arXiv 2108.12409; fairseq get_slopes',
      verified: 'source',
    },
    () => ({ kind: 'slope', heads, values }),
  )
}

/**
 * ALiBi as BLOOM has it, `slope · j`. Softmax does not see what all keys of a query share, so `slope · (j − i)` is
 * added instead, which stays exact at any key index. Source: transformers `bloom/modeling_bloom.py:
 * build_alibi_tensor`.
 * @throws MropeTypeError ERR_MROPE_ARGUMENT, MropeRangeError ERR_MROPE_HEADS
 */
export function bloom(options: AlibiOptions): AttentionBias {
  checkOptions('biases.bloom', options, ['heads'])
  const heads = checkHeads('biases.bloom', options.heads)
  return towardsLaterKeys('bloom', exponents(heads), 'transformers 5.18 bloom/modeling_bloom.py build_alibi_tensor', {})
}

/**
 * ALiBi as MPT has it, `slope · (j − last key)`, added as `slope · (j − i)`, see `bloom`.
 * Source: transformers `mpt/modeling_mpt.py: build_mpt_alibi_tensor`.
 * @throws MropeTypeError ERR_MROPE_ARGUMENT, MropeRangeError ERR_MROPE_HEADS | ERR_MROPE_ARGUMENT
 */
export function mpt(options: MptOptions): AttentionBias {
  checkOptions('biases.mpt', options, ['heads', 'biasMax'])
  const heads = checkHeads('biases.mpt', options.heads)
  const biasMax = checkNumber('biases.mpt', 'biasMax', options.biasMax ?? 8, 0, 64)
  const source = 'transformers 5.18 mpt/modeling_mpt.py build_mpt_alibi_tensor'
  return towardsLaterKeys('mpt', mptExponents(heads, biasMax), source, { biasMax })
}

function towardsLaterKeys(
  name: string,
  exponentsOf: readonly number[],
  source: string,
  rest: Readonly<Record<string, unknown>>,
): AttentionBias {
  const slopes = exponentsOf.map((e) => 2 ** e)
  const heads = slopes.length
  const values = Float32Array.from(slopes)
  const table = distanceTable(heads, (head, distance) => slopes[head] * distance)
  return defineBias(
    {
      name,
      heads,
      formula: 'slope · (j − i)',
      evaluated: 'distance',
      readsQueries: false,
      readsKeys: false,
      exchange: 'negated',
      parameters: { slopes, ...rest },
      source,
      verified: 'run',
    },
    // Where no query sees a later key the two lines are one.
    (request) => (seenDistances(request).last <= 0 ? { kind: 'slope', heads, values } : table(request)),
  )
}
