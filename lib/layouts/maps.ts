import { MropeRangeError, show } from '../errors.js'

/**
 * How a cell (frame, row, column) of a block becomes ids: one matrix, for M-RoPE the identity.
 *
 *     id[a] = (fromStart[a] ? id of the block's start : 0) + Σ_g matrix[a][g] · cell[g]      cell = (time, row, column)
 */
export interface BlockMap {
  readonly matrix: readonly (readonly [time: number, row: number, column: number])[]
  readonly fromStart: readonly boolean[]
  /** Where each axis counts rows and columns from. Default: the first. */
  readonly counts?: readonly (readonly [rows: Count, columns: Count])[]
}

/** `first`: i. `middle`: i − (n − 1)//2, below zero on one side. `last`: n − 1 − i. */
export type Count = 'first' | 'middle' | 'last'

/** M-RoPE: every axis counts from the start of the block. */
export const offsetMap: BlockMap = {
  matrix: [
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 1],
  ],
  fromStart: [true, true, true],
}

/** Spatial reset: rows and columns count from 0 in every block. */
export const resetMap: BlockMap = { ...offsetMap, fromStart: [true, false, false] }

/** Diagonal: rows and columns count from the middle of their frame, which moves along all axes. VideoRoPE, HoPE. */
export const diagonalMap: BlockMap = {
  matrix: [
    [1, 0, 0],
    [1, 1, 0],
    [1, 0, 1],
  ],
  fromStart: [true, true, true],
  counts: [
    ['first', 'first'],
    ['middle', 'first'],
    ['first', 'middle'],
  ],
}

/** All axes count frames. VideoRoPE's `time_rope`. */
export const timeMap: BlockMap = {
  matrix: [
    [1, 0, 0],
    [1, 0, 0],
    [1, 0, 0],
  ],
  fromStart: [true, true, true],
}

/** Four axes, the distances from the four corners of the frame. VRoPE. */
export const cornersMap: BlockMap = {
  matrix: Array.from({ length: 4 }, () => [1, 1, 1] as const),
  fromStart: [true, true, true, true],
  counts: [
    ['first', 'first'],
    ['first', 'last'],
    ['last', 'first'],
    ['last', 'last'],
  ],
}

/**
 * Every axis has steps of its own. MM-RoPE.
 * @throws MropeRangeError ERR_MROPE_CONFIG for anything but three numbers
 */
export function scaledMap(scale: readonly [t: number, h: number, w: number]): BlockMap {
  if (!Array.isArray(scale) || scale.length !== 3) {
    const message = `layout: a scale is three numbers of ids, for t, h and w, got ${show(scale)}`
    throw new MropeRangeError('ERR_MROPE_CONFIG', message, scale)
  }
  const [t, h, w] = scale
  return {
    matrix: [
      [t, 0, 0],
      [0, h, 0],
      [0, 0, w],
    ],
    fromStart: [true, true, true],
  }
}

/** One axis, and one id for all tokens of a block. Bagel. */
export const oneIdMap: BlockMap = { matrix: [[0, 0, 0]], fromStart: [true] }

/** Two axes without time. */
export const rowsAndColumnsMap: BlockMap = {
  matrix: [
    [0, 1, 0],
    [0, 0, 1],
  ],
  fromStart: [true, true],
}

/** The i-th of n rows or columns as it is counted. */
export function countFrom(from: Count, i: number, n: number): number {
  return from === 'first' ? i : from === 'last' ? n - 1 - i : i - Math.floor((n - 1) / 2)
}

/** @throws MropeRangeError ERR_MROPE_CONFIG for steps that are not numbers, or go backwards */
export function checkMap({ matrix }: BlockMap, name: string): void {
  const bad = matrix.flat().find((step) => !(Number.isFinite(step) && step >= 0))
  if (bad === undefined) return
  const message = `layout ${name}: a step is a number of ids, not negative, got ${show(bad)}`
  throw new MropeRangeError('ERR_MROPE_CONFIG', message, bad)
}

/** One line for each axis, such as `h = start + row`. */
export function describeMap({ matrix, fromStart, counts }: BlockMap, axes: readonly string[]): string[] {
  return matrix.map((weights, a) => {
    const [row, column] = counts?.[a] ?? ['first', 'first']
    const cell = ['time', named('row', row), named('column', column)]
    const terms = weights.flatMap((weight, g) =>
      weight === 0 ? [] : [weight === 1 ? cell[g] : `${weight}·${cell[g]}`],
    )
    return `${axes[a]} = ${[...(fromStart[a] ? ['start'] : []), ...terms].join(' + ') || '0'}`
  })
}

function named(name: string, from: Count): string {
  return from === 'first' ? name : from === 'last' ? `(${name}s − 1 − ${name})` : `(${name} − (${name}s − 1)//2)`
}
