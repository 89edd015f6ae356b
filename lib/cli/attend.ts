import type { Backend } from '../backends/backend.js'
import { openBackend } from '../backends/open.js'
import { MropeRangeError } from '../errors.js'
import { writeSafetensors } from '../io/safetensors.js'
import { rows } from '../session/cache.js'
import { Tensor } from '../tensors/tensor.js'
import { capturesCommand } from './captures.js'
import { type ConfigFlags, largestError, loadConfig, loadTensors, needTensor } from './inputs.js'
import { type Report, shortError, table } from './output.js'
import { startProgress } from './progress.js'
import { type LayerRotation, type Prefix, rotationOf } from './tower.js'

export interface AttendFlags extends Partial<ConfigFlags> {
  readonly sequence?: string
  readonly tensors?: string
  readonly captures?: string
  readonly prefix: Prefix
  readonly backend: string
  readonly out?: string
  readonly json?: boolean
}

/** `mrope attend`: rotated attention of one layer, compared with the file where it has the results. */
export async function attendCommand(flags: AttendFlags): Promise<Report> {
  const { captures, config, sequence, tensors } = flags
  const backend = await openBackend(flags.backend as 'auto')
  if (captures !== undefined) return capturesCommand(captures, backend, flags.json === true)
  if (config === undefined || sequence === undefined || tensors === undefined) {
    const message = 'attend: give --config, --sequence and --tensors, or --captures DIR'
    throw new MropeRangeError('ERR_MROPE_USAGE', message, undefined)
  }
  const { encoding, config: document } = await loadConfig({ ...flags, config })
  const { prefix } = flags
  const file = await loadTensors(tensors, (name) => name.startsWith(`${prefix}.`))
  const q = needTensor(file, `${prefix}.q`, tensors)
  const k = needTensor(file, `${prefix}.k`, tensors)
  const v = needTensor(file, `${prefix}.v`, tensors)
  const rotation = await rotationOf(prefix, encoding, document, sequence, q.dims[0])
  const result = await attendLayer(backend, { q, k, v }, rotation, flags.json === true)
  const errors: Record<string, number> = {}
  for (const [name, actual] of Object.entries(result.tensors)) {
    const expected = file.get(`${prefix}.${name}`)
    if (expected) errors[name] = largestError(actual, expected, `${prefix}.${name}`)
  }
  if (flags.out) {
    const named = Object.entries(result.tensors).map(([name, tensor]) => [`${prefix}.${name}`, tensor] as const)
    await writeSafetensors(flags.out, Object.fromEntries(named))
  }
  const json = {
    backend: backend.name,
    why: backend.why,
    tokens: q.dims[0],
    ms: result.ms,
    errors,
    out: flags.out ?? null,
  }
  const text = [
    `${encoding.name} ${prefix}: ${q.dims[0]} tokens, ${q.dims[1]} heads on ${k.dims[1]}, head dim ${q.dims[2]}`,
    `backend ${backend.name} (${backend.why}), ${result.ms.toFixed(1)} ms`,
    table(
      ['tensor', 'shape', 'largest error'],
      Object.entries(result.tensors).map(([name, { dims }]) => [name, dims.join('×'), shortError(errors[name])]),
    ),
    ...(flags.out ? [`written to ${flags.out}`] : []),
  ]
  return { json, text: text.join('\n') }
}

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
