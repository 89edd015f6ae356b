import { MropeRangeError, show } from '../errors.js'
import type { Grid } from '../sequence/segment.js'
import { checkOptions } from '../tensors/check.js'
import { plainGrid } from './grid.js'
import { defineLayout, type Layout, type Placement, placeText } from './layout.js'

/** `auto-K`: K times the largest coordinate of the picture; `auto` is `auto-1`. */
export type CircleRadius = number | 'auto' | `auto-${number}`

export interface CircleLayoutOptions {
  readonly name: string
  readonly radius: CircleRadius
  /** Share of the geometric angle of a cell; the rest is its ordinal in raster order, as an angle. 0 to 1. */
  readonly alpha: number
  /** Share of the cell's own place in the plane that is mixed in, 0 to 1 (`dff_rate`). */
  readonly mix?: number
  /** Count rows and columns from the middle of the picture. Default true. */
  readonly moveToOrigin?: boolean
  /** Shift all ids up by the smallest one, and this much more. Default: no shift. */
  readonly moveToPositive?: number
  /** Ids between two frames of a video, which the authors do not define. Default 0: all frames share one ring. */
  readonly frameStride?: number
}

/**
 * A picture as a ring in the plane across the text's diagonal (1, 1, 1):
 *
 *     θ = α · normalised atan2(y, x) + (1 − α) · 2π k / cells       X = R cos θ,  Y = R sin θ
 *     t = p + 2Y/√6,   h = p + X/√2 − Y/√6,   w = p − X/√2 − Y/√6,   so that t + h + w = 3p
 *
 * Text behind it starts at the largest id + 1, a fraction.
 * Source: lose4578/CircleRoPE `get_circle_rope_index`; video: JJJYmmm/Multimodal-RoPEs `pos_design/circlerope.py`.
 */
export function circleLayout(options: CircleLayoutOptions): Layout {
  checkOptions('layouts.circle', options, optionNames)
  const { name, radius, alpha, mix = 0, moveToOrigin = true, moveToPositive, frameStride = 0 } = options
  const ringOf = ringMaker(options)
  const check = (what: string, value: unknown, holds: boolean): void => {
    if (holds) return
    throw new MropeRangeError('ERR_MROPE_CONFIG', `layout ${name}: ${what}, got ${show(value)}`, value)
  }
  check('alpha is a share from 0 to 1', alpha, isBetween(alpha, 0, 1))
  check('mix is a share from 0 to 1', mix, isBetween(mix, 0, 1))
  check('moveToOrigin is true or false', moveToOrigin, typeof moveToOrigin === 'boolean')
  check(
    'moveToPositive is a number of ids, not negative',
    moveToPositive,
    isBetween(moveToPositive ?? 0, 0, Number.MAX_SAFE_INTEGER),
  )
  check(
    'the stride of frames is a number of ids, not negative',
    frameStride,
    isBetween(frameStride, 0, Number.MAX_SAFE_INTEGER),
  )
  const place = (grid: Grid, { ids, stride, offset, next }: Placement): number => {
    const [frames, rows, columns] = grid
    const ring = ringOf(rows, columns)
    const size = rows * columns
    let largest = Number.NEGATIVE_INFINITY
    for (let a = 0; a < 3; a++) {
      for (let i = 0; i < frames * size; i++) {
        const id = next + (ring[a * size + (i % size)] + frameStride * Math.floor(i / size))
        ids[a * stride + offset + i] = id
        largest = Math.max(largest, id)
      }
    }
    return largest + 1
  }
  return defineLayout({
    name,
    axes: ['t', 'h', 'w'],
    rules: {
      radius,
      alpha,
      mix,
      moveToOrigin,
      moveToPositive: moveToPositive ?? false,
      frameStride,
      next: 'largest + 1',
    },
    place: {
      audio: placeText,
      image: (segment, at) => place(plainGrid(segment, name), at),
      video: ({ grid }, at) => place(grid, at),
    },
  })
}

const optionNames = ['name', 'radius', 'alpha', 'mix', 'moveToOrigin', 'moveToPositive', 'frameStride']

/** Ids of a frame relative to the start of its block, planar `(t, h, w) × cells`. */
type Ring = (rows: number, columns: number) => Float64Array

function ringMaker({ name, radius, alpha, mix = 0, moveToOrigin = true, moveToPositive }: CircleLayoutOptions): Ring {
  const scale = autoScale(radius, name)
  return (rows, columns) => {
    const size = rows * columns
    const [middleX, middleY] = moveToOrigin ? [(columns - 1) / 2, (rows - 1) / 2] : [0, 0]
    const x = Float64Array.from({ length: size }, (_, k) => (k % columns) - middleX)
    const y = Float64Array.from({ length: size }, (_, k) => Math.floor(k / columns) - middleY)
    const r = scale === undefined ? (radius as number) : scale * Math.max(x[size - 1], y[size - 1])
    const angles = normalised(x.map((_, k) => Math.atan2(y[k], x[k])))
    const ring = new Float64Array(3 * size)
    for (let k = 0; k < size; k++) {
      const theta = alpha * angles[k] + (1 - alpha) * ((2 * Math.PI * k) / size)
      const along = (1 - mix) * r * Math.cos(theta) + mix * x[k]
      const across = (1 - mix) * r * Math.sin(theta) + mix * y[k]
      ring[k] = (2 * across) / Math.sqrt(6)
      ring[size + k] = along / Math.SQRT2 - across / Math.sqrt(6)
      ring[2 * size + k] = -along / Math.SQRT2 - across / Math.sqrt(6)
    }
    if (moveToPositive === undefined) return ring
    const shift = Math.abs(ring.reduce((least, id) => Math.min(least, id))) + moveToPositive
    return ring.map((id) => id + shift)
  }
}

/** From 0 to 2π over the picture; as they are where all are the same. */
function normalised(angles: Float64Array): Float64Array {
  const least = angles.reduce((a, b) => Math.min(a, b))
  const range = angles.reduce((a, b) => Math.max(a, b)) - least
  return range > 0 ? angles.map((angle) => ((angle - least) / range) * 2 * Math.PI) : angles
}

function autoScale(radius: CircleRadius, name: string): number | undefined {
  if (isBetween(radius, 0, Number.MAX_SAFE_INTEGER)) return undefined
  if (radius === 'auto') return 1
  const scale = typeof radius === 'string' ? Number(/^auto-(\d+(\.\d+)?)$/.exec(radius)?.[1]) : Number.NaN
  if (isBetween(scale, 0, Number.MAX_SAFE_INTEGER)) return scale
  const message = `layout ${name}: the radius is a number of ids, \`auto\` or \`auto-2\`, got ${show(radius)}`
  throw new MropeRangeError('ERR_MROPE_CONFIG', message, radius)
}

function isBetween(value: unknown, least: number, most: number): boolean {
  return typeof value === 'number' && value >= least && value <= most
}
