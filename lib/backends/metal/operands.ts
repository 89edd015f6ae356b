import type { AttendRequest } from '../../attention/request.js'
import { isAttentionBias } from '../../biases/bias.js'
import { MropeRangeError, MropeTypeError, show } from '../../errors.js'
import { RotaryAngles } from '../../rotary/angles.js'
import type { RotaryTable } from '../../rotary/table.js'
import type { Tensor, TensorData } from '../../tensors/tensor.js'
import { pack, tablePlaces } from '../native/addon.js'
import type { AngleArguments, OnDevice } from './addon.js'
import { type DeviceTensor, isDeviceTensor, lengthOnly, memoryOf } from './device-tensor.js'

/** `AttendRequest` with tensors in either memory. The result is where `out` is; without `out` it is in host memory. */
export interface MetalAttendRequest extends Omit<AttendRequest, 'q' | 'k' | 'v' | 'bias' | 'out'> {
  readonly q: Tensor | DeviceTensor
  readonly k: Tensor | DeviceTensor
  readonly v: Tensor | DeviceTensor
  readonly bias?: AttendRequest['bias'] | DeviceTensor
  readonly out?: Tensor | DeviceTensor
}

/** A tensor as checks and plans see it. */
export function onHost<T>(caller: string, value: T): Exclude<T, DeviceTensor> | Tensor {
  return isDeviceTensor(value) ? value.standIn(caller) : (value as Exclude<T, DeviceTensor>)
}

/** A request as `planAttention` takes it. */
export function standInRequest(request: MetalAttendRequest): AttendRequest {
  if (typeof request !== 'object' || request === null) return request
  const { q, k, v, bias, out } = request
  needReadable('attend', request)
  return {
    ...request,
    q: onHost('attend', q),
    k: onHost('attend', k),
    v: onHost('attend', v),
    ...(bias !== undefined && { bias: onHost('attend', bias) }),
    ...(out !== undefined && { out: onHost('attend', out) }),
  } as AttendRequest
}

/** Angles by ids where the kernels make them; rounded angles come as a table. */
export function anglesOf(rotation: RotaryTable | RotaryAngles | undefined): RotaryAngles | undefined {
  return rotation instanceof RotaryAngles && rotation.precision === 'float64' ? rotation : undefined
}

/** A table of the right shape: without numbers, where kernels make them. */
export function standInTable(rotation: RotaryTable | RotaryAngles): RotaryTable {
  if (!(rotation instanceof RotaryAngles)) return rotation
  const { positions, allocation, shape, pairing } = rotation
  if (anglesOf(rotation) === undefined || positions.axes.length !== allocation.axes) return rotation.table()
  return { cos: lengthOnly('float32', shape), sin: lengthOnly('float32', shape), shape, pairing }
}

export function angleArguments(angles: RotaryAngles | undefined): AngleArguments {
  if (angles === undefined) return [undefined, undefined, undefined, undefined, undefined]
  const { positions, invFreq, attentionFactor, allocation, shape } = angles
  const [heads, tokens, pairs] = shape
  const params = pack(tablePlaces, { axes: allocation.axes, tokens, heads, pairs, factor: attentionFactor })
  return [params, positions.ids, invFreq, Int32Array.from(allocation.axisOf), allocation.directions]
}

/** Arguments of the addon with device memory in the place of its stand-ins. */
export function onDevice<Arguments extends readonly unknown[]>(args: Arguments): OnDevice<Arguments> {
  const swap = (value: unknown): unknown =>
    value instanceof Float32Array || value instanceof Uint16Array ? memoryOf(value as TensorData) : value
  return args.map(swap) as unknown as OnDevice<Arguments>
}

/** That two device tensors are or are not the same memory is found by the addon; this is for encoded work. */
export function needDevice(caller: string, tensors: Record<string, unknown>): void {
  for (const [name, tensor] of Object.entries(tensors)) {
    if (isDeviceTensor(tensor)) continue
    const text = `${caller}: ${name} must be a DeviceTensor: the work runs after the call`
    throw new MropeTypeError('ERR_MROPE_ARGUMENT', text, tensor)
  }
}

/** Some relative encodings are made from q and k, on the host. */
export function needReadable(caller: string, { q, k, bias }: Partial<Record<'q' | 'k' | 'bias', unknown>>): void {
  if (!isAttentionBias(bias) || !bias.describe().readsQueries || !(isDeviceTensor(q) || isDeviceTensor(k))) return
  const text = `${caller}: the bias ${bias.name} is made from q and k, which must be in host memory`
  throw new MropeTypeError('ERR_MROPE_ARGUMENT', text, bias.name)
}

/** A bias is settled by the time that work is encoded. */
export function refuseFunction(caller: string, bias: unknown): void {
  if (typeof bias !== 'function') return
  const text = `${caller}: the bias is evaluated in pieces, which cannot be encoded ahead`
  throw new MropeTypeError('ERR_MROPE_ARGUMENT', text, bias)
}

export function checkList(caller: string, name: string, list: unknown): void {
  if (Array.isArray(list)) return
  throw new MropeTypeError('ERR_MROPE_ARGUMENT', `${caller}: ${name} must be an array, got ${show(list)}`, list)
}

/** The handle of a Metal object. */
export function checkHandle(caller: string, name: string, handle: unknown): bigint {
  if (typeof handle !== 'bigint') {
    throw new MropeTypeError('ERR_MROPE_ARGUMENT', `${caller}: ${name} must be a BigInt`, handle)
  }
  if (handle <= 0n || handle >= 2n ** 64n) {
    throw new MropeRangeError('ERR_MROPE_ARGUMENT', `${caller}: ${name} is no handle: ${handle}`, handle)
  }
  return handle
}
