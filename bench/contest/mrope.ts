import type { Backend } from '../../lib/backends/backend.js'
import { openBackend } from '../../lib/backends/open.js'
import type { RotaryTable } from '../../lib/rotary/table.js'
import { Tensor } from '../../lib/tensors/tensor.js'
import { type Contestant, serve } from './contestant.js'
import type { Inputs, Problem } from './problem.js'

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
    if (work === 'decode') await this.#decode(backend, problem, inputs)
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

  /** A step of a cache that holds all tokens but the last, which the step takes in; forgetting it is part of the time. */
  async #decode(backend: Backend, problem: Problem, inputs: Inputs): Promise<void> {
    const { tokens, heads, kvHeads, headDim, cache: dtype = 'float32' } = problem
    const before = tokens - 1
    const part = (values: Float32Array, first: number, end: number) => {
      const row = kvHeads * headDim
      return new Tensor('float32', values.slice(first * row, end * row), [end - first, kvHeads, headDim])
    }
    const shape = { kvHeads, headDim, valueDim: headDim }
    const cache = await backend.openCache({ ...shape, layers: 1, capacity: tokens, dtype })
    // The keys that the others start from are rotated.
    const rotated = part(inputs.k, 0, before)
    const q = Tensor.zeros('float32', [before, heads, headDim])
    await cache.attend(0, { q, k: rotated, v: part(inputs.v, 0, before), window: 1 })
    const step = {
      q: new Tensor('float32', inputs.q, [1, heads, headDim]),
      k: part(inputs.k, before, tokens),
      v: part(inputs.v, before, tokens),
      table: tableOf(inputs, before, tokens, headDim / 2),
      out: Tensor.zeros('float32', [1, heads, headDim]),
    }
    this.#result = [step.out]
    this.#run = () => {
      cache.truncate(before)
      cache.attendSync(0, step)
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
