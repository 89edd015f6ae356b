import { MropeRangeError } from '../errors.js'
import { checkCount, checkOptions } from '../tensors/check.js'
import { parameters } from '../tensors/parameters.js'
import { loadRow } from '../tensors/rows.js'
import type { Tensor } from '../tensors/tensor.js'
import { type AttentionBias, type BiasRequest, defineBias } from './bias.js'
import { seenDistances } from './distances.js'
import { checkKernel, type KerpleOptions, kerpleSource } from './kernels.js'

// Biases that read the queries. They are functions: attention asks for them piece by piece, so that memory stays a few
// tiles, and each keeps the products of the query it was last asked for.

export interface ShawOptions {
  /** `distance_embedding.weight`, `(left + right + 1, headDim)`: all heads share it. */
  readonly embeddings: Tensor
  /** Distances further back than this count as this. */
  readonly left: number
  /** Distances further ahead than this count as this. */
  readonly right: number
}

/**
 * Shaw: `scale · q_i · E[clamp(j − i, −left, right)]`, with the scale of the attention and q as it comes, not rotated.
 * Source: arXiv 1803.02155; transformers `wav2vec2_bert: _apply_relative_key_position_encoding`.
 * @throws MropeTypeError ERR_MROPE_ARGUMENT, MropeRangeError ERR_MROPE_SHAPE
 */
export function shaw(options: ShawOptions): AttentionBias {
  const caller = 'biases.shaw'
  checkOptions(caller, options, ['embeddings', 'left', 'right'])
  const left = checkCount(caller, 'left', options.left)
  const right = checkCount(caller, 'right', options.right)
  const span = left + right + 1
  const embeddings = parameters(caller, 'embeddings', options.embeddings, [span, undefined])
  const headDim = embeddings.length / span
  return defineBias(
    {
      name: 'shaw',
      heads: 1,
      formula: 'scale · q[i] · E[clamp(j − i, −left, right)]',
      evaluated: 'pieces',
      readsQueries: true,
      readsKeys: false,
      exchange: 'other',
      parameters: { left, right, headDim },
      source: 'arXiv 1803.02155; transformers 5.18 wav2vec2_bert/modeling_wav2vec2_bert.py relative_key',
      verified: 'run',
    },
    (request) => {
      checkHeadDim('shaw', headDim, request)
      const query = new QueryRow(request)
      const products = new Float64Array(span)
      return (head, i, j) => {
        if (query.load(head, i)) products.fill(Number.NaN)
        const entry = Math.min(Math.max(j - i, -left), right) + left
        // NaN stands for not computed yet; a query with NaN computes it every time.
        if (Number.isNaN(products[entry])) products[entry] = query.scale * query.dot(embeddings, entry * headDim)
        return products[entry]
      }
    },
  )
}

export interface TransformerXLOptions {
  /** Projected position vectors `(distances, heads, headDim)`: row d is that of i − j = `farthest` − d. */
  readonly relative: Tensor
  /** i − j of the first row. Default: that of the last row is 0, as in a decoder. */
  readonly farthest?: number
  /** `r_w_bias`, added to q for the keys, `(heads, headDim)`. */
  readonly u: Tensor
  /** `r_r_bias`, added to q for the positions, `(heads, headDim)`. */
  readonly v: Tensor
}

/**
 * Transformer-XL: scores `scale · ((q + u) · k + (q + v) · r[i − j])`; what this adds to `scale · q · k` is
 * `scale · (u · k + (q + v) · r[i − j])`, with q and k as they come, not rotated.
 * Source: arXiv 1901.02860; transformers `wav2vec2_bert: _apply_relative_position_encoding`.
 * @throws MropeTypeError ERR_MROPE_ARGUMENT, MropeRangeError ERR_MROPE_SHAPE
 */
export function transformerXL(options: TransformerXLOptions): AttentionBias {
  const caller = 'biases.transformerXL'
  checkOptions(caller, options, ['relative', 'farthest', 'u', 'v'])
  const relative = parameters(caller, 'relative', options.relative, [undefined, undefined, undefined])
  const [distances, heads, headDim] = options.relative.dims
  const farthest = checkCount(caller, 'farthest', options.farthest ?? Math.max(0, distances - 1))
  const u = parameters(caller, 'u', options.u, [heads, headDim])
  const v = parameters(caller, 'v', options.v, [heads, headDim])
  return defineBias(
    {
      name: 'transformer-xl',
      heads,
      formula: 'scale · (u · k[j] + (q[i] + v) · r[i − j])',
      evaluated: 'pieces',
      readsQueries: true,
      readsKeys: true,
      exchange: 'other',
      parameters: { distances, farthest, headDim },
      source: 'arXiv 1901.02860; transformers 5.18 wav2vec2_bert/modeling_wav2vec2_bert.py relative',
      verified: 'run',
    },
    (request) => {
      checkHeadDim('transformer-xl', headDim, request)
      const { first, last } = seenDistances(request)
      const missing = -first > farthest ? -first : -last < farthest - distances + 1 ? -last : undefined
      if (missing !== undefined && request.queries > 0 && request.keys > 0) {
        const text = `attend: bias transformer-xl has vectors for i − j of ${farthest - distances + 1} … ${farthest}, seen is ${missing}`
        throw new MropeRangeError('ERR_MROPE_SHAPE', text, missing)
      }
      const query = new QueryRow(request)
      const keyOf = keyProducts(request, u)
      return (head, i, j) => {
        query.load(head, i, v)
        const row = ((farthest - i + j) * heads + head) * headDim
        return query.scale * (keyOf(head, j) + query.dot(relative, row))
      }
    },
  )
}

