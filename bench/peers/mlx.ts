import { createRequire } from 'node:module'
import { join } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { type Contestant, serve } from '../contest/contestant.js'
import { bordersOf, type Inputs, type Problem, storageOf, textBase } from '../contest/problem.js'
import { inFolder, readNpy, writeNpy } from './npy.js'

// What is used of @frost-beta/mlx, so that this file can be checked without the package.
interface Dtype {
  readonly size: number
}
interface Slice {
  readonly start: number | null
}
interface MlxArray {
  readonly shape: number[]
  astype(dtype: Dtype): MlxArray
  reshape(...shape: number[]): MlxArray
  transpose(...axes: number[]): MlxArray
  index(...index: (number | null | '...' | Slice)[]): MlxArray
  indexPut_(index: (number | null | '...' | Slice)[], value: MlxArray): MlxArray
}
type Turn = (x: MlxArray, cos: MlxArray, sin: MlxArray) => MlxArray
interface Mlx {
  readonly float16: Dtype
  readonly float32: Dtype
  readonly metal: { isAvailable(): boolean }
  readonly fast: {
    rope(x: MlxArray, dims: number, traditional: boolean, base: number, scale: number, offset: number): MlxArray
    scaledDotProductAttention(q: MlxArray, k: MlxArray, v: MlxArray, scale: number, mask?: MlxArray): MlxArray
  }
  Slice(start?: number | null, stop?: number | null): Slice
  load(path: string): MlxArray
  save(path: string, array: MlxArray): void
  split(x: MlxArray, partsOrBorders: number | number[], axis: number): MlxArray[]
  concatenate(parts: MlxArray[], axis: number): MlxArray
  multiply(a: MlxArray, b: MlxArray): MlxArray
  add(a: MlxArray, b: MlxArray): MlxArray
  subtract(a: MlxArray, b: MlxArray): MlxArray
  full(shape: number[], value: number, dtype: Dtype): MlxArray
  compile(turn: Turn): Turn
  eval(...arrays: MlxArray[]): void
}

/** What is added to scores that must not be seen: the least of float16, so that no row becomes NaN. */
const unseen = -65504

/**
 * MLX as mlx-lm and mlx-vlm call it: fast.rope by an offset for text, cosines and sines that were made before for
 * pictures, fast.scaledDotProductAttention, a cache of full size that is written in place. Segments of one length are
 * batches, which is more than mlx-vlm does; others are a call each. A queue is one lazy graph.
 */
class MlxContestant implements Contestant {
  readonly #collect: () => void
  #mx: Mlx | undefined
  #step: (run: number) => MlxArray[] = () => []
  #queue = 1
  #results: MlxArray[] = []

  constructor() {
    // Arrays give their memory back when they are collected.
    setFlagsFromString('--expose-gc')
    this.#collect = runInNewContext('gc')
  }

  async load(problem: Problem, inputs: Inputs): Promise<string> {
    const load = createRequire(import.meta.url)
    const mx: Mlx = load('@frost-beta/mlx').core
    const { version } = load('@frost-beta/mlx/package.json')
    const gpu = mx.metal.isAvailable()
    if (!gpu && process.platform === 'darwin') throw new Error('MLX finds no Metal device')
    this.#mx = mx
    this.#queue = problem.queue ?? 1
    this.#step = await inFolder((folder) =>
      stepOf(mx, problem, inputs, (name, values, shape) => {
        const path = join(folder, `${name}.npy`)
        writeNpy(path, values, shape)
        return mx.load(path)
      }),
    )
    return `@frost-beta/mlx ${version}, ${gpu ? 'GPU' : 'CPU'}, ${storageOf(problem).type}`
  }

  reset(): void {
    this.#results = []
    this.#collect()
  }

  run(): void {
    const runs = Array.from({ length: this.#queue }, (_, run) => this.#step(run))
    this.#mx?.eval(...runs.flat())
    this.#results = runs[this.#queue - 1]
  }

  result(): Promise<readonly Float32Array[]> {
    const mx = this.#mx
    if (mx === undefined) throw new Error('nothing is loaded')
    return inFolder((folder) => {
      const path = join(folder, 'result.npy')
      return this.#results.map((array) => {
        const [batch, , tokens] = array.shape
        const tokensFirst = array.shape.length === 4 ? array.transpose(0, 2, 1, 3).reshape(batch * tokens, -1) : array
        mx.save(path, tokensFirst.astype(mx.float32))
        return readNpy(path)
      })
    })
  }
}

type Load = (name: string, values: Float32Array, shape: readonly number[]) => MlxArray

/** What all runs share; arrays that are `apart` are `(batch, heads, tokens of a batch, headDim)`. */
interface Shared {
  readonly q: MlxArray
  readonly k: MlxArray
  readonly v: MlxArray
  readonly scale: number
  rotate(x: MlxArray, heads: number): MlxArray
  apart(x: MlxArray, heads: number): MlxArray
  together(x: MlxArray): MlxArray
}

