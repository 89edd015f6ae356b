import { type BiasFunction, withTable } from '../../attention/request.js'
import { rows, type Tensor } from '../../tensors/tensor.js'
import type { CacheOptions, CacheStep } from '../cache.js'
import { planStep, type StepPlan } from '../cache-step.js'
import { attendArguments, entriesAtOnce, evaluate, tableRows } from '../cpu/attend.js'
import type { AttendArguments } from '../native/addon.js'
import type { DeviceTensor } from './device-tensor.js'
import { angleArguments, anglesOf, needReadable, onDevice, onHost, standInTable } from './operands.js'

/** `CacheStep` with tensors in either memory. */
export interface MetalCacheStep extends Omit<CacheStep, 'q' | 'k' | 'v' | 'bias' | 'out'> {
  readonly q: Tensor | DeviceTensor
  readonly k: Tensor | DeviceTensor
  readonly v: Tensor | DeviceTensor
  readonly bias?: CacheStep['bias'] | DeviceTensor
  readonly out?: Tensor | DeviceTensor
}

/** A checked step of a layer that holds `start` tokens: one call of the addon, or more where the bias is a function. */
export function stepWork(options: CacheOptions, start: number, step: MetalCacheStep) {
  const checked = planStep(options, start, standInStep(step))
  const { bias } = checked
  // Runs of tokens cut the table, so they want its numbers.
  const angles = typeof bias === 'function' ? undefined : anglesOf(checked.angles)
  const plan = withTable(checked, angles && standInTable(angles))
  const pieces = typeof bias === 'function' ? tokenRuns(plan, bias) : [attendArguments(plan, plan.mask, bias)]
  function* parts() {
    for (const piece of pieces) {
      const [params, q, k, v, out, cos, sin, ...rest] = onDevice(piece)
      const numbers = angles === undefined ? ([cos, sin] as const) : ([undefined, undefined] as const)
      yield [params, q, k, v, out, ...numbers, ...rest, ...angleArguments(angles)] as const
    }
  }
  return { plan, parts: parts() }
}

/** A step is causal, so it is the same as one run of its tokens after the other. Each is made when its turn comes. */
function* tokenRuns(plan: StepPlan, bias: BiasFunction): Generator<AttendArguments> {
  const { heads, queries, keys, scale, table } = plan
  const atOnce = Math.max(1, Math.floor(entriesAtOnce / Math.max(1, heads * keys)))
  // One buffer for all runs: a run ends before the next one is evaluated, and what is left in it is never looked at.
  const buffer = new Float32Array(heads * Math.min(atOnce, queries) * keys)
  for (let first = 0; first < Math.max(1, queries); first += atOnce) {
    const end = Math.min(first + atOnce, queries)
    const part: StepPlan = {
      ...plan,
      q: rows(plan.q, first, end),
      k: rows(plan.k, first, end),
      v: rows(plan.v, first, end),
      out: rows(plan.out, first, end),
      queries: end - first,
      keys: plan.start + end,
      start: plan.start + first,
      queryOffset: plan.start + first,
      table: table && tableRows(table, first, end),
      scale: typeof scale === 'number' ? scale : scale.subarray(first, end),
    }
    yield attendArguments(part, plan.mask, evaluate(part, bias, { query: first, token: 0 }, buffer))
  }
}

function standInStep(step: MetalCacheStep): CacheStep {
  if (typeof step !== 'object' || step === null) return step
  needReadable('cache.attend', step)
  const stood = Object.entries(step).map(([name, value]) => [name, onHost('cache.attend', value)])
  return Object.fromEntries(stood)
}
