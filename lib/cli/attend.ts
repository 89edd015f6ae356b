import { openBackend } from '../backends/open.js'
import { MropeRangeError } from '../errors.js'
import { writeSafetensors } from '../io/safetensors.js'
import { capturesCommand } from './captures.js'
import { type ConfigFlags, largestError, loadConfig, loadTensors, needTensor } from './inputs.js'
import { attendLayer } from './layer.js'
import { type Report, shortError, table } from './output.js'
import { type Prefix, rotationOf } from './tower.js'

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
  const single = [config, sequence, tensors, flags.out].some((flag) => flag !== undefined)
  if (captures !== undefined && single) {
    const message =
      'attend: --captures runs every capture of a folder; it goes without --config, --sequence, --tensors and --out'
    throw new MropeRangeError('ERR_MROPE_USAGE', message, captures)
  }
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
  const rotation = await rotationOf(prefix, encoding, document, sequence, q.dims[0], flags.family)
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
