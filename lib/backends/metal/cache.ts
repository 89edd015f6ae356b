import type { RotaryAngles } from '../../rotary/angles.js'
import type { RotaryTable } from '../../rotary/table.js'
import { Tensor } from '../../tensors/tensor.js'
import type { BackendCache, CacheOptions } from '../cache.js'
import { CacheState, planCache } from '../cache-state.js'
import { abortable } from '../native/abortable.js'
import { nativeFlags, nativeTypes, pack } from '../native/addon.js'
import { BackendResult } from '../result.js'
import { type GpuAddon, type GpuCache, type GpuDevice, gpuCachePlaces, gpuDropPlaces, gpuReadPlaces } from './addon.js'
import { type DeviceResult, type DeviceTensor, isDeviceTensor } from './device-tensor.js'
import { angleArguments, anglesOf, standInTable } from './operands.js'
import { type MetalCacheStep, stepWork } from './step.js'

/**
 * Rotated keys and values in device memory, `(kvHeads, capacity, dim)` for each layer. A step of many tokens takes two
 * dispatches, of one token one, or two where many keys are split.
 */
export class MetalCache implements BackendCache {
  readonly options: CacheOptions
  readonly bytes: number
  readonly #addon: GpuAddon
  readonly #state: CacheState
  readonly #cache: GpuCache

  /** Use `openCache`. */
  constructor(addon: GpuAddon, device: GpuDevice, options: CacheOptions) {
    this.bytes = planCache(options)
    this.options = options
    this.#addon = addon
    this.#state = new CacheState(options)
    const { layers, kvHeads, headDim, valueDim, capacity, dtype } = options
    const type = nativeTypes[dtype]
    this.#cache = addon.gpuCacheCreate(
      device,
      pack(gpuCachePlaces, { layers, type, kvHeads, headDim, valueDim, capacity }),
    )
  }

  length(layer: number): number {
    return this.#state.length(layer)
  }

  attend(layer: number, step: MetalCacheStep & { readonly out: DeviceTensor }): Promise<DeviceResult>
  attend(layer: number, step: MetalCacheStep): Promise<BackendResult>
  async attend(layer: number, step: MetalCacheStep): Promise<BackendResult | DeviceResult> {
    const since = performance.now()
    this.#state.assertOpen()
    const { parts, plan } = stepWork(this.options, this.#state.length(layer), step)
    return this.#state.claim(layer, async () => {
      try {
        for (const args of parts) {
          await abortable(this.#addon, plan.signal, (abort) =>
            this.#addon.gpuCacheAttend(this.#cache, layer, ...args, undefined, abort),
          )
        }
      } catch (error) {
        this.#addon.gpuCacheTruncate(this.#cache, layer, plan.start)
        throw error
      }
      this.#state.set(layer, plan.keys)
      const ms = performance.now() - since
      if (isDeviceTensor(step.out)) return { out: step.out, backend: 'metal', ms }
      return new BackendResult(step.out ?? plan.out, 'metal', ms)
    })
  }

  /**
   * As `BackendCache.drop`, in one command buffer. Where the device fails under it, which rows have moved is unknown:
   * from then on the cache gives ERR_MROPE_STATE for everything but `dispose`.
   */
  async drop(start: number, count: number, turn?: RotaryTable | RotaryAngles): Promise<void> {
    this.#state.checkDrop(start, count, turn)
    await this.#state.claimAll('drop', async () => {
      const table = turn === undefined ? undefined : standInTable(turn)
      const angles = anglesOf(turn)
      const params = pack(gpuDropPlaces, {
        start,
        tokens: count,
        tableHeads: table?.shape[0],
        tableTokens: table?.shape[1],
        pairs: table?.shape[2],
        flags: table?.pairing === 'adjacent' ? nativeFlags.adjacent : 0,
      })
      const numbers = angles === undefined ? ([table?.cos, table?.sin] as const) : ([undefined, undefined] as const)
      await this.#addon.gpuCacheDrop(this.#cache, params, ...numbers, ...angleArguments(angles), undefined)
      for (let layer = 0; layer < this.options.layers; layer++) this.#state.set(layer, this.length(layer) - count)
    })
  }

  async read(layer: number, start: number, end: number): Promise<{ readonly k: Tensor; readonly v: Tensor }> {
    this.#state.range('read', layer, start, end)
    const { kvHeads, headDim, valueDim, dtype } = this.options
    const k = Tensor.zeros(dtype, [end - start, kvHeads, headDim])
    const v = Tensor.zeros(dtype, [end - start, kvHeads, valueDim])
    await this.#state.claim(layer, () =>
      this.#addon.gpuCacheRead(this.#cache, pack(gpuReadPlaces, { layer, start, end }), k.data, v.data, undefined),
    )
    return { k, v }
  }

  async dispose(): Promise<void> {
    if (this.#state.dispose()) this.#addon.gpuCacheDispose(this.#cache)
  }
}
