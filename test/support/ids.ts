import { strict as assert } from 'node:assert'
import type { Positions, Segment } from '../../lib/index.js'

/** The prompts of the worked examples: an image; a video in one block; a video with a block a frame. */
export const A: readonly Segment[] = [
  { kind: 'text', length: 3 },
  { kind: 'image', grid: [1, 2, 3] },
  { kind: 'text', length: 2 },
]
export const B: readonly Segment[] = video([4, 2, 2])
export const C: readonly Segment[] = [
  { kind: 'text', length: 3 },
  { kind: 'video', grid: [1, 2, 3] },
  { kind: 'text', length: 3 },
  { kind: 'video', grid: [1, 2, 3] },
  { kind: 'text', length: 2 },
]

/** 3 text, one video, 2 text. */
export function video(grid: readonly [number, number, number], secondsPerGrid?: number): Segment[] {
  return [
    { kind: 'text', length: 3 },
    { kind: 'video', grid, ...(secondsPerGrid === undefined ? {} : { secondsPerGrid }) },
    { kind: 'text', length: 2 },
  ]
}

/** Numbers as they are written in the examples: `0 1 2 3×6 6 7` and `2..6`; bars only separate. */
export function numbers(text: string): number[] {
  return text
    .replaceAll('|', ' ')
    .split(/\s+/)
    .filter((word) => word !== '')
    .flatMap((word) => {
      const [, value, times] = word.match(/^(-?[\d.]+)×(\d+)$/) ?? []
      if (times !== undefined) return Array<number>(Number(times)).fill(Number(value))
      const [, from, to] = word.match(/^(\d+)\.\.(\d+)$/) ?? []
      if (to !== undefined) return Array.from({ length: Number(to) - Number(from) + 1 }, (_, i) => Number(from) + i)
      assert.ok(Number.isFinite(Number(word)), `not a number: ${word}`)
      return [Number(word)]
    })
}

/** Ids as `[axis][token]`. */
export function planes(positions: Positions): number[][] {
  return positions.axes.map((_, a) => [...positions.axis(a)])
}

/** Ids as `[token][axis]`. */
export function vectors(positions: Positions): number[][] {
  return Array.from({ length: positions.length }, (_, n) => positions.at(n))
}
