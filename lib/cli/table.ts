import { writeSafetensors } from '../io/safetensors.js'
import { Tensor } from '../tensors/tensor.js'
import { type ConfigFlags, loadConfig, loadSequence } from './inputs.js'
import { type Report, table } from './output.js'

export interface TableFlags extends ConfigFlags {
  readonly sequence: string
  readonly out?: string
}

/** `mrope table`: cosines and sines of every token and pair, `(heads, tokens, pairs)`, attention factor included. */
export async function tableCommand(flags: TableFlags): Promise<Report> {
  const { config, encoding } = await loadConfig(flags)
  const positions = encoding.positions(await loadSequence(flags.sequence, config, flags.family))
  const { cos, sin, shape, pairing } = encoding.table(positions)
  if (flags.out) {
    const dims = [...shape]
    const tensors = { cos: new Tensor('float32', cos, dims), sin: new Tensor('float32', sin, dims) }
    await writeSafetensors(flags.out, tensors, {
      metadata: { pairing, encoding: encoding.name, compat: encoding.compat },
    })
  }
  const [, tokens, pairs] = shape
  const { attentionFactor, warnings } = encoding
  const json = {
    shape,
    pairing,
    rotaryDim: encoding.rotaryDim,
    attentionFactor,
    axisOf: encoding.describe().axisOf,
    out: flags.out ?? null,
    warnings,
  }
  const lines = [
    `${encoding.name}: ${tokens} tokens, ${pairs} pairs, ${pairing}, attention factor ${attentionFactor}`,
    ...warnings.map((warning) => `warning: ${warning}`),
    flags.out ? `cos and sin (${shape.join(', ')}) written to ${flags.out}` : preview(cos, sin, tokens, pairs),
  ]
  return { json, text: lines.join('\n') }
}

/** First, middle and last pair of the last token: enough to see whether anything turns. */
function preview(cos: Float32Array, sin: Float32Array, tokens: number, pairs: number): string {
  if (tokens === 0) return 'no tokens'
  const columns = [...new Set([0, Math.floor(pairs / 2), pairs - 1])]
  const rows = columns.map((f) => {
    const at = (tokens - 1) * pairs + f
    return [`token ${tokens - 1}, pair ${f}`, cos[at].toFixed(7), sin[at].toFixed(7)]
  })
  return `${table(['', 'cos', 'sin'], rows)}\nwrite all of it with --out FILE.safetensors`
}
