import { withTable } from '../../attention/request.js'
import type { RotaryTable } from '../../rotary/table.js'
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
import { nativeTable } from './table.js'

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
      const plan = { ...checked, ...withTable(checked, angles && (await nativeTable(this.#addon, angles))) }
      if (typeof plan.bias === 'function') await this.#inPieces(layer, plan)
      else await abortable(this.#addon, plan.signal, (abort) => this.#step(layer, plan, abort))
      this.#state.set(layer, plan.keys)
      return new BackendResult(step.out ?? plan.out, 'cpu', performance.now() - since)
    })
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

  #step(layer: number, plan: StepPlan, abort: Parameters<NativeAddon['cacheStep']>[13]): Promise<boolean> {
    const { bias } = plan
    const args = attendArguments(plan, plan.mask, bias instanceof Tensor ? bias : undefined)
    return this.#addon.cacheStep(this.#layers[layer], ...args, abort)
  }

  /** A bias that is a JavaScript function is evaluated for one run of queries after the other. */
  async #inPieces(layer: number, plan: StepPlan): Promise<void> {
    const { k, v, table, kNorm, start, queries, signal, bias, mask } = plan
    if (typeof bias !== 'function') return
    const handle = this.#layers[layer]
    const params = pack(appendPlaces, {
      ...{ kType: nativeTypes[k.type], vType: nativeTypes[v.type], tokens: queries, eps: kNorm?.eps },
      ...turnPlaces(table, kNorm?.after ? nativeFlags.kNormAfter : 0),
    })
    const append = [handle, params, k.data, v.data, table?.cos, table?.sin, kNorm?.weight] as const
    await abortable(this.#addon, signal, (abort) => this.#addon.cacheAppend(...append, abort))
    try {
      for (const args of biasPieces({ ...plan, kNorm: undefined }, mask, bias)) {
        const [numbers, query, , , to, ...rest] = args
        await abortable(this.#addon, signal, (abort) =>
          this.#addon.cacheAttend(handle, numbers, query, to, ...rest, abort),
        )
      }
    } catch (error) {
      this.#addon.cacheTruncate(handle, start)
      throw error
    }
  }
}

function turnPlaces(table: RotaryTable | undefined, flags = 0) {
  if (table === undefined) return { flags }
  const adjacent = table.pairing === 'adjacent' ? nativeFlags.adjacent : 0
  return { tableHeads: table.shape[0], pairs: table.shape[2], flags: flags + adjacent }
}
