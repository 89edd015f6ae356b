import type { Grid, Segment } from '../segment.js'
import type { GridQueue } from './grid-queue.js'
import type { PromptRules } from './rules.js'

export const tokenKind = { text: 0, image: 1, video: 2, audio: 3 } as const

/** One row, padding taken off, with its grids as cursors that are used up block by block. */
export interface PromptRow {
  readonly rules: PromptRules
  readonly tokens: Float64Array
  readonly kinds: Uint8Array
  readonly images: GridQueue
  readonly videos: GridQueue
  readonly seconds: Float64Array
  readonly audioFrames: Float64Array
  readonly audioInVideo: boolean
}

/** Where the row of a batch begins in the lists that the rows share, so that messages count as the user did. */
export interface RowPlace {
  readonly row: number
  readonly images: number
  readonly videos: number
}

export interface ParsedPrompt {
  readonly segments: Segment[]
  readonly padding: number
  readonly upcoming: readonly Grid[]
}
