import { checkCount, checkOptions } from '../../tensors/check.js'
import { Tensor, type TensorType } from '../../tensors/tensor.js'
import type { CacheOptions } from '../cache.js'
import { checkList } from './operands.js'
import type { MetalCacheStep } from './step.js'
import { checkType } from './work.js'

/**
 * A step that will come, as `MetalCache.warmup` takes it: what its kernels depend on, without its tensors. The rest is
 * as in the step itself; `table` has a row for each of the tokens, with ids like those that will come.
 */
export interface MetalStepShape
  extends Pick<MetalCacheStep, 'table' | 'qNorm' | 'kNorm' | 'window' | 'scale' | 'bias'> {
  /** Those of a chunk of the prompt, or 1 for a token that is generated. */
  readonly tokens: number
  /** Query heads. */
  readonly heads: number
  /** Storage type of q, k, v and out; that of the cache by default. */
  readonly dtype?: TensorType
  /** How many tokens the layer holds before; every number that it may hold by default. A bias tensor fits one only. */
  readonly lengths?: readonly number[]
}

const caller = 'cache.warmup'
const known = ['tokens', 'heads', 'dtype', 'lengths', 'table', 'qNorm', 'kNorm', 'window', 'scale', 'bias']

/** Steps of a shape after each of its lengths. */
export function stepsOf(
  options: CacheOptions,
  shape: MetalStepShape,
): readonly { readonly start: number; readonly step: MetalCacheStep }[] {
  checkOptions(caller, shape, known)
  const { tokens, heads, dtype = options.dtype, lengths, ...rest } = shape
  const { kvHeads, headDim, valueDim } = options
  checkCount(caller, 'tokens', tokens, 1)
  checkCount(caller, 'heads', heads, 1)
  if (lengths !== undefined) checkList(caller, 'lengths', lengths)
  const [q, k, v] = [
    [heads, headDim],
    [kvHeads, headDim],
    [kvHeads, valueDim],
  ].map(([rows, dim]) => {
    checkType(caller, dtype, [tokens, rows, dim])
    return Tensor.zeros(dtype, [tokens, rows, dim])
  })
  const starts = lengths ?? turningPoints(options.capacity - tokens, shape)
  return starts.map((start) => {
    checkCount(caller, 'lengths', start)
    return { start, step: { ...rest, q, k, v } }
  })
}

/**
 * Lengths from 0 to `last` that have every pipeline among them. Two things change with the length, each once: keys are
 * split where there are many, and the window begins to cut, which is known here.
 */
function turningPoints(last: number, { tokens, window = tokens }: MetalStepShape): number[] {
  const uncut = window - tokens
  return [...new Set([0, uncut, uncut + 1, last])].filter((start) => start === 0 || (start > 0 && start <= last))
}
