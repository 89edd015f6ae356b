import fc from 'fast-check'
import { trainingStrides } from '../../lib/encodings/published-parts.js'
import {
  allocations,
  type Compat,
  compatNames,
  Encoding,
  encodingFromConfig,
  encodings,
  layouts,
  MropeError,
  type Segment,
  Sequence,
  spectra,
} from '../../lib/index.js'
import { families } from './configs.js'

export interface Entry {
  readonly name: string
  readonly encoding: Encoding
}

/** Undefined where a release has no rule for the family. */
function underCompat(make: () => Encoding): Encoding | undefined {
  try {
    return make()
  } catch (error) {
    if (error instanceof MropeError && error.code === 'ERR_MROPE_COMPAT') return undefined
    throw error
  }
}

const schemes: Readonly<Record<string, Pick<Encoding, 'layout' | 'allocation'>>> = {
  'rows and columns': { layout: layouts.rowsAndColumns(), allocation: allocations.repeated([0, 1], 64) },
  'plain index, three axes': { layout: layouts.plainIndex(3), allocation: allocations.chunked([24, 20, 20], 64) },
  'blocks apart from the text': { layout: layouts.middleFusion(), allocation: allocations.single(64) },
  'slices on one grid': { layout: layouts.slices(), allocation: allocations.interleaved([24, 20, 20], 64) },
  'slices, thumbnail as a block': {
    layout: layouts.slices({ thumbnail: 'block' }),
    allocation: allocations.chunked([16, 24, 24], 64),
  },
}

const drawn = { among: trainingStrides.hope, seed: 7 }

/** Schemes of papers with other numbers than by default. */
const variants: Readonly<Record<string, Encoding>> = {
  'V2PE, an id a token': encodings.v2pe({ mode: 'default' }),
  'V2PE, random strides': encodings.v2pe({ mode: 'random', seed: 33 }),
  'V2PE, 16 ids a block': encodings.v2pe({ stride: 16, tokensPerTile: 'block' }),
  'HoPE, random strides': encodings.hope({ temporalStride: drawn }),
  'CircleRoPE, auto radius, mixed, positive': encodings.circleRope({ radius: 'auto-2', mix: 0.25, moveToPositive: 1 }),
  'CircleRoPE, from the corner, 3 ids a frame': encodings.circleRope({ moveToOrigin: false, frameStride: 3 }),
  'MRoPE-I without reset': encodings.mropeI({ spatialReset: false }),
  'MRoPE-I 48:8:8, stride 2': encodings.mropeI({ sections: [48, 8, 8], temporalStride: 2 }),
  'MRoPE-I, random strides': encodings.mropeI({ temporalStride: drawn }),
  'MHRoPE [1,1,1] of 5, stride 0.5': encodings.mhRope({ sections: [1, 1, 1], kvHeads: 5, temporalStride: 0.5 }),
  'MM-RoPE, one id a step': encodings.mmRope({ scale: [1, 1, 1] }),
}

/**
 * Every encoding that properties run over: the named ones and those of the families without a name, under every rule
 * that they have, and further schemes. A new one in `encodings`, `families` or `schemes` is tested by being there.
 */
export const registry: readonly Entry[] = [
  ...Object.entries(encodings).flatMap(([name, make]) =>
    compatNames.flatMap((compat: Compat) => {
      const encoding = underCompat(() => make({ compat }))
      return encoding ? [{ name: compat === 'coherent' ? name : `${name}, ${compat}`, encoding }] : []
    }),
  ),
  ...Object.entries(variants).map(([name, encoding]) => ({ name, encoding })),
  ...families.filter(({ named }) => !named).map(({ name, modern }) => ({ name, encoding: encodingFromConfig(modern) })),
  ...Object.entries(schemes).map(([name, parts]) => ({
    name,
    encoding: new Encoding({
      ...parts,
      name,
      headDim: 128,
      spectrum: spectra.default({ base: 1e6, dim: 128 }),
      pairing: 'half-split',
    }),
  })),
]

