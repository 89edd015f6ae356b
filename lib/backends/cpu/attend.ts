import type { Mask } from '../../attention/mask.js'
import { type AttentionPlan, askBias, type BiasFunction } from '../../attention/request.js'
import type { RotaryTable } from '../../rotary/table.js'
import { rows, Tensor } from '../../tensors/tensor.js'
import { type AttendArguments, attendPlaces, biasKinds, nativeFlags, nativeTypes, placesOf } from '../native/addon.js'

const at = placesOf(attendPlaces)

/** With `start`, the keys are in a cache, rotated, and the table begins with the row of token `start`. */
export type NativePlan = AttentionPlan & { readonly start?: number }

/** A checked request as the addon takes it. */
export function attendArguments(plan: NativePlan, mask: Mask | undefined, bias: Tensor | undefined): AttendArguments {
  const { q, k, v, out, table, scale, biasData, qNorm, kNorm, start = 0 } = plan
  const { causal, window = 0, padding = 0, cuSeqlens } = resolved(mask)
  const turnsKeys = plan.start === undefined ? nativeFlags.rotateK : 0
  const flags =
    (table === undefined ? 0 : nativeFlags.rotateQ + turnsKeys) +
    (causal ? nativeFlags.causal : 0) +
    (table?.pairing === 'adjacent' ? nativeFlags.adjacent : 0) +
    (qNorm?.after ? nativeFlags.qNormAfter : 0) +
    (kNorm?.after ? nativeFlags.kNormAfter : 0)
  const distance = biasData?.kind === 'distance' ? biasData : undefined
  const grid = biasData?.kind === 'grid' ? biasData : undefined
  // Written place by place: reading an object by names that vary costs half a microsecond a call.
  const params = new Float64Array(attendPlaces.length)
  params[at.qType] = nativeTypes[q.type]
  params[at.kType] = nativeTypes[k.type]
  params[at.vType] = nativeTypes[v.type]
  params[at.outType] = nativeTypes[out.type]
  params[at.queries] = plan.queries
  params[at.keys] = plan.keys
  params[at.heads] = plan.heads
  params[at.kvHeads] = plan.kvHeads
  params[at.headDim] = plan.headDim
  params[at.valueDim] = plan.valueDim
  params[at.queryOffset] = plan.queryOffset
  params[at.flags] = flags
  params[at.window] = window
  params[at.padding] = Math.min(padding, plan.keys)
  params[at.tableHeads] = table?.shape[0] ?? 0
  params[at.tableTokens] = table?.shape[1] ?? 0
  params[at.pairs] = table?.shape[2] ?? 0
  params[at.tableOffset] = plan.queryOffset - start
  params[at.scale] = typeof scale === 'number' ? scale : 1
  params[at.qEps] = qNorm?.eps ?? 0
  params[at.kEps] = kNorm?.eps ?? 0
  params[at.biasKind] = biasKinds[bias === undefined ? (biasData?.kind ?? 'none') : 'tensor']
  params[at.biasType] = nativeTypes[bias?.type ?? 'float32']
  params[at.biasHeads] = bias?.dims[0] ?? biasData?.heads ?? 0
  params[at.biasSpan] = distance?.span ?? 0
  params[at.biasOrigin] = distance?.origin ?? 0
  params[at.biasRows] = grid?.rows ?? 0
  params[at.biasColumns] = grid?.columns ?? 0
  const borders = cuSeqlens === undefined ? undefined : Int32Array.from(cuSeqlens)
  const scales = typeof scale === 'number' ? undefined : scale
  return [
    params,
    q.data,
    k.data,
    v.data,
    out.data,
    table?.cos,
    table?.sin,
    bias?.data ?? biasData?.values,
    borders,
    scales,
    qNorm?.weight,
    kNorm?.weight,
  ]
}

/** A bias function is evaluated for this many entries at a time: 4 MiB, whatever the length of the sequence. */
export const entriesAtOnce = 2 ** 20

const largestFloat32 = (2 - 2 ** -23) * 2 ** 127

/**
 * The calls for a bias that is a JavaScript function: it is evaluated into a tensor for one run of queries after the
 * other, each when its turn comes. Packed segments are taken one by one.
 */
