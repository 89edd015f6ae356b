import { MropeRangeError, show } from '../errors.js'
import { checkGrid } from '../sequence/check-segment.js'
import { cells, type Grid, maxTokens } from '../sequence/segment.js'
import { Positions } from './positions.js'

/** Raw grids of a vision tower, in patches. */
export type PatchGrids = readonly Grid[]

/**
 * Row and column of every patch, in the order in which a vision tower lists them: merge block by merge block, the
 * patches of a block in raster order, frame after frame. With `merge` 1 that is plain raster order.
 * Source: transformers `vision_utils.py: get_vision_position_ids`.
 *
 *     4×6 patches, merge 2:  (0,0)(0,1)(1,0)(1,1)  (0,2)(0,3)(1,2)(1,3)  (0,4)(0,5)(1,4)(1,5)  (2,0)…
 */
export function patchPositions(grids: PatchGrids, merge: number): Positions {
  const checked = checkPatchGrids(grids, merge)
  const length = checked.reduce((sum, [t, h, w]) => sum + t * h * w, 0)
  const ids = new Float64Array(2 * length)
  let i = 0
  for (const [frames, rows, columns] of checked) {
    for (let t = 0; t < frames; t++) {
      for (let blockRow = 0; blockRow < rows; blockRow += merge) {
        for (let blockColumn = 0; blockColumn < columns; blockColumn += merge) {
          for (let h = blockRow; h < blockRow + merge; h++) {
            for (let w = blockColumn; w < blockColumn + merge; w++, i++) {
              ids[i] = h
              ids[length + i] = w
            }
          }
        }
      }
    }
  }
  return new Positions({ axes: ['h', 'w'], ids, next: 0, delta: 0 })
}

/** Borders of the frames: attention of a full layer stays inside one frame. `(frames + 1)`. */
export function frameCuSeqlens(grids: PatchGrids): Int32Array {
  const borders = [0]
  for (const [frames, rows, columns] of checkPatchGrids(grids, 1)) {
    for (let t = 0; t < frames; t++) borders.push(borders[borders.length - 1] + rows * columns)
  }
  return Int32Array.from(borders)
}

export interface WindowOrder {
  /** Permutation of merged cells, over all frames and images. */
  readonly index: Int32Array
  /** Borders of the windows, in patches. `(windows + 1)`, without empty windows. */
  readonly cuSeqlens: Int32Array
}

/**
 * Order of the merged cells by window, and the windows' borders. Windows at the lower and right edge are cut off.
 * Source: transformers `vision_utils.py: get_vision_window_index`.
 *
 * @param side rows and columns of a window, in merged cells: window size / merge / patch size
 */
export function windowOrder(grids: PatchGrids, merge: number, side: number): WindowOrder {
  checkSide(side, 'window side')
  const index: number[] = []
  const borders = [0]
  let first = 0
  for (const [frames, patchRows, patchColumns] of checkPatchGrids(grids, merge)) {
    const rows = patchRows / merge
    const columns = patchColumns / merge
    for (let t = 0; t < frames; t++, first += rows * columns) {
      for (let top = 0; top < rows; top += side) {
        for (let left = 0; left < columns; left += side) {
          const before = index.length
          for (let h = top; h < Math.min(top + side, rows); h++) {
            for (let w = left; w < Math.min(left + side, columns); w++) index.push(first + h * columns + w)
          }
          borders.push(borders[borders.length - 1] + (index.length - before) * merge * merge)
        }
      }
    }
  }
  return { index: Int32Array.from(index), cuSeqlens: Int32Array.from(borders) }
}

function checkPatchGrids(grids: PatchGrids, merge: number): Grid[] {
  checkSide(merge, 'merge')
  if (!Array.isArray(grids)) {
    throw new MropeRangeError('ERR_MROPE_GRID', `vision grids: expected a list of [t, h, w], got ${show(grids)}`, grids)
  }
  let patches = 0
  return Array.from(grids, (value, i) => {
    const grid = checkGrid(value, `vision grid ${i}`)
    if (grid[1] % merge !== 0 || grid[2] % merge !== 0) {
      throw new MropeRangeError(
        'ERR_MROPE_GRID',
        `vision grid ${i}: [${grid}] does not divide by merge size ${merge}`,
        grid,
      )
    }
    patches += cells(grid)
    if (patches > maxTokens) {
      const message = `vision grid ${i}: [${grid}] makes ${patches} patches, more than ${maxTokens}`
      throw new MropeRangeError('ERR_MROPE_GRID', message, grid)
    }
    return grid
  })
}

/** Patches of a merge block, or cells of a window, along one side. @throws MropeRangeError ERR_MROPE_CONFIG */
export function checkSide(value: number, name: string): void {
  if (Number.isSafeInteger(value) && value > 0) return
  throw new MropeRangeError('ERR_MROPE_CONFIG', `vision: ${name} is a positive integer, got ${show(value)}`, value)
}
