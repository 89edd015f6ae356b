import type { Waves } from '../analysis/waves.js'

/** What the page draws: plain data, aggregated to a size that does not grow with the prompt. */
export interface ReportData {
  readonly strip: Strip
  readonly schemes: readonly SchemeData[]
  readonly allocations: readonly AllocationData[]
  readonly distances: readonly number[]
  /** Different sets of waves; schemes refer to them by number. */
  readonly waves: readonly Waves[]
  /** The block that similarity is drawn of; null for prompts without one. */
  readonly block: BlockData | null
}

/** Columns that stand for neighbouring tokens of one kind; short segments are drawn wider than they are. */
export interface Strip {
  /** Kind of each column: `text`, `image`, …, `generated`. */
  readonly kinds: readonly string[]
  /** First token of each column, and the number of tokens behind the last one. */
  readonly starts: readonly number[]
}

export interface SchemeData {
  readonly name: string
  readonly own: boolean
  readonly axes: readonly string[]
  readonly allocation: string
  readonly overlap: number
  /** Mean id of each column on each axis. */
  readonly ids: readonly (readonly number[])[]
  /** Smallest and largest id of each column over all axes. */
  readonly low: readonly number[]
  readonly high: readonly number[]
  /** For each column, how many of its tokens are text inside of a block in front of it. */
  readonly inside: readonly number[]
  readonly waves: number
  readonly map: BlockMap | null
}

/** Ids of a cell, from those of the first one: `time[a][t] + plane[a][row · columns + column]`. */
export interface BlockMap {
  readonly time: readonly (readonly number[])[]
  readonly plane: readonly (readonly number[])[]
}

/** The grid of a block and which of its frames, rows and columns are drawn. */
export interface BlockData {
  readonly title: string
  readonly grid: readonly [number, number, number]
  readonly frames: readonly number[]
  readonly rows: readonly number[]
  readonly columns: readonly number[]
}

export interface AllocationData {
  readonly name: string
  readonly own: boolean
  readonly axes: readonly string[]
  /** One letter for each pair, fastest first, heads separated by `|`; `-` does not turn, `dense` has no letters. */
  readonly axisOf: string
  readonly curves: readonly { readonly axis: string; readonly values: readonly number[] }[]
}
