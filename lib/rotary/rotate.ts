import { MropeRangeError, MropeTypeError, show } from '../errors.js'
import { asTensor, checkCount, checkOptions, overlap, sameMemory } from '../tensors/check.js'
import { loadRow, storeRow } from '../tensors/rows.js'
import { runSync } from '../tensors/slices.js'
import { Tensor } from '../tensors/tensor.js'
import { asTable, RotaryAngles } from './angles.js'
import { checkNorm, type HeadNorm, normLine } from './norm.js'
import type { Pairing, RotaryTable } from './table.js'

export interface RotateOptions {
  /** Which channels form a pair; the table's own pairing by default. */
  readonly pairing?: Pairing
  /** Turns back: the transpose of the rotation. With attention factor a, there and back scales the pairs by a². */
  readonly inverse?: boolean
  /** RMS norm of every vector, before or behind the rotation. Excludes `inverse`. */
  readonly norm?: HeadNorm
  /** Destination, dims of `x`, any storage type. It is `x` itself (in place) or shares no byte with `x` and the table. */
  readonly out?: Tensor
}

/**
 * Rotates the channel pairs of queries or keys: `(x, y) → (x·c − y·s, y·c + x·s)`.
 * With F pairs in the table the first 2F channels are rotated among themselves and the others are copied. Pair f is
 * channels `(f, f + F)` for half-split and `(2f, 2f + 1)` for adjacent. A table with several heads belongs to KV heads:
 * head h reads entry `floor(h · tableHeads / heads)`. Sums are float64 and are rounded once, at the store.
 *
 * @param x `(tokens, heads, headDim)`
 * @param table cos and sin `(1 or a divisor of heads, tokens, pairs)`, attention factor included, or the angles of them
 * @returns `options.out`, or a new tensor of the type of `x`
 * @throws MropeTypeError ERR_MROPE_ARGUMENT, MropeRangeError ERR_MROPE_SHAPE, ERR_MROPE_HEADS, ERR_MROPE_ARGUMENT.
 *   Nothing is written when it throws.
 * @see RoFormer, arXiv 2104.09864, section 3.4.2; transformers `apply_rotary_pos_emb` (half-split), GLM-4 (adjacent)
 */
export function rotate(x: Tensor, table: RotaryTable | RotaryAngles, options: RotateOptions = {}): Tensor {
  const plan = planRotation(x, asTable(table), options)
  runSync(rotationSteps(plan))
  return options.out ?? plan.out
}

/** A checked rotation. */
export interface RotationPlan<Angles extends RotaryTable | RotaryAngles = RotaryTable> {
  readonly x: Tensor
  readonly table: Angles
  readonly pairing: Pairing
  readonly inverse: boolean
  readonly norm?: HeadNorm
  readonly out: Tensor
}

/** Checks the arguments of `rotate` and makes the destination where there is none. */
export function planRotation<Angles extends RotaryTable | RotaryAngles>(
  x: Tensor,
  table: Angles,
  options: RotateOptions = {},
): RotationPlan<Angles> {
  checkOptions('rotate', options, ['pairing', 'inverse', 'norm', 'out'])
  const source = asTensor('rotate', 'x', x, 3)
  if (!(table instanceof RotaryAngles)) checkTable('rotate', table)
  const [tokens, heads, headDim] = source.dims
  const [tableHeads, tableTokens, pairs] = table.shape
  if (tableTokens !== tokens) {
    const text = `rotate: x has ${tokens} tokens, the table has ${tableTokens} (x.dims = ${show(source.dims)})`
    throw new MropeRangeError('ERR_MROPE_SHAPE', text, tableTokens)
  }
  checkRotaryDim('rotate', 'x', headDim, pairs)
  checkTableHeads('rotate', 'x', heads, tableHeads)
  const pairing = options.pairing ?? table.pairing
  checkPairing('rotate', 'pairing', pairing)
  if (options.inverse !== undefined && typeof options.inverse !== 'boolean') {
    const text = `rotate: inverse must be true or false, got ${show(options.inverse)}`
    throw new MropeTypeError('ERR_MROPE_ARGUMENT', text, options.inverse)
  }
  checkNorm('rotate', 'norm', options.norm, headDim)
  if (options.norm !== undefined && options.inverse) {
    const text = 'rotate: a norm cannot be undone: norm and inverse exclude each other'
    throw new MropeTypeError('ERR_MROPE_ARGUMENT', text, options.norm)
  }
  const out =
    options.out === undefined ? Tensor.zeros(source.type, source.dims) : asTensor('rotate', 'out', options.out, 3)
  if (!out.dims.every((d, axis) => d === source.dims[axis])) {
    const text = `rotate: out has dims ${show(out.dims)}, x has ${show(source.dims)}`
    throw new MropeRangeError('ERR_MROPE_SHAPE', text, out.dims)
  }
  const partial = overlap(out.data, source.data) && !sameMemory(out.data, source.data)
  const onTable = !(table instanceof RotaryAngles) && (overlap(out.data, table.cos) || overlap(out.data, table.sin))
  if (partial || onTable) {
    const other = partial ? 'x in part; it must be x itself or other memory' : 'the table'
    throw new MropeRangeError('ERR_MROPE_ARGUMENT', `rotate: out shares memory with ${other}`, out.data.byteOffset)
  }
  return { x: source, table, pairing, inverse: options.inverse ?? false, norm: options.norm, out }
}

