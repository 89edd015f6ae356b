import { Tensor } from '../../lib/tensors/tensor.js'

/** A float32 tensor of numbers in [−1, 1) that are cheap to make and never the same. */
export function noise(dims: readonly [number, number, number], seed: number): Tensor {
  const data = new Float32Array(dims[0] * dims[1] * dims[2])
  let state = seed | 1
  for (let i = 0; i < data.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0
    data[i] = state / 2 ** 31
  }
  return new Tensor('float32', data, dims)
}
