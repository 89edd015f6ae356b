import type { Verified } from '../encodings/encoding.js'

/** What is taken from every pixel and averaged over the area of a cell. */
export const pixelValues = ['r', 'g', 'b', 'L*', 'a*', 'gx', 'gy', 'magnitude'] as const

export type PixelValue = (typeof pixelValues)[number]

/** How a channel is brought to 0 … 1, as the released example does: by numbers, or by what the picture has. */
export type UnitRule =
  | { readonly by: 'numbers'; readonly add: number; readonly divide: number }
  /** `(v − min) / (max − min + 1e-8)` over the cells. */
  | { readonly by: 'extremes' }
  /** `v / max` over the cells. */
  | { readonly by: 'largest' }

export interface TextureChannel {
  readonly name: string
  readonly formula: string
  /** Bounds of the plain values. */
  readonly range: readonly [least: number, most: number]
  /** From pixels, from the place of the cell, or the same as an earlier channel. */
  readonly from:
    | { readonly pixel: PixelValue }
    | { readonly place: 'y' | 'x' | 'eccentricity' }
    | { readonly channel: number }
  readonly unit: UnitRule
  readonly source: string
  readonly verified: Verified
}

const same: UnitRule = { by: 'numbers', add: 0, divide: 1 }
const extremes: UnitRule = { by: 'extremes' }
const source = 'ARR-COC-0-1 texture.py, from quotations: the repository was not available'
const unverified = { source, verified: 'unverified' } as const

const cielab = 'of sRGB (IEC 61966-2-1), white = sum of the matrix columns'
const gradient = 'of y = 0.299 R + 0.587 G + 0.114 B, edge pixels repeated'

/**
 * The 13 texture channels of ARR-COC, in their order. What the quotations leave open, and what is done here: pixel
 * values are made at full resolution and averaged over the area of each cell, with parts of pixels where a border cuts
 * one; Sobel kernels have absolute sum 1; places are those of `linspace(0, 1, n)`, 0 where there is one cell. Other
 * documents of the same authors list other orders.
 */
export const textureChannelTable: readonly TextureChannel[] = [
  { name: 'red', formula: 'R / 255', range: [0, 1], from: { pixel: 'r' }, unit: same, ...unverified },
  { name: 'green', formula: 'G / 255', range: [0, 1], from: { pixel: 'g' }, unit: same, ...unverified },
  { name: 'blue', formula: 'B / 255', range: [0, 1], from: { pixel: 'b' }, unit: same, ...unverified },
  {
    name: 'lightness',
    formula: `L* = 116 f(Y) − 16 ${cielab}`,
    range: [0, 100],
    from: { pixel: 'L*' },
    unit: { by: 'numbers', add: 0, divide: 100 },
    ...unverified,
  },
  {
    name: 'green-red',
    formula: `a* = 500 (f(X) − f(Y)) ${cielab}`,
    range: [-128, 127],
    from: { pixel: 'a*' },
    unit: { by: 'numbers', add: 128, divide: 255 },
    ...unverified,
  },
  {
    name: 'gradient-x',
    formula: `[−1 0 1; −2 0 2; −1 0 1] / 8 ${gradient}`,
    range: [-0.5, 0.5],
    from: { pixel: 'gx' },
    unit: extremes,
    ...unverified,
  },
  {
    name: 'gradient-y',
    formula: `[−1 −2 −1; 0 0 0; 1 2 1] / 8 ${gradient}`,
    range: [-0.5, 0.5],
    from: { pixel: 'gy' },
    unit: extremes,
    ...unverified,
  },
  {
    name: 'gradient-magnitude',
    formula: 'sqrt(gx² + gy²) of each pixel',
    range: [0, Math.sqrt(5) / 4],
    from: { pixel: 'magnitude' },
    unit: extremes,
    ...unverified,
  },
  { name: 'y', formula: 'linspace(0, 1, rows)', range: [0, 1], from: { place: 'y' }, unit: same, ...unverified },
  { name: 'x', formula: 'linspace(0, 1, columns)', range: [0, 1], from: { place: 'x' }, unit: same, ...unverified },
  {
    name: 'eccentricity',
    formula: 'sqrt((y − 0.5)² + (x − 0.5)²)',
    range: [0, Math.SQRT1_2],
    from: { place: 'eccentricity' },
    unit: { by: 'largest' },
    ...unverified,
  },
  {
    name: 'saliency',
    formula: 'gradient-magnitude',
    range: [0, Math.sqrt(5) / 4],
    from: { channel: 7 },
    unit: extremes,
    ...unverified,
  },
  {
    name: 'luminance',
    formula: 'lightness',
    range: [0, 100],
    from: { channel: 3 },
    unit: { by: 'numbers', add: 0, divide: 100 },
    ...unverified,
  },
]

/** Place of cell `i` of `n`: `linspace(0, 1, n)`. */
export function linspace(i: number, n: number): number {
  return n === 1 ? 0 : i / (n - 1)
}
