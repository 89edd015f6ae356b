import { openBackend } from '../backends/open.js'
import { writeSafetensors } from '../io/safetensors.js'
import type { Tensor } from '../tensors/tensor.js'
import { type ConfigFlags, largestError, loadConfig, loadTensors, needTensor } from './inputs.js'
import { type Report, shortError, table } from './output.js'
import { type Prefix, rotationOf } from './tower.js'

export interface RotateFlags extends ConfigFlags {
  readonly sequence: string
  readonly tensors: string
  readonly prefix: Prefix
  readonly backend: string
  readonly inverse?: boolean
  readonly out?: string
}

/** `mrope rotate`: turns PREFIX.q and PREFIX.k, and compares with PREFIX.q_rot and .k_rot where the file has them. */
export async function rotateCommand(flags: RotateFlags): Promise<Report> {
  const { prefix, inverse = false } = flags
  const { config, encoding } = await loadConfig(flags)
  const tensors = await loadTensors(flags.tensors, (name) => name.startsWith(`${prefix}.`))
  const names = ['q', 'k'].filter((name) => tensors.has(`${prefix}.${name}`))
  const first = needTensor(tensors, `${prefix}.${names[0] ?? 'q'}`, flags.tensors)
  const rotation = await rotationOf(prefix, encoding, config, flags.sequence, first.dims[0], flags.family)
  const backend = await openBackend(flags.backend as 'auto')
  const rotated: Record<string, Tensor> = {}
  const errors: Record<string, number> = {}
  let ms = 0
  for (const name of names) {
    const result = await backend.rotate(needTensor(tensors, `${prefix}.${name}`, flags.tensors), rotation.table, {
      inverse,
    })
    ms += result.ms
    rotated[`${prefix}.${name}_rot`] = result.out
    const expected = tensors.get(`${prefix}.${name}_rot`)
    if (expected && !inverse) errors[`${name}_rot`] = largestError(result.out, expected, `${prefix}.${name}_rot`)
  }
  if (flags.out) await writeSafetensors(flags.out, rotated)
  const json = { backend: backend.name, why: backend.why, tokens: first.dims[0], ms, errors, out: flags.out ?? null }
  const rows = names.map((name) => {
    return [`${prefix}.${name}`, rotated[`${prefix}.${name}_rot`].dims.join('×'), shortError(errors[`${name}_rot`])]
  })
  const text = [
    `${encoding.name}, ${first.dims[0]} tokens, backend ${backend.name}, ${ms.toFixed(1)} ms`,
    table(['tensor', 'shape', 'largest error'], rows),
    ...(flags.out ? [`written to ${flags.out}`] : []),
  ]
  return { json, text: text.join('\n') }
}
