import { MropeRangeError } from '../../errors.js'
import type { RotaryAngles } from '../../rotary/angles.js'
import type { RotaryTable } from '../../rotary/table.js'
import { asTensor, checkCount } from '../../tensors/check.js'
import { throwIfAborted } from '../../tensors/slices.js'
import type { Tensor, TensorType } from '../../tensors/tensor.js'
import type { Backend } from '../backend.js'
import type { CacheOptions } from '../cache.js'
import { abortable } from '../native/abortable.js'
import { BackendResult } from '../result.js'
import type { GpuAddon, GpuDevice, GpuInfo, WorkEnd } from './addon.js'
import { MetalCache } from './cache.js'
import { bytesPerElement, type DeviceResult, DeviceTensor, isDeviceTensor } from './device-tensor.js'
import { estimate, type MemoryEstimate } from './estimate.js'
import { checkHandle, checkList, type MetalAttendRequest, needDevice, refuseFunction } from './operands.js'
import { attendWork, checkType, isRotation, type MetalRotateOptions, type MetalRotation, rotateWork } from './work.js'

const nothing: WorkEnd = [undefined, undefined]

/** Metal kernels on the GPU of an Apple processor. Tensors may be in host memory or `DeviceTensor`s. */
export class MetalBackend implements Backend {
  readonly name = 'metal'
  readonly why: string
  readonly device: string
  readonly #addon: GpuAddon
  readonly #gpu: GpuDevice
  #disposed = false

