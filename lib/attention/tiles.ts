import { biasLine } from '../biases/data.js'
import { type HeadNorm, normLine } from '../rotary/norm.js'
import { rotateLine } from '../rotary/rotate.js'
import type { RotaryTable } from '../rotary/table.js'
import { loadRow, storeRow } from '../tensors/rows.js'
import { accumulate, tileColumns, tileRows } from './kernel.js'
import { type AttentionPlan, askBias } from './request.js'

// Attention by tiles with a streaming softmax (Milakov and Gimelshein, arXiv 1805.02867; FlashAttention, arXiv 2205.14135).
//
//   for every KV head
//     for every tile of rows: a row is one query of one head of the group, row = query · group + head in the group
//       for every tile of keys that some row sees: pack K and V once, then for every panel of 3 rows
//         scores = Q · Kᵀ,  weights = exp(scores − running maximum),  sums = sums · decay + weights · V
//
// Scratch is a few tiles whatever the number of tokens. All sums are float64.

const rowTile = 84 * tileRows
const keyTile = 16 * tileColumns

/**
 * The least weight of a key that is seen. It cannot change a finite sum, and it sets a seen key apart from a masked one,
 * whose weight is 0: NaN and ±Infinity of a seen value always arrive, those of a masked value never do, in any tile order.
 */
const leastWeight = 1e-250

interface Scratch {
  /** One vector, `headDim` or `valueDim` long, or the biases of one row. */
  readonly line: Float64Array
  /** Panels of 3 rows × headDim, × valueDim, × keyTile. */
  readonly queries: Float64Array
  readonly sums: Float64Array
  readonly scores: Float64Array
  /** Panels of 3 keys × headDim and of 3 channels × keyTile. */
  readonly keys: Float64Array
  readonly values: Float64Array
  /** Running maximum and sum of the weights of every row. */
  readonly maximum: Float64Array
  readonly total: Float64Array
}

/** The work of a checked request, one tile of keys at a step. */
export function* attentionSteps(plan: AttentionPlan): Generator<void> {
  const { kvHeads, heads, queries } = plan
  const group = heads / kvHeads
  const scratch = makeScratch(plan, Math.min(rowTile, queries * group))
  for (let kvHead = 0; kvHead < kvHeads; kvHead++) {
    for (let row = 0; row < queries * group; row += rowTile) {
      const tile = { kvHead, group, row, rows: Math.min(rowTile, queries * group - row) }
      packQueries(plan, scratch, tile)
      const { from, to } = keyRange(plan, tile, 0, tile.rows)
      for (let key = from; key < to; key += keyTile) {
        const count = Math.min(keyTile, to - key)
        packKeys(plan, scratch, kvHead, key, count)
        const finite = packValues(plan, scratch, kvHead, key, count)
        for (let panel = 0; panel < tile.rows; panel += tileRows)
          attendPanel(plan, scratch, tile, panel, key, count, finite)
        yield
      }
      writeRows(plan, scratch, tile)
      yield
    }
  }
}

/** Rows `row … row + rows` of a KV head. */
interface RowTile {
  readonly kvHead: number
  readonly group: number
  readonly row: number
  readonly rows: number
}

function makeScratch({ headDim, valueDim }: AttentionPlan, rows: number): Scratch {
  const paddedRows = roundUp(rows, tileRows)
  return {
    line: new Float64Array(Math.max(headDim, valueDim, keyTile)),
    queries: new Float64Array(paddedRows * headDim),
    sums: new Float64Array(paddedRows * roundUp(valueDim, tileColumns)),
    scores: new Float64Array(tileRows * keyTile),
    keys: new Float64Array(keyTile * headDim),
    values: new Float64Array(keyTile * roundUp(valueDim, tileColumns)),
    maximum: new Float64Array(paddedRows),
    total: new Float64Array(paddedRows),
  }
}

/** The keys that rows `start … start + count` of a tile see between them; rows stand in the order of their queries. */
function keyRange({ visible }: AttentionPlan, { row, rows, group }: RowTile, start: number, count: number) {
  let from = Infinity
  let to = 0
  const last = Math.floor((row + Math.min(start + count, rows) - 1) / group)
  for (let query = Math.floor((row + start) / group); query <= last; query++) {
    if (visible.first[query] === visible.end[query]) continue
    from = Math.min(from, visible.first[query])
    to = Math.max(to, visible.end[query])
  }
  return { from, to }
}

