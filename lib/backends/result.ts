import { Tensor } from '../tensors/tensor.js'
import type { BackendName } from './names.js'

/**
 * What every operation of a backend gives: a tensor that also says which backend made it, so that no fallback can hide.
 * It shares its memory with `out`.
 */
export class BackendResult extends Tensor {
  /** The caller's destination, or the tensor that was made. */
  readonly out: Tensor
  readonly backend: BackendName
  /** Time from the call to the result, checks included, in milliseconds. */
  readonly ms: number

  constructor(out: Tensor, backend: BackendName, ms: number) {
    super(out.type, out.data, out.dims)
    this.out = out
    this.backend = backend
    this.ms = ms
  }
}
