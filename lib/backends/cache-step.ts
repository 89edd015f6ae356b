import { visibleKeys } from '../attention/mask.js'
import { type AttentionPlan, checkBias, checkScale, completePlan } from '../attention/request.js'
import { type AttentionBias, isAttentionBias } from '../biases/bias.js'
import { MropeRangeError, MropeTypeError, show } from '../errors.js'
import { RotaryAngles } from '../rotary/angles.js'
import { checkNorm } from '../rotary/norm.js'
import { checkRotaryDim, checkTable, checkTableHeads } from '../rotary/rotate.js'
import { asTensor, checkCount, checkOptions, checkSignal } from '../tensors/check.js'
import type { Tensor } from '../tensors/tensor.js'
import type { CacheOptions, CacheStep } from './cache.js'

/**
 * A checked step: a plan whose k and v are the new tokens, while its keys, mask and bias are those of all tokens. The
 * angles have a row for each new token.
 */
export interface StepPlan extends AttentionPlan {
  /** Tokens that the layer held before. */
  readonly start: number
  readonly mask: { readonly causal: true; readonly window?: number }
}

const known = ['q', 'k', 'v', 'table', 'qNorm', 'kNorm', 'window', 'scale', 'bias', 'out', 'signal']
const caller = 'cache.attend'

/** @throws MropeTypeError ERR_MROPE_ARGUMENT; MropeRangeError ERR_MROPE_SHAPE, ERR_MROPE_HEADS, ERR_MROPE_CAPACITY */
export function planStep(options: CacheOptions, start: number, step: CacheStep): StepPlan {
  checkOptions(caller, step, known)
  const { kvHeads, headDim, valueDim, capacity } = options
  const q = asTensor(caller, 'q', step.q, 3)
  const [queries, heads] = q.dims
  if (heads % kvHeads !== 0) {
    throw new MropeRangeError('ERR_MROPE_HEADS', `${caller}: ${heads} query heads for ${kvHeads} KV heads`, heads)
  }
  const k = shaped('k', step.k, [queries, kvHeads, headDim])
  const v = shaped('v', step.v, [queries, kvHeads, valueDim])
  shaped('q', q, [queries, heads, headDim])
  const keys = start + queries
  if (keys > capacity) {
    const text = `${caller}: the layer holds ${start} tokens, ${queries} more do not fit a capacity of ${capacity}`
    throw new MropeRangeError('ERR_MROPE_CAPACITY', text, keys)
  }
  const { table, qNorm, kNorm, window, signal } = step
  if (table !== undefined) {
    if (!(table instanceof RotaryAngles)) checkTable(caller, table)
    checkRotaryDim(caller, 'k', headDim, table.shape[2])
    checkTableHeads(caller, 'k', kvHeads, table.shape[0])
    if (table.shape[1] !== queries) {
      const text = `${caller}: ${queries} tokens, the table has ${table.shape[1]} (table.shape = ${show(table.shape)})`
      throw new MropeRangeError('ERR_MROPE_SHAPE', text, table.shape)
    }
  }
  checkNorm(caller, 'qNorm', qNorm, headDim)
  checkNorm(caller, 'kNorm', kNorm, headDim)
  if (window !== undefined) checkCount(caller, 'window', window, 1)
  checkSignal(caller, signal)
  const mask = window === undefined ? { causal: true as const } : { causal: true as const, window }
  const visible = visibleKeys(mask, queries, keys, start)
  const scale = checkScale(step.scale, queries, headDim)
  const given = checkBias(step.bias, queries, keys, heads)
  if (isAttentionBias(given)) checkKnownAhead(given)
  const counts = { queries, keys, heads, kvHeads, headDim, valueDim, queryOffset: start }
  return Object.assign(completePlan(caller, step, given, counts, { q, k, v }, visible, scale), { start, mask })
}

/** A bias that reads keys would need them as they came, and the cache holds them rotated. */
function checkKnownAhead(bias: AttentionBias): void {
  if (!bias.describe().readsKeys) return
  const text = `${caller}: bias ${bias.name} reads keys as they came, which a cache does not keep; use backend.attend`
  throw new MropeTypeError('ERR_MROPE_ARGUMENT', text, bias.name)
}

function shaped(name: string, value: Tensor, dims: readonly number[]): Tensor {
  const tensor = asTensor(caller, name, value, 3)
  if (tensor.dims.every((d, axis) => d === dims[axis])) return tensor
  const text = `${caller}: ${name} is (${dims.join(', ')}), got (${tensor.dims.join(', ')})`
  throw new MropeRangeError('ERR_MROPE_SHAPE', text, tensor.dims)
}