function packQueries(plan: AttentionPlan, scratch: Scratch, { kvHead, group, row, rows }: RowTile): void {
  const { q, heads, headDim, table, qNorm, queryOffset } = plan
  const { line, queries, sums, maximum, total } = scratch
  sums.fill(0)
  maximum.fill(-Infinity)
  total.fill(0)
  for (let r = 0; r < rows; r++) {
    const query = Math.floor((row + r) / group)
    const head = kvHead * group + ((row + r) % group)
    loadRow(q, (query * heads + head) * headDim, headDim, line)
    prepareLine(line, headDim, table, tableHead(table, head, heads), queryOffset + query, qNorm)
    scatter(line, headDim, queries, Math.floor(r / tileRows) * tileRows * headDim + (r % tileRows), tileRows)
  }
}

function packKeys(plan: AttentionPlan, { line, keys }: Scratch, kvHead: number, key: number, count: number): void {
  const { k, kvHeads, headDim, table, kNorm } = plan
  for (let j = 0; j < count; j++) {
    loadRow(k, ((key + j) * kvHeads + kvHead) * headDim, headDim, line)
    prepareLine(line, headDim, table, tableHead(table, kvHead, kvHeads), key + j, kNorm)
    scatter(line, headDim, keys, Math.floor(j / tileColumns) * tileColumns * headDim + (j % tileColumns), tileColumns)
  }
}

/** The head of the table that belongs to one of `heads` heads. */
function tableHead(table: RotaryTable | undefined, head: number, heads: number): number {
  return table === undefined ? 0 : Math.floor((head * table.shape[0]) / heads)
}

/** Norms and rotates a query or key. */
function prepareLine(
  line: Float64Array,
  headDim: number,
  table: RotaryTable | undefined,
  tableHead: number,
  token: number,
  norm: HeadNorm | undefined,
): void {
  if (norm && !norm.after) normLine(line, headDim, norm)
  if (table) rotateLine(line, table, tableHead, token, table.pairing, false)
  if (norm?.after) normLine(line, headDim, norm)
}

/** Returns whether all values of the tile are finite. */
function packValues(
  plan: AttentionPlan,
  { line, values }: Scratch,
  kvHead: number,
  key: number,
  count: number,
): boolean {
  const { v, kvHeads, valueDim } = plan
  let finite = true
  for (let j = 0; j < count; j++) {
    loadRow(v, ((key + j) * kvHeads + kvHead) * valueDim, valueDim, line)
    for (let channel = 0, panel = j * tileColumns; channel < valueDim; panel += keyTile * tileColumns) {
      for (let c = 0; c < tileColumns && channel < valueDim; c++, channel++) {
        const value = line[channel]
        if (value - value !== 0) finite = false
        values[panel + c] = value
      }
    }
  }
  return finite
}

/** Where channel c of key j of a tile stands among the packed values. */
function valueAt(channel: number, j: number): number {
  return (channel - (channel % tileColumns)) * keyTile + j * tileColumns + (channel % tileColumns)
}

function attendPanel(
  plan: AttentionPlan,
  scratch: Scratch,
  tile: RowTile,
  panel: number,
  key: number,
  count: number,
  finite: boolean,
): void {
  const { headDim, valueDim } = plan
  const { queries, keys, values, scores, sums } = scratch
  const range = keyRange(plan, tile, panel, tileRows)
  const from = Math.max(0, range.from - key)
  const to = Math.min(count, range.to - key)
  if (from >= to) return

  const start = from - (from % tileColumns)
  const pairs = roundUp(to - start, tileColumns) / tileColumns
  scores.fill(0, start * tileRows, (start + pairs * tileColumns) * tileRows)
  const keyPanel = headDim * tileColumns
  const keysAt = (start / tileColumns) * keyPanel
  accumulate(scores, start * tileRows, queries, panel * headDim, keys, keysAt, keyPanel, pairs, headDim)

  const padded = roundUp(valueDim, tileColumns)
  for (let i = 0; i < tileRows; i++) {
    const decay = weigh(plan, scratch, tile, panel + i, i, key, from, to)
    if (decay !== 1) {
      for (let c = 0, at = panel * padded + i; c < padded; c++, at += tileRows) sums[at] *= decay
    }
  }

  if (finite) {
    const valuePanel = keyTile * tileColumns
    const panels = padded / tileColumns
    accumulate(sums, panel * padded, scores, from * tileRows, values, from * tileColumns, valuePanel, panels, to - from)
  } else {
    addSeenValues(scratch, panel * padded, valueDim, from, to)
  }
}

