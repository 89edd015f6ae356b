import { axisMap } from '../../allocations/allocation.js'
import { MropeRangeError, show } from '../../errors.js'
import { spectrum } from '../../spectra/spectrum.js'
import { checkOptions } from '../../tensors/check.js'
import type { Encoding } from '../encoding.js'
import { diffusion, type Row, thw } from './diffusion.js'
import { dense } from './directions.js'
import { checkHeadDim, geometricRange, numbers, positive } from './frequencies.js'
import { run } from './layout.js'

// LTX: one list of ascending frequencies, shared by the three axes in turn, over the width of the whole layer.
//
//   pairs    - - | t h w | t h w | …     frequency ½π ½π ½π, … base · ½π

export interface LtxOptions {
  /** Width of the whole layer: all heads turn as one vector. Default 2048. */
  readonly dim?: number
  /**
   * What a step of t, h, w is in the unit of `extent`: compression of the autoencoder, and 1/fps for t. Default 1,
   * 32, 32.
   */
  readonly steps?: readonly [t: number, h: number, w: number]
  /** What stands at 1. Default 20, 2048, 2048. */
  readonly extent?: readonly [t: number, h: number, w: number]
  /** Default 10000. */
  readonly base?: number
}

/**
 * LTX-Video: every frequency three times, for t, h and w; they ascend from π/2 to base · π/2, and the pairs that do not
 * divide by three come first and are not turned. Coordinates are `2 · index · step / extent − 1`.
 */
export function ltx(options: LtxOptions = {}): Encoding {
  const caller = 'visionEncodings.ltx'
  checkOptions(caller, options, ['dim', 'steps', 'extent', 'base'])
  const dim = checkHeadDim(caller, options.dim ?? 2048, 2)
  const steps = numbers(caller, 'steps', options.steps ?? [1, 32, 32], 3)
  const extent = numbers(caller, 'extent', options.extent ?? [20, 2048, 2048], 3)
  const base = positive(caller, 'base', options.base ?? 1e4)
  const unit = [0, 1, 2].map((a) => (2 * steps[a]) / positive(caller, `extent[${a}]`, extent[a]))
  return diffusion({
    name: 'ltx',
    headDim: dim,
    layout: {
      axes: thw,
      rules: { steps: [...steps], extent: [...extent] },
      block: (grid) => [run(0, grid, -1, unit[0]), run(1, grid, -1, unit[1]), run(2, grid, -1, unit[2])],
    },
    parts: sharedByThree(dim, base),
    source: 'transformer_ltx.py LTXVideoRotaryPosEmbed',
  })
}

function sharedByThree(dim: number, base: number): Row['parts'] {
  const rest = (dim % 6) / 2
  const range = geometricRange(Math.PI / 2, (base * Math.PI) / 2, Math.floor(dim / 6))
  const invFreq = Float64Array.from({ length: dim / 2 }, (_, f) => (f < rest ? 0 : range[Math.floor((f - rest) / 3)]))
  const axisOf = Array.from({ length: dim / 2 }, (_, f) => (f < rest ? -1 : (f - rest) % 3))
  return { spectrum: spectrum('ascending', invFreq, { base }), allocation: axisMap('in-turn', 3, axisOf) }
}

export interface Ltx2Options {
  /** Width of the whole layer. Default 4096. */
  readonly dim?: number
  /** Default 32. */
  readonly heads?: number
  /** Frames a second. Default 24. */
  readonly fps?: number
  /**
   * `split`: half-split inside the heads, each with frequencies of its own. `interleaved`: as LTX-Video. Default
   * `split`.
   */
  readonly mode?: 'split' | 'interleaved'
}

/** LTX-2: the frequencies of LTX-Video at the midpoints of the patches, t in seconds, the first frame a single one. */
export function ltx2(options: Ltx2Options = {}): Encoding {
  const caller = 'visionEncodings.ltx2'
  checkOptions(caller, options, ['dim', 'heads', 'fps', 'mode'])
  const { heads = 32, mode = 'split' } = options
  const dim = checkHeadDim(caller, options.dim ?? 4096, 2)
  const fps = positive(caller, 'fps', options.fps ?? 24)
  if (
    (mode !== 'split' && mode !== 'interleaved') ||
    !Number.isSafeInteger(heads) ||
    heads < 1 ||
    dim % (2 * heads) !== 0
  ) {
    const text = `${caller}: mode is split or interleaved and heads divide dim ${dim} in pairs, got ${show({ mode, heads })}`
    throw new MropeRangeError('ERR_MROPE_CONFIG', text, mode)
  }
  const frame = (i: number): number => (Math.max(0, 8 * i - 7) + Math.max(0, 8 * i + 1)) / 2 / fps
  const whole = sharedByThree(dim, 1e4)
  const pairs = dim / 2 / heads
  const { axisOf } = whole.allocation
  const { invFreq } = whole.spectrum
  const split = {
    spectrum: spectrum('ascending, by head', new Float64Array(pairs).fill(1), { base: 1e4 }),
    allocation: dense('in-turn, by head', heads, pairs, 3, (head, f, axis) => {
      const at = head * pairs + f
      return axisOf[at] === axis ? invFreq[at] : 0
    }),
  }
  return diffusion({
    name: 'ltx2',
    headDim: mode === 'split' ? dim / heads : dim,
    layout: {
      axes: thw,
      rules: { framesPerSecond: fps, mode },
      block: (grid) => [
        { along: 0, ids: Float64Array.from({ length: grid[0] }, (_, i) => (2 * frame(i)) / 20 - 1) },
        run(1, grid, (2 * 16) / 2048 - 1, 64 / 2048),
        run(2, grid, (2 * 16) / 2048 - 1, 64 / 2048),
      ],
    },
    parts: mode === 'split' ? split : whole,
    pairing: mode === 'split' ? 'half-split' : 'adjacent',
    source: 'transformer_ltx2.py LTX2AudioVideoRotaryPosEmbed',
  })
}