  /**
   * Opens a device and tests that it deals out matrix fragments in the order that the kernels count on.
   * @throws MropeRangeError ERR_MROPE_DEVICE, ERR_MROPE_COMPILE, as rejections
   */
  static async open(addon: GpuAddon, why: string, index = 0): Promise<MetalBackend> {
    const backend = new MetalBackend(addon, why, index)
    try {
      await addon.gpuSelfTest(backend.#gpu)
      return backend
    } catch (error) {
      await backend.dispose()
      throw error
    }
  }

  /** Use `open`, which also tests the device. */
  constructor(addon: GpuAddon, why: string, index = 0) {
    this.#addon = addon
    this.#gpu = addon.gpuOpen(index)
    const { name, family } = addon.gpuInfo(this.#gpu)
    this.why = why
    this.device = `${name}, family ${family}`
  }

  /** Limits, counters, and the kernels that were built so far. */
  info(): GpuInfo {
    this.#begin()
    return this.#addon.gpuInfo(this.#gpu)
  }

  /** Copies a tensor to the device. */
  async upload(tensor: Tensor, options: { readonly signal?: AbortSignal } = {}): Promise<DeviceTensor> {
    const source = asTensor('upload', 'the tensor', tensor, tensor?.dims?.length ?? 1)
    const target = this.#allocate('upload', source.type, source.dims, true)
    try {
      await target.write(source, options)
      return target
    } catch (error) {
      target.dispose()
      throw error
    }
  }

  /** A device tensor of zeros. @throws MropeRangeError ERR_MROPE_MEMORY, ERR_MROPE_SHAPE */
  allocate(type: TensorType, dims: readonly number[]): DeviceTensor {
    return this.#allocate('allocate', type, dims, false)
  }

  /**
   * A tensor in an `MTLBuffer` of other Metal code in this process, without a copy. The buffer is retained until the
   * tensor is disposed; it must be of this device and in shared storage. The handle is a pointer: nothing can check
   * one that is wrong.
   */
  fromHandle(
    handle: bigint,
    { type, dims, byteOffset = 0 }: { type: TensorType; dims: readonly number[]; byteOffset?: number },
  ): DeviceTensor {
    this.#begin()
    checkHandle('fromHandle', 'handle', handle)
    checkCount('fromHandle', 'byteOffset', byteOffset)
    const bytes = checkType('fromHandle', type, dims)
    if (byteOffset % bytesPerElement(type) !== 0) {
      const text = `fromHandle: byteOffset ${byteOffset} is not at an element of ${type}`
      throw new MropeRangeError('ERR_MROPE_ARGUMENT', text, byteOffset)
    }
    const buffer = this.#addon.gpuAdopt(this.#gpu, handle, byteOffset, bytes)
    return new DeviceTensor(this.#addon, buffer, type, dims, byteOffset)
  }

  rotate(
    x: Tensor | DeviceTensor,
    table: RotaryTable | RotaryAngles,
    options: MetalRotateOptions & { readonly out: DeviceTensor },
  ): Promise<DeviceResult>
  rotate(
    x: Tensor | DeviceTensor,
    table: RotaryTable | RotaryAngles,
    options?: MetalRotateOptions,
  ): Promise<BackendResult>
  async rotate(
    x: Tensor | DeviceTensor,
    table: RotaryTable | RotaryAngles,
    options: MetalRotateOptions = {},
  ): Promise<BackendResult | DeviceResult> {
    const since = this.#begin()
    const { args, plan, signal } = rotateWork(x, table, options)
    await abortable(this.#addon, signal, (abort) => this.#addon.gpuRotate(this.#gpu, ...args, ...nothing, abort))
    return this.#result(options.out, plan.out, since)
  }

  rotateSync(
    x: Tensor | DeviceTensor,
    table: RotaryTable | RotaryAngles,
    options: MetalRotateOptions & { readonly out: DeviceTensor },
  ): DeviceResult
  rotateSync(x: Tensor | DeviceTensor, table: RotaryTable | RotaryAngles, options?: MetalRotateOptions): BackendResult
  rotateSync(
    x: Tensor | DeviceTensor,
    table: RotaryTable | RotaryAngles,
    options: MetalRotateOptions = {},
  ): BackendResult | DeviceResult {
    const since = this.#begin()
    const { args, plan, signal } = rotateWork(x, table, options)
    throwIfAborted(signal)
    this.#addon.gpuRotateSync(this.#gpu, ...args, ...nothing)
    return this.#result(options.out, plan.out, since)
  }

  attend(request: MetalAttendRequest & { readonly out: DeviceTensor }): Promise<DeviceResult>
  attend(request: MetalAttendRequest): Promise<BackendResult>
  async attend(request: MetalAttendRequest): Promise<BackendResult | DeviceResult> {
    const since = this.#begin()
    const { plan, parts } = attendWork(request)
    for (const args of parts) {
      await abortable(this.#addon, plan.signal, (abort) => this.#addon.gpuAttend(this.#gpu, ...args, ...nothing, abort))
    }
    return this.#result(request.out, plan.out, since)
  }

  attendSync(request: MetalAttendRequest & { readonly out: DeviceTensor }): DeviceResult
  attendSync(request: MetalAttendRequest): BackendResult
  attendSync(request: MetalAttendRequest): BackendResult | DeviceResult {
    const since = this.#begin()
    const { plan, parts } = attendWork(request)
    for (const args of parts) {
      throwIfAborted(plan.signal)
      this.#addon.gpuAttendSync(this.#gpu, ...args, ...nothing)
    }
    return this.#result(request.out, plan.out, since)
  }

  /** As `Backend.openCache`; the cache takes device tensors too. */
  async openCache(options: CacheOptions): Promise<MetalCache> {
    this.#begin()
    return new MetalCache(this.#addon, this.#gpu, options)
  }

  /**
   * What `attend`, or `rotate`, will take, before it runs. Compiles the kernels, and with a bias that is evaluated in
   * pieces looks at the first piece.
   * @throws what `attend` and `rotate` throw; ERR_MROPE_MEMORY where one buffer is more than the device takes
   */
  async estimate(request: MetalAttendRequest | MetalRotation): Promise<MemoryEstimate> {
    this.#begin()
    const { workingSetBytes } = this.#addon.gpuInfo(this.#gpu)
    if (isRotation(request)) {
      const { x, table, ...options } = request
      const { args } = rotateWork(x, table, options)
      return estimate(workingSetBytes, (...end) => this.#addon.gpuRotate(this.#gpu, ...args, ...end, undefined))
    }
    const [first] = attendWork(request).parts
    return estimate(workingSetBytes, async (...end) => {
      // Segments without tokens have nothing to do.
      return first === undefined || this.#addon.gpuAttend(this.#gpu, ...first, ...end, undefined)
    })
  }

  /** Compiles the kernels of these requests, side by side, so that the first call does not wait for them. */
  async warmup(requests: readonly (MetalAttendRequest | MetalRotation)[]): Promise<void> {
    checkList('warmup', 'requests', requests)
    await Promise.all(requests.map((request) => this.estimate(request)))
  }

  /**
   * Encodes a rotation into an `MTLCommandBuffer` of other Metal code in this process, which commits it. All tensors are
   * device tensors; their memory lives until the command buffer is done, whether or not it retains what it uses. No
   * encoder may be open on it, and nothing else may encode into it until the promise is fulfilled.
   */
  async encodeRotate(
    commandBuffer: bigint,
    x: DeviceTensor,
    table: RotaryTable | RotaryAngles,
    options: Omit<MetalRotateOptions, 'signal'> & { readonly out: DeviceTensor },
  ): Promise<void> {
    this.#begin()
    checkHandle('encodeRotate', 'commandBuffer', commandBuffer)
    needDevice('encodeRotate', { x, out: options?.out })
    const { args } = rotateWork(x, table, options)
    await this.#addon.gpuRotate(this.#gpu, ...args, commandBuffer, undefined, undefined)
  }

  /** Encodes an attention; see `encodeRotate`. A bias must not be a function, and q, k and v must be finite. */
  async encodeAttend(commandBuffer: bigint, request: MetalAttendRequest): Promise<void> {
    this.#begin()
    checkHandle('encodeAttend', 'commandBuffer', commandBuffer)
    needDevice('encodeAttend', { q: request?.q, k: request?.k, v: request?.v, out: request?.out })
    const { plan, parts } = attendWork(request)
    refuseFunction('encodeAttend', plan.bias)
    const encoded = [commandBuffer, undefined] as const
    for (const args of parts) {
      await abortable(this.#addon, plan.signal, (abort) => this.#addon.gpuAttend(this.#gpu, ...args, ...encoded, abort))
    }
  }

  async dispose(): Promise<void> {
    if (!this.#disposed) this.#addon.gpuClose(this.#gpu)
    this.#disposed = true
  }

  #allocate(caller: string, type: TensorType, dims: readonly number[], written: boolean): DeviceTensor {
    this.#begin()
    const bytes = checkType(caller, type, dims)
    return new DeviceTensor(this.#addon, this.#addon.gpuAllocate(this.#gpu, bytes, written), type, dims)
  }

  #begin(): number {
    if (this.#disposed) {
      throw new MropeRangeError('ERR_MROPE_STATE', `backend ${this.name}: it was disposed`, this.name)
    }
    return performance.now()
  }

  #result(asked: Tensor | DeviceTensor | undefined, made: Tensor, since: number): BackendResult | DeviceResult {
    const ms = performance.now() - since
    if (isDeviceTensor(asked)) return { out: asked, backend: this.name, ms }
    return new BackendResult(asked ?? made, this.name, ms)
  }
}