/**
 * Turns the scores of row i of a panel into weights relative to the running maximum, 0 for masked keys.
 * Returns the factor of what was summed before. A score of −Infinity masks its key; scores of +Infinity share the whole
 * weight; a NaN score makes the row NaN.
 */
function weigh(
  plan: AttentionPlan,
  scratch: Scratch,
  { kvHead, group, row, rows }: RowTile,
  r: number,
  i: number,
  key: number,
  from: number,
  to: number,
): number {
  const { scores, maximum, total } = scratch
  const query = Math.floor((row + r) / group)
  // The last panel may have fewer than 3 rows; the others see nothing.
  const first = r < rows ? Math.max(from, plan.visible.first[query] - key) : to
  const end = r < rows ? Math.min(to, plan.visible.end[query] - key) : from
  for (let j = from; j < Math.min(first, to); j++) scores[j * tileRows + i] = 0
  for (let j = Math.max(end, from); j < to; j++) scores[j * tileRows + i] = 0
  if (first >= end) return 1

  const scale = typeof plan.scale === 'number' ? plan.scale : plan.scale[query]
  const head = kvHead * group + ((row + r) % group)
  const biased = plan.bias !== undefined || plan.biasData !== undefined
  if (biased) loadBias(plan, scratch, head, query, key + first, end - first)
  let largest = maximum[r]
  for (let j = first; j < end; j++) {
    let score = scores[j * tileRows + i] * scale
    if (biased) {
      const bias = scratch.line[j - first]
      score = bias === -Infinity ? -Infinity : score + bias
    }
    scores[j * tileRows + i] = score
    if (score > largest) largest = score
  }
  let sum = 0
  for (let j = first; j < end; j++) {
    const weight = relativeWeight(scores[j * tileRows + i], largest)
    scores[j * tileRows + i] = weight
    sum += weight
  }
  const decay = maximum[r] === largest ? 1 : Math.max(Math.exp(maximum[r] - largest), leastWeight)
  total[r] = total[r] * decay + sum
  maximum[r] = largest
  return decay
}

function relativeWeight(score: number, largest: number): number {
  if (score === -Infinity) return 0
  return score === largest ? 1 : Math.max(Math.exp(score - largest), leastWeight)
}

function loadBias(
  plan: AttentionPlan,
  { line }: Scratch,
  head: number,
  query: number,
  key: number,
  count: number,
): void {
  const { bias, biasData, queries, keys, queryOffset } = plan
  if (biasData !== undefined) {
    biasLine(biasData, head, queryOffset + query, key, count, line)
  } else if (typeof bias === 'function') {
    for (let j = 0; j < count; j++) line[j] = askBias(bias, head, queryOffset + query, key + j)
  } else if (bias !== undefined) {
    const plane = bias.dims[0] === 1 ? 0 : head
    loadRow(bias, (plane * queries + query) * keys + key, count, line)
  }
}

/** The product with V where V holds NaN or ±Infinity: a masked key is left out instead of multiplied by 0. */
function addSeenValues(
  { scores, values, sums }: Scratch,
  at: number,
  valueDim: number,
  from: number,
  to: number,
): void {
  for (let j = from; j < to; j++) {
    for (let i = 0; i < tileRows; i++) {
      const weight = scores[j * tileRows + i]
      if (weight === 0) continue
      for (let c = 0; c < valueDim; c++) sums[at + c * tileRows + i] += weight * values[valueAt(c, j)]
    }
  }
}

function writeRows(plan: AttentionPlan, { line, sums, total }: Scratch, { kvHead, group, row, rows }: RowTile): void {
  const { out, heads, valueDim } = plan
  const padded = roundUp(valueDim, tileColumns)
  for (let r = 0; r < rows; r++) {
    const query = Math.floor((row + r) / group)
    const head = kvHead * group + ((row + r) % group)
    const at = Math.floor(r / tileRows) * tileRows * padded + (r % tileRows)
    // A row that saw no key has the sum 0 and gives zeros.
    for (let c = 0; c < valueDim; c++) line[c] = total[r] === 0 ? 0 : sums[at + c * tileRows] / total[r]
    storeRow(out, (query * heads + head) * valueDim, valueDim, line)
  }
}

function scatter(line: Float64Array, length: number, to: Float64Array, at: number, stride: number): void {
  for (let i = 0; i < length; i++) to[at + i * stride] = line[i]
}

function roundUp(n: number, multiple: number): number {
  return Math.ceil(n / multiple) * multiple
}
