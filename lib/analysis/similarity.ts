import type { Encoding } from '../encodings/encoding.js'
import { MropeRangeError, MropeTypeError, show } from '../errors.js'
import type { Grid } from '../sequence/segment.js'
import type { Sequence } from '../sequence/sequence.js'
import { checkCount, checkOptions, isArrayLike } from '../tensors/check.js'
import { type Cells, cellsOf } from './cells.js'
import { type Finding, type FindingRules, findingsOf, usualRules } from './findings.js'
import { checkEncoding } from './options.js'
import { checkSequence } from './prompt.js'
import type { CellIndex } from './report.js'
import { Similarity, wavesOf } from './waves.js'

export interface SimilarityOptions {
  /** Which block of `sequence.blocks()`. Default: the image or video with the most cells. */
  readonly block?: number
  /** Frame, row and column of the query. Default: the middle of the grid. */
  readonly query?: readonly [t: number, h: number, w: number]
  /** One KV head. Default: the mean of all heads. */
  readonly head?: number
  readonly rules?: Partial<FindingRules>
}

export interface SimilarityMap {
  readonly block: number
  readonly grid: Grid
  readonly query: CellIndex
  /** Similarity of the query to each cell of its frame, `(rows × columns)` in raster order; 1 for its own. */
  readonly frame: Float64Array
  /** Similarity of the query to the cell of its row and column in each frame. */
  readonly time: Float64Array
  /** What is wrong with the map of the frame, and with the line over time. */
  readonly findings: { readonly frame: readonly Finding[]; readonly time: readonly Finding[] }
}

/**
 * How similar a query of a block is to the other cells by their positions alone: over the rows and columns of its frame,
 * and over time. The mean of the cosines of all pairs, which is the expected cosine similarity of a vector of unknown
 * channels and the same vector rotated to the other place.
 *
 * @throws MropeTypeError, MropeRangeError ERR_MROPE_ARGUMENT; MropeRangeError ERR_MROPE_SEGMENT when the sequence has no
 *   block of cells; what the layout throws
 */
export function similarityMap(encoding: Encoding, sequence: Sequence, options: SimilarityOptions = {}): SimilarityMap {
  checkEncoding('similarityMap', 'encoding', encoding)
  checkSequence('similarityMap', sequence)
  checkOptions('similarityMap', options, ['block', 'query', 'head', 'rules'])
  const rules = readRules('similarityMap', options.rules)
  const { block, token, cells } = chooseBlock(sequence, options.block)
  const query = readQuery(options.query, cells.grid)
  const { heads } = encoding.allocation
  if (options.head !== undefined && checkCount('similarityMap', 'head', options.head) >= heads) {
    const message = `similarityMap: head must be below ${heads}, got ${options.head}`
    throw new MropeRangeError('ERR_MROPE_ARGUMENT', message, options.head)
  }
  const similarity = new Similarity(wavesOf(encoding, options.head))
  const positions = encoding.positions(sequence)
  const ids = positions.axes.map((_, a) => positions.axis(a).subarray(positions.padding + token))
  const [frames, rows, columns] = cells.grid
  const tokenOf = ([t, h, w]: CellIndex): number => {
    const cell = (t * rows + h) * columns + w
    return cells.tokens ? cells.tokens[cell] : cell
  }
  const from = tokenOf(query)
  const to = (cell: CellIndex): number => {
    const token = tokenOf(cell)
    return similarity.at(ids.map((axis) => axis[token] - axis[from]))
  }
  const [t, h, w] = query
  const frame = Float64Array.from({ length: rows * columns }, (_, k) => to([t, Math.floor(k / columns), k % columns]))
  const time = Float64Array.from({ length: frames }, (_, f) => to([f, h, w]))
  const findings = {
    frame: findingsOf({ values: frame, rows, columns, row: h, column: w }, rules),
    time: findingsOf({ values: time, rows: frames, columns: 1, row: t, column: 0 }, rules),
  }
  return { block, grid: cells.grid, query, frame, time, findings }
}

export interface MapOptions {
  readonly rows: number
  readonly columns: number
  /** Row and column of the query. */
  readonly query: readonly [row: number, column: number]
  readonly rules?: Partial<FindingRules>
}

/**
 * The same three rules for any map, such as one measured in a model: `flat` (frequencies too low, or so high that
 * nothing near is told from what is far), `several-peaks` (aliasing), `no-central-peak` (rotation at fault, or equal ids).
 *
 * @param values `(rows × columns)` in raster order
 * @throws MropeTypeError, MropeRangeError ERR_MROPE_ARGUMENT; MropeRangeError ERR_MROPE_SHAPE
 */
