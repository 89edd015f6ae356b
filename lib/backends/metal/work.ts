import { planAttention, withTable } from '../../attention/request.js'
import { MropeRangeError, MropeTypeError, show } from '../../errors.js'
import type { RotaryAngles } from '../../rotary/angles.js'
import type { RotaryTable } from '../../rotary/table.js'
import { checkOptions } from '../../tensors/check.js'
import type { Tensor, TensorType } from '../../tensors/tensor.js'
import type { BackendRotateOptions } from '../backend.js'
import { pieces, planRotate, rotateArguments } from '../cpu/cpu.js'
import type { RotateWork } from './addon.js'
import { bytesPerElement, type DeviceTensor, elementsOf } from './device-tensor.js'
import {
  angleArguments,
  anglesOf,
  type MetalAttendRequest,
  onDevice,
  onHost,
  standInRequest,
  standInTable,
} from './operands.js'

export interface MetalRotateOptions extends Omit<BackendRotateOptions, 'out'> {
  readonly out?: Tensor | DeviceTensor
}

/** A rotation that will come, as `MetalBackend.warmup` and `estimate` take it beside attentions. */
export interface MetalRotation extends MetalRotateOptions {
  readonly x: Tensor | DeviceTensor
  readonly table: RotaryTable | RotaryAngles
}

export function isRotation(request: MetalAttendRequest | MetalRotation): request is MetalRotation {
  return typeof request === 'object' && request !== null && 'x' in request
}

/** A checked rotation as the addon takes it. */
export function rotateWork(x: Tensor | DeviceTensor, table: RotaryTable | RotaryAngles, options: MetalRotateOptions) {
  checkOptions('rotate', options, ['pairing', 'inverse', 'norm', 'out', 'signal'])
  const out = onHost('rotate', options.out)
  const angles = anglesOf(table)
  const { plan, signal } = planRotate(onHost('rotate', x), standInTable(table), { ...options, out })
  const [params, source, target, cos, sin, norm] = onDevice(rotateArguments(plan))
  const numbers = angles === undefined ? ([cos, sin] as const) : ([] as const)
  const args: RotateWork = [params, source, target, numbers[0], numbers[1], norm, ...angleArguments(angles)]
  return { plan, signal, args }
}

/** A checked attention: one call of the addon, or one for each piece of a bias that is a function; each is made when its turn comes. */
export function attendWork(request: MetalAttendRequest) {
  const standIns = standInRequest(request)
  const checked = planAttention(standIns)
  // Pieces of packed segments cut the table, so they want its numbers.
  const angles = typeof checked.bias === 'function' ? undefined : anglesOf(checked.angles)
  const plan = withTable(checked, angles && standInTable(angles))
  function* parts() {
    for (const piece of pieces(plan, standIns)) {
      const [params, q, k, v, out, cos, sin, ...rest] = onDevice(piece)
      const numbers = angles === undefined ? ([cos, sin] as const) : ([undefined, undefined] as const)
      yield [params, q, k, v, out, ...numbers, ...rest, ...angleArguments(angles)] as const
    }
  }
  return { plan, parts: parts() }
}

/** Bytes of a tensor of this type and dims. */
export function checkType(caller: string, type: TensorType, dims: readonly number[]): number {
  if (type !== 'float32' && type !== 'float16' && type !== 'bfloat16') {
    const text = `${caller}: type is float32, float16 or bfloat16, got ${show(type)}`
    throw new MropeTypeError('ERR_MROPE_DTYPE', text, type)
  }
  if (!Array.isArray(dims) || !dims.every((d) => Number.isSafeInteger(d) && d >= 0)) {
    throw new MropeTypeError(
      'ERR_MROPE_SHAPE',
      `${caller}: dims must be non-negative integers, got ${show(dims)}`,
      dims,
    )
  }
  const bytes = elementsOf(dims) * bytesPerElement(type)
  if (Number.isSafeInteger(bytes)) return bytes
  throw new MropeRangeError('ERR_MROPE_SHAPE', `${caller}: dims ${show(dims)} are too large`, dims)
}