/**
 * KERPLE, weights: multiplies each score by `exp(−a · |i − j|^p)`, a not below 0.01, p from 0.01 to 2; what this adds
 * to `scale · q · k` is `scale · q · k · (exp(−a · |i − j|^p) − 1)`, with q and k as they come, not rotated.
 * Source: chijames/KERPLE `megatron/mpu/layers.py: ParallelKerplePower`.
 * @throws MropeTypeError ERR_MROPE_ARGUMENT, MropeRangeError ERR_MROPE_HEADS | ERR_MROPE_ARGUMENT
 */
export function kerpleWeight(options: KerpleOptions): AttentionBias {
  const { p, a } = checkKernel('biases.kerpleWeight', options)
  const powers = p.map((x) => Math.min(x, 2))
  return defineBias(
    {
      name: 'kerple-weight',
      heads: p.length,
      formula: 'scale · q[i] · k[j] · (exp(−a · |i − j|^p) − 1)',
      evaluated: 'pieces',
      readsQueries: true,
      readsKeys: true,
      exchange: 'other',
      parameters: { p: [...powers], a: [...a] },
      source: kerpleSource,
      verified: 'source',
    },
    (request) => {
      const { k, kvHeads, heads, headDim } = request
      const query = new QueryRow(request)
      const key = new Float32Array(headDim)
      const line = new Float64Array(headDim)
      return (head, i, j) => {
        query.load(head, i)
        loadRow(k, (j * kvHeads + Math.floor((head * kvHeads) / heads)) * headDim, headDim, line)
        key.set(line)
        return query.scale * query.dot(key, 0) * Math.expm1(-a[head] * Math.abs(i - j) ** powers[head])
      }
    },
  )
}

function checkHeadDim(name: string, headDim: number, request: BiasRequest): void {
  if (headDim === request.headDim) return
  const text = `attend: bias ${name} has vectors of ${headDim} numbers, q has a head dim of ${request.headDim}`
  throw new MropeRangeError('ERR_MROPE_SHAPE', text, headDim)
}

/** One vector of q at a time, as float64. */
class QueryRow {
  readonly #request: BiasRequest
  readonly #line: Float64Array
  #at = -1
  scale = 1

  constructor(request: BiasRequest) {
    this.#request = request
    this.#line = new Float64Array(request.headDim)
  }

  /** Takes the vector of a head and a query, plus what is added for each head; false when it is there already. */
  load(head: number, query: number, plus?: Float32Array): boolean {
    const { q, heads, headDim, queryOffset, scale } = this.#request
    const at = (query - queryOffset) * heads + head
    if (at === this.#at) return false
    loadRow(q, at * headDim, headDim, this.#line)
    if (plus) for (let c = 0; c < headDim; c++) this.#line[c] += plus[head * headDim + c]
    this.scale = typeof scale === 'number' ? scale : scale[query - queryOffset]
    this.#at = at
    return true
  }

  dot(vectors: Float32Array, at: number): number {
    return dot(this.#line, vectors, at)
  }
}

/** Four sums, so that an addition does not wait for the one before. */
function dot(line: Float64Array, vectors: Float32Array, at: number): number {
  const length = line.length
  const whole = length - (length % 4)
  let a = 0
  let b = 0
  let c = 0
  let d = 0
  for (let i = 0; i < whole; i += 4) {
    a += line[i] * vectors[at + i]
    b += line[i + 1] * vectors[at + i + 1]
    c += line[i + 2] * vectors[at + i + 2]
    d += line[i + 3] * vectors[at + i + 3]
  }
  for (let i = whole; i < length; i++) a += line[i] * vectors[at + i]
  return a + b + (c + d)
}

/** `u[head] · k[j]`, each computed once: one number for each key and head. */
function keyProducts({ k, kvHeads, heads, keys, headDim }: BiasRequest, u: Float32Array) {
  const line = new Float64Array(headDim)
  const known = new Map<number, Float64Array>()
  return (head: number, key: number): number => {
    let products = known.get(head)
    if (!products) {
      products = new Float64Array(keys).fill(Number.NaN)
      known.set(head, products)
    }
    if (Number.isNaN(products[key])) {
      loadRow(k, (key * kvHeads + Math.floor((head * kvHeads) / heads)) * headDim, headDim, line)
      products[key] = dot(line, u, head * headDim)
    }
    return products[key]
  }
}
