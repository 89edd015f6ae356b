import type { Allocation } from '../lib/allocations/allocation.js'
import { allocations } from '../lib/allocations/index.js'
import { coherenceOf } from '../lib/analysis/coherence.js'
import type { Coherence } from '../lib/analysis/report.js'
import { Encoding } from '../lib/encodings/encoding.js'
import { layouts } from '../lib/layouts/index.js'
import type { Layout } from '../lib/layouts/layout.js'
import { Positions } from '../lib/layouts/positions.js'
import type { Grid, Segment } from '../lib/sequence/segment.js'
import { Sequence } from '../lib/sequence/sequence.js'
import { spectra } from '../lib/spectra/index.js'

export const image: Grid = [1, 20, 30]
export const wide: Grid = [16, 10, 16]
export const long: Grid = [64, 6, 8]

export const size = ([t, h, w]: Grid): number => t * h * w
export const named = (grid: Grid): string => grid.join('×')

/** 10 text tokens, one block, `after` more text tokens. */
export function prompt(grid: Grid, after: number): Sequence {
  const block: Segment = grid[0] === 1 ? { kind: 'image', grid } : { kind: 'video', grid }
  return Sequence.of([{ kind: 'text', length: 10 }, block, { kind: 'text', length: after }])
}

export function encode(layout: Layout, allocation: Allocation, name: string = layout.name): Encoding {
  const spectrum = spectra.default({ base: 1e6, dim: 2 * allocation.pairs })
  return new Encoding({
    name,
    headDim: 2 * allocation.pairs,
    layout,
    spectrum,
    allocation,
    pairing: 'half-split',
  })
}

export const reset = encode(layouts.spatialReset(), allocations.interleaved([24, 20, 20], 64))

/** Ids of a block that starts at p, on each axis, and the id of the text behind it. */
export type Scheme = (grid: Grid, p: number) => { ids: number[][]; next: number }

export function cellsOf([frames, rows, columns]: Grid): [t: number, h: number, w: number][] {
  return Array.from({ length: frames * rows * columns }, (_, k) => [
    Math.floor(k / (rows * columns)),
    Math.floor(k / columns) % rows,
    k % columns,
  ])
}

export const diagonal =
  (stride: number): Scheme =>
  (grid, p) => {
    const [, rows, columns] = grid
    const cells = cellsOf(grid)
    const t = cells.map((cell) => p + cell[0] * stride)
    const h = cells.map((cell, k) => t[k] + cell[1] - Math.floor((rows - 1) / 2))
    const w = cells.map((cell, k) => t[k] + cell[2] - Math.floor((columns - 1) / 2))
    return { ids: [t, h, w], next: Math.max(...t) + 1 }
  }

export const v2pe: Scheme = (grid, p) => {
  const count = size(grid)
  const ids = Array.from({ length: count }, (_, k) => p - 1 + ((k + 1) * 64) / count)
  return { ids: [ids], next: Math.ceil(ids[count - 1]) + 1 }
}

export const vrope: Scheme = (grid, p) => {
  const [frames, rows, columns] = grid
  const stride = rows + columns - 1
  const corner = (fromBottom: boolean, fromRight: boolean): number[] =>
    cellsOf(grid).map(
      ([t, h, w]) => p + t * stride + (fromBottom ? rows - 1 - h : h) + (fromRight ? columns - 1 - w : w),
    )
  const ids = [corner(false, false), corner(false, true), corner(true, false), corner(true, true)]
  return { ids, next: p + frames * stride }
}

/** One ring across the diagonal of the three axes; every frame has the same. */
export const circle: Scheme = (grid, p) => {
  const [, rows, columns] = grid
  const flat = rows * columns
  const angles = Array.from({ length: flat }, (_, k) =>
    Math.atan2(Math.floor(k / columns) - (rows - 1) / 2, (k % columns) - (columns - 1) / 2),
  )
  const from = Math.min(...angles)
  const range = Math.max(...angles) - from
  const place = (k: number): [number, number] => {
    const geometric = ((angles[k] - from) / range) * 2 * Math.PI
    const theta = 0.5 * geometric + 0.5 * (k / flat) * 2 * Math.PI
    return [10 * Math.cos(theta), 10 * Math.sin(theta)]
  }
  const frame = Array.from({ length: flat }, (_, k) => place(k))
  const cells = Array.from({ length: size(grid) }, (_, k) => frame[k % flat])
  const ids = [
    cells.map(([, y]) => p + (2 * y) / Math.sqrt(6)),
    cells.map(([x, y]) => p + x / Math.SQRT2 - y / Math.sqrt(6)),
    cells.map(([x, y]) => p - x / Math.SQRT2 - y / Math.sqrt(6)),
  ]
  return { ids, next: Math.max(...ids.map((axis) => Math.max(...axis))) + 1 }
}

export const oneId: Scheme = (grid, p) => ({ ids: [cellsOf(grid).map(() => p)], next: p + 1 })

/** The ids of `prompt(grid, after)` under a scheme. */
export function place(scheme: Scheme, grid: Grid, after: number): Positions {
  const { ids, next } = scheme(grid, 10)
  const text = (from: number, count: number): number[] => Array.from({ length: count }, (_, i) => from + i)
  return Positions.from({
    axes: ids.map((_, a) => `a${a}`),
    ids: ids.map((axis) => [...text(0, 10), ...axis, ...text(next, after)]),
    next: next + after,
  })
}

export function judgeScheme(scheme: Scheme, grid: Grid, inPrompt = 33): Coherence {
  return coherenceOf(place(scheme, grid, inPrompt), prompt(grid, inPrompt), { generated: 110 - inPrompt })
}
