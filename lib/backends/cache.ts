import type { AttentionBias, BiasFunction } from '../biases/bias.js'
import type { RotaryAngles } from '../rotary/angles.js'
import type { HeadNorm } from '../rotary/norm.js'
import type { RotaryTable } from '../rotary/table.js'
import type { Tensor, TensorType } from '../tensors/tensor.js'
import type { BackendResult } from './result.js'

/** The shape of a KV cache. */
export interface CacheOptions {
  readonly layers: number
  readonly kvHeads: number
  readonly headDim: number
  /** Head dimension of the values. */
  readonly valueDim: number
  /** Tokens that fit. */
  readonly capacity: number
  readonly dtype: TensorType
}

/** The next tokens of a layer: rotated, taken into the cache and attended, as one piece of work. */
export interface CacheStep {
  /** `(tokens, heads, headDim)`, before rotation. */
  readonly q: Tensor
  /** `(tokens, kvHeads, headDim)`, before rotation. */
  readonly k: Tensor
  /** `(tokens, kvHeads, valueDim)`. */
  readonly v: Tensor
  /** Angles of these tokens, one row each. Nothing is rotated without them (layers without rope). */
  readonly table?: RotaryTable | RotaryAngles
  /** RMS norm of every query, of every key before it is stored. */
  readonly qNorm?: HeadNorm
  readonly kNorm?: HeadNorm
  /** A token sees the last `window` tokens, itself included; all before it by default. */
  readonly window?: number
  readonly scale?: number | ArrayLike<number>
  /** A relative encoding that reads k needs `Backend.attend`. */
  readonly bias?: BiasFunction | Tensor | AttentionBias
  /** Destination `(tokens, heads, valueDim)`. */
  readonly out?: Tensor
  readonly signal?: AbortSignal
}

/**
 * Rotated keys and values of every layer, where the backend wants them. The slot of a token is its index in the
 * sequence, never its rope id. A call that fails or is aborted leaves the cache as it was.
 */
export interface BackendCache {
  readonly options: CacheOptions
  /** Bytes of all layers together. */
  readonly bytes: number
  /** Tokens that a layer holds. @throws MropeRangeError ERR_MROPE_ARGUMENT when there is no such layer */
  length(layer: number): number
  /**
   * Rotates, appends and attends causally from the new tokens to all; returns `(tokens, heads, valueDim)`.
   * @throws MropeRangeError ERR_MROPE_SHAPE, ERR_MROPE_HEADS, ERR_MROPE_CAPACITY, ERR_MROPE_STATE (work under way)
   */
  attend(layer: number, step: CacheStep): Promise<BackendResult>
  /**
   * As `attend`, at once: for the single tokens of a decode, where a turn of the event loop costs as much as the work.
   * @throws what `attend` rejects with
   */
  attendSync(layer: number, step: CacheStep): BackendResult
  /**
   * Forgets the tokens from `length` on in every layer that has more: those of a draft that was not taken.
   * @throws MropeRangeError ERR_MROPE_ARGUMENT, ERR_MROPE_STATE (work under way)
   */
  truncate(length: number): void
  /**
   * Takes out tokens `start` to `start + count` of every layer and closes the gap. `turn` has a row for each token
   * behind them, by which its key is turned further.
   */
  drop(start: number, count: number, turn?: RotaryTable | RotaryAngles): Promise<void>
  /** Copies of the keys (rotated) and values of tokens `start` to `end`, in the storage type of the cache. */
  read(layer: number, start: number, end: number): Promise<{ readonly k: Tensor; readonly v: Tensor }>
  /** Gives the memory back. May be called twice. @throws MropeRangeError ERR_MROPE_STATE while work is under way */
  dispose(): Promise<void>
}
