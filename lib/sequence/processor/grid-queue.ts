import { MropeRangeError, show } from '../../errors.js'
import { maxTokens } from '../segment.js'

/** The grid of one block, as it was given. */
export interface BlockGrid {
  readonly raw: readonly number[]
  /** Its index in the list of the row. */
  readonly index: number
  /** Frames of it that are in this block: all, or one where each frame is a block. */
  readonly frames: number
  /** Its name in messages: `image_grid_thw[3]`, `frame 2 of video_grid_thw[0]`. */
  readonly at: string
}

export interface GridQueueOptions {
  /** Each frame of a grid is a block of its own. */
  readonly byFrame?: boolean
  /** Row of a batch, and index of its first grid in the list of the batch. */
  readonly row?: number
  readonly first?: number
}

/**
 * Grids in the order of their blocks, handed out one by one: frames are counted, never listed, so that a grid of a
 * million frames costs nothing. Knows by name what runs out or is left over.
 */
export class GridQueue {
  readonly name: string
  readonly all: readonly (readonly number[])[]
  readonly #byFrame: boolean
  readonly #row?: number
  readonly #first: number
  #index = 0
  #frame = 0
  #used = 0

  constructor(name: string, all: readonly (readonly number[])[], options: GridQueueOptions = {}) {
    const { byFrame = false, row, first = 0 } = options
    this.name = name
    this.all = all
    this.#byFrame = byFrame
    this.#row = row
    this.#first = first
    if (byFrame) checkFrames(name, all, first)
  }

  /** True when every grid has had its block. */
  get done(): boolean {
    return this.#index === this.all.length
  }

  /** The grid of the block that begins at a token. */
  next(token: number): BlockGrid {
    const grid = this.peek()
    if (!grid) {
      const message = `fromProcessor: the block at token ${token} has no grid: ${this.#has()}`
      throw new MropeRangeError('ERR_MROPE_GRID_COUNT', message, this.all.length)
    }
    this.#used++
    if (this.#byFrame && this.#frame + 1 < grid.raw[0]) this.#frame++
    else {
      this.#index++
      this.#frame = 0
    }
    return grid
  }

  /** The grid that `next` would give. */
  peek(): BlockGrid | undefined {
    if (this.done) return undefined
    const raw = this.all[this.#index]
    const at = `${this.name}[${this.#first + this.#index}]`
    if (!this.#byFrame) return { raw, index: this.#index, frames: raw[0], at }
    return { raw, index: this.#index, frames: 1, at: `frame ${this.#frame} of ${at}` }
  }

  finish(): void {
    const left = this.peek()
    if (!left) return
    const message = `fromProcessor: ${this.#has()}, the tokens have ${this.#used} blocks; none for ${left.at}`
    throw new MropeRangeError('ERR_MROPE_GRID_COUNT', message, this.all.length)
  }

  #has(): string {
    const frames = this.#byFrame ? ` of ${this.all.reduce((sum, [t]) => sum + t, 0)} frames` : ''
    const row = this.#row === undefined ? '' : ` for row ${this.#row}`
    return `${this.name} has ${this.all.length} grids${frames}${row}`
  }
}

/** Each frame has at least one token, so there are no more frames than a prompt has tokens. */
export function checkFrames(name: string, grids: readonly (readonly number[])[], first = 0): void {
  const bad = grids.findIndex(([t]) => !(t > 0 && t <= maxTokens))
  if (bad < 0) return
  const message = `${name}[${first + bad}]: ${show(grids[bad])} has no valid number of frames`
  throw new MropeRangeError('ERR_MROPE_GRID', message, grids[bad][0])
}
