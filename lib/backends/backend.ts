import type { AttendRequest } from '../attention/request.js'
import type { RotaryAngles } from '../rotary/angles.js'
import type { RotateOptions } from '../rotary/rotate.js'
import type { RotaryTable } from '../rotary/table.js'
import type { Tensor } from '../tensors/tensor.js'
import type { BackendCache, CacheOptions } from './cache.js'
import type { BackendName } from './names.js'
import type { BackendResult } from './result.js'

export interface BackendRotateOptions extends RotateOptions {
  /** Stops the work; `out` is then written in part. Rejects with `signal.reason`. */
  readonly signal?: AbortSignal
}

/**
 * Executes rotation and attention on tensors. Every backend gives the results that `rotate` and `attend` define, within
 * the rounding of the storage type. The plain functions do not block the event loop; the `Sync` twins do, and are for
 * small work. All of them throw MropeRangeError ERR_MROPE_STATE after `dispose`.
 */
export interface Backend {
  readonly name: BackendName
  /** Why this backend was chosen. */
  readonly why: string
  /** What it runs on. */
  readonly device: string
  /** Rotates `(tokens, heads, headDim)`; see `rotate`. */
  rotate(x: Tensor, table: RotaryTable | RotaryAngles, options?: BackendRotateOptions): Promise<BackendResult>
  rotateSync(x: Tensor, table: RotaryTable | RotaryAngles, options?: BackendRotateOptions): BackendResult
  /** Rotated attention; see `AttendRequest`. */
  attend(request: AttendRequest): Promise<BackendResult>
  attendSync(request: AttendRequest): BackendResult
  /** An empty KV cache. @throws MropeRangeError ERR_MROPE_ARGUMENT, ERR_MROPE_MEMORY, as rejections */
  openCache(options: CacheOptions): Promise<BackendCache>
  /** Gives back what the backend holds. Work that is under way is finished. May be called twice. */
  dispose(): Promise<void>
}
