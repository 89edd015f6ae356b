import {
  type AttentionBias,
  type BiasData,
  type BiasFunction,
  type BiasRequest,
  isAttentionBias,
} from '../biases/bias.js'
import { resolveBias } from '../biases/data.js'
import { MropeRangeError, MropeTypeError, show } from '../errors.js'
import { RotaryAngles } from '../rotary/angles.js'
import { checkNorm, type HeadNorm } from '../rotary/norm.js'
import { checkRotaryDim, checkTable, checkTableHeads } from '../rotary/rotate.js'
import type { RotaryTable } from '../rotary/table.js'
import { asTensor, checkCount, checkOptions, checkSignal, isArrayLike, overlap } from '../tensors/check.js'
import { Tensor, type TensorData } from '../tensors/tensor.js'
import { isPositional, type Mask, type VisibleKeys, visibleKeys } from './mask.js'

export type { BiasFunction } from '../biases/bias.js'

/**
 * One attention: `out = softmax(scale · rotate(q) · rotate(k)ᵀ + bias) · v`, heads grouped (query head h reads KV head
 * `floor(h / (heads / kvHeads))`). The tensors may differ in storage type and must stay as they are until the result is
 * there.
 */
export interface AttendRequest {
  /** Queries `(queries, heads, headDim)`. */
  readonly q: Tensor
  /** Keys `(keys, kvHeads, headDim)`. */
  readonly k: Tensor
  /** Values `(keys, kvHeads, valueDim)`; valueDim may differ from headDim. */
  readonly v: Tensor
  /** Rotates q and k on the way. Has one row of angles per key; the queries use rows `queryOffset …`. */
  readonly table?: RotaryTable | RotaryAngles
  /** Says that q and k are rotated already. Without `table` and `rotated` nothing is rotated (layers without rope). */
  readonly rotated?: boolean
  /** RMS norm of every query, of every key. */
  readonly qNorm?: HeadNorm
  readonly kNorm?: HeadNorm
  /** Index in the sequence of the first query. By default the queries are the last tokens. */
  readonly queryOffset?: number
  /** Which keys a query sees; `'causal'` by default. */
  readonly mask?: Mask
  /**
   * Added to the scaled scores: a relative position encoding, a function, or a tensor `(heads or 1, queries, keys)`.
   * −Infinity masks a key.
   */
  readonly bias?: BiasFunction | Tensor | AttentionBias
  /** Factor of the scores, `1/√headDim` by default; or one factor per query, see `softmaxScale`. */
  readonly scale?: number | ArrayLike<number>
  /** Destination `(queries, heads, valueDim)` of any storage type; shares no byte with the inputs. */
  readonly out?: Tensor
  /** Stops the work between two tiles. */
  readonly signal?: AbortSignal
}

/** The bias of one score. @throws MropeTypeError ERR_MROPE_ARGUMENT when the function gives no number */
export function askBias(bias: BiasFunction, head: number, query: number, key: number): number {
  const value: unknown = bias(head, query, key)
  if (typeof value === 'number') return value
  const call = `bias(${head}, ${query}, ${key})`
  throw new MropeTypeError('ERR_MROPE_ARGUMENT', `attend: ${call} must give a number, got ${show(value)}`, value)
}

/** A checked request with every default filled in. */
export interface AttentionPlan {
  readonly q: Tensor
  readonly k: Tensor
  readonly v: Tensor
  readonly out: Tensor
  readonly queries: number
  readonly keys: number
  readonly heads: number
  readonly kvHeads: number
  readonly headDim: number
  readonly valueDim: number
  readonly queryOffset: number
  /** At most one of `table` and `angles` is there. */
  readonly table?: RotaryTable
  readonly angles?: RotaryAngles
  readonly qNorm?: HeadNorm
  readonly kNorm?: HeadNorm
  readonly visible: VisibleKeys
  /** At most one of `bias` and `biasData` is there. */
  readonly bias?: BiasFunction | Tensor
  readonly biasData?: BiasData
  /** One factor for all queries, or one per query. */
  readonly scale: number | Float64Array
  readonly signal?: AbortSignal
}

const known = [
  ...['q', 'k', 'v', 'table', 'rotated', 'qNorm', 'kNorm', 'queryOffset', 'mask', 'bias', 'scale', 'out', 'signal'],
]

/**
 * Checks a request. Nothing is written before every check has passed.
 *
 * @throws MropeTypeError ERR_MROPE_ARGUMENT, MropeRangeError ERR_MROPE_ARGUMENT, ERR_MROPE_SHAPE, ERR_MROPE_HEADS,
 *   ERR_MROPE_SEGMENT
 */
