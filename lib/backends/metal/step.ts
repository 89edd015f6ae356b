import { withTable } from '../../attention/request.js'
import { MropeRangeError } from '../../errors.js'
import type { Tensor } from '../../tensors/tensor.js'
import type { CacheOptions, CacheStep } from '../cache.js'
import { planStep } from '../cache-step.js'
import { attendArguments, evaluate } from '../cpu/attend.js'
import type { DeviceTensor } from './device-tensor.js'
import { angleArguments, anglesOf, onDevice, onHost, standInTable } from './operands.js'

/** `CacheStep` with tensors in either memory. */
export interface MetalCacheStep extends Omit<CacheStep, 'q' | 'k' | 'v' | 'bias' | 'out'> {
  readonly q: Tensor | DeviceTensor
  readonly k: Tensor | DeviceTensor
  readonly v: Tensor | DeviceTensor
  readonly bias?: CacheStep['bias'] | DeviceTensor
  readonly out?: Tensor | DeviceTensor
}

/** A bias function is evaluated for the whole step; more entries than this (1 GiB) are not taken. */
const mostEntries = 2 ** 28

/** A checked step of a layer that holds `start` tokens. */
export function stepWork(options: CacheOptions, start: number, step: MetalCacheStep) {
  const checked = planStep(options, start, standInStep(step))
  const angles = anglesOf(checked.angles)
  const plan = { ...checked, ...withTable(checked, angles && standInTable(angles)) }
  const { heads, queries, keys, bias } = plan
  const entries = heads * queries * keys
  if (typeof bias === 'function' && entries > mostEntries) {
    const text = `cache.attend: a bias function for ${heads} × ${queries} × ${keys} scores; give fewer tokens at a time`
    throw new MropeRangeError('ERR_MROPE_MEMORY', text, queries)
  }
  const values =
    typeof bias === 'function' ? evaluate(plan, bias, { query: 0, token: 0 }, new Float32Array(entries)) : bias
  const [params, q, k, v, out, cos, sin, ...rest] = onDevice(attendArguments(plan, plan.mask, values))
  const numbers = angles === undefined ? ([cos, sin] as const) : ([undefined, undefined] as const)
  return { plan, args: [params, q, k, v, out, ...numbers, ...rest, ...angleArguments(angles)] as const }
}

function standInStep(step: MetalCacheStep): CacheStep {
  if (typeof step !== 'object' || step === null) return step
  const stood = Object.entries(step).map(([name, value]) => [name, onHost('cache.attend', value)])
  return Object.fromEntries(stood)
}
