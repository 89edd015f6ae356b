import type { Backend } from '../../lib/backends/backend.js'
import { openBackend } from '../../lib/backends/open.js'
import type { RotaryTable } from '../../lib/rotary/table.js'
import { Tensor } from '../../lib/tensors/tensor.js'
import { type Contestant, serve } from './contestant.js'
import { halves, type Inputs, type Problem } from './problem.js'

/**
 * The `cpu` backend, through the interface that everyone uses. Threads by MROPE_THREADS. Called by its Sync twins, as
 * ggml is: what a promise costs beside the work is a matter of the event loop.
 */
class Mrope implements Contestant {
  #run: () => unknown = () => undefined
  #result: readonly Tensor[] = []

  async load(problem: Problem, inputs: Inputs): Promise<string> {
    const backend = await openBackend('cpu')
    const { tokens, headDim, work } = problem
    const table = tableOf(inputs, 0, tokens, headDim / 2)
    if (work === 'decode') this.#decode(backend, problem, inputs)
    else if (work === 'attend') this.#attend(backend, problem, inputs, table)
    else this.#rotate(backend, problem, inputs, table)
    return `mrope, ${backend.device}`
  }

  run(): unknown {
    return this.#run()
  }

  result(): readonly Float32Array[] {
    return this.#result.map((tensor) => tensor.toFloat32())
  }

  #attend(backend: Backend, problem: Problem, inputs: Inputs, table: RotaryTable): void {
    const { tokens, heads, kvHeads, headDim, causal, segment } = problem
    const q = new Tensor('float32', inputs.q, [tokens, heads, headDim])
    const k = new Tensor('float32', inputs.k, [tokens, kvHeads, headDim])
    const v = new Tensor('float32', inputs.v, [tokens, kvHeads, headDim])
    const out = Tensor.zeros('float32', q.dims)
    const cuSeqlens = segment && Array.from({ length: tokens / segment + 1 }, (_, i) => i * segment)
    const mask = cuSeqlens ? { causal, cuSeqlens } : { causal }
    this.#result = [out]
    this.#run = () => backend.attendSync({ q, k, v, table, mask, out })
  }

  #decode(backend: Backend, problem: Problem, inputs: Inputs): void {
    const { tokens, heads, kvHeads, headDim, cache = 'float32' } = problem
    const last = (tokens - 1) * kvHeads * headDim
    const table = tableOf(inputs, tokens - 1, tokens, headDim / 2)
    const stored = (values: Float32Array) => (cache === 'float16' ? halves(values) : values.slice())
    const k = new Tensor(cache, stored(inputs.k), [tokens, kvHeads, headDim])
    const v = new Tensor(cache, stored(inputs.v), [tokens, kvHeads, headDim])
    const key = new Tensor('float32', inputs.k.slice(last), [1, kvHeads, headDim])
    const value = stored(inputs.v.subarray(last))
    const place = new Tensor(cache, k.data.subarray(last), key.dims)
    const query = new Tensor('float32', inputs.q, [1, heads, headDim])
    const q = Tensor.zeros('float32', query.dims)
    const out = Tensor.zeros('float32', query.dims)
    this.#result = [out]
    this.#run = () => {
      backend.rotateSync(query, table, { out: q })
      backend.rotateSync(key, table, { out: place })
      v.data.set(value, last)
      backend.attendSync({ q, k, v, rotated: true, out })
    }
  }

  #rotate(backend: Backend, problem: Problem, inputs: Inputs, table: RotaryTable): void {
    const { tokens, heads, kvHeads, headDim, inPlace } = problem
    // The check reads the inputs once more.
    const q = new Tensor('float32', inputs.q.slice(), [tokens, heads, headDim])
    const k = new Tensor('float32', inputs.k.slice(), [tokens, kvHeads, headDim])
    const outs = inPlace ? [q, k] : [Tensor.zeros('float32', q.dims), Tensor.zeros('float32', k.dims)]
    this.#result = outs
    this.#run = () => {
      backend.rotateSync(q, table, { out: outs[0] })
      backend.rotateSync(k, table, { out: outs[1] })
    }
  }
}

function tableOf({ cos, sin }: Inputs, first: number, end: number, pairs: number): RotaryTable {
  return {
    cos: cos.slice(first * pairs, end * pairs),
    sin: sin.slice(first * pairs, end * pairs),
    shape: [1, end - first, pairs],
    pairing: 'half-split',
  }
}

await serve(new Mrope())
