import { MropeRangeError, MropeTypeError, show } from '../errors.js'
import { checkCount, checkOptions } from '../tensors/check.js'
import { Tensor } from '../tensors/tensor.js'
import type { AttentionBias, BiasData, BiasFunction, BiasRequest } from './bias.js'

/**
 * Resolves a bias for an attention and checks what it gives.
 * @throws MropeRangeError ERR_MROPE_HEADS, ERR_MROPE_SHAPE; MropeTypeError ERR_MROPE_ARGUMENT
 */
export function resolveBias(bias: AttentionBias, request: BiasRequest): BiasData | BiasFunction {
  if (bias.heads !== 1 && bias.heads !== request.heads) {
    const text = `attend: bias ${bias.name} has ${bias.heads} heads, q has ${request.heads}`
    throw new MropeRangeError('ERR_MROPE_HEADS', text, bias.heads)
  }
  const data = bias.resolve(request)
  if (typeof data === 'function') return data
  if (data.heads !== 1 && data.heads !== request.heads) {
    const text = `attend: bias ${bias.name} gives values for ${data.heads} heads, q has ${request.heads}`
    throw new MropeRangeError('ERR_MROPE_HEADS', text, data.heads)
  }
  const length = data.heads * valuesOf(data, request.keys, bias.name)
  if (!(data.values instanceof Float32Array) || data.values.length !== length) {
    const text = `attend: bias ${bias.name} (${data.kind}) needs ${length} values, got ${show(data.values)}`
    throw new MropeRangeError('ERR_MROPE_SHAPE', text, data.values?.length)
  }
  if (data.kind === 'difference' && request.queryOffset + request.queries > request.keys) {
    const text = `attend: bias ${bias.name} has one value for each key: ${request.queries} queries for ${request.keys} keys`
    throw new MropeRangeError('ERR_MROPE_SHAPE', text, request.queries)
  }
  return data
}

function valuesOf(data: BiasData, keys: number, name: string): number {
  switch (data.kind) {
    case 'slope':
      return 1
    case 'distance':
      return data.span
    case 'grid':
      return (2 * data.rows - 1) * (2 * data.columns - 1)
    case 'difference':
      return keys
    default: {
      const kind: unknown = (data as Partial<BiasData>)?.kind
      throw new MropeTypeError('ERR_MROPE_ARGUMENT', `attend: bias ${name} gives the kind ${show(kind)}`, kind)
    }
  }
}

/** Writes the biases of a query and of keys `key … key + count` into the start of `line`. */
export function biasLine(
  data: BiasData,
  head: number,
  query: number,
  key: number,
  count: number,
  line: Float64Array,
): void {
  const { values, heads } = data
  const plane = heads === 1 ? 0 : head
  switch (data.kind) {
    case 'slope':
      for (let j = 0; j < count; j++) line[j] = -values[plane] * Math.abs(key + j - query)
      break
    case 'distance': {
      const { span, origin } = data
      for (let j = 0; j < count; j++) {
        line[j] = values[plane * span + Math.min(Math.max(key + j - query + origin, 0), span - 1)]
      }
      break
    }
    case 'grid': {
      const { rows, columns } = data
      const width = 2 * columns - 1
      const place = (token: number): number => {
        const cell = token % (rows * columns)
        return Math.floor(cell / columns) * width + (cell % columns)
      }
      const at = plane * width * (2 * rows - 1) + place(query) + (rows - 1) * width + columns - 1
      for (let j = 0; j < count; j++) line[j] = values[at - place(key + j)]
      break
    }
    case 'difference': {
      const row = plane * (values.length / heads)
      for (let j = 0; j < count; j++) line[j] = values[row + query] - values[row + key + j]
    }
  }
}

/** The bias of one score, from data. */
export function biasFunction(data: BiasData): BiasFunction {
  const line = new Float64Array(1)
  return (head, query, key) => {
    biasLine(data, head, query, key, 1, line)
    return line[0]
  }
}

export interface BiasTensorOptions {
  /** Query heads. */
  readonly heads: number
  readonly queries: number
  readonly keys: number
  /** By default the queries are the last tokens. */
  readonly queryOffset?: number
}

/** A tensor of this many float32 numbers is 1 GiB. */
const maxEntries = 2 ** 28

/**
 * The bias of every score as a float32 tensor `(heads, queries, keys)`, for runtimes that take no other form and for
 * looking at it. `attend` takes the bias itself and makes no such tensor.
 *
 * @throws MropeRangeError ERR_MROPE_STATE for a bias that reads queries or keys, ERR_MROPE_HEADS, ERR_MROPE_SHAPE
 */
export function biasTensor(bias: AttentionBias, options: BiasTensorOptions): Tensor {
  checkOptions('biasTensor', options, ['heads', 'queries', 'keys', 'queryOffset'])
  const heads = checkCount('biasTensor', 'heads', options.heads, 1)
  const queries = checkCount('biasTensor', 'queries', options.queries)
  const keys = checkCount('biasTensor', 'keys', options.keys)
  const last = Math.max(0, keys - queries)
  const queryOffset = checkCount('biasTensor', 'queryOffset', options.queryOffset ?? last)
  if (heads * queries * keys > maxEntries) {
    const text = `biasTensor: ${heads} × ${queries} × ${keys} numbers are more than ${maxEntries}`
    throw new MropeRangeError('ERR_MROPE_SHAPE', text, heads * queries * keys)
  }
  const { readsQueries, name } = bias.describe()
  if (readsQueries) {
    const text = `biasTensor: ${name} reads queries and keys, so there is no tensor without them`
    throw new MropeRangeError('ERR_MROPE_STATE', text, name)
  }
  const none = Tensor.zeros('float32', [0, heads, 1])
  const data = resolveBias(bias, {
    queries,
    keys,
    heads,
    kvHeads: heads,
    headDim: 1,
    queryOffset,
    visible: { first: new Int32Array(queries), end: new Int32Array(queries).fill(keys) },
    q: none,
    k: none,
    scale: 1,
  })
  const at = typeof data === 'function' ? data : biasFunction(data)
  const values = new Float32Array(heads * queries * keys)
  for (let head = 0, i = 0; head < heads; head++) {
    for (let query = 0; query < queries; query++) {
      for (let key = 0; key < keys; key++, i++) values[i] = at(head, queryOffset + query, key)
    }
  }
  return new Tensor('float32', values, [heads, queries, keys])
}
