import { Unable } from '../contest/contestant.js'
import { gridBase, gridWidth, type Problem, textBase } from '../contest/problem.js'
import type { Ggml, Pointer } from './ggml-library.js'

/** ggml_type */
const types = { float32: 0, float16: 1, int32: 26 } as const
export const bytesOf = { float32: 4, float16: 2, int32: 4 } as const
type Type = keyof typeof types
type Data = Float32Array | Uint16Array | Int32Array

/** GGML_ROPE_TYPE_MROPE, GGML_ROPE_TYPE_VISION */
const modes = { text: 8, grid: 24 } as const

const minusInfinity = 0xfc00
/** For the descriptions of tensors and of the graph; their data are in memory of the backend. */
const contextBytes = 2 ** 24
const mostNodes = 2 ** 14

/** A graph over tensors of a backend. `ready` comes after the last operation. */
export class Graph {
  readonly #ggml: Ggml
  readonly #problem: Problem
  readonly #context: Pointer
  readonly #values: { readonly tensor: Pointer; readonly data: Data }[] = []
  readonly #operations: { readonly name: string; readonly node: Pointer }[] = []

  constructor(ggml: Ggml, problem: Problem) {
    this.#ggml = ggml
    this.#problem = problem
    this.#context = ggml.functions.init({ size: contextBytes, memory: null, no_alloc: true }) as Pointer
  }

  /** A tensor `(ne0, ne1, ne2, ne3)`, the innermost dimension first. */
  tensor(type: Type, ne: readonly number[], data: Data): Pointer {
    const tensor = this.#ggml.functions.newTensor(this.#context, types[type], ...ne) as Pointer
    this.#values.push({ tensor, data })
    return tensor
  }

  /** Four ids per token: time, row, column, extra for text; row, column, row, column for pictures. */
  positions(tokens: readonly number[]): Pointer {
    const rows = tokens.map((token) => Math.floor(token / gridWidth))
    const columns = tokens.map((token) => token % gridWidth)
    const text = this.#problem.positions === 'text'
    const ids = text ? [tokens, tokens, tokens, tokens] : [rows, columns, rows, columns]
    return this.tensor('int32', [4 * tokens.length, 1, 1, 1], Int32Array.from(ids.flat()))
  }

  rope(x: Pointer, positions: Pointer): Pointer {
    const { headDim, positions: kind } = this.#problem
    const quarter = headDim / 4
    const [dims, sections] =
      kind === 'text' ? [headDim, [16, 24, 24, 0]] : [headDim / 2, [quarter, quarter, quarter, quarter]]
    const base = kind === 'text' ? textBase : gridBase
    const rest = [modes[kind], 32768, base, 1, 0, 1, 32, 1]
    const { ropeMulti, ropeMultiInPlace } = this.#ggml.functions
    const turn = this.#problem.inPlace ? ropeMultiInPlace : ropeMulti
    return this.#operation('rope_multi', turn(this.#context, x, positions, null, dims, sections, ...rest))
  }

  /** (headDim, heads, tokens · batches) → a view (headDim, tokens, heads, batches) */
  headsApart(x: Pointer, ne: readonly number[]): Pointer {
    const { reshape, permute } = this.#ggml.functions
    return permute(this.#context, reshape(this.#context, x, ...ne), 0, 2, 1, 3) as Pointer
  }

  /** Consecutive tokens of a dense `(headDim, heads, tokens)`, as a view `(headDim, tokens, heads)`. */
  part(x: Pointer, type: Type, heads: number, first: number, end: number): Pointer {
    const { headDim } = this.#problem
    const { view3d, permute } = this.#ggml.functions
    const token = headDim * heads * bytesOf[type]
    const strides = [headDim * bytesOf[type], token]
    const view = view3d(this.#context, x, headDim, heads, end - first, ...strides, first * token)
    return permute(this.#context, view, 0, 2, 1, 3) as Pointer
  }

  copyTo(from: Pointer, to: Pointer, ne: readonly number[], at: number, size: number): Pointer {
    const { view3d, copy } = this.#ggml.functions
    const strides = [ne[0] * size, ne[0] * ne[1] * size]
    const view = view3d(this.#context, to, ne[0], ne[1], ne[2], ...strides, at)
    return this.#operation('cpy', copy(this.#context, from, view))
  }

  causalMask(tokens: number): Pointer {
    const mask = new Uint16Array(tokens * tokens)
    for (let query = 0; query < tokens; query++)
      mask.fill(minusInfinity, query * tokens + query + 1, (query + 1) * tokens)
    return this.tensor('float16', [tokens, tokens, 1, 1], mask)
  }

  attention(q: Pointer, k: Pointer, v: Pointer, mask: Pointer | null): Pointer {
    const scale = 1 / Math.sqrt(this.#problem.headDim)
    const node = this.#ggml.functions.attention(this.#context, q, k, v, mask, scale, 0, 0)
    return this.#operation('flash_attn_ext', node)
  }

  /** Gives every tensor memory of the backend and its values. @throws Unable where the backend lacks an operation */
  ready(ends: readonly Pointer[]): Pointer {
    const { backend, functions, name } = this.#ggml
    const graph = functions.newGraph(this.#context, mostNodes, false) as Pointer
    for (const end of ends) functions.expand(graph, end)
    const lacking = this.#operations.find(({ node }) => !functions.supports(backend, node))
    if (lacking !== undefined) throw new Unable(`${name} has no ${lacking.name} for these types and sizes`)
    if (functions.allocate(this.#context, backend) === null) throw new Error(`${name} has not enough memory`)
    for (const { tensor, data } of this.#values) functions.set(tensor, data, 0, data.byteLength)
    return graph
  }

  #operation(name: string, node: unknown): Pointer {
    this.#operations.push({ name, node: node as Pointer })
    return node as Pointer
  }
}