/** What adds a run to the graph, with everything read that it needs. */
function stepOf(mx: Mlx, problem: Problem, inputs: Inputs, load: Load): (run: number) => MlxArray[] {
  const { work, tokens, heads, kvHeads, headDim, segment = tokens } = problem
  const type = mx[storageOf(problem).type]
  const rows = work === 'decode' ? 1 : tokens
  const last = (tokens - rows) * kvHeads * headDim
  const kvDims = [rows, kvHeads, headDim]
  const q = load('q', inputs.q, [rows, heads, headDim]).astype(type)
  const k = load('k', inputs.k.subarray(last), kvDims).astype(type)
  const v = load('v', inputs.v.subarray(last), kvDims).astype(type)
  mx.eval(q, k, v)
  const apart = (x: MlxArray, count: number) =>
    x.reshape(-1, Math.min(segment, rows), count, headDim).transpose(0, 2, 1, 3)
  const together = (x: MlxArray) => x.transpose(0, 2, 1, 3).reshape(rows, -1, headDim)
  const rotate = rotation(mx, problem, inputs, load, apart)
  const shared = { q, k, v, scale: 1 / Math.sqrt(headDim), rotate, apart, together }
  // Attention takes them as they are, so this order costs nothing in a model.
  if (work === 'rotate') return () => [rotate(q, heads), rotate(k, kvHeads)]
  return work === 'attend' ? attention(mx, problem, shared, load) : decoding(mx, problem, inputs, shared, load)
}

function attention(mx: Mlx, problem: Problem, shared: Shared, load: Load): () => MlxArray[] {
  const { tokens, heads, kvHeads, causal, segments } = problem
  const { scale, rotate, apart, together } = shared
  const type = mx[storageOf(problem).type]
  const mask = causal ? load('mask', causalMask(tokens), [tokens, tokens]).astype(type) : undefined
  if (mask) mx.eval(mask)
  const borders = bordersOf(problem).slice(1, -1)
  return () => {
    const all = [rotate(shared.q, heads), rotate(shared.k, kvHeads), apart(shared.v, kvHeads)]
    if (segments === undefined) {
      return [together(mx.fast.scaledDotProductAttention(all[0], all[1], all[2], scale, mask))]
    }
    const [q, k, v] = all.map((x) => mx.split(x, borders, 2))
    const outs = q.map((part, i) => mx.fast.scaledDotProductAttention(part, k[i], v[i], scale))
    return [together(mx.concatenate(outs, 2))]
  }
}

/** Every run has a cache of its own. */
function decoding(mx: Mlx, problem: Problem, inputs: Inputs, shared: Shared, load: Load): (run: number) => MlxArray[] {
  const { tokens, heads, kvHeads, headDim, queue = 1 } = problem
  const { scale, rotate, apart, together } = shared
  const cache = mx[storageOf(problem).cache]
  const full = (name: string, values: Float32Array) =>
    load(name, values, [1, tokens, kvHeads, headDim]).transpose(0, 2, 1, 3).astype(cache)
  const [keys, values] = [full('keys', inputs.k), full('values', inputs.v)]
  const zero = mx.full([1], 0, cache)
  // An addition makes new memory.
  const layers = Array.from({ length: queue }, () => [mx.add(keys, zero), mx.add(values, zero)])
  mx.eval(...layers.flat())
  const place = ['...', mx.Slice(tokens - 1, tokens), mx.Slice()] as const
  return (run) => {
    const [k, v] = layers[run]
    k.indexPut_([...place], rotate(shared.k, kvHeads).astype(cache))
    v.indexPut_([...place], apart(shared.v, kvHeads).astype(cache))
    return [together(mx.fast.scaledDotProductAttention(rotate(shared.q, heads), k, v, scale))]
  }
}

function causalMask(tokens: number): Float32Array {
  const mask = new Float32Array(tokens * tokens)
  for (let query = 0; query < tokens; query++) mask.fill(unseen, query * tokens + query + 1, (query + 1) * tokens)
  return mask
}

/** (tokens, heads, headDim) → apart, turned */
function rotation(mx: Mlx, problem: Problem, inputs: Inputs, load: Load, apart: Shared['apart']): Shared['rotate'] {
  const { work, tokens, headDim, positions } = problem
  const type = mx[storageOf(problem).type]
  if (positions === 'text') {
    const offset = work === 'decode' ? tokens - 1 : 0
    return (x, count) => mx.fast.rope(apart(x, count), headDim, false, textBase, 1, offset)
  }
  const table = (name: string, values: Float32Array) => load(name, values, [tokens, 1, headDim / 2]).astype(type)
  const [cos, sin] = [table('cos', inputs.cos), table('sin', inputs.sin)]
  mx.eval(cos, sin)
  const turn = mx.compile((x, c, s) => {
    const [a, b] = mx.split(x, 2, -1)
    const left = mx.subtract(mx.multiply(a, c), mx.multiply(b, s))
    return mx.concatenate([left, mx.add(mx.multiply(b, c), mx.multiply(a, s))], -1)
  })
  return (x, count) => apart(turn(x, cos, sin), count)
}

await serve(new MlxContestant())
