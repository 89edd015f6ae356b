import { MropeRangeError, MropeTypeError, show } from '../../errors.js'
import { checkOptions, checkSignal } from '../../tensors/check.js'
import { Tensor, type TensorData, type TensorType } from '../../tensors/tensor.js'
import { abortable } from '../native/abortable.js'
import type { GpuAddon, GpuBuffer } from './addon.js'

export interface ReadOptions {
  /** Destination of the same type and dims. */
  readonly out?: Tensor
  readonly signal?: AbortSignal
}

/**
 * A dense row-major tensor in device memory. Give it back with `dispose`, or with `using`; the garbage collector does it
 * late. Work under way keeps the memory until it is done. Calls run side by side: await the one that writes a tensor
 * before the one that reads it. Made by `upload`, `allocate` and `fromHandle` of a
 * MetalBackend, and taken wherever that backend takes a tensor.
 */
export class DeviceTensor {
  readonly type: TensorType
  readonly dims: readonly number[]
  readonly location = 'device' as const
  /** Bytes from the start of the MTLBuffer to the first element. */
  readonly byteOffset: number
  readonly #addon: GpuAddon
  #buffer: GpuBuffer | undefined

  /** Use `upload`, `allocate` or `fromHandle`. */
  constructor(addon: GpuAddon, buffer: GpuBuffer, type: TensorType, dims: readonly number[], byteOffset = 0) {
    this.type = type
    this.dims = Object.freeze([...dims])
    this.byteOffset = byteOffset
    this.#addon = addon
    this.#buffer = buffer
  }

  get bytes(): number {
    return elementsOf(this.dims) * bytesPerElement(this.type)
  }

  get disposed(): boolean {
    return this.#buffer === undefined
  }

  /** The `MTLBuffer`, for Metal code in this process. It is valid until `dispose`. @throws ERR_MROPE_STATE */
  get handle(): bigint {
    return this.#addon.gpuHandle(this.#open('handle'))
  }

  /** A copy in host memory. @throws MropeRangeError ERR_MROPE_STATE, ERR_MROPE_SHAPE, as rejections */
  async read(options: ReadOptions = {}): Promise<Tensor> {
    checkOptions('read', options, ['out', 'signal'])
    checkSignal('read', options.signal)
    const buffer = this.#open('read')
    const out = options.out ?? Tensor.zeros(this.type, this.dims)
    this.#match('read', 'out', out)
    await abortable(this.#addon, options.signal, (abort) => this.#addon.gpuRead(buffer, out.data, abort))
    return out
  }

  /** Copies host memory in. @throws MropeRangeError ERR_MROPE_STATE, ERR_MROPE_SHAPE, as rejections */
  async write(from: Tensor, options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    checkOptions('write', options, ['signal'])
    checkSignal('write', options.signal)
    const buffer = this.#open('write')
    this.#match('write', 'the tensor', from)
    await abortable(this.#addon, options.signal, (abort) => this.#addon.gpuWrite(buffer, from.data, abort))
  }

  /** Gives the memory back. May be called twice. */
  dispose(): void {
    if (this.#buffer !== undefined) this.#addon.gpuFree(this.#buffer)
    this.#buffer = undefined
  }

  [Symbol.dispose](): void {
    this.dispose()
  }

  /**
   * For checks and plans: a tensor of this type and dims whose array has a length and no memory of the host.
   * @internal
   */
  standIn(caller: string): Tensor {
    return new Tensor(
      this.type,
      deviceArray(this.#addon, this.#open(caller), this.type, elementsOf(this.dims)),
      this.dims,
    )
  }

  #open(caller: string): GpuBuffer {
    if (this.#buffer !== undefined) return this.#buffer
    const text = `${caller}: the tensor was disposed (dims = ${show(this.dims)})`
    throw new MropeRangeError('ERR_MROPE_STATE', text, this.dims)
  }

  #match(caller: string, name: string, tensor: Tensor): void {
    const { type, dims } = (tensor ?? {}) as Partial<Tensor>
    if (!Array.isArray(dims) || !ArrayBuffer.isView(tensor.data)) {
      const text = `${caller}: ${name} must be a Tensor in host memory, got ${show(tensor)}`
      throw new MropeTypeError('ERR_MROPE_ARGUMENT', text, tensor)
    }
    if (type !== this.type) {
      const text = `${caller}: ${name} is ${type}, the device tensor ${this.type}`
      throw new MropeTypeError('ERR_MROPE_DTYPE', text, type)
    }
    if (dims.length === this.dims.length && dims.every((d, axis) => d === this.dims[axis])) return
    const text = `${caller}: ${name} has dims ${show(dims)}, the device tensor ${show(this.dims)}`
    throw new MropeRangeError('ERR_MROPE_SHAPE', text, dims)
  }
}

/** A result that stays in device memory. */
export interface DeviceResult {
  readonly out: DeviceTensor
  readonly backend: 'metal'
  /** Time from the call to the result, checks included, in milliseconds. */
  readonly ms: number
}

export function isDeviceTensor(value: unknown): value is DeviceTensor {
  return value instanceof DeviceTensor
}

export function elementsOf(dims: readonly number[]): number {
  return dims.reduce((product, d) => product * d, 1)
}

export function bytesPerElement(type: TensorType): number {
  return type === 'float32' ? 4 : 2
}

const buffers = new WeakMap<TensorData, GpuBuffer>()

/** The device memory that an array stands for, or the array. */
export function memoryOf(data: TensorData): TensorData | GpuBuffer {
  return buffers.get(data) ?? data
}

/**
 * A typed array without memory that says its length, so that what checks and cuts host tensors does the same for device
 * tensors. Nothing reads its elements.
 */
function deviceArray(addon: GpuAddon, buffer: GpuBuffer, type: TensorType, length: number): TensorData {
  const array = lengthOnly(type, [length])
  const each = bytesPerElement(type)
  const subarray = (start = 0, end = length): TensorData =>
    deviceArray(addon, addon.gpuWindow(buffer, start * each, (end - start) * each), type, end - start)
  Object.defineProperty(array, 'subarray', { value: subarray })
  buffers.set(array, buffer)
  return array
}

/** An array that has the length of these dims and nothing else. */
export function lengthOnly<Type extends TensorType>(
  type: Type,
  dims: readonly number[],
): Type extends 'float32' ? Float32Array : Uint16Array
export function lengthOnly(type: TensorType, dims: readonly number[]): TensorData {
  const array = type === 'float32' ? new Float32Array(0) : new Uint16Array(0)
  return Object.defineProperty(array, 'length', { value: elementsOf(dims) })
}
