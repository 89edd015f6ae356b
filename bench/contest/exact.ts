import { bordersOf, type Inputs, type Problem, turned } from './problem.js'

const samples = 48

/**
 * The largest difference between a result and float64, over rows that are spread over all tokens and heads.
 *
 * @param result what the problem gives: one array `(queries, heads, headDim)`, or the rotated q and k
 */
export function largestError(problem: Problem, inputs: Inputs, result: readonly Float32Array[]): number {
  const { heads, kvHeads, tokens } = problem
  if (problem.work !== 'rotate') return errorOf(result[0], heads, (row) => attended(problem, inputs, row))
  const q = errorOf(result[0], heads, (row) => turned(problem, inputs.q, row, Math.floor(row / heads)))
  const k = errorOf(result[1], kvHeads, (row) => turned(problem, inputs.k, row, Math.floor(row / kvHeads)))
  return Math.max(q, k)

  function errorOf(found: Float32Array, perToken: number, exact: (row: number) => Float64Array): number {
    const rows = (problem.work === 'decode' ? 1 : tokens) * perToken
    if (found.length !== rows * problem.headDim) throw new Error(`the result has ${found.length} elements`)
    let largest = 0
    for (let sample = 0; sample < samples; sample++) {
      const row = Math.round((sample * (rows - 1)) / (samples - 1))
      exact(row).forEach((value, d) => {
        const error = Math.abs(found[row * problem.headDim + d] - value)
        // A NaN is no small error.
        largest = error <= largest ? largest : Number.isNaN(error) ? Infinity : error
      })
    }
    return largest
  }
}

/** One row of the attention in float64; row is `query · heads + head`. */
function attended(problem: Problem, { q, k, v }: Inputs, row: number): Float64Array {
  const { work, tokens, heads, kvHeads, headDim, causal } = problem
  const token = work === 'decode' ? tokens - 1 : Math.floor(row / heads)
  const kvHead = Math.floor(((row % heads) * kvHeads) / heads)
  const borders = bordersOf(problem)
  const next = borders.findIndex((border) => border > token)
  const first = borders[next - 1]
  const end = causal ? token + 1 : borders[next]
  const query = turned(problem, q, row, token)
  const weights = new Float64Array(end - first)
  for (let key = first; key < end; key++) {
    const at = key * kvHeads + kvHead
    const cached = work === 'decode' && key < tokens - 1
    const line = cached ? k.subarray(at * headDim, (at + 1) * headDim) : turned(problem, k, at, key)
    let dot = 0
    for (let d = 0; d < headDim; d++) dot += query[d] * line[d]
    weights[key - first] = dot / Math.sqrt(headDim)
  }
  const largest = weights.reduce((most, weight) => Math.max(most, weight), -Infinity)
  const out = new Float64Array(headDim)
  let total = 0
  weights.forEach((score, i) => {
    const weight = Math.exp(score - largest)
    total += weight
    const at = ((first + i) * kvHeads + kvHead) * headDim
    for (let d = 0; d < headDim; d++) out[d] += weight * v[at + d]
  })
  return out.map((sum) => sum / total)
}
