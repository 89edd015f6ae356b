import { attendSync } from '../../lib/attention/attend.js'
import { type BenchCase, paired } from '../harness.js'
import { noise } from './inputs.js'

const tokens = 512
const heads = 28
const kvHeads = 4
const headDim = 128

/** The reference backend against what one writes without thinking of registers and caches. */
export const attention: BenchCase = {
  name: `attention, reference against plain loops: ${heads}/${kvHeads} × ${headDim}, ${tokens} tokens, causal`,
  bar: { least: 2, unit: '× as fast' },
  run(report) {
    const q = noise([tokens, heads, headDim], 1)
    const k = noise([tokens, kvHeads, headDim], 2)
    const v = noise([tokens, kvHeads, headDim], 3)
    const [queries, keys, values] = [q.toFloat32(), k.toFloat32(), v.toFloat32()]
    const out = new Float32Array(queries.length)
    return paired(
      () => attendSync({ q, k, v, rotated: true }),
      () => plainLoops(queries, keys, values, out),
      5,
      report,
    )
  },
}

function plainLoops(q: Float32Array, k: Float32Array, v: Float32Array, out: Float32Array): void {
  const scale = 1 / Math.sqrt(headDim)
  const weights = new Float64Array(tokens)
  out.fill(0)
  for (let head = 0; head < heads; head++) {
    const kvHead = Math.floor(head / (heads / kvHeads))
    for (let i = 0; i < tokens; i++) {
      const row = (i * heads + head) * headDim
      let largest = -Infinity
      for (let j = 0; j <= i; j++) {
        const key = (j * kvHeads + kvHead) * headDim
        let dot = 0
        for (let d = 0; d < headDim; d++) dot += q[row + d] * k[key + d]
        weights[j] = dot * scale
        largest = Math.max(largest, weights[j])
      }
      let total = 0
      for (let j = 0; j <= i; j++) {
        weights[j] = Math.exp(weights[j] - largest)
        total += weights[j]
      }
      for (let j = 0; j <= i; j++) {
        const value = (j * kvHeads + kvHead) * headDim
        const weight = weights[j] / total
        for (let d = 0; d < headDim; d++) out[row + d] += weight * v[value + d]
      }
    }
  }
}
