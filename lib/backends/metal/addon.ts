import { type AbortHandle, type AttendArguments, type NativeAddon, places } from '../native/addon.js'

/** What the addon has besides where it is built with Metal; its other side is native/binding/gpu-operations.h. */
export interface GpuAddon extends NativeAddon {
  /** Names of the devices that can run the kernels, and what is missing where there are none. */
  gpuDevices(): { readonly names: readonly string[]; readonly why: string }
  gpuOpen(index: number): GpuDevice
  gpuClose(device: GpuDevice): void
  gpuInfo(device: GpuDevice): GpuInfo
  gpuSelfTest(device: GpuDevice): Promise<boolean>

  /** Zeros, but where the caller writes all of it. */
  gpuAllocate(device: GpuDevice, bytes: number, written: boolean): GpuBuffer
  gpuAdopt(device: GpuDevice, handle: bigint, byteOffset: number, bytes: number): GpuBuffer
  gpuWindow(buffer: GpuBuffer, byteOffset: number, bytes: number): GpuBuffer
  gpuHandle(buffer: GpuBuffer): bigint
  gpuWrite(buffer: GpuBuffer, from: Storage, abort: AbortHandle | undefined): Promise<boolean>
  gpuRead(buffer: GpuBuffer, to: Storage, abort: AbortHandle | undefined): Promise<boolean>
  gpuFree(buffer: GpuBuffer): void

  gpuRotate(...args: [GpuDevice, ...RotateWork, ...WorkEnd, Abort]): Promise<boolean>
  gpuRotateSync(...args: [GpuDevice, ...RotateWork, ...WorkEnd]): void
  gpuAttend(...args: [GpuDevice, ...OnDevice<AttendArguments>, ...AngleArguments, ...WorkEnd, Abort]): Promise<boolean>
  gpuAttendSync(...args: [GpuDevice, ...OnDevice<AttendArguments>, ...AngleArguments, ...WorkEnd]): void

  gpuCacheCreate(device: GpuDevice, params: Float64Array): GpuCache
  gpuCacheLength(cache: GpuCache, layer: number): number
  /**
   * q, k and v are the new tokens, the numbers those of all tokens, without rotateK. With a report, the tokens come
   * after `queryOffset` others, whatever the layer holds.
   */
  gpuCacheAttend(
    ...args: [GpuCache, layer: number, ...OnDevice<AttendArguments>, ...AngleArguments, ...WorkEnd, Abort]
  ): Promise<boolean>
  gpuCacheAttendSync(
    ...args: [GpuCache, layer: number, ...OnDevice<AttendArguments>, ...AngleArguments, ...WorkEnd]
  ): void
  gpuCacheDrop(...args: [GpuCache, Float64Array, Angle, Angle, ...AngleArguments, Abort]): Promise<boolean>
  /** Takes the tokens of a layer from `length` on away. */
  gpuCacheTruncate(cache: GpuCache, layer: number, length: number): void
  gpuCacheRead(cache: GpuCache, params: Float64Array, k: Storage, v: Storage, abort: Abort): Promise<boolean>
  gpuCacheDispose(cache: GpuCache): void
}

declare const deviceBrand: unique symbol
declare const bufferBrand: unique symbol
declare const cacheBrand: unique symbol
export interface GpuDevice {
  readonly [deviceBrand]: true
}
/** Part of device memory. */
export interface GpuBuffer {
  readonly [bufferBrand]: true
}
export interface GpuCache {
  readonly [cacheBrand]: true
}

/** A kernel as it was built for the device. */
export interface BuiltPipeline {
  readonly library: string
  readonly kernel: string
  /** Macros and function constants. */
  readonly variant: string
  /** maxTotalThreadsPerThreadgroup: less than 1024 where the kernel needs many registers. */
  readonly maxThreads: number
  readonly threadgroupBytes: number
}

export interface GpuInfo {
  readonly name: string
  /** Apple's name of the family, such as `Apple9`. */
  readonly family: string
  readonly threadgroupBytes: number
  readonly maxBufferBytes: number
  readonly workingSetBytes: number
  /** Since the device was opened in this process. */
  readonly commandBuffers: number
  readonly dispatches: number
  /** From GPUStartTime to GPUEndTime of all command buffers. */
  readonly gpuSeconds: number
  readonly pipelines: readonly BuiltPipeline[]
}

type Storage = Float32Array | Uint16Array
type Angle = Float32Array | undefined
type Abort = AbortHandle | undefined
/** `gpuReportPlaces`; where it is given, nothing is run. */
export type Report = Float64Array | undefined
/** A command buffer to encode into, and a report. */
export type WorkEnd = [commandBuffer: bigint | undefined, report: Report]

/** Arguments in which device memory may stand for a typed array. */
export type OnDevice<Arguments extends readonly unknown[]> = {
  [At in keyof Arguments]: Storage extends Arguments[At] ? Arguments[At] | GpuBuffer : Arguments[At]
}

/** `rotate` with its angles either way. */
export type RotateWork = [
  params: Float64Array,
  x: Storage | GpuBuffer,
  out: Storage | GpuBuffer,
  cos: Angle,
  sin: Angle,
  norm: Angle,
  ...angles: AngleArguments,
]

/** Angles instead of cosines and sines: the numbers of `tablePlaces` and the arrays of `table`. */
export type AngleArguments = [
  params: Float64Array | undefined,
  ids: Float64Array | undefined,
  invFreq: Float64Array | undefined,
  axisOf: Int32Array | undefined,
  directions: Float64Array | undefined,
]

/** Places in `params`, the enums of native/binding/gpu-layout.h; a test holds them together. */
export const gpuCachePlaces = places('layers', 'type', 'kvHeads', 'headDim', 'valueDim', 'capacity')
export const gpuDropPlaces = places('start', 'tokens', 'tableHeads', 'tableTokens', 'pairs', 'flags')
export const gpuReadPlaces = places('layer', 'start', 'end')
export const gpuReportPlaces = places('scratchBytes', 'copiedBytes', 'dispatches')

/** Whether the addon is built with Metal. */
export function hasMetal(addon: NativeAddon): addon is GpuAddon {
  return 'gpuDevices' in addon
}