export function* biasPieces(plan: NativePlan, mask: Mask | undefined, bias: BiasFunction): Generator<AttendArguments> {
  const { cuSeqlens, ...rest } = resolved(mask)
  if (cuSeqlens === undefined) {
    yield* queryRuns(plan, rest, bias, { query: 0, token: 0 })
    return
  }
  for (let segment = 0; segment + 1 < cuSeqlens.length; segment++) {
    const [start, end] = [cuSeqlens[segment], cuSeqlens[segment + 1]]
    if (start === end) continue
    const part = segmentOf(plan, start, end)
    const padding = Math.min(Math.max((rest.padding ?? 0) - start, 0), end - start)
    yield* queryRuns(part, { ...rest, padding }, bias, { query: start, token: start })
  }
}

/** Where a part stands in the whole: its first query, and the token of its first key. */
export interface Place {
  readonly query: number
  readonly token: number
}

function* queryRuns(plan: NativePlan, mask: Mask, bias: BiasFunction, place: Place): Generator<AttendArguments> {
  const { heads, keys, queries, scale } = plan
  const atOnce = Math.max(1, Math.floor(entriesAtOnce / Math.max(1, heads * keys)))
  // One buffer for all runs: a run ends before the next one is evaluated, and what is left in it is never looked at.
  const buffer = new Float32Array(heads * Math.min(atOnce, queries) * keys)
  for (let first = 0; first < Math.max(1, queries); first += atOnce) {
    const count = Math.min(atOnce, queries - first)
    const part: NativePlan = {
      ...plan,
      q: rows(plan.q, first, first + count),
      out: rows(plan.out, first, first + count),
      queries: count,
      queryOffset: plan.queryOffset + first,
      scale: typeof scale === 'number' ? scale : scale.subarray(first, first + count),
    }
    yield attendArguments(part, mask, evaluate(part, bias, { ...place, query: place.query + first }, buffer))
  }
}

/** The bias of what each query sees; the rest is not asked for. */
export function evaluate(
  part: AttentionPlan,
  bias: BiasFunction,
  { query, token }: Place,
  buffer: Float32Array,
): Tensor {
  const { heads, queries, keys, queryOffset, visible } = part
  const values = buffer.subarray(0, heads * queries * keys)
  for (let head = 0; head < heads; head++) {
    for (let i = 0; i < queries; i++) {
      const row = (head * queries + i) * keys - token
      for (let key = visible.first[query + i]; key < visible.end[query + i]; key++) {
        values[row + key] = finiteInFloat32(askBias(bias, head, token + queryOffset + i, key))
      }
    }
  }
  return new Tensor('float32', values, [heads, queries, keys])
}

/** A finite bias stays finite, or it would mask or take all the weight. */
function finiteInFloat32(bias: number): number {
  return Number.isFinite(bias) ? Math.min(Math.max(bias, -largestFloat32), largestFloat32) : bias
}

function segmentOf(plan: AttentionPlan, start: number, end: number): AttentionPlan {
  const count = end - start
  const { q, k, v, out, table, scale } = plan
  return {
    ...plan,
    q: rows(q, start, end),
    k: rows(k, start, end),
    v: rows(v, start, end),
    out: rows(out, start, end),
    queries: count,
    keys: count,
    queryOffset: 0,
    table: table && tableRows(table, start, end),
    scale: typeof scale === 'number' ? scale : scale.subarray(start, end),
  }
}

/** The rows of tokens `start` to `end`, copied. */
export function tableRows({ cos, sin, shape, pairing }: RotaryTable, start: number, end: number): RotaryTable {
  const [heads, tokens, pairs] = shape
  const take = (all: Float32Array): Float32Array => {
    const part = new Float32Array(heads * (end - start) * pairs)
    for (let head = 0; head < heads; head++) {
      const from = head * tokens * pairs
      part.set(all.subarray(from + start * pairs, from + end * pairs), head * (end - start) * pairs)
    }
    return part
  }
  return { cos: take(cos), sin: take(sin), shape: [heads, end - start, pairs], pairing }
}

function resolved(mask: Mask | undefined): Exclude<Mask, string> {
  return typeof mask === 'object' ? mask : { causal: mask !== 'bidirectional' }
}
