import type { Mask } from '../../attention/mask.js'
import { type AttentionPlan, askBias, type BiasFunction } from '../../attention/request.js'
import type { RotaryTable } from '../../rotary/table.js'
import { rows, Tensor } from '../../tensors/tensor.js'
import { type AttendArguments, attendPlaces, biasKinds, nativeFlags, nativeTypes, pack } from '../native/addon.js'

/** A checked request as the addon takes it. */
export function attendArguments(
  plan: AttentionPlan,
  mask: Mask | undefined,
  bias: Tensor | undefined,
): AttendArguments {
  const { q, k, v, out, table, scale } = plan
  const { causal, window = 0, padding = 0, cuSeqlens } = resolved(mask)
  const turns = table === undefined ? 0 : nativeFlags.rotateQ + nativeFlags.rotateK
  const params = pack(attendPlaces, {
    qType: nativeTypes[q.type],
    kType: nativeTypes[k.type],
    vType: nativeTypes[v.type],
    outType: nativeTypes[out.type],
    queries: plan.queries,
    keys: plan.keys,
    heads: plan.heads,
    kvHeads: plan.kvHeads,
    headDim: plan.headDim,
    valueDim: plan.valueDim,
    queryOffset: plan.queryOffset,
    flags: turns + (causal ? nativeFlags.causal : 0) + (table?.pairing === 'adjacent' ? nativeFlags.adjacent : 0),
    window,
    padding: Math.min(padding, plan.keys),
    tableHeads: table?.shape[0],
    tableTokens: table?.shape[1],
    pairs: table?.shape[2],
    tableOffset: plan.queryOffset,
    scale: typeof scale === 'number' ? scale : 1,
    biasKind: bias === undefined ? biasKinds.none : biasKinds.tensor,
    biasType: bias === undefined ? 0 : nativeTypes[bias.type],
    biasHeads: bias?.dims[0],
  })
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
    bias?.data,
    borders,
    scales,
    undefined,
    undefined,
  ]
}

/** A bias function is evaluated for this many entries at a time: 4 MiB, whatever the length of the sequence. */
const entriesAtOnce = 2 ** 20

const largestFloat32 = (2 - 2 ** -23) * 2 ** 127

/**
 * The calls for a bias that is a JavaScript function: it is evaluated into a tensor for one run of queries after the
 * other, each when its turn comes. Packed segments are taken one by one.
 */
export function* biasPieces(
  plan: AttentionPlan,
  mask: Mask | undefined,
  bias: BiasFunction,
): Generator<AttendArguments> {
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
interface Place {
  readonly query: number
  readonly token: number
}

function* queryRuns(plan: AttentionPlan, mask: Mask, bias: BiasFunction, place: Place): Generator<AttendArguments> {
  const { heads, keys, queries, scale } = plan
  const atOnce = Math.max(1, Math.floor(entriesAtOnce / Math.max(1, heads * keys)))
  for (let first = 0; first < Math.max(1, queries); first += atOnce) {
    const count = Math.min(atOnce, queries - first)
    const part: AttentionPlan = {
      ...plan,
      q: rows(plan.q, first, first + count),
      out: rows(plan.out, first, first + count),
      queries: count,
      queryOffset: plan.queryOffset + first,
      scale: typeof scale === 'number' ? scale : scale.subarray(first, first + count),
    }
    yield attendArguments(part, mask, evaluate(part, bias, { ...place, query: place.query + first }))
  }
}

/** The bias of what each query sees; the rest is not asked for. */
function evaluate(part: AttentionPlan, bias: BiasFunction, { query, token }: Place): Tensor {
  const { heads, queries, keys, queryOffset, visible } = part
  const values = new Float32Array(heads * queries * keys)
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

function tableRows({ cos, sin, shape, pairing }: RotaryTable, start: number, end: number): RotaryTable {
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