export function judgeMap(values: ArrayLike<number>, options: MapOptions): Finding[] {
  checkOptions('judgeMap', options, ['rows', 'columns', 'query', 'rules'])
  const rows = checkCount('judgeMap', 'rows', options.rows, 1)
  const columns = checkCount('judgeMap', 'columns', options.columns, 1)
  const rules = readRules('judgeMap', options.rules)
  if (!isArrayLike(values) || !Array.prototype.every.call(values, Number.isFinite)) {
    const message = `judgeMap: values must be a list of finite numbers, got ${show(values)}`
    throw new MropeTypeError('ERR_MROPE_ARGUMENT', message, values)
  }
  if (values.length !== rows * columns) {
    const message = `judgeMap: ${rows} × ${columns} cells need ${rows * columns} values, got ${values.length}`
    throw new MropeRangeError('ERR_MROPE_SHAPE', message, values.length)
  }
  const [row, column] = readCell('judgeMap', options.query, [rows, columns])
  return findingsOf({ values, rows, columns, row, column }, rules)
}

export interface CellBlock {
  /** Number of the block in the sequence. */
  readonly block: number
  /** Index of its first token, padding not counted. */
  readonly token: number
  readonly cells: Cells
}

/** The blocks whose tokens are known to be cells. */
export function cellBlocks(sequence: Sequence): CellBlock[] {
  const starts = sequence.blocks().map(({ start }) => start)
  return sequence.segments
    .filter((segment) => segment.kind !== 'text')
    .flatMap((segment, block) => {
      const cells = cellsOf(segment)
      return cells ? [{ block, token: starts[block], cells }] : []
    })
}

/** The picture with the most cells; undefined without pictures. */
export function largestPicture(sequence: Sequence): CellBlock | undefined {
  const kinds = sequence.blocks().map(({ kind }) => kind)
  const size = ({ cells: { grid } }: CellBlock): number => grid[0] * grid[1] * grid[2]
  return cellBlocks(sequence)
    .filter(({ block }) => kinds[block] !== 'audio')
    .reduce<CellBlock | undefined>((most, next) => (most && size(most) >= size(next) ? most : next), undefined)
}

function chooseBlock(sequence: Sequence, wanted?: number): CellBlock {
  const { length } = sequence.blocks()
  if (wanted !== undefined && checkCount('similarityMap', 'block', wanted) >= length) {
    const message = `similarityMap: block must be below ${length}, the blocks of the sequence; got ${wanted}`
    throw new MropeRangeError('ERR_MROPE_ARGUMENT', message, wanted)
  }
  const found =
    wanted === undefined ? largestPicture(sequence) : cellBlocks(sequence).find(({ block }) => block === wanted)
  if (found) return found
  const which = wanted === undefined ? 'the sequence has no block' : `block ${wanted} is not one`
  const message = `similarityMap: ${which} of cells whose tokens are known`
  throw new MropeRangeError('ERR_MROPE_SEGMENT', message, wanted)
}

function readQuery(query: unknown, grid: Grid): CellIndex {
  if (query === undefined) return [grid[0] >> 1, grid[1] >> 1, grid[2] >> 1]
  return readCell('similarityMap', query, grid) as unknown as CellIndex
}

function readCell(caller: string, cell: unknown, sides: readonly number[]): number[] {
  if (!Array.isArray(cell) || cell.length !== sides.length) {
    const message = `${caller}: query must be ${sides.length} numbers, got ${show(cell)}`
    throw new MropeTypeError('ERR_MROPE_ARGUMENT', message, cell)
  }
  return sides.map((side, i) => {
    const at = checkCount(caller, `query[${i}]`, cell[i])
    if (at < side) return at
    const message = `${caller}: query ${show(cell)} is outside of the grid of ${sides.join(' × ')}`
    throw new MropeRangeError('ERR_MROPE_ARGUMENT', message, cell)
  })
}

function readRules(caller: string, rules: unknown = {}): FindingRules {
  checkOptions(`${caller}: rules`, rules, ['least', 'firstStep', 'peak'])
  const read = { ...usualRules, ...(rules as Partial<FindingRules>) }
  for (const [name, value] of Object.entries(read)) {
    if (typeof value === 'number' && value > 0 && value <= 1) continue
    const message = `${caller}: rules.${name} must be a number above 0 and at most 1, got ${show(value)}`
    throw new MropeRangeError('ERR_MROPE_ARGUMENT', message, value)
  }
  return read
}
