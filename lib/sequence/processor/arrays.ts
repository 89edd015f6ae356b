import { MropeRangeError, MropeTypeError, show } from '../../errors.js'

/** Lists as JSON, typed arrays and the tensors of JavaScript runtimes (`data` with `dims`) give them. */
export type NumberList =
  | ArrayLike<number>
  | ArrayLike<bigint>
  | { readonly data: ArrayLike<number> | ArrayLike<bigint>; readonly dims?: readonly number[] }

type Nested = NumberList | readonly NumberList[]

/** Masks may be of booleans. */
export type FlagList = readonly boolean[] | { readonly data: readonly boolean[]; readonly dims?: readonly number[] }

/** What a list may hold; flags are integers or booleans. */
type NumberKind = 'integer' | 'real' | 'flag'

/**
 * One row of integers. A leading batch dimension of one is taken off.
 * @throws MropeTypeError ERR_MROPE_ARGUMENT for anything that is not a list of integers
 */
export function readRow(value: unknown, name: string, kind: NumberKind = 'integer'): Float64Array {
  const rows = readRows(value, name, kind)
  if (rows.length !== 1) {
    const message = `${name}: expected one row, got ${rows.length}; use Sequence.batchFromProcessor for a batch`
    throw new MropeRangeError('ERR_MROPE_SHAPE', message, rows.length)
  }
  return rows[0]
}

/** Rows of integers from a flat list, a list of lists, or a tensor object. */
export function readRows(value: unknown, name: string, kind: NumberKind = 'integer'): Float64Array[] {
  const { data, dims } = unwrap(value, name)
  if (dims && dims.length === 2) {
    const flat = readNumbers(data, name, kind)
    const [rows, width] = dims
    return Array.from({ length: rows }, (_, i) => flat.subarray(i * width, (i + 1) * width))
  }
  if (data.length > 0 && isList(data[0])) {
    return Array.from(data as ArrayLike<NumberList>, (row, i) => {
      const at = `${name}[${i}]`
      return readNumbers(unwrap(row, at).data, at, kind)
    })
  }
  return [readNumbers(data, name, kind)]
}

/** Grids `[[t, h, w], …]` or pairs `[[h, w], …]`; missing, null and empty lists are no grids. */
export function readGrids(value: unknown, name: string, width: 2 | 3): number[][] {
  if (value === undefined || value === null) return []
  const { data, dims } = unwrap(value, name)
  if (data.length === 0) return []
  const rows =
    isList(data[0]) || dims?.length === 2
      ? readRows(value, name)
      : chunks(readNumbers(data, name, 'integer'), width, name)
  return rows.map((row, i) => {
    if (row.length !== width) {
      throw new MropeRangeError('ERR_MROPE_GRID', `${name}[${i}]: expected ${width} numbers, got ${show([...row])}`, [
        ...row,
      ])
    }
    return [...row]
  })
}

/** A list of finite numbers that need not be integers, such as seconds. */
export function readReals(value: unknown, name: string): Float64Array {
  if (value === undefined || value === null) return new Float64Array()
  return readNumbers(unwrap(value, name).data, name, 'real')
}

function chunks(flat: Float64Array, width: number, name: string): Float64Array[] {
  if (flat.length % width !== 0) {
    throw new MropeRangeError('ERR_MROPE_GRID', `${name}: ${flat.length} numbers are not rows of ${width}`, [...flat])
  }
  return Array.from({ length: flat.length / width }, (_, i) => flat.subarray(i * width, (i + 1) * width))
}

function isList(value: unknown): boolean {
  return typeof value === 'object' && value !== null && ('length' in value || 'data' in value)
}

function unwrap(value: unknown, name: string): { data: ArrayLike<unknown>; dims?: readonly number[] } {
  const inner = value as { data?: unknown; dims?: readonly number[] } | null | undefined
  const list = Array.isArray(value) || ArrayBuffer.isView(value) ? value : inner?.data
  if ((Array.isArray(list) || ArrayBuffer.isView(list)) && 'length' in list) {
    const data = list as ArrayLike<unknown>
    return { data, dims: list === value ? undefined : checkDims(inner?.dims, data.length, name) }
  }
  throw new MropeTypeError('ERR_MROPE_ARGUMENT', `${name}: expected a list of numbers, got ${show(value)}`, value)
}

/** Dimensions say how many values there are; tensors of some runtimes have none. */
function checkDims(dims: unknown, length: number, name: string): readonly number[] | undefined {
  if (dims === undefined || dims === null) return undefined
  const whole = Array.isArray(dims) && dims.every((n) => Number.isSafeInteger(n) && n >= 0)
  if (whole && dims.reduce((product, n) => product * n, 1) === length) return dims
  throw new MropeRangeError('ERR_MROPE_SHAPE', `${name}: dims ${show(dims)} with ${length} values`, dims)
}

function readNumbers(data: ArrayLike<unknown>, name: string, kind: NumberKind): Float64Array {
  const out = new Float64Array(data.length)
  for (let i = 0; i < data.length; i++) {
    const raw = data[i]
    const value = typeof raw === 'bigint' || (kind === 'flag' && typeof raw === 'boolean') ? Number(raw) : raw
    if (typeof value !== 'number' || !(kind === 'real' ? Number.isFinite(value) : Number.isSafeInteger(value))) {
      const wanted = kind === 'real' ? 'a finite number' : 'an integer'
      throw new MropeTypeError('ERR_MROPE_ARGUMENT', `${name}[${i}]: expected ${wanted}, got ${show(raw)}`, raw)
    }
    out[i] = value
  }
  return out
}

export type { Nested as NestedNumbers }
