import { attend, attendSync } from '../../attention/attend.js'
import type { AttendRequest } from '../../attention/request.js'
import { MropeRangeError } from '../../errors.js'
import { asTable, type RotaryAngles } from '../../rotary/angles.js'
import { planRotation, rotationSteps } from '../../rotary/rotate.js'
import type { RotaryTable } from '../../rotary/table.js'
import { checkOptions, checkSignal } from '../../tensors/check.js'
import { runSliced, runSync } from '../../tensors/slices.js'
import type { Tensor } from '../../tensors/tensor.js'
import type { Backend, BackendRotateOptions } from '../backend.js'
import type { BackendCache, CacheOptions } from '../cache.js'
import { BackendResult } from '../result.js'
import { ReferenceCache } from './cache.js'

/** The definition of every operation, in JavaScript on the calling thread. Runs everywhere. */
export class ReferenceBackend implements Backend {
  readonly name = 'reference'
  readonly why: string
  readonly device = `JavaScript, one thread, Node ${process.version}`
  #disposed = false

  constructor(why: string) {
    this.why = why
  }

  async rotate(
    x: Tensor,
    table: RotaryTable | RotaryAngles,
    options: BackendRotateOptions = {},
  ): Promise<BackendResult> {
    const since = this.#begin()
    const { plan, signal } = planRotate(x, table, options)
    await runSliced(rotationSteps(plan), signal)
    return this.#result(options.out ?? plan.out, since)
  }

  rotateSync(x: Tensor, table: RotaryTable | RotaryAngles, options: BackendRotateOptions = {}): BackendResult {
    const since = this.#begin()
    const { plan, signal } = planRotate(x, table, options)
    runSync(rotationSteps(plan), signal)
    return this.#result(options.out ?? plan.out, since)
  }

  async attend(request: AttendRequest): Promise<BackendResult> {
    const since = this.#begin()
    return this.#result(await attend(request), since)
  }

  attendSync(request: AttendRequest): BackendResult {
    const since = this.#begin()
    return this.#result(attendSync(request), since)
  }

  async openCache(options: CacheOptions): Promise<BackendCache> {
    this.#begin()
    return new ReferenceCache(options)
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

  #result(out: Tensor, since: number): BackendResult {
    return new BackendResult(out, this.name, performance.now() - since)
  }
}

function planRotate(x: Tensor, table: RotaryTable | RotaryAngles, options: BackendRotateOptions) {
  checkOptions('rotate', options, ['pairing', 'inverse', 'norm', 'out', 'signal'])
  const { signal, ...rest } = options
  checkSignal('rotate', signal)
  const plan = planRotation(x, table, rest)
  return { plan: { ...plan, table: asTable(plan.table) }, signal }
}