/** The work of a checked rotation, a few thousand vectors at a step. */
export function* rotationSteps(plan: RotationPlan): Generator<void> {
  const { x, table, pairing, inverse, norm, out } = plan
  const [tokens, heads, headDim] = x.dims
  const [tableHeads, , pairs] = table.shape
  const rotaryDim = 2 * pairs
  // Copied channels keep their bits where the types agree; otherwise they are converted with the rest of the row.
  const sameType = x.type === out.type && norm === undefined
  if (sameType && out.data !== x.data) out.data.set(x.data)
  const width = sameType ? rotaryDim : headDim
  const line = new Float64Array(headDim)
  const tokensPerStep = Math.ceil(65536 / Math.max(1, heads * headDim))
  for (let token = 0; token < tokens; token++) {
    for (let head = 0; head < heads; head++) {
      const at = (token * heads + head) * headDim
      loadRow(x, at, width, line)
      if (norm && !norm.after) normLine(line, headDim, norm)
      rotateLine(line, table, Math.floor((head * tableHeads) / heads), token, pairing, inverse)
      if (norm?.after) normLine(line, headDim, norm)
      storeRow(out, at, width, line)
    }
    if (token % tokensPerStep === tokensPerStep - 1) yield
  }
}

/** Rotates one vector in place with the angles of one token. */
export function rotateLine(
  line: Float64Array,
  table: RotaryTable,
  tableHead: number,
  token: number,
  pairing: Pairing,
  inverse: boolean,
): void {
  const { cos, sin, shape } = table
  const pairs = shape[2]
  const at = (tableHead * shape[1] + token) * pairs
  const step = pairing === 'half-split' ? 1 : 2
  const gap = pairing === 'half-split' ? pairs : 1
  const sign = inverse ? -1 : 1
  for (let f = 0, i = 0; f < pairs; f++, i += step) {
    const c = cos[at + f]
    const s = sign * sin[at + f]
    const first = line[i]
    const second = line[i + gap]
    line[i] = first * c - second * s
    line[i + gap] = second * c + first * s
  }
}

/**
 * The permutation of the channels of a head that turns one pairing into the other: new channel r is old channel
 * `permutation[r]`. From adjacent to half-split, with F pairs: new f is old 2f, new f + F is old 2f + 1. Channels from
 * `rotaryDim` on stay where they are. A checkpoint is converted by permuting the rows of Wq and Wk inside every head,
 * their biases and the weights of per-channel q/k norms.
 *
 * @throws MropeTypeError ERR_MROPE_ARGUMENT, MropeRangeError ERR_MROPE_ARGUMENT
 * @see transformers `convert_llama_weights_to_hf.py`, function `permute`
 */
export function pairingPermutation(headDim: number, rotaryDim: number, from: Pairing, to: Pairing): Int32Array {
  const caller = 'pairingPermutation'
  checkCount(caller, 'headDim', headDim, 1)
  checkCount(caller, 'rotaryDim', rotaryDim)
  if (rotaryDim % 2 !== 0 || rotaryDim > headDim) {
    const text = `${caller}: rotaryDim must be even and at most headDim ${headDim}, got ${rotaryDim}`
    throw new MropeRangeError('ERR_MROPE_ARGUMENT', text, rotaryDim)
  }
  checkPairing(caller, 'from', from)
  checkPairing(caller, 'to', to)
  const permutation = Int32Array.from({ length: headDim }, (_, channel) => channel)
  if (from === to) return permutation
  const pairs = rotaryDim / 2
  for (let f = 0; f < pairs; f++) {
    const [first, second] = to === 'half-split' ? [f, f + pairs] : [2 * f, 2 * f + 1]
    permutation[first] = from === 'adjacent' ? 2 * f : f
    permutation[second] = from === 'adjacent' ? 2 * f + 1 : f + pairs
  }
  return permutation
}

