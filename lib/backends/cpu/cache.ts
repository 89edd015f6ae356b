import { type BiasFunction, withTable } from '../../attention/request.js'
import type { RotaryTable } from '../../rotary/table.js'
import { throwIfAborted } from '../../tensors/slices.js'
import { Tensor } from '../../tensors/tensor.js'
import type { BackendCache, CacheOptions, CacheStep } from '../cache.js'
import { CacheState, cacheTooLarge, planCache } from '../cache-state.js'
import { planStep, type StepPlan } from '../cache-step.js'
import { abortable } from '../native/abortable.js'
import {
  appendPlaces,
  type CacheHandle,
  cachePlaces,
  dropPlaces,
  type NativeAddon,
  nativeFlags,
  nativeTypes,
  pack,
  readPlaces,
} from '../native/addon.js'
import { BackendResult } from '../result.js'
import { attendArguments, biasPieces } from './attend.js'
import { nativeTable, nativeTableSync } from './table.js'

/** Keys and values in memory of the addon, one native cache a layer. A step is one native call. */
export class CpuCache implements BackendCache {
  readonly options: CacheOptions
  readonly bytes: number
  readonly #addon: NativeAddon
  readonly #state: CacheState
  readonly #layers: CacheHandle[] = []

  constructor(addon: NativeAddon, options: CacheOptions) {
    this.bytes = planCache(options)
    this.options = options
    this.#addon = addon
    this.#state = new CacheState(options)
    const { layers, kvHeads, headDim, valueDim, capacity, dtype } = options
    const params = pack(cachePlaces, { type: nativeTypes[dtype], kvHeads, headDim, valueDim, capacity })
    try {
      while (this.#layers.length < layers) this.#layers.push(addon.cacheCreate(params))
    } catch (cause) {
      for (const layer of this.#layers) addon.cacheDispose(layer)
      throw cacheTooLarge(options, cause)
    }
  }

  length(layer: number): number {
    return this.#state.length(layer)
  }

  async attend(layer: number, step: CacheStep): Promise<BackendResult> {
    const since = performance.now()
    const start = this.#state.length(layer)
    const checked = planStep(this.options, start, step)
    return this.#state.claim(layer, async () => {
      const { angles } = checked
      const plan = withTable(checked, angles && (await nativeTable(this.#addon, angles)))
      const { bias } = plan
      if (typeof bias === 'function') await this.#inPieces(layer, plan, bias)
      else {
        const args = this.#stepArguments(layer, plan, bias instanceof Tensor ? bias : undefined)
        await abortable(this.#addon, plan.signal, (abort) => this.#addon.cacheStep(...args, abort))
      }
      this.#state.set(layer, plan.keys)
      return new BackendResult(step.out ?? plan.out, 'cpu', performance.now() - since)
    })
  }

  attendSync(layer: number, step: CacheStep): BackendResult {
    const since = performance.now()
    const checked = planStep(this.options, this.#state.length(layer), step)
    return this.#state.claimSync(layer, () => {
      const { angles, signal, bias } = checked
      const plan = withTable(checked, angles && nativeTableSync(this.#addon, angles))
      throwIfAborted(signal)
      if (typeof bias === 'function') this.#inPiecesSync(layer, plan, bias)
      else this.#addon.cacheStepSync(...this.#stepArguments(layer, plan, bias instanceof Tensor ? bias : undefined))
      this.#state.set(layer, plan.keys)
      return new BackendResult(step.out ?? plan.out, 'cpu', performance.now() - since)
    })
  }

  truncate(length: number): void {
    this.#state.truncate(length, (layer) => this.#addon.cacheTruncate(this.#layers[layer], length))
  }

  async drop(start: number, count: number, turn?: Parameters<BackendCache['drop']>[2]): Promise<void> {
    this.#state.checkDrop(start, count, turn)
    await this.#state.claimAll('drop', async () => {
      const table = turn && (await nativeTable(this.#addon, turn))
      const params = pack(dropPlaces, { from: start, tokens: count, ...turnPlaces(table) })
      for (const [layer, handle] of this.#layers.entries()) {
        await this.#addon.cacheDrop(handle, params, table?.cos, table?.sin, undefined)
        this.#state.set(layer, this.length(layer) - count)
      }
    })
  }

  async read(layer: number, start: number, end: number): Promise<{ k: Tensor; v: Tensor }> {
    this.#state.range('read', layer, start, end)
    const { kvHeads, headDim, valueDim, dtype } = this.options
    const k = Tensor.zeros(dtype, [end - start, kvHeads, headDim])
    const v = Tensor.zeros(dtype, [end - start, kvHeads, valueDim])
    const type = nativeTypes[dtype]
    const params = pack(readPlaces, { kType: type, vType: type, from: start, tokens: end - start })
    this.#addon.cacheRead(this.#layers[layer], params, k.data, v.data)
    return { k, v }
  }

  async dispose(): Promise<void> {
    if (!this.#state.dispose()) return
    for (const layer of this.#layers.splice(0)) this.#addon.cacheDispose(layer)
  }

  #stepArguments(layer: number, plan: StepPlan, bias: Tensor | undefined) {
    return [this.#layers[layer], ...attendArguments(plan, plan.mask, bias)] as const
  }

  #append(layer: number, { k, v, table, kNorm, queries }: StepPlan) {
    const params = pack(appendPlaces, {
      ...{ kType: nativeTypes[k.type], vType: nativeTypes[v.type], tokens: queries, eps: kNorm?.eps },
      ...turnPlaces(table, kNorm?.after ? nativeFlags.kNormAfter : 0),
    })
    return [this.#layers[layer], params, k.data, v.data, table?.cos, table?.sin, kNorm?.weight] as const
  }

  /** A bias that is a JavaScript function is evaluated for one run of queries after the other. */
  *#pieces(layer: number, plan: StepPlan, bias: BiasFunction) {
    for (const [numbers, query, , , to, ...rest] of biasPieces({ ...plan, kNorm: undefined }, plan.mask, bias)) {
      yield [this.#layers[layer], numbers, query, to, ...rest] as const
    }
  }

  async #inPieces(layer: number, plan: StepPlan, bias: BiasFunction): Promise<void> {
    const { start, signal } = plan
    await abortable(this.#addon, signal, (abort) => this.#addon.cacheAppend(...this.#append(layer, plan), abort))
    try {
      for (const piece of this.#pieces(layer, plan, bias)) {
        await abortable(this.#addon, signal, (abort) => this.#addon.cacheAttend(...piece, abort))
      }
    } catch (error) {
      this.#addon.cacheTruncate(this.#layers[layer], start)
      throw error
    }
  }

  #inPiecesSync(layer: number, plan: StepPlan, bias: BiasFunction): void {
    this.#addon.cacheAppendSync(...this.#append(layer, plan))
    try {
      for (const piece of this.#pieces(layer, plan, bias)) {
        throwIfAborted(plan.signal)
        this.#addon.cacheAttendSync(...piece)
      }
    } catch (error) {
      this.#addon.cacheTruncate(this.#layers[layer], plan.start)
      throw error
    }
  }
}

function turnPlaces(table: RotaryTable | undefined, flags = 0) {
  if (table === undefined) return { flags }
  const adjacent = table.pairing === 'adjacent' ? nativeFlags.adjacent : 0
  return { tableHeads: table.shape[0], pairs: table.shape[2], flags: flags + adjacent }
}
