import type { Grid } from '../sequence/segment.js'
import type { Cells } from './cells.js'
import type { CellIndex, Structure } from './report.js'
import { slack } from './tolerance.js'

/** The ids of a block's cells as a map of the grid: `id[a] = origin[a] + Σ_g matrix[a][g] · cell[g]`, if affine. */
export interface GridMap {
  readonly grid: Grid
  readonly origin: readonly number[]
  readonly matrix: readonly (readonly number[])[]
  readonly affine: boolean
  readonly deviation: number
  readonly slack: number
}

/** Ids of one cell on one axis. */
type IdOf = (axis: number, cell: number) => number

/** A block's ids, cell by cell in raster order. */
function cellIds(ids: readonly Float64Array[], token: number, { tokens }: Cells): IdOf {
  return tokens ? (a, k) => ids[a][token + tokens[k]] : (a, k) => ids[a][token + k]
}

/** Solves the matrix from the corners of the grid, which rounding hurts least, and verifies every cell. */
export function gridMap(ids: readonly Float64Array[], token: number, cells: Cells): GridMap {
  const { grid } = cells
  const [frames, rows, columns] = grid
  const id = cellIds(ids, token, cells)
  const strides = [rows * columns, columns, 1]
  const origin = ids.map((_, a) => id(a, 0))
  const matrix = origin.map((first, a) =>
    strides.map((stride, g) => (grid[g] > 1 ? (id(a, stride * (grid[g] - 1)) - first) / (grid[g] - 1) : 0)),
  )
  let deviation = 0
  let largest = 0
  ids.forEach((_, a) => {
    const [byTime, byRow, byColumn] = matrix[a]
    for (let t = 0, k = 0; t < frames; t++) {
      for (let h = 0; h < rows; h++) {
        for (let w = 0; w < columns; w++, k++) {
          const found = id(a, k)
          largest = Math.max(largest, Math.abs(found))
          deviation = Math.max(deviation, Math.abs(found - origin[a] - (byTime * t + byRow * h + byColumn * w)))
        }
      }
    }
  })
  const within = slack(largest)
  return { grid, origin, matrix, affine: deviation <= within, deviation, slack: within }
}

/** Everything about one block but the comparison with other blocks. */
export function structureOf(ids: readonly Float64Array[], token: number, cells: Cells, map: GridMap): Structure {
  const { distinct, collision } = distinctVectors(ids, token, cells)
  const count = cells.grid[0] * cells.grid[1] * cells.grid[2]
  const dimensions = cells.grid.filter((side) => side > 1).length
  const rank = map.affine ? rankOf(map) : null
  return {
    holds: distinct === count && rank === dimensions,
    injective: distinct === count,
    cells: count,
    distinct,
    collision,
    affine: map.affine,
    matrix: map.affine ? map.matrix : null,
    rank,
    deviation: map.affine ? 0 : map.deviation,
    dimensions,
    disentangledWithin: map.affine && ownAxes([map], ids.length),
    disentangled: null,
  }
}

/**
 * Do rows have an axis whose id depends on the row only, with one origin and one step in all the blocks, and columns
 * another one? Then relative ids of rows and columns mean the same within a block and across blocks.
 */
export function disentangled(maps: readonly GridMap[], axes: number): boolean {
  return maps.every(({ affine }) => affine) && ownAxes(maps, axes)
}

function ownAxes(maps: readonly GridMap[], axes: number): boolean {
  return [1, 2].every((g) => {
    if (maps.every(({ grid }) => grid[g] === 1)) return true
    return Array.from({ length: axes }, (_, a) => a).some((a) => isAxisOf(maps, a, g))
  })
}

function isAxisOf(maps: readonly GridMap[], axis: number, direction: number): boolean {
  const turning = maps.find(({ grid }) => grid[direction] > 1)!
  return maps.every(({ grid, matrix, origin, slack: within }) => {
    const moved = matrix[axis].map((step, g) => Math.abs(step) * (grid[g] - 1) > within)
    const others = moved.some((moves, g) => moves && g !== direction)
    const sameOrigin = Math.abs(origin[axis] - turning.origin[axis]) <= within
    const sameStep = Math.abs(matrix[axis][direction] - turning.matrix[axis][direction]) <= within
    return !others && sameOrigin && (grid[direction] === 1 || (moved[direction] && sameStep))
  })
}

/** Rank of the matrix, each column taken over the whole side of the grid: what is below rounding does not count. */
function rankOf({ matrix, grid, slack: within }: GridMap): number {
  const rows = matrix.map((row) => row.map((step, g) => step * (grid[g] - 1)))
  let rank = 0
  for (let g = 0; g < 3; g++) {
    let pivot = rank
    for (let a = rank; a < rows.length; a++) if (Math.abs(rows[a][g]) > Math.abs(rows[pivot]?.[g] ?? 0)) pivot = a
    if (pivot >= rows.length || Math.abs(rows[pivot][g]) <= within) continue
    ;[rows[rank], rows[pivot]] = [rows[pivot], rows[rank]]
    for (let a = rank + 1; a < rows.length; a++) {
      const factor = rows[a][g] / rows[rank][g]
      for (let i = g; i < 3; i++) rows[a][i] -= factor * rows[rank][i]
    }
    rank++
  }
  return rank
}

/** Number of different id vectors, and the first two cells in order of the ids that share one. */
function distinctVectors(
  ids: readonly Float64Array[],
  token: number,
  cells: Cells,
): { distinct: number; collision: readonly [CellIndex, CellIndex] | null } {
  const count = cells.grid[0] * cells.grid[1] * cells.grid[2]
  const id = cellIds(ids, token, cells)
  const compare = (i: number, j: number): number => {
    for (let a = 0; a < ids.length; a++) {
      const difference = id(a, i) - id(a, j)
      if (difference !== 0) return difference
    }
    return 0
  }
  // Raster order is the order of the ids in most schemes; then there is nothing to sort.
  let sorted = true
  for (let k = 1; k < count && sorted; k++) sorted = compare(k - 1, k) < 0
  if (sorted) return { distinct: count, collision: null }
  const order = Uint32Array.from({ length: count }, (_, k) => k).sort((i, j) => compare(i, j) || i - j)
  let distinct = 1
  let collision: readonly [CellIndex, CellIndex] | null = null
  for (let k = 1; k < count; k++) {
    if (compare(order[k - 1], order[k]) !== 0) distinct++
    else collision ??= [cellIndex(order[k - 1], cells.grid), cellIndex(order[k], cells.grid)]
  }
  return { distinct, collision }
}

function cellIndex(k: number, [, rows, columns]: Grid): CellIndex {
  return [Math.floor(k / (rows * columns)), Math.floor(k / columns) % rows, k % columns]
}