export function planAttention(request: AttendRequest): AttentionPlan {
  checkOptions('attend', request, known)
  const q = asTensor('attend', 'q', request.q, 3)
  const k = asTensor('attend', 'k', request.k, 3)
  const v = asTensor('attend', 'v', request.v, 3)
  const [queries, heads, headDim] = q.dims
  const [keys, kvHeads, keyDim] = k.dims
  const valueDim = v.dims[2]
  if (keyDim !== headDim) throw shapeError(`q has a head dim of ${headDim}, k of ${keyDim}`, k)
  if (v.dims[0] !== keys) throw shapeError(`k has ${keys} tokens, v has ${v.dims[0]}`, v)
  if (v.dims[1] !== kvHeads) throw headsError(`k has ${kvHeads} heads, v has ${v.dims[1]}`, v.dims[1])
  if (headDim === 0 || valueDim === 0) throw shapeError('a head dim of 0', headDim === 0 ? q : v)
  if (kvHeads === 0 || heads % kvHeads !== 0) {
    throw headsError(`${heads} query heads do not divide into groups for ${kvHeads} KV heads`, heads)
  }
  checkRotation(request, keys, headDim, kvHeads)
  checkNorm('attend', 'qNorm', request.qNorm, headDim)
  checkNorm('attend', 'kNorm', request.kNorm, headDim)
  const queryOffset = placeQueries(request, queries, keys)
  const visible = visibleKeys(request.mask, queries, keys, queryOffset)
  const given = checkBias(request.bias, queries, keys, heads)
  const scale = checkScale(request.scale, queries, headDim)
  checkSignal('attend', request.signal)
  const counts = { queries, keys, heads, kvHeads, headDim, valueDim, queryOffset }
  return completePlan('attend', request, given, counts, { q, k, v }, visible, scale)
}

type Counts = Pick<AttentionPlan, 'queries' | 'keys' | 'heads' | 'kvHeads' | 'headDim' | 'valueDim' | 'queryOffset'>

/** The plan of a request that is checked but for its bias and its destination. */
export function completePlan(
  caller: string,
  { table, qNorm, kNorm, signal, out: wanted }: Omit<AttendRequest, 'q' | 'k' | 'v' | 'bias'>,
  given: BiasFunction | Tensor | AttentionBias | undefined,
  { queries, keys, heads, kvHeads, headDim, valueDim, queryOffset }: Counts,
  { q, k, v }: Pick<AttentionPlan, 'q' | 'k' | 'v'>,
  visible: VisibleKeys,
  scale: number | Float64Array,
): AttentionPlan {
  const { bias, biasData } = settleBias(given, {
    queries,
    keys,
    heads,
    kvHeads,
    headDim,
    queryOffset,
    visible,
    q,
    k,
    scale,
  })
  const out = destination(caller, { q, k, v, table, out: wanted }, [queries, heads, valueDim], { bias, biasData })
  const byAngles = table instanceof RotaryAngles
  // Written field by field: a spread costs more than all checks of a tensor.
  return {
    q,
    k,
    v,
    out,
    queries,
    keys,
    heads,
    kvHeads,
    headDim,
    valueDim,
    queryOffset,
    table: byAngles ? undefined : table,
    angles: byAngles ? table : undefined,
    qNorm,
    kNorm,
    visible,
    bias,
    biasData,
    scale,
    signal,
  }
}

type SettledBias = Pick<AttentionPlan, 'bias' | 'biasData'>

/** A bias in the form that kernels take. */
function settleBias(given: BiasFunction | Tensor | AttentionBias | undefined, request: BiasRequest): SettledBias {
  const resolved = isAttentionBias(given) ? resolveBias(given, request) : given
  if (resolved === undefined || resolved instanceof Tensor || typeof resolved === 'function') return { bias: resolved }
  return { biasData: resolved }
}

function checkRotation({ table, rotated }: AttendRequest, keys: number, headDim: number, kvHeads: number): void {
  if (rotated !== undefined && typeof rotated !== 'boolean') {
    throw new MropeTypeError(
      'ERR_MROPE_ARGUMENT',
      `attend: rotated must be true or false, got ${show(rotated)}`,
      rotated,
    )
  }
  if (table === undefined) return
  if (rotated) {
    const text =
      'attend: table and rotated exclude each other: a table rotates q and k, rotated says that they are rotated'
    throw new MropeTypeError('ERR_MROPE_ARGUMENT', text, rotated)
  }
  if (!(table instanceof RotaryAngles)) checkTable('attend', table)
  checkRotaryDim('attend', 'k', headDim, table.shape[2])
  checkTableHeads('attend', 'k', kvHeads, table.shape[0])
  if (table.shape[1] !== keys) {
    const text = `attend: k has ${keys} tokens, the table has ${table.shape[1]} (table.shape = ${show(table.shape)})`
    throw new MropeRangeError('ERR_MROPE_SHAPE', text, table.shape)
  }
}

