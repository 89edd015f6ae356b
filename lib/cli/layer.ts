import type { Backend } from '../backends/backend.js'
import { rows, Tensor } from '../tensors/tensor.js'
import { startProgress } from './progress.js'
import type { LayerRotation } from './tower.js'

export interface LayerTensors {
  readonly q: Tensor
  readonly k: Tensor
  readonly v: Tensor
}

/** Queries of one call where progress is shown: long work comes in pieces, with the same result. */
const piece = 256

/** Rotates q and k and attends. `ms` is the time of the attention, rotation included. */
export async function attendLayer(
  backend: Backend,
  { q, k, v }: LayerTensors,
  { table: angles, mask }: LayerRotation,
  quiet: boolean,
): Promise<{ tensors: { q_rot: Tensor; k_rot: Tensor; out: Tensor }; ms: number }> {
  const rotatedQ = await backend.rotate(q, angles)
  const rotatedK = await backend.rotate(k, angles)
  const tokens = q.dims[0]
  const pieces = typeof mask === 'object' && mask.cuSeqlens ? 1 : Math.max(1, Math.ceil(tokens / piece))
  const request = { q: rotatedQ.out, k: rotatedK.out, v, rotated: true, mask } as const
  if (pieces === 1) {
    const { out, ms } = await backend.attend(request)
    return { tensors: { q_rot: rotatedQ.out, k_rot: rotatedK.out, out }, ms: ms + rotatedQ.ms + rotatedK.ms }
  }
  const out = Tensor.zeros(q.type, [tokens, q.dims[1], v.dims[2]])
  const progress = startProgress(pieces, 'attention', quiet)
  let ms = rotatedQ.ms + rotatedK.ms
  for (let i = 0; i < pieces; i++) {
    const [start, end] = [i * piece, Math.min((i + 1) * piece, tokens)]
    const part = { q: rows(request.q, start, end), out: rows(out, start, end), queryOffset: start }
    ms += (await backend.attend({ ...request, ...part })).ms
    progress.step(i + 1)
  }
  progress.stop()
  return { tensors: { q_rot: rotatedQ.out, k_rot: rotatedK.out, out }, ms }
}
