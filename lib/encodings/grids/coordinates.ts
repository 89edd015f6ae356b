import { MropeRangeError, MropeTypeError, show } from '../../errors.js'
import { Positions } from '../../layouts/positions.js'
import { checkGrid } from '../../sequence/check-segment.js'
import type { Grid } from '../../sequence/segment.js'
import { checkOptions } from '../../tensors/check.js'

/**
 * Where the places of a side stand: raw indices, or parts of the side. Never mix one with a table trained on another.
 *
 *     side of 3    index 0 1 2    centred −2 −1 0    half-pixel −⅔ 0 ⅔    corners −1 0 1    part ⅙ ½ ⅚
 */
export type Coordinate =
  /** `i`, the first at 0. */
  | 'index'
  /** `i − (n − ⌊n/2⌋)`. Qwen-Image. */
  | 'centred'
  /** `2(i + ½)/N − 1`, N the own side, the longer side or the shorter one. DINOv3. */
  | 'separate'
  | 'max'
  | 'min'
  /** From −1 to 1, corners included. */
  | 'corners'
  /** As `corners`, times √(side/other side): an area of 4 whatever the shape. Golden Gate. */
  | 'aspect'
  /** `(i + ½)/n`. SAM. */
  | 'part'

export interface CoordinateRule {
  readonly by: Coordinate
  /** Multiplies what `by` gives. */
  readonly scale?: number
  /** Added before `scale` and `trained`, in the unit of `by`. */
  readonly offset?: number
  /** Rows and columns of the training: rows are then multiplied by trained rows / rows, and columns likewise. */
  readonly trained?: readonly [rows: number, columns: number]
}

const rules: Readonly<Record<Coordinate, (n: number, other: number) => (i: number) => number>> = {
  index: () => (i) => i,
  centred: (n) => (i) => i - (n - Math.floor(n / 2)),
  separate: (n) => halfPixel(n),
  max: (n, other) => halfPixel(Math.max(n, other)),
  min: (n, other) => halfPixel(Math.min(n, other)),
  corners: (n) => corners(n, 1),
  aspect: (n, other) => corners(n, Math.sqrt(n / other)),
  part: (n) => (i) => (i + 0.5) / n,
}

function halfPixel(n: number): (i: number) => number {
  return (i) => (2 * (i + 0.5)) / n - 1
}

/** As `linspace(−reach, reach, n)`: a single place stands at the start. */
function corners(n: number, reach: number): (i: number) => number {
  return (i) => (n === 1 ? -reach : reach * ((2 * i) / (n - 1) - 1))
}

/** The coordinates of rows (0) or columns (1) of a grid. */
export function side(rule: CoordinateRule, axis: 0 | 1, grid: readonly [rows: number, columns: number]): Float64Array {
  const { by, scale = 1, offset = 0, trained } = rule
  const n = grid[axis]
  const at = rules[by](n, grid[1 - axis])
  const stretch = scale * (trained === undefined ? 1 : trained[axis] / n)
  return Float64Array.from({ length: n }, (_, i) => (at(i) + offset) * stretch)
}

function isSide(n: unknown): boolean {
  return typeof n === 'number' && n > 0 && n <= 65536
}

/** @throws MropeTypeError, MropeRangeError ERR_MROPE_ARGUMENT | ERR_MROPE_GRID */
export function checkCoordinate(caller: string, rule: CoordinateRule | Coordinate): CoordinateRule {
  const checked = typeof rule === 'string' ? { by: rule } : rule
  checkOptions(caller, checked, ['by', 'scale', 'offset', 'trained'])
  if (typeof checked.by !== 'string' || !Object.hasOwn(rules, checked.by)) {
    const text = `${caller}: coordinates must be one of ${Object.keys(rules).join(', ')}, got ${show(checked.by)}`
    throw new MropeTypeError('ERR_MROPE_ARGUMENT', text, checked.by)
  }
  for (const name of ['scale', 'offset'] as const) {
    const value = checked[name]
    if (value === undefined || (Number.isFinite(value) && Math.abs(value) <= 2 ** 32)) continue
    const text = `${caller}: ${name} must be a finite number up to 2^32, got ${show(value)}`
    throw new MropeRangeError('ERR_MROPE_ARGUMENT', text, value)
  }
  const { trained } = checked
  if (trained !== undefined && !(Array.isArray(trained) && trained.length === 2 && Array.from(trained).every(isSide))) {
    const text = `${caller}: trained must be [rows, columns] of the training, got ${show(trained)}`
    throw new MropeRangeError('ERR_MROPE_GRID', text, trained)
  }
  return checked
}

/**
 * Positions of the cells of a grid in raster order, axes h and w, and t where the grid has frames: for embeddings,
 * and for tables without a prompt.
 *
 * @param grid `[rows, columns]` or `[frames, rows, columns]`
 * @throws MropeRangeError ERR_MROPE_GRID, MropeTypeError ERR_MROPE_ARGUMENT
 */
export function gridPositions(
  grid: readonly [rows: number, columns: number] | Grid,
  coordinates: CoordinateRule | Coordinate = 'index',
): Positions {
  const rule = checkCoordinate('gridPositions', coordinates)
  const whole = Array.isArray(grid) && grid.length === 2
  const [frames, rows, columns] = checkGrid(whole ? [1, ...grid] : grid, 'gridPositions')
  const h = side(rule, 0, [rows, columns])
  const w = side(rule, 1, [rows, columns])
  const length = frames * rows * columns
  const axes = whole ? ['h', 'w'] : ['t', 'h', 'w']
  const cell = [
    (n: number) => Math.floor(n / (rows * columns)),
    (n: number) => h[Math.floor(n / columns) % rows],
    (n: number) => w[n % columns],
  ].slice(3 - axes.length)
  return Positions.from({ axes, ids: cell.map((at) => Float64Array.from({ length }, (_, n) => at(n))) })
}