function placeQueries({ queryOffset, mask, table }: AttendRequest, queries: number, keys: number): number {
  if (queries > keys && (table !== undefined || isPositional(mask))) {
    const text = `attend: ${queries} queries for ${keys} keys: queries are tokens of the same sequence as the keys`
    throw new MropeRangeError('ERR_MROPE_SHAPE', text, queries)
  }
  // More queries than keys is cross-attention without positions: where the queries stand says nothing.
  if (queryOffset === undefined) return Math.max(0, keys - queries)
  checkCount('attend', 'queryOffset', queryOffset)
  if (queryOffset > Math.max(0, keys - queries)) {
    const text = `attend: queryOffset ${queryOffset} and ${queries} queries reach past the ${keys} keys`
    throw new MropeRangeError('ERR_MROPE_SHAPE', text, queryOffset)
  }
  return queryOffset
}

export function checkBias(
  bias: unknown,
  queries: number,
  keys: number,
  heads: number,
): BiasFunction | Tensor | AttentionBias | undefined {
  if (bias === undefined || typeof bias === 'function') return bias as BiasFunction | undefined
  if (isAttentionBias(bias)) return bias
  const tensor = asTensor('attend', 'bias', bias, 3)
  if (tensor.dims[0] !== 1 && tensor.dims[0] !== heads) {
    throw headsError(
      `bias has ${tensor.dims[0]} heads, q has ${heads} (bias.dims = ${show(tensor.dims)})`,
      tensor.dims[0],
    )
  }
  if (tensor.dims[1] !== queries || tensor.dims[2] !== keys) {
    throw shapeError(
      `bias must be (heads or 1, ${queries} queries, ${keys} keys), its dims are ${show(tensor.dims)}`,
      tensor,
    )
  }
  return tensor
}

export function checkScale(scale: unknown, queries: number, headDim: number): number | Float64Array {
  if (scale === undefined) return 1 / Math.sqrt(headDim)
  const list = typeof scale === 'number' ? [scale] : scale
  if (!isArrayLike(list)) {
    throw new MropeTypeError(
      'ERR_MROPE_ARGUMENT',
      `attend: scale must be a number or an array, got ${show(scale)}`,
      scale,
    )
  }
  if (list === scale && list.length !== queries) {
    throw new MropeRangeError('ERR_MROPE_SHAPE', `attend: ${list.length} scales for ${queries} queries`, list.length)
  }
  for (let i = 0; i < list.length; i++) {
    if (Number.isFinite(list[i])) continue
    const entry = list === scale ? ` of query ${i}` : ''
    const text = `attend: the scale${entry} must be a finite number, got ${show(list[i])}`
    throw new MropeRangeError('ERR_MROPE_ARGUMENT', text, list[i])
  }
  return typeof scale === 'number' ? scale : Float64Array.from(list as ArrayLike<number>)
}

/** The caller's `out`, which has these dims and shares no byte with what is read, or a new tensor of the type of q. */
function destination(
  caller: string,
  { q, k, v, table, out: given }: Pick<AttendRequest, 'q' | 'k' | 'v' | 'table' | 'out'>,
  dims: readonly number[],
  { bias, biasData }: SettledBias,
): Tensor {
  if (given === undefined) return Tensor.zeros(q.type, dims)
  const out = asTensor(caller, 'out', given, 3)
  if (!out.dims.every((d, axis) => d === dims[axis])) {
    const text = `${caller}: out must have dims ${show(dims)}, it has ${show(out.dims)}`
    throw new MropeRangeError('ERR_MROPE_SHAPE', text, out.dims)
  }
  const apart = (name: string, data: TensorData | undefined): void => {
    if (data === undefined || !overlap(out.data, data)) return
    const text = `${caller}: out shares memory with ${name}`
    throw new MropeRangeError('ERR_MROPE_ARGUMENT', text, out.data.byteOffset)
  }
  apart('q', q.data)
  apart('k', k.data)
  apart('v', v.data)
  apart('bias', bias instanceof Tensor ? bias.data : biasData?.values)
  if (table === undefined || table instanceof RotaryAngles) return out
  apart('the table', table.cos)
  apart('the table', table.sin)
  return out
}

function shapeError(text: string, tensor: Tensor): MropeRangeError {
  return new MropeRangeError('ERR_MROPE_SHAPE', `attend: ${text}`, tensor.dims)
}

function headsError(text: string, value: number): MropeRangeError {
  return new MropeRangeError('ERR_MROPE_HEADS', `attend: ${text}`, value)
}

/** The plan with its angles as numbers, made by `table`. */
export function withTable<Plan extends AttentionPlan>(plan: Plan, table?: RotaryTable): Plan {
  return plan.angles === undefined ? plan : { ...plan, table: table ?? plan.angles.table(), angles: undefined }
}
