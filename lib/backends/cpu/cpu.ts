import type { BiasFunction } from '../../attention/request.js'
import { type AttendRequest, type AttentionPlan, planAttention } from '../../attention/request.js'
import { MropeRangeError } from '../../errors.js'
import { planRotation, type RotationPlan } from '../../rotary/rotate.js'
import type { RotaryTable } from '../../rotary/table.js'
import { checkOptions, checkSignal } from '../../tensors/check.js'
import { Tensor } from '../../tensors/tensor.js'
import type { Backend, BackendRotateOptions } from '../backend.js'
import type { AbortHandle, NativeAddon, RotateArguments } from '../native/addon.js'
import { nativeFlags, nativeTypes, pack, rotatePlaces } from '../native/addon.js'
import { BackendResult } from '../result.js'
import { attendArguments, biasPieces } from './attend.js'

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

  async rotate(x: Tensor, table: RotaryTable, options: BackendRotateOptions = {}): Promise<BackendResult> {
    const since = this.#begin()
    const { plan, signal } = planRotate(x, table, options)
    await this.#abortable(signal, (abort) => this.#addon.rotate(...rotateArguments(plan), abort))
    return new BackendResult(options.out ?? plan.out, this.name, performance.now() - since)
  }

  rotateSync(x: Tensor, table: RotaryTable, options: BackendRotateOptions = {}): BackendResult {
    const since = this.#begin()
    const { plan, signal } = planRotate(x, table, options)
    if (signal?.aborted) throw signal.reason
    this.#addon.rotateSync(...rotateArguments(plan))
    return new BackendResult(options.out ?? plan.out, this.name, performance.now() - since)
  }

  async attend(request: AttendRequest): Promise<BackendResult> {
    const since = this.#begin()
    const plan = planAttention(request)
    for (const piece of pieces(plan, request)) {
      await this.#abortable(plan.signal, (abort) => this.#addon.attend(...piece, abort))
    }
    return new BackendResult(request.out ?? plan.out, this.name, performance.now() - since)
  }

  attendSync(request: AttendRequest): BackendResult {
    const since = this.#begin()
    const plan = planAttention(request)
    for (const piece of pieces(plan, request)) {
      if (plan.signal?.aborted) throw plan.signal.reason
      this.#addon.attendSync(...piece)
    }
    return new BackendResult(request.out ?? plan.out, this.name, performance.now() - since)
  }

  async dispose(): Promise<void> {
    this.#disposed = true
  }

  /** Runs work that a signal stops between two tiles. */
  async #abortable(signal: AbortSignal | undefined, run: (abort?: AbortHandle) => Promise<boolean>): Promise<void> {
    if (signal === undefined) {
      await run()
      return
    }
    if (signal.aborted) throw signal.reason
    const handle = this.#addon.createAbort()
    const stop = (): void => this.#addon.abort(handle)
    signal.addEventListener('abort', stop, { once: true })
    try {
      if (!(await run(handle))) throw signal.reason
    } finally {
      signal.removeEventListener('abort', stop)
    }
  }

  #begin(): number {
    if (this.#disposed) {
      throw new MropeRangeError('ERR_MROPE_STATE', `backend ${this.name}: it was disposed`, this.name)
    }
    return performance.now()
  }
}

/** One call of the addon, or, with a bias that is a JavaScript function, one for each run of queries. */
function pieces(plan: AttentionPlan, { mask }: AttendRequest) {
  const { bias } = plan
  if (bias === undefined || bias instanceof Tensor) return [attendArguments(plan, mask, bias)]
  return biasPieces(plan, mask, bias satisfies BiasFunction)
}

function planRotate(x: Tensor, table: RotaryTable, options: BackendRotateOptions) {
  checkOptions('rotate', options, ['pairing', 'inverse', 'out', 'signal'])
  const { signal, ...rest } = options
  checkSignal('rotate', signal)
  return { plan: planRotation(x, table, rest), signal }
}

function rotateArguments({ x, out, table, pairing, inverse }: RotationPlan): RotateArguments {
  const [tokens, heads, headDim] = x.dims
  const params = pack(rotatePlaces, {
    xType: nativeTypes[x.type],
    outType: nativeTypes[out.type],
    tokens,
    heads,
    headDim,
    tableHeads: table.shape[0],
    pairs: table.shape[2],
    flags: (pairing === 'adjacent' ? nativeFlags.adjacent : 0) + (inverse ? nativeFlags.inverse : 0),
  })
  return [params, x.data, out.data, table.cos, table.sin, undefined]
}
