import { type Contestant, serve } from './contestant.js'
import type { Inputs, Problem } from './problem.js'

/** What one writes in JavaScript without thinking of registers and caches, in float32 arrays. One thread. */
class PlainLoops implements Contestant {
  #run: () => void = () => undefined
  #result: readonly Float32Array[] = []

  async load(problem: Problem, inputs: Inputs): Promise<string> {
    const { work, tokens, heads, kvHeads, headDim } = problem
    const q = new Float32Array(inputs.q.length)
    if (work === 'decode') {
      const k = inputs.k.slice()
      const key = inputs.k.slice((tokens - 1) * kvHeads * headDim)
      const out = new Float32Array(q.length)
      this.#result = [out]
      this.#run = () => {
        rotate(problem, inputs, inputs.q, q, heads, tokens - 1)
        rotate(problem, inputs, key, k.subarray((tokens - 1) * kvHeads * headDim), kvHeads, tokens - 1)
        attend(problem, q, k, inputs.v, out)
      }
    } else {
      const k = new Float32Array(inputs.k.length)
      const out = new Float32Array(work === 'attend' ? q.length : 0)
      this.#result = work === 'attend' ? [out] : [q, k]
      this.#run = () => {
        rotate(problem, inputs, inputs.q, q, heads, 0)
        rotate(problem, inputs, inputs.k, k, kvHeads, 0)
        if (work === 'attend') attend(problem, q, k, inputs.v, out)
      }
    }
    return `plain JavaScript loops, Node ${process.version}`
  }

  run(): void {
    this.#run()
  }

  result(): readonly Float32Array[] {
    return this.#result
  }
}

function rotate(
  { headDim }: Problem,
  { cos, sin }: Inputs,
  from: Float32Array,
  to: Float32Array,
  heads: number,
  firstToken: number,
): void {
  const pairs = headDim / 2
  for (let row = 0; row * headDim < from.length; row++) {
    const angle = (firstToken + Math.floor(row / heads)) * pairs
    for (let f = 0, i = row * headDim; f < pairs; f++, i++) {
      const c = cos[angle + f]
      const s = sin[angle + f]
      to[i] = from[i] * c - from[i + pairs] * s
      to[i + pairs] = from[i + pairs] * c + from[i] * s
    }
  }
}

function attend(problem: Problem, q: Float32Array, k: Float32Array, v: Float32Array, out: Float32Array): void {
  const { work, tokens, heads, kvHeads, headDim, causal, segment = tokens } = problem
  const scale = 1 / Math.sqrt(headDim)
  const weights = new Float64Array(tokens)
  out.fill(0)
  for (let row = 0; row * headDim < q.length; row++) {
    const token = work === 'decode' ? tokens - 1 : Math.floor(row / heads)
    const kvHead = Math.floor(((row % heads) * kvHeads) / heads)
    const first = Math.floor(token / segment) * segment
    const end = causal ? token + 1 : first + segment
    const query = row * headDim
    let largest = -Infinity
    for (let j = first; j < end; j++) {
      const key = (j * kvHeads + kvHead) * headDim
      let dot = 0
      for (let d = 0; d < headDim; d++) dot += q[query + d] * k[key + d]
      weights[j] = dot * scale
      largest = Math.max(largest, weights[j])
    }
    let total = 0
    for (let j = first; j < end; j++) {
      weights[j] = Math.exp(weights[j] - largest)
      total += weights[j]
    }
    for (let j = first; j < end; j++) {
      const value = (j * kvHeads + kvHead) * headDim
      const weight = weights[j] / total
      for (let d = 0; d < headDim; d++) out[query + d] += weight * v[value + d]
    }
  }
}

await serve(new PlainLoops())
