import { type Contestant, serve } from '../contest/contestant.js'
import { gridBase, gridWidth, halves, type Inputs, type Problem, textBase } from '../contest/problem.js'
import { type Ggml, loadGgml, type Pointer } from './ggml-library.js'

/** ggml_type */
const types = { float32: 0, float16: 1, int32: 26 } as const
const bytesOf = { float32: 4, float16: 2, int32: 4 } as const
type Type = keyof typeof types

/** GGML_ROPE_TYPE_MROPE, GGML_ROPE_TYPE_VISION */
const modes = { text: 8, grid: 24 } as const

const minusInfinity = 0xfc00

/** ggml_rope_multi and ggml_flash_attn_ext in one graph, over tensors in one context. */
class GgmlContestant implements Contestant {
  #run: () => void = () => undefined
  #results: readonly Float32Array[] = []

  async load(problem: Problem, inputs: Inputs, threads: number): Promise<string> {
    const { ggml, backend } = loadGgml(threads)
    const graph = new Graph(ggml, problem)
    const ends = nodesOf(graph, problem, inputs)
    const compute = graph.build(ends)
    this.#run = () => {
      const status = ggml.base.compute(backend, compute)
      if (status !== 0) throw new Error(`ggml_backend_graph_compute gave ${status}`)
    }
    const { work, heads, kvHeads, headDim, tokens, cache = 'float32' } = problem
    const size = (perToken: number) => (work === 'decode' ? 1 : tokens) * perToken * headDim
    this.#results = ends
      .slice(-(work === 'rotate' ? 2 : 1))
      .map((end, i) => graph.floats(end, size(i === 0 ? heads : kvHeads)))
    const names = work === 'rotate' ? 'rope_multi' : 'rope_multi and flash_attn_ext'
    return `${ggml.name}, ${names}, ${cache}`
  }

  run(): void {
    this.#run()
  }

  result(): readonly Float32Array[] {
    return this.#results
  }
}

/** Everything that has to be computed; the results are the last ones. */
function nodesOf(graph: Graph, problem: Problem, inputs: Inputs): Pointer[] {
  const { work, tokens, heads, kvHeads, headDim, causal, segment = tokens } = problem
  const positions = graph.positions(work === 'decode' ? [tokens - 1] : Array.from({ length: tokens }, (_, i) => i))
  if (work === 'decode') return decode(graph, problem, inputs, positions)
  const q = graph.rope(graph.tensor('float32', [headDim, heads, tokens, 1], inputs.q), positions)
  const k = graph.rope(graph.tensor('float32', [headDim, kvHeads, tokens, 1], inputs.k), positions)
  if (work === 'rotate') return [q, k]
  const v = graph.tensor('float32', [headDim, kvHeads, tokens, 1], inputs.v)
  const batches = tokens / segment
  const mask = causal ? graph.causalMask(tokens) : null
  const parts = [q, k, v].map((x, i) => graph.headsApart(x, [headDim, i === 0 ? heads : kvHeads, segment, batches]))
  return [graph.attention(parts[0], parts[1], parts[2], mask)]
}

/** The new key and value are copied into the cache, `(headDim, kvHeads, tokens)`, before the attention reads it. */
function decode(graph: Graph, problem: Problem, inputs: Inputs, positions: Pointer): Pointer[] {
  const { tokens, heads, kvHeads, headDim, cache = 'float32' } = problem
  const last = (tokens - 1) * kvHeads * headDim
  const row = [headDim, kvHeads, 1, 1]
  const stored = (values: Float32Array) =>
    graph.tensor(cache, [headDim, kvHeads, tokens, 1], cache === 'float16' ? halves(values) : values)
  const [k, v] = [stored(inputs.k), stored(inputs.v)]
  const q = graph.rope(graph.tensor('float32', [headDim, heads, 1, 1], inputs.q), positions)
  const key = graph.rope(graph.tensor('float32', row, inputs.k.subarray(last)), positions)
  const value = graph.tensor('float32', row, inputs.v.subarray(last))
  const stores = [
    graph.copyTo(key, k, row, last * bytesOf[cache], bytesOf[cache]),
    graph.copyTo(value, v, row, last * bytesOf[cache], bytesOf[cache]),
  ]
  const all = [headDim, kvHeads, tokens, 1]
  const query = graph.headsApart(q, [headDim, heads, 1, 1])
  return [...stores, graph.attention(query, graph.headsApart(k, all), graph.headsApart(v, all), null)]
}

