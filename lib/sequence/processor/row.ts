import { MropeRangeError } from '../../errors.js'
import type { Grid, Segment } from '../segment.js'
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

/** Grids in the order of their blocks. Knows by name what runs out or is left over. */
export class GridQueue {
  readonly name: string
  readonly all: readonly number[][]
  used = 0

  constructor(name: string, all: readonly number[][]) {
    this.name = name
    this.all = all
  }

  next(at: number): number[] {
    if (this.used >= this.all.length) {
      const message = `fromProcessor: the block at token ${at} has no grid: ${this.name} has ${this.all.length}`
      throw new MropeRangeError('ERR_MROPE_GRID_COUNT', message, this.all.length)
    }
    return this.all[this.used++]
  }

  finish(): void {
    if (this.used === this.all.length) return
    const message = `fromProcessor: ${this.name} has ${this.all.length} grids, the tokens have ${this.used} blocks`
    throw new MropeRangeError('ERR_MROPE_GRID_COUNT', message, this.all.length)
  }
}

export interface ParsedPrompt {
  readonly segments: Segment[]
  readonly padding: number
  readonly upcoming: readonly Grid[]
}
