import { MropeTypeError, show } from '../errors.js'
import { checkOptions } from '../tensors/check.js'
import { checkHeads, checkNumber, parameters } from '../tensors/parameters.js'
import type { Tensor } from '../tensors/tensor.js'
import { type AttentionBias, type BiasFunction, type BiasRequest, defineBias } from './bias.js'
import { distanceTable } from './distances.js'

export interface FireOptions {
  /** Weights of the network 1 → hidden → hidden → heads: `(hidden, 1)`, `(hidden, hidden)`, `(heads, hidden)`. */
  readonly weights: readonly [Tensor, Tensor, Tensor]
  /** Learned factor inside the logarithm. Default 0.1, its initial value. */
  readonly c?: number
  /** Learned length below which the distance is not normed by the query. Default 256, its initial value. */
  readonly threshold?: number
}

/** Numbers that are kept between calls: the biases of this many pairs and heads. */
const mostKept = 2 ** 20

/**
 * FIRE: `MLP(ψ(max(i − j, 0)) / ψ(max(L, i)))`, `ψ(x) = ln(|c · x| + 1)`, ReLU, no biases in the network. Unverified:
 * the authors' code was not found; the norm is that of the paper (arXiv 2310.04418), not that of copies that take
 * min(L, i).
 * @throws MropeTypeError ERR_MROPE_ARGUMENT, MropeRangeError ERR_MROPE_SHAPE | ERR_MROPE_ARGUMENT
 */
export function fire(options: FireOptions): AttentionBias {
  const caller = 'biases.fire'
  checkOptions(caller, options, ['weights', 'c', 'threshold'])
  if (!Array.isArray(options.weights) || options.weights.length !== 3) {
    const text = `${caller}: weights must be three tensors, got ${show(options.weights)}`
    throw new MropeTypeError('ERR_MROPE_ARGUMENT', text, options.weights)
  }
  const [in_, middle, out] = options.weights
  const w0 = parameters(caller, 'weights[0]', in_, [undefined, 1])
  const hidden = w0.length
  const w1 = parameters(caller, 'weights[1]', middle, [hidden, hidden])
  const w2 = parameters(caller, 'weights[2]', out, [undefined, hidden])
  const heads = checkHeads(caller, out.dims[0])
  const c = checkNumber(caller, 'c', options.c ?? 0.1, 2 ** -64)
  const threshold = checkNumber(caller, 'threshold', options.threshold ?? 256, 1)
  const psi = (x: number): number => Math.log1p(c * x)

  const first = new Float64Array(hidden)
  const second = new Float64Array(hidden)
  /** All heads at once: they share the network up to its last layer. */
  const network = (x: number, to: Float64Array, at: number): void => {
    for (let n = 0; n < hidden; n++) first[n] = Math.max(0, w0[n] * x)
    for (let u = 0; u < hidden; u++) {
      let sum = 0
      for (let n = 0; n < hidden; n++) sum += w1[u * hidden + n] * first[n]
      second[u] = Math.max(0, sum)
    }
    for (let head = 0; head < heads; head++) {
      let sum = 0
      for (let n = 0; n < hidden; n++) sum += w2[head * hidden + n] * second[n]
      to[at + head] = sum
    }
  }

  const one = new Float64Array(heads)
  let asked = Number.NaN
  const near = distanceTable(heads, (head, distance) => {
    const far = Math.max(0, -distance)
    if (head === 0 || far !== asked) network(psi(far) / psi(threshold), one, 0)
    asked = far
    return one[head]
  })

  return defineBias(
    {
      name: 'fire',
      heads,
      formula: 'MLP(ψ(max(i − j, 0)) / ψ(max(L, i))), ψ(x) = ln(|c · x| + 1)',
      evaluated: 'pieces',
      readsQueries: false,
      readsKeys: false,
      exchange: 'other',
      parameters: { hidden, c, threshold },
      source: 'FIRE, arXiv 2310.04418, from the formula: the authors’ code was not found',
      verified: 'unverified',
    },
    // Below the threshold only the distance counts.
    (request) => {
      const last = request.queryOffset + request.queries - 1
      return last <= threshold
        ? near(request)
        : keptRows(request, (i, far, to, at) => {
            network(psi(far) / psi(Math.max(threshold, i)), to, at)
          })
    },
  )
}

/**
 * Biases of all heads of a query are computed together; the last queries are kept, because heads are asked one by
 * one.
 */
function keptRows(
  { heads, keys }: BiasRequest,
  compute: (query: number, distance: number, to: Float64Array, at: number) => void,
): BiasFunction {
  const most = Math.max(1, Math.floor(mostKept / Math.max(1, heads * keys)))
  const rows = new Map<number, Float64Array>()
  return (head, query, key) => {
    let row = rows.get(query)
    if (!row) {
      const oldest = rows.keys().next()
      if (rows.size >= most && !oldest.done) rows.delete(oldest.value)
      row = new Float64Array(heads * keys).fill(Number.NaN)
      rows.set(query, row)
    }
    if (Number.isNaN(row[key * heads])) compute(query, Math.max(query - key, 0), row, key * heads)
    return row[key * heads + head]
  }
}
