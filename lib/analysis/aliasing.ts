import type { Encoding } from '../encodings/encoding.js'
import { MropeRangeError, MropeTypeError, show } from '../errors.js'
import { checkOptions } from '../tensors/check.js'
import { checkEncoding } from './options.js'
import { Similarity, type Waves, wavesOf } from './waves.js'

export interface AliasingOptions {
  /** Distance of the two furthest positions on each axis, in the order of the axes; or one for all. */
  readonly extent: number | readonly number[]
  /** Smallest step between two positions. Default 1. */
  readonly step?: number
  /** Another place counts as an alias when it is so similar to the query. Default 0.9. */
  readonly level?: number
}

/** What repeats along one axis within the extent. */
export interface AxisAliasing {
  readonly axis: string
  readonly extent: number
  /** Different frequencies along the axis alone, over all heads. */
  readonly frequencies: number
  /** Positions after which the fastest and the slowest pair repeat; null when none turns. */
  readonly wavelengths: readonly [shortest: number, longest: number] | null
  /** Frequencies that turn by more than half a turn in one step: forward and backward look alike to them. */
  readonly folded: number
  /** Frequencies that repeat within the extent. */
  readonly repeating: number
  /** Up to this distance the slowest pair alone tells order: half its wavelength. Infinity when none turns. */
  readonly unambiguous: number
  /** The most similar distance behind the first fall of similarity; null when it never rises again. */
  readonly echo: { readonly distance: number; readonly similarity: number } | null
  /** The echo reaches the level: by this axis the two places are the same. */
  readonly aliased: boolean
}

const mostSteps = 2 ** 22

/**
 * Where positions of an axis come to look alike again: pairs that repeat within the extent, pairs too fast for one step,
 * and the distance at which all pairs of the axis together are most alike again. Other axes are held still and left out.
 *
 * @throws MropeTypeError, MropeRangeError ERR_MROPE_ARGUMENT
 */
export function aliasing(encoding: Encoding, options: AliasingOptions): AxisAliasing[] {
  checkEncoding('aliasing', 'encoding', encoding)
  checkOptions('aliasing', options, ['extent', 'step', 'level'])
  const { axes } = encoding
  const step = positive('step', options.step ?? 1)
  const level = positive('level', options.level ?? 0.9)
  const extents = Array.isArray(options.extent) ? options.extent : axes.map(() => options.extent)
  if (extents.length !== axes.length) {
    const message = `aliasing: extent has ${extents.length} numbers, the encoding axes ${axes.join(', ')}`
    throw new MropeRangeError('ERR_MROPE_ARGUMENT', message, options.extent)
  }
  const waves = wavesOf(encoding)
  return axes.map((axis, a) => {
    const extent = positive(`extent of ${axis}`, extents[a])
    if (extent / step > mostSteps) {
      const message = `aliasing: extent ${extent} in steps of ${step} is more than ${mostSteps} steps`
      throw new MropeRangeError('ERR_MROPE_ARGUMENT', message, extent)
    }
    return alongAxis(waves, a, axis, { extent, step, level })
  })
}

function alongAxis(
  all: Waves,
  a: number,
  axis: string,
  { extent, step, level }: { extent: number; step: number; level: number },
): AxisAliasing {
  const waves = all.waves.filter(({ speeds }) => speeds[a] !== 0)
  const speeds = [...new Set(waves.map((wave) => Math.abs(wave.speeds[a])))]
  const fastest = Math.max(...speeds)
  const slowest = Math.min(...speeds)
  const pairs = waves.reduce((sum, { count }) => sum + count, 0)
  const delta = new Float64Array(all.axes)
  const similarity = new Similarity({ axes: all.axes, waves, still: 0, pairs })
  const echo = strongestEcho(Math.floor(extent / step), (i) => {
    delta[a] = i * step
    return similarity.at(delta)
  })
  return {
    axis,
    extent,
    frequencies: speeds.length,
    wavelengths: speeds.length === 0 ? null : [(2 * Math.PI) / fastest, (2 * Math.PI) / slowest],
    folded: speeds.filter((speed) => speed * step > Math.PI).length,
    repeating: speeds.filter((speed) => speed * extent >= 2 * Math.PI).length,
    unambiguous: speeds.length === 0 ? Number.POSITIVE_INFINITY : Math.PI / slowest,
    echo: echo && { distance: echo.index * step, similarity: echo.value },
    aliased: echo !== null && echo.value >= level,
  }
}

/** The largest value behind the first rise. */
function strongestEcho(count: number, at: (i: number) => number): { index: number; value: number } | null {
  let risen = false
  let before = at(0)
  let best: { index: number; value: number } | null = null
  for (let i = 1; i <= count; i++) {
    const value = at(i)
    risen ||= value > before
    before = value
    if (risen && (best === null || value > best.value)) best = { index: i, value }
  }
  return best
}

function positive(name: string, value: unknown): number {
  if (typeof value !== 'number') {
    const message = `aliasing: ${name} must be a number, got ${show(value)}`
    throw new MropeTypeError('ERR_MROPE_ARGUMENT', message, value)
  }
  if (value > 0 && value < 2 ** 53) return value
  const message = `aliasing: ${name} must be a positive number, got ${value}`
  throw new MropeRangeError('ERR_MROPE_ARGUMENT', message, value)
}
