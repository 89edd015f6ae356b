import type { BiasFunction } from '../../attention/request.js'
import { type AttendRequest, type AttentionPlan, planAttention, withTable } from '../../attention/request.js'
import { MropeRangeError } from '../../errors.js'
import type { RotaryAngles } from '../../rotary/angles.js'
import { planRotation, type RotationPlan } from '../../rotary/rotate.js'
import type { RotaryTable } from '../../rotary/table.js'
import { checkOptions, checkSignal } from '../../tensors/check.js'
import { throwIfAborted } from '../../tensors/slices.js'
import { Tensor } from '../../tensors/tensor.js'
import type { Backend, BackendRotateOptions } from '../backend.js'
import type { BackendCache, CacheOptions } from '../cache.js'
import { abortable } from '../native/abortable.js'
import type { NativeAddon, RotateArguments } from '../native/addon.js'
import { nativeFlags, nativeTypes, pack, rotatePlaces } from '../native/addon.js'
import { BackendResult } from '../result.js'
import { attendArguments, biasPieces } from './attend.js'
import { CpuCache } from './cache.js'
import { nativeTable, nativeTableSync } from './table.js'

/** SIMD kernels of the addon, on a pool of threads that all calls share. */
export class CpuBackend implements Backend {
  readonly name = 'cpu'
  readonly why: string
  readonly device: string
  readonly #addon: NativeAddon
  #disposed = false

  constructor(addon: NativeAddon, why: string) {
    const { instructions, threads, compiler } = addon.info()
    this.#addon = addon
    this.why = why
    this.device = `${instructions}, ${threads} ${threads === 1 ? 'thread' : 'threads'}, ${compiler}`
  }

  async rotate(
    x: Tensor,
    table: RotaryTable | RotaryAngles,
    options: BackendRotateOptions = {},
  ): Promise<BackendResult> {
    const since = this.#begin()
    const { plan, signal } = planRotate(x, table, options)
    const ready = { ...plan, table: await nativeTable(this.#addon, plan.table) }
    await abortable(this.#addon, signal, (abort) => this.#addon.rotate(...rotateArguments(ready), abort))
    return new BackendResult(options.out ?? plan.out, this.name, performance.now() - since)
  }

  rotateSync(x: Tensor, table: RotaryTable | RotaryAngles, options: BackendRotateOptions = {}): BackendResult {
    const since = this.#begin()
    const { plan, signal } = planRotate(x, table, options)
    throwIfAborted(signal)
    this.#addon.rotateSync(...rotateArguments({ ...plan, table: nativeTableSync(this.#addon, plan.table) }))
    return new BackendResult(options.out ?? plan.out, this.name, performance.now() - since)
  }

  async attend(request: AttendRequest): Promise<BackendResult> {
    const since = this.#begin()
    const checked = planAttention(request)
    const { angles } = checked
    const plan = withTable(checked, angles && (await nativeTable(this.#addon, angles)))
    for (const piece of pieces(plan, request)) {
      await abortable(this.#addon, plan.signal, (abort) => this.#addon.attend(...piece, abort))
    }
    return new BackendResult(request.out ?? plan.out, this.name, performance.now() - since)
  }

  attendSync(request: AttendRequest): BackendResult {
    const since = this.#begin()
    const checked = planAttention(request)
    const { angles } = checked
    const plan = withTable(checked, angles && nativeTableSync(this.#addon, angles))
    for (const piece of pieces(plan, request)) {
      throwIfAborted(plan.signal)
      this.#addon.attendSync(...piece)
    }
    return new BackendResult(request.out ?? plan.out, this.name, performance.now() - since)
  }

  async openCache(options: CacheOptions): Promise<BackendCache> {
    this.#begin()
    return new CpuCache(this.#addon, options)
  }

  async dispose(): Promise<void> {
    this.#disposed = true
  }

  #begin(): number {
    if (this.#disposed) {
      throw new MropeRangeError('ERR_MROPE_STATE', `backend ${this.name}: it was disposed`, this.name)
    }
    return performance.now()
  }
}

/** One call of the addon, or, with a bias that is a JavaScript function, one for each run of queries. */
export function pieces(plan: AttentionPlan, { mask }: AttendRequest) {
  const { bias } = plan
  if (bias === undefined || bias instanceof Tensor) return [attendArguments(plan, mask, bias)]
  return biasPieces(plan, mask, bias satisfies BiasFunction)
}

export function planRotate<Angles extends RotaryTable | RotaryAngles>(
  x: Tensor,
  table: Angles,
  options: BackendRotateOptions,
) {
  checkOptions('rotate', options, ['pairing', 'inverse', 'norm', 'out', 'signal'])
  const { signal, ...rest } = options
  checkSignal('rotate', signal)
  return { plan: planRotation(x, table, rest), signal }
}

export function rotateArguments({ x, out, table, pairing, inverse, norm }: RotationPlan): RotateArguments {
  const [tokens, heads, headDim] = x.dims
  const params = pack(rotatePlaces, {
    xType: nativeTypes[x.type],
    outType: nativeTypes[out.type],
    tokens,
    heads,
    headDim,
    tableHeads: table.shape[0],
    pairs: table.shape[2],
    flags:
      (pairing === 'adjacent' ? nativeFlags.adjacent : 0) +
      (inverse ? nativeFlags.inverse : 0) +
      (norm?.after ? nativeFlags.kNormAfter : 0),
    eps: norm?.eps,
  })
  return [params, x.data, out.data, table.cos, table.sin, norm?.weight]
}
