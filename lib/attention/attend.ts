import { MropeRangeError } from '../errors.js'
import { runSliced, runSync } from '../tensors/slices.js'
import { Tensor } from '../tensors/tensor.js'
import { type AttendRequest, type AttentionPlan, planAttention, withTable } from './request.js'
import { attentionSteps } from './tiles.js'

/**
 * Reference attention, one thread. Memory beside the tensors is a few tiles; no (queries × keys) matrix is made.
 * Sums are float64 for every storage type and are rounded once, at the store; rotated queries and keys are not rounded.
 *
 * The promise lets the event loop turn about every 8 ms. The inputs must not change until it settles. Rows of `out` are
 * written as their tile is done: when the work is aborted or a bias function throws, `out` is written in part.
 *
 * What is defined beyond ordinary numbers:
 * - A query that sees no key gives zeros: a padding query, an empty key range, a row whose keys are all masked by bias.
 * - A masked key has no influence, whatever it holds. Masked is what the mask hides, what has a bias of −Infinity and
 *   what has a score of −Infinity.
 * - Finite q, k, v, bias and scale never give NaN. Scores of +Infinity share the whole weight equally.
 * - A NaN score at a seen key makes the row of that head NaN.
 * - NaN or ±Infinity in v at a seen key reaches its channel, however small the weight: ±Infinity, or NaN where NaN or both
 *   infinities meet.
 *
 * @returns `request.out`, or a new tensor `(queries, heads, valueDim)` of the type of q
 * @throws what `planAttention` throws, as a rejection; `signal.reason` when aborted
 */
export async function attend(request: AttendRequest): Promise<Tensor> {
  const plan = withTable(planAttention(request))
  await runSliced(guarded(plan), plan.signal)
  return request.out ?? plan.out
}

/** As `attend`, in one go: for small work, because it blocks the event loop. */
export function attendSync(request: AttendRequest): Tensor {
  const plan = withTable(planAttention(request))
  runSync(attentionSteps(plan), plan.signal)
  return request.out ?? plan.out
}

/** The steps of a plan. Stops when a buffer was transferred away while the event loop turned. */
function* guarded(plan: AttentionPlan): Generator<void> {
  const { q, k, v, out, bias } = plan
  const tensors = Object.entries({ q, k, v, out, ...(bias instanceof Tensor && { bias }) })
  const lengths = tensors.map(([, tensor]) => tensor.data.length)
  for (const _ of attentionSteps(plan)) {
    yield
    const gone = tensors.find(([, tensor], i) => tensor.data.length !== lengths[i])
    if (gone === undefined) continue
    const text = `attend: the memory of ${gone[0]} went away while the work was running`
    throw new MropeRangeError('ERR_MROPE_STATE', text, gone[0])
  }
}