class Graph {
  readonly #ggml: Ggml
  readonly #problem: Problem
  readonly #context: Pointer

  constructor(ggml: Ggml, problem: Problem) {
    this.#ggml = ggml
    this.#problem = problem
    const { tokens, heads, kvHeads, headDim, causal } = problem
    // Inputs, rotated copies, output and mask, with room to spare.
    const elements = tokens * headDim * (heads * 3 + kvHeads * 4) + (causal ? (tokens * tokens) / 2 : 0)
    this.#context = ggml.base.init({ size: elements * 4 + 2 ** 24, memory: null, no_alloc: false }) as Pointer
  }

  /** A tensor `(ne0, ne1, ne2, ne3)`, the innermost dimension first. */
  tensor(type: Type, ne: readonly number[], values: ArrayLike<number>): Pointer {
    const { base, koffi } = this.#ggml
    const tensor = base.newTensor(this.#context, types[type], ...ne) as Pointer
    const memory = koffi.view(base.data(tensor) as Pointer, values.length * bytesOf[type])
    if (type === 'float32') new Float32Array(memory).set(values)
    else if (type === 'float16') new Uint16Array(memory).set(values)
    else new Int32Array(memory).set(values)
    return tensor
  }

  floats(tensor: Pointer, length: number): Float32Array {
    const { base, koffi } = this.#ggml
    return new Float32Array(koffi.view(base.data(tensor) as Pointer, length * 4))
  }

  /** Four ids per token: time, row, column, extra for text; row, column, row, column for pictures. */
  positions(tokens: readonly number[]): Pointer {
    const rows = tokens.map((token) => Math.floor(token / gridWidth))
    const columns = tokens.map((token) => token % gridWidth)
    const text = this.#problem.positions === 'text'
    const ids = text ? [tokens, tokens, tokens, tokens] : [rows, columns, rows, columns]
    return this.tensor('int32', [4 * tokens.length, 1, 1, 1], ids.flat())
  }

  rope(x: Pointer, positions: Pointer): Pointer {
    const { headDim, positions: kind } = this.#problem
    const quarter = headDim / 4
    const [dims, sections] =
      kind === 'text' ? [headDim, [16, 24, 24, 0]] : [headDim / 2, [quarter, quarter, quarter, quarter]]
    const base = kind === 'text' ? textBase : gridBase
    const { ropeMulti } = this.#ggml.base
    const rest = [modes[kind], 32768, base, 1, 0, 1, 32, 1]
    return ropeMulti(this.#context, x, positions, null, dims, sections, ...rest) as Pointer
  }

  /** (headDim, heads, tokens · batches) → a view (headDim, tokens, heads, batches) */
  headsApart(x: Pointer, ne: readonly number[]): Pointer {
    const { reshape, permute } = this.#ggml.base
    return permute(this.#context, reshape(this.#context, x, ...ne), 0, 2, 1, 3) as Pointer
  }

  copyTo(from: Pointer, to: Pointer, ne: readonly number[], at: number, size: number): Pointer {
    const { view3d, copy } = this.#ggml.base
    const strides = [ne[0] * size, ne[0] * ne[1] * size]
    const view = view3d(this.#context, to, ne[0], ne[1], ne[2], ...strides, at)
    return copy(this.#context, from, view) as Pointer
  }

  causalMask(tokens: number): Pointer {
    const mask = new Uint16Array(tokens * tokens)
    for (let query = 0; query < tokens; query++)
      mask.fill(minusInfinity, query * tokens + query + 1, (query + 1) * tokens)
    return this.tensor('float16', [tokens, tokens, 1, 1], mask)
  }

  attention(q: Pointer, k: Pointer, v: Pointer, mask: Pointer | null): Pointer {
    const scale = 1 / Math.sqrt(this.#problem.headDim)
    return this.#ggml.base.attention(this.#context, q, k, v, mask, scale, 0, 0) as Pointer
  }

  build(ends: readonly Pointer[]): Pointer {
    const { newGraph, expand } = this.#ggml.base
    const graph = newGraph(this.#context) as Pointer
    for (const end of ends) expand(graph, end)
    return graph
  }
}

await serve(new GgmlContestant())
