import { MropeRangeError } from '../../errors.js'
import type { Layout } from '../../layouts/layout.js'
import { Positions } from '../../layouts/positions.js'
import { cells, type Grid, tokensOf } from '../../sequence/segment.js'
import type { Sequence } from '../../sequence/sequence.js'
import { type CoordinateRule, side } from './coordinates.js'

// Vision and diffusion transformers: a block of cells has ids of its own, text beside it another rule. Nothing runs on.
//
//   FLUX.2, 2 text, image 1×2:   t 0 0 | 0 0    h 0 0 | 0 0    w 0 0 | 0 1    l 0 1 | 0 0

/** The ids of an axis in a block: one number, or one for each place along a side (0 frames, 1 rows, 2 columns). */
export type SideIds = number | { readonly along: 0 | 1 | 2; readonly ids: ArrayLike<number> }

/** Where a block stands. */
export interface BlockPlace {
  /** How many blocks come before it. */
  readonly block: number
  /** How many text tokens come before it. */
  readonly text: number
}

export interface CellLayout {
  readonly name: string
  readonly axes: readonly string[]
  readonly rules: Readonly<Record<string, unknown>>
  /** Ids of a block, axis by axis. */
  readonly block: (grid: Grid, place: BlockPlace) => readonly SideIds[]
  /** Ids of a text token by its number among the text tokens, axis by axis. Default: 0, so it is not turned. */
  readonly text?: (index: number, grids: readonly Grid[]) => readonly number[]
}

export function cellLayout({ name, axes, rules, block, text }: CellLayout): Layout {
  return Object.freeze({
    name,
    axes: Object.freeze([...axes]),
    rules: Object.freeze({ ...rules }),
    positions(sequence: Sequence): Positions {
      const length = sequence.padding + sequence.length
      const ids = new Float64Array(axes.length * length)
      const grids = sequence.segments.flatMap((segment) => ('grid' in segment ? [segment.grid] : []))
      let offset = sequence.padding
      let texts = 0
      let blocks = 0
      for (const segment of sequence.segments) {
        const count = tokensOf(segment)
        if (segment.kind === 'text') {
          for (let i = 0; text && i < count; i++, texts++) {
            text(texts, grids).forEach((id, a) => {
              ids[a * length + offset + i] = id
            })
          }
          if (!text) texts += count
        } else if ((segment.kind === 'image' || segment.kind === 'video') && count === cells(segment.grid)) {
          writeBlock(ids, length, offset, segment.grid, block(segment.grid, { block: blocks, text: texts }))
          blocks++
        } else {
          const message = `layout ${name} does not place this ${segment.kind} segment (at token ${offset - sequence.padding})`
          throw new MropeRangeError('ERR_MROPE_SEGMENT', message, segment.kind)
        }
        offset += count
      }
      const positions = new Positions({ axes, ids, next: 0, delta: 0, padding: sequence.padding })
      return new Positions({ axes, ids, next: positions.largest + 1, delta: 0, padding: sequence.padding })
    },
  })
}

function writeBlock(ids: Float64Array, length: number, offset: number, grid: Grid, sides: readonly SideIds[]): void {
  const [, rows, columns] = grid
  sides.forEach((side, a) => {
    const from = a * length + offset
    if (typeof side === 'number') {
      ids.fill(side, from, from + cells(grid))
      return
    }
    const every = [rows * columns, columns, 1][side.along]
    for (let n = 0; n < cells(grid); n++) ids[from + n] = side.ids[Math.floor(n / every) % grid[side.along]]
  })
}

/** Axes by their names: t counts frames, h and w stand by a rule, any other is 0. */
export function sidesOf(axes: readonly string[], rule: CoordinateRule): (grid: Grid) => readonly SideIds[] {
  return (grid) =>
    axes.map((axis) => {
      if (axis === 't') return run(0, grid)
      if (axis === 'h') return { along: 1, ids: side(rule, 0, [grid[1], grid[2]]) }
      return axis === 'w' ? { along: 2, ids: side(rule, 1, [grid[1], grid[2]]) } : 0
    })
}

/** `start, start + step, …` along a side. */
export function run(along: 0 | 1 | 2, grid: Grid, start = 0, step = 1): SideIds {
  return { along, ids: Float64Array.from({ length: grid[along] }, (_, i) => start + step * i) }
}
