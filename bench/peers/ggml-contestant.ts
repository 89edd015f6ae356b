import { float16ToFloat32 } from '../../lib/tensors/half.js'
import type { Contestant } from '../contest/contestant.js'
import { bordersOf, halves, type Inputs, type Problem, type Storage, storageOf } from '../contest/problem.js'
import { bytesOf, Graph } from './ggml-graph.js'
import { loadGgml, type Pointer } from './ggml-library.js'

/** A result: the tensors that it is in, one after the other, its elements, and how they are stored. */
interface End {
  readonly tensors: readonly Pointer[]
  readonly length: number
  readonly type: Storage
}

/**
 * ggml_rope_multi and ggml_flash_attn_ext, all runs of a queue in one graph, as llama.cpp has the layers of a model.
 * Its attention takes float32 queries and gives float32, whatever keys and values are stored as.
 */
export class GgmlContestant implements Contestant {
  readonly #processor: 'cpu' | 'metal'
  #run: () => void = () => undefined
  #result: () => readonly Float32Array[] = () => []

  constructor(processor: 'cpu' | 'metal') {
    this.#processor = processor
  }

  async load(problem: Problem, inputs: Inputs, threads: number): Promise<string> {
    const { backend, functions, name } = loadGgml(this.#processor, threads)
    const { work, queue = 1 } = problem
    const graph = new Graph({ backend, functions, name }, problem)
    const runs = runsOf(graph, problem, inputs, queue)
    const compute = graph.ready(runs.flatMap(({ nodes }) => nodes))
    this.#run = () => {
      const status = functions.compute(backend, compute)
      if (status !== 0) throw new Error(`ggml_backend_graph_compute gave ${status}`)
    }
    this.#result = () =>
      runs[queue - 1].ends.map(({ tensors, length, type }) => {
        const bytes = new Uint8Array(length * bytesOf[type])
        let at = 0
        for (const tensor of tensors) {
          const size = Number(functions.bytes(tensor))
          functions.get(tensor, bytes.subarray(at, at + size), 0, size)
          at += size
        }
        return type === 'float32'
          ? new Float32Array(bytes.buffer)
          : Float32Array.from(new Uint16Array(bytes.buffer), float16ToFloat32)
      })
    const names = work === 'rotate' ? 'rope_multi' : 'rope_multi and flash_attn_ext'
    return `${name}, ${names}, ${storageOf(problem).cache}`
  }

  run(): void {
    this.#run()
  }

  result(): readonly Float32Array[] {
    return this.#result()
  }
}

interface Run {
  /** Everything that has to be computed. */
  readonly nodes: readonly Pointer[]
  readonly ends: readonly End[]
}

function runsOf(graph: Graph, problem: Problem, inputs: Inputs, queue: number): readonly Run[] {
  const { work } = problem
  const make = work === 'decode' ? decode : work === 'attend' ? attend : rotate
  const one = make(graph, problem, inputs)
  return Array.from({ length: queue }, one)
}

/** Inputs are made once, for all runs; what is returned adds a run to the graph. */
function rotate(graph: Graph, problem: Problem, inputs: Inputs): () => Run {
  const { tokens, heads, kvHeads, headDim } = problem
  const { type } = storageOf(problem)
  const positions = graph.positions(Array.from({ length: tokens }, (_, i) => i))
  const q = stored(graph, type, [headDim, heads, tokens, 1], inputs.q)
  const k = stored(graph, type, [headDim, kvHeads, tokens, 1], inputs.k)
  return () => {
    const nodes = [graph.rope(q, positions), graph.rope(k, positions)]
    const length = (i: number) => tokens * (i === 0 ? heads : kvHeads) * headDim
    return { nodes, ends: nodes.map((tensor, i) => ({ tensors: [tensor], length: length(i), type })) }
  }
}

/** Segments of one length are batches; others are an operation each. */
function attend(graph: Graph, problem: Problem, inputs: Inputs): () => Run {
  const { tokens, heads, kvHeads, headDim, causal, segment = tokens, segments } = problem
  const { type } = storageOf(problem)
  const positions = graph.positions(Array.from({ length: tokens }, (_, i) => i))
  const q = stored(graph, 'float32', [headDim, heads, tokens, 1], inputs.q)
  const k = stored(graph, type, [headDim, kvHeads, tokens, 1], inputs.k)
  const v = stored(graph, type, [headDim, kvHeads, tokens, 1], inputs.v)
  const mask = causal ? graph.causalMask(tokens) : null
  const apart = (x: Pointer, count: number) => graph.headsApart(x, [headDim, count, segment, tokens / segment])
  const borders = bordersOf(problem)
  return () => {
    const [queries, keys] = [graph.rope(q, positions), graph.rope(k, positions)]
    const window = (first: number, end: number) => {
      const part = (x: Pointer) => graph.part(x, type, kvHeads, first, end)
      return graph.attention(graph.part(queries, 'float32', heads, first, end), part(keys), part(v), mask)
    }
    const tensors =
      segments === undefined
        ? [graph.attention(apart(queries, heads), apart(keys, kvHeads), apart(v, kvHeads), mask)]
        : borders.slice(1).map((end, i) => window(borders[i], end))
    return { nodes: tensors, ends: [{ tensors, length: inputs.q.length, type: 'float32' }] }
  }
}

/** The new key and value are copied into the cache, `(headDim, kvHeads, tokens)`, before the attention reads it. */
function decode(graph: Graph, problem: Problem, inputs: Inputs): () => Run {
  const { tokens, heads, kvHeads, headDim } = problem
  const { cache } = storageOf(problem)
  const last = (tokens - 1) * kvHeads * headDim
  const at = last * bytesOf[cache]
  const all = [headDim, kvHeads, tokens, 1]
  const row = [headDim, kvHeads, 1, 1]
  const positions = graph.positions([tokens - 1])
  const query = stored(graph, 'float32', [headDim, heads, 1, 1], inputs.q)
  const newKey = stored(graph, 'float32', row, inputs.k.subarray(last))
  const newValue = stored(graph, 'float32', row, inputs.v.subarray(last))
  const [keys, values] = [asStored(cache, inputs.k), asStored(cache, inputs.v)]
  return () => {
    const [k, v] = [graph.tensor(cache, all, keys), graph.tensor(cache, all, values)]
    const q = graph.rope(query, positions)
    const stores = [
      graph.copyTo(graph.rope(newKey, positions), k, row, at, bytesOf[cache]),
      graph.copyTo(newValue, v, row, at, bytesOf[cache]),
    ]
    const queries = graph.headsApart(q, [headDim, heads, 1, 1])
    const tensor = graph.attention(queries, graph.headsApart(k, all), graph.headsApart(v, all), null)
    return { nodes: [...stores, tensor], ends: [{ tensors: [tensor], length: inputs.q.length, type: 'float32' }] }
  }
}

function stored(graph: Graph, type: Storage, ne: readonly number[], values: Float32Array): Pointer {
  return graph.tensor(type, ne, asStored(type, values))
}

function asStored(type: Storage, values: Float32Array): Float32Array | Uint16Array {
  return type === 'float16' ? halves(values) : values
}
