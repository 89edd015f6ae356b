import { attend, attendSync } from '../../attention/attend.js'
import type { AttendRequest } from '../../attention/request.js'
import { asTable } from '../../rotary/angles.js'
import { planRotation, rotate, rotationSteps } from '../../rotary/rotate.js'
import { runSliced, runSync } from '../../tensors/slices.js'
import { rows, Tensor } from '../../tensors/tensor.js'
import type { BackendCache, CacheOptions, CacheStep } from '../cache.js'
import { CacheState, cacheTooLarge, planCache } from '../cache-state.js'
import { planStep, type StepPlan } from '../cache-step.js'
import { BackendResult } from '../result.js'

interface Layer {
  readonly k: Tensor
  readonly v: Tensor
}

/** Keys and values in JavaScript arrays, `(capacity, kvHeads, headDim)` each, in the order of the sequence. */
export class ReferenceCache implements BackendCache {
  readonly options: CacheOptions
  readonly bytes: number
  readonly #state: CacheState
  #layers: readonly Layer[]

  constructor(options: CacheOptions) {
    this.bytes = planCache(options)
    const { layers, kvHeads, headDim, valueDim, capacity, dtype } = options
    this.options = options
    this.#state = new CacheState(options)
    try {
      this.#layers = Array.from({ length: layers }, () => ({
        k: Tensor.zeros(dtype, [capacity, kvHeads, headDim]),
        v: Tensor.zeros(dtype, [capacity, kvHeads, valueDim]),
      }))
    } catch (cause) {
      throw cacheTooLarge(options, cause)
    }
  }

  length(layer: number): number {
    return this.#state.length(layer)
  }

  async attend(layer: number, step: CacheStep): Promise<BackendResult> {
    const since = performance.now()
    const plan = planStep(this.options, this.#state.length(layer), step)
    return this.#state.claim(layer, async () => {
      const { append, request } = this.#parts(layer, plan, step)
      await runSliced(append, plan.signal)
      await attend(request())
      this.#state.set(layer, plan.keys)
      return new BackendResult(step.out ?? plan.out, 'reference', performance.now() - since)
    })
  }

  attendSync(layer: number, step: CacheStep): BackendResult {
    const since = performance.now()
    const plan = planStep(this.options, this.#state.length(layer), step)
    return this.#state.claimSync(layer, () => {
      const { append, request } = this.#parts(layer, plan, step)
      runSync(append, plan.signal)
      attendSync(request())
      this.#state.set(layer, plan.keys)
      return new BackendResult(step.out ?? plan.out, 'reference', performance.now() - since)
    })
  }

  truncate(length: number): void {
    this.#state.truncate(length, () => undefined)
  }

  async drop(start: number, count: number, turn?: Parameters<BackendCache['drop']>[2]): Promise<void> {
    this.#state.checkDrop(start, count, turn)
    await this.#state.claimAll('drop', async () => {
      const table = turn && asTable(turn)
      // All copies are turned before the first layer changes, so that a failure changes nothing.
      const moved = this.#layers.map((_, layer) => {
        const { k, v } = this.#view(layer, start + count, this.length(layer))
        return { k: table ? rotate(k, table) : k, v }
      })
      for (const [layer, { k, v }] of moved.entries()) {
        const length = this.length(layer) - count
        const slots = this.#view(layer, start, length)
        slots.k.data.set(k.data)
        slots.v.data.set(v.data)
        this.#state.set(layer, length)
      }
    })
  }

  async read(layer: number, start: number, end: number): Promise<{ k: Tensor; v: Tensor }> {
    this.#state.range('read', layer, start, end)
    const { k, v } = this.#view(layer, start, end)
    return { k: new Tensor(k.type, k.data.slice(), k.dims), v: new Tensor(v.type, v.data.slice(), v.dims) }
  }

  async dispose(): Promise<void> {
    if (this.#state.dispose()) this.#layers = []
  }

  /** What puts the new tokens into their slots, and the attention behind it. */
  #parts(layer: number, plan: StepPlan, { scale, bias }: CacheStep) {
    const { q, k, v, start, keys, mask, out, table = plan.angles?.table(), qNorm, kNorm, signal } = plan
    const slots = this.#view(layer, start, keys)
    store(v, slots.v)
    // A table without pairs turns nothing and still norms.
    const turn = table ?? { ...none, shape: [1, plan.queries, 0] as const }
    const append = rotationSteps(planRotation(k, turn, { norm: kNorm, out: slots.k }))
    const request = (): AttendRequest => {
      const all = this.#view(layer, 0, keys)
      const query = rotate(q, turn, { norm: qNorm })
      return { q: query, k: all.k, v: all.v, rotated: true, queryOffset: start, mask, scale, bias, out, signal }
    }
    return { append, request }
  }

  #view(layer: number, start: number, end: number): Layer {
    const { k, v } = this.#layers[layer]
    return { k: rows(k, start, end), v: rows(v, start, end) }
  }
}

const none = { cos: new Float32Array(), sin: new Float32Array(), pairing: 'half-split' } as const

/** Copies `(tokens, heads, dim)` into another storage type of the same dims. */
function store(source: Tensor, target: Tensor): void {
  const same = source.type === target.type
  target.data.set(same ? source.data : Tensor.from(target.type, source.toFloat32(), source.dims).data)
}
