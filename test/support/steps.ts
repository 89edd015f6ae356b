import type { CacheOptions } from '../../lib/backends/cache.js'
import { encodings } from '../../lib/encodings/named.js'
import type { RotaryAngles } from '../../lib/rotary/angles.js'
import { Sequence } from '../../lib/sequence/sequence.js'
import { Tensor, type TensorType } from '../../lib/tensors/tensor.js'

const encoding = encodings.qwen2VL()
const positions = encoding.positions(
  Sequence.of([
    { kind: 'text', length: 9 },
    { kind: 'image', grid: [1, 3, 11] },
    { kind: 'text', length: 660 },
  ]),
)
/** Ids of text around an image. */
export const angles = (start: number, tokens: number): RotaryAngles =>
  encoding.angles(positions.slice(start, start + tokens))

/** Zeros: what is asked here does not depend on the numbers. */
export function stepOf({ kvHeads, headDim, valueDim }: CacheOptions, type: TensorType, tokens: number, heads: number) {
  return {
    q: Tensor.zeros(type, [tokens, heads, headDim]),
    k: Tensor.zeros(type, [tokens, kvHeads, headDim]),
    v: Tensor.zeros(type, [tokens, kvHeads, valueDim]),
  }
}
