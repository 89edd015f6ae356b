import { MropeRangeError, MropeTypeError, show } from '../errors.js'
import { checkOptions } from '../tensors/check.js'

/**
 * How a learned table is read at another resolution. Towers differ in it, and grounding suffers when it is the wrong
 * one.
 */
export interface ResizeRule {
  readonly kernel: 'bilinear' | 'bicubic'
  /** True: corners on corners, `src = i·(S − 1)/(n − 1)`. False: half-pixel centres, `src = (i + ½)·S/n − ½`. */
  readonly alignCorners: boolean
  /** Widens the kernel where the table shrinks; bicubic then has a = −0.5 instead of −0.75. Not with `alignCorners`. */
  readonly antialias?: boolean
  /** What lies outside the table: its border again, or zeros. Default border. */
  readonly outside?: 'border' | 'zeros'
}

/** Named rules of published code. */
export const resizeRules = {
  /** transformers: ViT and most towers. */
  vit: { kernel: 'bicubic', alignCorners: false },
  /** timm `resample_abs_pos_embed`. */
  timm: { kernel: 'bicubic', alignCorners: false, antialias: true },
  /** Qwen3-VL: corners on corners. */
  qwen3VL: { kernel: 'bilinear', alignCorners: true },
  /** GLM-4V: `grid_sample`, half-pixel centres. */
  glm4V: { kernel: 'bicubic', alignCorners: false },
  /** BEiT's bias table. */
  beit: { kernel: 'bilinear', alignCorners: false },
} as const satisfies Record<string, ResizeRule>

export type ResizeRuleName = keyof typeof resizeRules

/** What one place of the new side reads of the old one: `weights[k] · old[index[k]]`. */
export interface Taps {
  readonly index: Int32Array
  readonly weights: Float64Array
}

/**
 * The taps of every place of a side that goes from `from` to `to` places.
 * Source: transformers `vision_utils.py: _interpolation_axis_taps_weights`; PyTorch `_upsample_bicubic2d_aa` for
 * antialias.
 */
export function axisTaps(from: number, to: number, rule: ResizeRule): Taps[] {
  const { kernel, alignCorners, antialias = false, outside = 'border' } = rule
  return Array.from({ length: to }, (_, i) => {
    if (antialias) return wideTaps(from, to, i, kernel)
    const source = alignCorners ? (i * (from - 1)) / Math.max(to - 1, 1) : ((i + 0.5) * from) / to - 0.5
    const floor = Math.floor(source)
    const offsets = kernel === 'bilinear' ? [0, 1] : [-1, 0, 1, 2]
    const inside = (n: number): boolean => n >= 0 && n < from
    return {
      index: Int32Array.from(offsets, (k) => Math.min(Math.max(floor + k, 0), from - 1)),
      weights: Float64Array.from(offsets, (k) => {
        const weight = kernel === 'bilinear' ? hat(source - floor - k) : keys(source - floor - k, -0.75)
        return outside === 'zeros' && !inside(floor + k) ? 0 : weight
      }),
    }
  })
}

/** A kernel as wide as the places of the new side, its weights summing to 1. */
function wideTaps(from: number, to: number, i: number, kernel: ResizeRule['kernel']): Taps {
  const scale = from / to
  const step = Math.max(scale, 1)
  const support = (kernel === 'bilinear' ? 1 : 2) * step
  const centre = (i + 0.5) * scale
  const first = Math.max(Math.trunc(centre - support + 0.5), 0)
  const end = Math.min(Math.trunc(centre + support + 0.5), from)
  const index = Int32Array.from({ length: end - first }, (_, k) => first + k)
  const raw = Float64Array.from(index, (n) => {
    const x = (n - centre + 0.5) / step
    return kernel === 'bilinear' ? hat(x) : keys(x, -0.5)
  })
  const sum = raw.reduce((total, weight) => total + weight, 0)
  return { index, weights: raw.map((weight) => weight / sum) }
}

function hat(x: number): number {
  return Math.max(0, 1 - Math.abs(x))
}

/** Keys' cubic convolution. */
function keys(distance: number, a: number): number {
  const x = Math.abs(distance)
  if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1
  return x < 2 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a : 0
}

/** A table `(rows · columns, dim)` in raster order. */
export interface GridTable {
  readonly values: Float32Array
  readonly rows: number
  readonly columns: number
}

/** Reads a table at another size. Sums are float64, rounded once. @returns `(toRows · toColumns, dim)` */
export function resizeGrid(
  { values, rows, columns }: GridTable,
  [toRows, toColumns]: readonly [number, number],
  rule: ResizeRule,
): Float32Array {
  if (toRows === rows && toColumns === columns) return values
  const dim = values.length / (rows * columns)
  const down = axisTaps(rows, toRows, rule)
  const across = axisTaps(columns, toColumns, rule)
  const out = new Float32Array(toRows * toColumns * dim)
  const line = new Float64Array(dim)
  for (let r = 0; r < toRows; r++) {
    for (let c = 0; c < toColumns; c++) {
      line.fill(0)
      down[r].index.forEach((row, y) => {
        across[c].index.forEach((column, x) => {
          const weight = down[r].weights[y] * across[c].weights[x]
          const at = (row * columns + column) * dim
          for (let d = 0; d < dim; d++) line[d] += weight * values[at + d]
        })
      })
      out.set(line, (r * toColumns + c) * dim)
    }
  }
  return out
}

/** A rule by name or as given. @throws MropeTypeError, MropeRangeError ERR_MROPE_ARGUMENT */
export function checkResizeRule(caller: string, rule: ResizeRule | ResizeRuleName): ResizeRule {
  if (typeof rule === 'string') {
    if (Object.hasOwn(resizeRules, rule)) return resizeRules[rule]
    const text = `${caller}: rule must be one of ${Object.keys(resizeRules).join(', ')}, got ${show(rule)}`
    throw new MropeRangeError('ERR_MROPE_ARGUMENT', text, rule)
  }
  checkOptions(`${caller}: rule`, rule, ['kernel', 'alignCorners', 'antialias', 'outside'])
  const kinds: readonly [string, unknown, readonly unknown[]][] = [
    ['kernel', rule.kernel, ['bilinear', 'bicubic']],
    ['alignCorners', rule.alignCorners, [true, false]],
    ['antialias', rule.antialias, [undefined, true, false]],
    ['outside', rule.outside, [undefined, 'border', 'zeros']],
  ]
  for (const [name, value, known] of kinds) {
    if (known.includes(value)) continue
    const text = `${caller}: rule.${name} must be ${known.filter((k) => k !== undefined).join(' or ')}, got ${show(value)}`
    throw new MropeTypeError('ERR_MROPE_ARGUMENT', text, value)
  }
  if (rule.antialias && (rule.alignCorners || rule.outside === 'zeros')) {
    const text = `${caller}: rule.antialias goes with half-pixel centres and the border, got ${show(rule)}`
    throw new MropeRangeError('ERR_MROPE_ARGUMENT', text, rule)
  }
  return rule
}
