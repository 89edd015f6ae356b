import { MropeRangeError, show } from '../errors.js'
import { checkCount, checkOptions } from '../tensors/check.js'
import { parameters } from '../tensors/parameters.js'
import type { Tensor } from '../tensors/tensor.js'
import { type AttentionBias, defineBias } from './bias.js'

export interface T5Buckets {
  /** Default 32. */
  readonly buckets?: number
  /** Distances from here on share the last bucket. Default 128. */
  readonly maxDistance?: number
  /** Encoders: half of the buckets are for later keys. Otherwise every later key has bucket 0. Default true. */
  readonly bidirectional?: boolean
}

/**
 * The bucket of a distance `key − query`: one for each of the near distances, then wider and wider ones by logarithm.
 * Source: transformers `t5/modeling_t5.py: T5Attention._relative_position_bucket`.
 * @throws MropeTypeError, MropeRangeError ERR_MROPE_ARGUMENT
 */
export function t5Bucket(distance: number, options: T5Buckets = {}): number {
  const { half, exact, maxDistance, bidirectional } = checkBuckets('t5Bucket', options)
  if (!Number.isSafeInteger(distance)) {
    const text = `t5Bucket: distance is a whole number, got ${show(distance)}`
    throw new MropeRangeError('ERR_MROPE_ARGUMENT', text, distance)
  }
  const later = bidirectional && distance > 0 ? half : 0
  const far = bidirectional ? Math.abs(distance) : Math.max(-distance, 0)
  if (far < exact) return later + far
  const wide = Math.floor((Math.log(far / exact) / Math.log(maxDistance / exact)) * (half - exact))
  return later + Math.min(half - 1, exact + wide)
}

export interface T5Options extends T5Buckets {
  /** `relative_attention_bias.weight`, `(buckets, heads)`. */
  readonly table: Tensor
}

/**
 * T5's bias: one learned number for each bucket of distances and each head.
 * @throws MropeTypeError ERR_MROPE_ARGUMENT, MropeRangeError ERR_MROPE_SHAPE | ERR_MROPE_ARGUMENT
 */
export function t5(options: T5Options): AttentionBias {
  checkOptions('biases.t5', options, ['table', 'buckets', 'maxDistance', 'bidirectional'])
  const { table, ...rest } = options
  const { buckets, maxDistance, bidirectional } = checkBuckets('biases.t5', rest)
  const learned = parameters('biases.t5', 'table', table, [buckets, undefined])
  const heads = learned.length / buckets
  // Every distance from maxDistance on has the bucket of maxDistance, so the table ends there.
  const span = 2 * maxDistance + 1
  const bucketOf = Int32Array.from({ length: span }, (_, n) => t5Bucket(n - maxDistance, rest))
  const values = Float32Array.from({ length: heads * span }, (_, n) => {
    return learned[bucketOf[n % span] * heads + Math.floor(n / span)]
  })
  return defineBias(
    {
      name: 't5',
      heads,
      formula: 'table[bucket(j − i)]',
      evaluated: 'distance',
      readsQueries: false,
      readsKeys: false,
      exchange: 'other',
      parameters: { buckets, maxDistance, bidirectional },
      source: 'transformers 5.18 t5/modeling_t5.py _relative_position_bucket',
      verified: 'run',
    },
    () => ({ kind: 'distance', heads, values, span, origin: maxDistance }),
  )
}

function checkBuckets(caller: string, { buckets = 32, maxDistance = 128, bidirectional = true }: T5Buckets) {
  checkCount(caller, 'buckets', buckets, 2)
  checkCount(caller, 'maxDistance', maxDistance, 1)
  const half = bidirectional ? Math.floor(buckets / 2) : buckets
  const exact = Math.floor(half / 2)
  if (exact < 1 || maxDistance <= exact || maxDistance > 2 ** 20) {
    const text = `${caller}: maxDistance must be above the ${exact} exact buckets (of ${buckets}) and at most 2^20, got ${maxDistance}`
    throw new MropeRangeError('ERR_MROPE_ARGUMENT', text, maxDistance)
  }
  return { buckets, maxDistance, bidirectional: Boolean(bidirectional), half, exact }
}