export interface PermuteOptions {
  readonly headDim: number
  /** `headDim` by default. */
  readonly rotaryDim?: number
  readonly from: Pairing
  readonly to: Pairing
}

/**
 * Converts weights between pairings: permutes the rows inside every head by `pairingPermutation`.
 *
 * @param weights `(heads·headDim, …)`: rows of Wq or Wk, a bias, or a q/k norm weight; the bits are copied
 * @returns a new tensor of the same type and dims
 * @throws MropeTypeError ERR_MROPE_ARGUMENT, MropeRangeError ERR_MROPE_SHAPE, ERR_MROPE_ARGUMENT
 */
export function permutePairing(weights: Tensor, options: PermuteOptions): Tensor {
  const caller = 'permutePairing'
  checkOptions(caller, options, ['headDim', 'rotaryDim', 'from', 'to'])
  const source = asTensor(caller, 'weights', weights, weights?.dims?.length || 1)
  const permutation = pairingPermutation(
    options.headDim,
    options.rotaryDim ?? options.headDim,
    options.from,
    options.to,
  )
  const headDim = permutation.length
  const rows = source.dims[0]
  if (rows % headDim !== 0) {
    const text = `${caller}: ${rows} rows are not heads of ${headDim} (weights.dims = ${show(source.dims)})`
    throw new MropeRangeError('ERR_MROPE_SHAPE', text, rows)
  }
  const out = Tensor.zeros(source.type, source.dims)
  const columns = rows === 0 ? 0 : source.data.length / rows
  for (let row = 0; row < rows; row++) {
    const from = (row - (row % headDim) + permutation[row % headDim]) * columns
    out.data.set(source.data.subarray(from, from + columns), row * columns)
  }
  return out
}

/** Refuses a rotary table whose shape, arrays and pairing do not agree. */
export function checkTable(caller: string, table: RotaryTable): void {
  const { cos, sin, shape, pairing } = (table ?? {}) as Partial<RotaryTable>
  if (!(cos instanceof Float32Array) || !(sin instanceof Float32Array) || !Array.isArray(shape)) {
    const text = `${caller}: the table must have cos and sin (Float32Array) and shape [heads, tokens, pairs]`
    throw new MropeTypeError('ERR_MROPE_ARGUMENT', text, table)
  }
  if (shape.length !== 3 || !shape.every((d) => Number.isSafeInteger(d) && d >= 0) || shape[0] < 1) {
    const text = `${caller}: the shape of the table must be [heads, tokens, pairs] with at least one head, got ${show(shape)}`
    throw new MropeRangeError('ERR_MROPE_SHAPE', text, shape)
  }
  const length = shape[0] * shape[1] * shape[2]
  if (cos.length !== length || sin.length !== length) {
    const text = `${caller}: a table of shape ${show(shape)} has ${length} angles, cos has ${cos.length}, sin has ${sin.length}`
    throw new MropeRangeError('ERR_MROPE_SHAPE', text, shape)
  }
  checkPairing(caller, 'table.pairing', pairing)
}

/** Refuses a table that rotates more channels than a head has. */
export function checkRotaryDim(caller: string, name: string, headDim: number, pairs: number): void {
  if (2 * pairs <= headDim) return
  const text = `${caller}: the table rotates ${2 * pairs} channels, ${name} has a head dim of ${headDim}`
  throw new MropeRangeError('ERR_MROPE_SHAPE', text, 2 * pairs)
}

/** Refuses heads that do not divide into the heads of a table. */
export function checkTableHeads(caller: string, name: string, heads: number, tableHeads: number): void {
  if (heads % tableHeads === 0) return
  const text = `${caller}: ${name} has ${heads} heads, which does not divide by the ${tableHeads} heads of the table`
  throw new MropeRangeError('ERR_MROPE_HEADS', text, heads)
}

function checkPairing(caller: string, name: string, pairing: unknown): asserts pairing is Pairing {
  if (pairing === 'half-split' || pairing === 'adjacent') return
  const text = `${caller}: ${name} must be 'half-split' or 'adjacent', got ${show(pairing)}`
  throw new MropeTypeError('ERR_MROPE_ARGUMENT', text, pairing)
}
