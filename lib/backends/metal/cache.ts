import type { RotaryAngles } from '../../rotary/angles.js'
import type { RotaryTable } from '../../rotary/table.js'
import { throwIfAborted } from '../../tensors/slices.js'
import { Tensor } from '../../tensors/tensor.js'
import type { BackendCache, CacheOptions } from '../cache.js'
import { CacheState, planCache } from '../cache-state.js'
import { abortable } from '../native/abortable.js'
import { nativeFlags, nativeTypes, pack } from '../native/addon.js'
import { BackendResult } from '../result.js'
import { type GpuAddon, type GpuCache, type GpuDevice, gpuCachePlaces, gpuDropPlaces, gpuReadPlaces } from './addon.js'
import { type DeviceResult, type DeviceTensor, isDeviceTensor } from './device-tensor.js'
import { estimate, type MemoryEstimate } from './estimate.js'
import {
  angleArguments,
  anglesOf,
  checkHandle,
  checkList,
  needDevice,
  refuseFunction,
  standInTable,
} from './operands.js'
import { type MetalCacheStep, stepWork } from './step.js'
import { type MetalStepShape, stepsOf } from './step-shape.js'

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
  readonly #workingSetBytes: number

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
    this.#workingSetBytes = addon.gpuInfo(device).workingSetBytes
  }

  length(layer: number): number {
    return this.#state.length(layer)
  }

  attend(layer: number, step: MetalCacheStep & { readonly out: DeviceTensor }): Promise<DeviceResult>
  attend(layer: number, step: MetalCacheStep): Promise<BackendResult>
  async attend(layer: number, step: MetalCacheStep): Promise<BackendResult | DeviceResult> {
    const since = performance.now()
    this.#state.assertOpen()
    const work = stepWork(this.options, this.#state.length(layer), step)
    await this.#take(layer, work, undefined)
    return resultOf(step, work, since)
  }

  attendSync(layer: number, step: MetalCacheStep & { readonly out: DeviceTensor }): DeviceResult
  attendSync(layer: number, step: MetalCacheStep): BackendResult
  attendSync(layer: number, step: MetalCacheStep): BackendResult | DeviceResult {
    const since = performance.now()
    this.#state.assertOpen()
    const work = stepWork(this.options, this.#state.length(layer), step)
    const { plan, parts } = work
    this.#state.claimSync(layer, () => {
      try {
        for (const args of parts) {
          throwIfAborted(plan.signal)
          this.#addon.gpuCacheAttendSync(this.#cache, layer, ...args, undefined, undefined)
        }
      } catch (error) {
        this.#addon.gpuCacheTruncate(this.#cache, layer, plan.start)
        throw error
      }
      this.#state.set(layer, plan.keys)
    })
    return resultOf(step, work, since)
  }

  /**
   * Encodes a step into an `MTLCommandBuffer` of other Metal code in this process, which commits it; see
   * `MetalBackend.encodeRotate`. The tensors are device tensors and finite, and a bias is no function. When the promise
   * is fulfilled the layer counts the tokens: the next step, of any layer, can be encoded behind it. Their rows are there
   * once the command buffer is done; until then nothing but steps behind it may use the layer. Where it is given up, or
   * fails, `truncate` takes the tokens off again.
   * @throws what `attend` throws, as rejections; nothing is encoded then, and the layer is as it was
   */
  async encodeAttend(
    commandBuffer: bigint,
    layer: number,
    step: MetalCacheStep & { readonly out: DeviceTensor },
  ): Promise<void> {
    this.#state.assertOpen()
    const caller = 'cache.encodeAttend'
    checkHandle(caller, 'commandBuffer', commandBuffer)
    needDevice(caller, { q: step?.q, k: step?.k, v: step?.v, out: step?.out })
    const work = stepWork(this.options, this.#state.length(layer), step)
    refuseFunction(caller, work.plan.bias)
    await this.#take(layer, work, commandBuffer)
  }

  /**
   * What `attend` will take for a step as the layer is now; nothing is run, and the cache stays as it is. Compiles the
   * kernels, and with a bias that is evaluated in pieces looks at the first piece.
   * @throws what `attend` throws; ERR_MROPE_MEMORY where one buffer is more than the device takes
   */
  async estimate(layer: number, step: MetalCacheStep): Promise<MemoryEstimate> {
    return this.#estimate(layer, this.#state.length(layer), step)
  }

  /**
   * Compiles the kernels of steps that will come, side by side, so that the first token does not wait for them: usually
   * a whole chunk of the prompt, what is left over in the last one, and one token. Other kernels belong to device tensors
   * that begin at odd places of their buffer, and to mixed storage types: `estimate` compiles those of a step that is
   * there.
   * @throws what `attend` throws, as rejections
   */
  async warmup(steps: readonly MetalStepShape[]): Promise<void> {
    checkList('cache.warmup', 'steps', steps)
    const all = steps.flatMap((shape) => stepsOf(this.options, shape))
    await Promise.all(all.map(({ start, step }) => this.#estimate(0, start, step)))
  }

  truncate(length: number): void {
    this.#state.truncate(length, (layer) => this.#addon.gpuCacheTruncate(this.#cache, layer, length))
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

  /** Runs or encodes a step; its tokens count once all of it is done. */
  #take(layer: number, { plan, parts }: Work, commandBuffer: bigint | undefined): Promise<void> {
    return this.#state.claim(layer, async () => {
      try {
        for (const args of parts) {
          await abortable(this.#addon, plan.signal, (abort) =>
            this.#addon.gpuCacheAttend(this.#cache, layer, ...args, commandBuffer, undefined, abort),
          )
        }
      } catch (error) {
        this.#addon.gpuCacheTruncate(this.#cache, layer, plan.start)
        throw error
      }
      this.#state.set(layer, plan.keys)
    })
  }

  async #estimate(layer: number, start: number, step: MetalCacheStep): Promise<MemoryEstimate> {
    this.#state.assertOpen()
    const [args] = stepWork(this.options, start, step).parts
    return estimate(this.#workingSetBytes, (...end) =>
      this.#addon.gpuCacheAttend(this.#cache, layer, ...args, ...end, undefined),
    )
  }
}

type Work = ReturnType<typeof stepWork>

function resultOf(step: MetalCacheStep, { plan }: Work, since: number): BackendResult | DeviceResult {
  const ms = performance.now() - since
  if (isDeviceTensor(step.out)) return { out: step.out, backend: 'metal', ms }
  return new BackendResult(step.out ?? plan.out, 'metal', ms)
}
