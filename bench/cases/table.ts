import { encodings } from '../../lib/encodings/named.js'
import { Sequence } from '../../lib/sequence/sequence.js'
import { type BenchCase, paired } from '../harness.js'

const tokens = 32_768

/** Cosines and sines of text, against libm for every token and pair. The bar is on our time. */
export const rotaryTable: BenchCase = {
  name: `table of ${tokens} tokens × 64 pairs`,
  bar: { most: 60, unit: 'ms' },
  async run(report) {
    const encoding = encodings.qwen3VL()
    const positions = encoding.positions(Sequence.of([{ kind: 'text', length: tokens }]))
    const { figures } = await paired(
      () => encoding.table(positions),
      () => everyAngle(positions.axis(0), encoding.invFreq),
      9,
      report,
    )
    return { value: figures['ours ms'] as number, figures }
  },
}

function everyAngle(ids: Float64Array, invFreq: Float64Array): Float32Array[] {
  const cos = new Float32Array(ids.length * invFreq.length)
  const sin = new Float32Array(cos.length)
  for (let n = 0, i = 0; n < ids.length; n++) {
    for (let f = 0; f < invFreq.length; f++, i++) {
      cos[i] = Math.cos(ids[n] * invFreq[f])
      sin[i] = Math.sin(ids[n] * invFreq[f])
    }
  }
  return [cos, sin]
}
