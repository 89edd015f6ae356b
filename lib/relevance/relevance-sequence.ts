import type { Segment } from '../sequence/segment.js'
import { Sequence } from '../sequence/sequence.js'
import { checkCount, checkOptions } from '../tensors/check.js'
import { checkNumber, checkWindow } from '../tensors/parameters.js'
import { allocateTokens, type TokenBudget } from './allocate.js'
import { bestGrid, gridCounts } from './block-grids.js'
import { checkScores } from './check.js'
import type { Box } from './coupling.js'

export interface RelevanceSequenceOptions extends TokenBudget {
  /** Rows and columns of regions; there are rows · columns scores. */
  readonly regions: readonly [rows: number, columns: number]
  /** Height / width of the picture. Default: regions are square. */
  readonly aspect?: number
  /** Text tokens in front of every block and behind it, such as `<|vision_start|>` and `<|vision_end|>`. Default 0. */
  readonly before?: number
  readonly after?: number
}

/** One region of the picture as a block of the sequence. */
export interface RelevanceBlock {
  readonly region: readonly [row: number, column: number]
  /** Borders of the region in the picture. */
  readonly box: Box
  readonly score: number
  /** What `allocateTokens` gives it. */
  readonly budget: number
  /** What it has: the cells of its grid. */
  readonly tokens: number
  readonly grid: readonly [t: 1, h: number, w: number]
  /** Tokens that the whole picture would have, were it all as dense. */
  readonly density: number
  /** Longer side of its cells / shorter side, in the picture. */
  readonly stretch: number
  /** Index of its first token in the sequence. */
  readonly start: number
}

export interface RelevanceSequence {
  readonly sequence: Sequence
  readonly blocks: readonly RelevanceBlock[]
}

/**
 * A picture as visual blocks of different density, one image segment a region in raster order, for any layout. The
 * blocks have `total` tokens together, to the token, and each `least` to `most`.
 *
 * A block is a full grid, and a prime number of tokens would be one long row. So budgets move to numbers of cells near
 * by that make grids of nearly square cells: by an eighth at most (4 tokens below 32), with the same sum, stretched 2
 * times or less wherever that can be done, and never past a region of larger or smaller score.
 * @param scores relevance of the regions in raster order, finite and at least 0
 * @throws MropeRangeError ERR_MROPE_CAPACITY where the budget cannot be met; MropeRangeError ERR_MROPE_SHAPE |
 *   ERR_MROPE_GRID | ERR_MROPE_ARGUMENT, MropeTypeError ERR_MROPE_ARGUMENT
 */
export function relevanceSequence(scores: ArrayLike<number>, options: RelevanceSequenceOptions): RelevanceSequence {
  const caller = 'relevanceSequence'
  checkOptions(caller, options, ['regions', 'total', 'least', 'most', 'aspect', 'before', 'after'])
  const [rows, columns] = checkWindow(caller, 'regions', options.regions)
  const regions = rows * columns
  const list = checkScores(caller, 'scores', scores, regions)
  const sides = checkNumber(caller, 'aspect', options.aspect ?? rows / columns, 1e-4, 1e4)
  const aspect = (sides * columns) / rows
  const before = checkCount(caller, 'before', options.before ?? 0)
  const after = checkCount(caller, 'after', options.after ?? 0)
  // An image segment has a token at least.
  const least = checkCount(caller, 'least', options.least ?? 64, 1)
  const most = checkCount(caller, 'most', options.most ?? 400, 1)
  const budgets = allocateTokens(list, { total: options.total, least, most })
  const rising = Int32Array.from({ length: regions }, (_, i) => i)
  rising.sort((a, b) => budgets[a] - budgets[b] || list[a] - list[b] || b - a)
  const counts = gridCounts(budgets.toSorted(), least, most, aspect)
  const tokens = new Int32Array(regions)
  rising.forEach((region, i) => {
    tokens[region] = counts[i]
  })
  const segments: Segment[] = []
  const blocks: RelevanceBlock[] = []
  let start = 0
  for (let i = 0; i < regions; i++) {
    const [row, column] = [Math.floor(i / columns), i % columns]
    const { rows: h, columns: w, stretch } = bestGrid(tokens[i], aspect)
    const grid = [1, h, w] as const
    if (before > 0) segments.push({ kind: 'text', length: before })
    segments.push({ kind: 'image', grid })
    if (after > 0) segments.push({ kind: 'text', length: after })
    blocks.push({
      region: [row, column],
      box: [row / rows, column / columns, (row + 1) / rows, (column + 1) / columns],
      score: list[i],
      budget: budgets[i],
      tokens: tokens[i],
      grid,
      density: tokens[i] * regions,
      stretch,
      start: start + before,
    })
    start += before + tokens[i] + after
  }
  return { sequence: Sequence.of(segments), blocks }
}
