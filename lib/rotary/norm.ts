import { MropeRangeError, MropeTypeError, show } from '../errors.js'
import { checkOptions } from '../tensors/check.js'

/**
 * RMS norm of every query or key vector: `x · weight / √(mean(x²) + eps)`, over all channels of the head.
 * @see transformers `Qwen3RMSNorm` as q_norm and k_norm
 */
export interface HeadNorm {
  /** `(headDim)`. */
  readonly weight: Float32Array
  readonly eps: number
  /** Behind the rotation (HunYuan) instead of before it (Qwen3). */
  readonly after?: boolean
}

/** @throws MropeTypeError ERR_MROPE_ARGUMENT, MropeRangeError ERR_MROPE_SHAPE, ERR_MROPE_ARGUMENT */
export function checkNorm(caller: string, name: string, norm: HeadNorm | undefined, headDim: number): void {
  if (norm === undefined) return
  checkOptions(`${caller}: ${name}`, norm, ['weight', 'eps', 'after'])
  const { weight, eps, after } = norm
  if (!(weight instanceof Float32Array)) {
    const text = `${caller}: ${name}.weight must be a Float32Array, got ${show(weight)}`
    throw new MropeTypeError('ERR_MROPE_ARGUMENT', text, weight)
  }
  if (weight.length !== headDim) {
    const text = `${caller}: ${name}.weight has ${weight.length} channels, the heads have ${headDim}`
    throw new MropeRangeError('ERR_MROPE_SHAPE', text, weight.length)
  }
  if (typeof eps !== 'number' || !Number.isFinite(eps) || eps < 0) {
    const text = `${caller}: ${name}.eps must be a finite number of at least 0, got ${show(eps)}`
    throw new MropeRangeError('ERR_MROPE_ARGUMENT', text, eps)
  }
  if (after !== undefined && typeof after !== 'boolean') {
    const text = `${caller}: ${name}.after must be true or false, got ${show(after)}`
    throw new MropeTypeError('ERR_MROPE_ARGUMENT', text, after)
  }
}

/** Norms the first `headDim` numbers in place. */
export function normLine(line: Float64Array, headDim: number, { weight, eps }: HeadNorm): void {
  let squares = 0
  for (let c = 0; c < headDim; c++) squares += line[c] * line[c]
  const factor = 1 / Math.sqrt(squares / headDim + eps)
  for (let c = 0; c < headDim; c++) line[c] *= factor * weight[c]
}