const side = fc.integer({ min: 1, max: 5 })
const seconds = fc.option(fc.constantFrom(0, 0.04, 0.28, 0.4, 0.5, 0.7, 1, 1 / 3, 2.1, 60), { nil: undefined })
const grid = (frames: fc.Arbitrary<number>) => fc.tuple(frames, side, side)

/** One arbitrary of each form of block, with a small one that tells whether a layout places it. */
const blocks: readonly { readonly probe: Segment; readonly any: fc.Arbitrary<Segment> }[] = [
  {
    probe: { kind: 'image', grid: [1, 2, 2] },
    any: grid(fc.constant(1)).map((g) => ({ kind: 'image', grid: g })),
  },
  {
    probe: { kind: 'image', grid: [1, 2, 2], rowEnds: true },
    any: grid(fc.constant(1)).map((g) => ({ kind: 'image', grid: g, rowEnds: true })),
  },
  {
    probe: { kind: 'video', grid: [1, 2, 2] },
    any: grid(fc.constant(1)).map((g) => ({ kind: 'video', grid: g })),
  },
  {
    probe: { kind: 'video', grid: [2, 2, 2], secondsPerGrid: 1 },
    any: fc
      .tuple(grid(side), seconds)
      .map(([g, s]) => ({ kind: 'video', grid: g, ...(s === undefined ? {} : { secondsPerGrid: s }) })),
  },
  { probe: { kind: 'audio', length: 2 }, any: fc.nat(12).map((length) => ({ kind: 'audio', length })) },
  {
    probe: { kind: 'audio-video', grid: [2, 1, 1], audioLength: 2 },
    any: fc.tuple(grid(side), seconds, fc.oneof(fc.nat(3), fc.nat(80))).map(([g, s, audioLength]) => ({
      kind: 'audio-video',
      grid: g,
      audioLength,
      ...(s === undefined ? {} : { secondsPerGrid: s }),
    })),
  },
  { probe: { kind: 'queries', length: 2 }, any: fc.nat(33).map((length) => ({ kind: 'queries', length })) },
  {
    probe: { kind: 'slices', slices: { rows: 1, columns: 1, grid: [1, 1] } },
    any: fc
      .tuple(fc.tuple(side, side, side, side), fc.option(fc.tuple(side, side)), fc.boolean(), fc.nat(2))
      .map(([[rows, columns, h, w], thumbnail, back, order]) => ({
        kind: 'slices',
        slices: { rows, columns, grid: [h, w] as const },
        ...(thumbnail ? { thumbnail, thumbnailAt: back ? ('back' as const) : ('front' as const) } : {}),
        ...(order > 0 ? { order: 'rows' as const, rowEnds: order > 1 } : {}),
      })),
  },
  {
    probe: { kind: 'canvas', thumbnail: [1, 1] },
    any: fc.tuple(side, side, fc.option(fc.tuple(side, side, side, side)), fc.nat(2)).map(([h, w, cut, trailing]) => ({
      kind: 'canvas',
      thumbnail: [h, w],
      trailing,
      ...(cut ? { slices: { rows: cut[0], columns: cut[1], grid: [cut[2], cut[3]] as const } } : {}),
    })),
  },
]

/** Forms of blocks that the layout of an encoding places. */
export function placed(encoding: Encoding): (typeof blocks)[number][] {
  return blocks.filter(({ probe }) => {
    try {
      encoding.positions(Sequence.of([probe]))
      return true
    } catch (error) {
      if (error instanceof MropeError && /SEGMENT|BLOCK/.test(error.code)) return false
      throw error
    }
  })
}

/** Prompts that an encoding takes: up to eight segments of text (also empty) and of the blocks that it places. */
export function prompts(encoding: Encoding): fc.Arbitrary<Segment[]> {
  const text: fc.Arbitrary<Segment> = fc.nat(20).map((length) => ({ kind: 'text', length }))
  return fc.array(fc.oneof(text, ...placed(encoding).map(({ any }) => any)), { maxLength: 8 })
}
