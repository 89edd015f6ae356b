import { bfloat16ToFloat32, float16ToFloat32, toBfloat16, toFloat16 } from './half.js'
import type { Tensor } from './tensor.js'

// All arithmetic runs on float64 lines: V8 adds and multiplies float64 without conversions, and every result is rounded
// once, at the store.

/** Reads `length` elements from element `at` on into the start of `line`. */
export function loadRow(tensor: Tensor, at: number, length: number, line: Float64Array): void {
  const data = tensor.data
  if (data instanceof Float32Array) {
    for (let i = 0; i < length; i++) line[i] = data[at + i]
  } else if (tensor.type === 'float16') {
    for (let i = 0; i < length; i++) line[i] = float16ToFloat32(data[at + i])
  } else {
    for (let i = 0; i < length; i++) line[i] = bfloat16ToFloat32(data[at + i])
  }
}

/** Rounds the first `length` numbers of `line` to the type of the tensor and writes them from element `at` on. */
export function storeRow(tensor: Tensor, at: number, length: number, line: Float64Array): void {
  const data = tensor.data
  if (data instanceof Float32Array) {
    for (let i = 0; i < length; i++) data[at + i] = line[i]
  } else if (tensor.type === 'float16') {
    for (let i = 0; i < length; i++) data[at + i] = toFloat16(line[i])
  } else {
    for (let i = 0; i < length; i++) data[at + i] = toBfloat16(line[i])
  }
}
