import type { Block } from '../sequence/sequence.js'

/** What is judged, by the names that `failed` lists. */
export type Predicate =
  /** Distinct cells have distinct ids, equal steps in the picture are equal steps of ids, every direction counts. */
  | 'structure3D'
  /** Blocks take few ids for their tokens. */
  | 'growth'
  /** The ids stay within those the model was trained on. */
  | 'trainedMaximum'
  /** Text behind a block has larger ids than the block. */
  | 'noOverlap'
  /** No text token has the ids of a visual token on all axes. */
  | 'noSharedVector'
  /** Text stands near the block, on both sides. */
  | 'modalityInterval'
  /** The first generated token goes on from the last prompt token. */
  | 'monotoneDecode'
  /** Text is rotated as the language model without pictures rotates it. */
  | 'textCompatible'
  /** Every axis has fast, slow and all frequencies between. */
  | 'fullSpectrum'

export type CellIndex = readonly [t: number, h: number, w: number]

/** How the ids of a block mirror its grid. */
export interface Structure {
  /** Injective, affine, and of a rank that equals `dimensions`. */
  readonly holds: boolean
  readonly injective: boolean
  /** Cells of the grid, and how many different id vectors they have. */
  readonly cells: number
  readonly distinct: number
  /** Two cells with the same ids; null when there are none. */
  readonly collision: readonly [CellIndex, CellIndex] | null
  /** One matrix gives every difference of ids: `P(i) − P(j) = M · (g_i − g_j)`. */
  readonly affine: boolean
  /** M, one row `[time, row, column]` for each axis; 0 where the grid has one cell. Null when not affine. */
  readonly matrix: readonly (readonly number[])[] | null
  readonly rank: number | null
  /** Largest distance of an id from the straight line between the corners of the grid. */
  readonly deviation: number
  /** Directions in which the grid has more than one cell: what the rank should be. */
  readonly dimensions: number
  /** Rows have an axis that depends on the row only, columns likewise, in this block. */
  readonly disentangledWithin: boolean
  /** The same in comparison with the other blocks; null when it cannot be known from these ids. Not required. */
  readonly disentangled: boolean | null
}

/** Text behind a block whose id is not above the block. */
export interface Overlap {
  readonly prompt: number
  readonly generated: number
  /** Smallest and largest of their ids; null for none. */
  readonly ids: readonly [number, number] | null
}

export interface Interval {
  /** Smallest id of the block − id of the text token in front of it; null when no text is directly in front. */
  readonly before: number | null
  /** Id of the next text − largest id of the block; negative when they overlap. Null when it cannot be known. */
  readonly after: number | null
  /** Euclidean distance of the text token in front from the nearest token of the block; null as `before`. */
  readonly distance: number | null
  /** Largest `after` and `distance` that count as near; null for no limit. */
  readonly limit: number | null
  /** `1 ≤ after ≤ limit` and `distance ≤ limit`, of what is known. */
  readonly coherent: boolean
}

export interface BlockCoherence {
  readonly index: number
  readonly kind: Block['kind']
  /** Frames, rows, columns; null where a block is not one grid. */
  readonly grid: readonly [t: number, h: number, w: number] | null
  /** Index of its first token, padding not counted, and its tokens. */
  readonly token: number
  readonly tokens: number
  /** Id that a text token in its place would have; null when it cannot be known from these ids. */
  readonly start: number | null
  /** Id of the next text token behind it; null as above. */
  readonly next: number | null
  readonly largest: number
  /** `(next − start) / tokens`. */
  readonly growth: number | null
  /** Null for sound merged into a video where the sequence does not say which tokens are which. */
  readonly structure3D: Structure | null
  /** Text tokens behind it, prompt and generated, with an id not above `largest`. */
  readonly overlap: number
  readonly overlapping: Overlap
  readonly noOverlap: boolean
  readonly interval: Interval
  /** Text tokens, anywhere, with the ids of one of its tokens on every axis. */
  readonly sharedVectors: number
  /** By axis: text tokens in front of it that have one of its ids on this axis. Not required to be 0. */
  readonly sharedWithEarlierText: Readonly<Record<string, number>>
}

/** Ids on every axis around the border of prompt and answer. */
export interface DecodeStep {
  /** Of the last prompt token; null for an empty prompt. */
  readonly last: readonly number[] | null
  readonly expected: readonly number[]
  readonly first: readonly number[]
}

export interface TextCompatibility {
  /** Every text token has one id on all axes that turn pairs. */
  readonly axesEqual: boolean
  /** Index of the first text token that has not; generated tokens are counted on from the prompt. */
  readonly firstUnequal: number | null
  /** Pairs, over all heads, that do not turn as those of the one-dimensional table. Null without an encoding. */
  readonly differentPairs: number | null
  readonly attentionFactor: number | null
  /** Same pairing and rotary dimension as the language model; null when it was not given. */
  readonly sameTextModel: boolean | null
}

/** Where one axis stands among the frequencies; rank 0 is the fastest, pairs of one frequency share a rank. */
export interface AxisSpectrum {
  readonly axis: string
  readonly pairs: number
  /** First and last rank; null when the axis turns no pair. */
  readonly ranks: readonly [number, number] | null
  /** The same as parts of the whole range, 0 to 1. */
  readonly coverage: readonly [number, number] | null
  /** Largest step between two neighbouring ranks of the axis. */
  readonly maxGap: number
  readonly full: boolean
}

export interface SpectrumCoverage {
  /** Different frequencies above 0. */
  readonly ranks: number
  /** Axes on which all tokens have the same id are left out. */
  readonly axes: readonly AxisSpectrum[]
}

/** What `coherence` found: plain data that can be written as JSON. */
export interface Coherence {
  /** Overall: no predicate of positions failed. `textCompatible` and `fullSpectrum` are listed in `failed` only. */
  readonly coherent: boolean
  readonly failed: readonly Predicate[]
  /** The verdict in sentences: what fails, why it hurts, what to do. */
  readonly words: readonly string[]
  /** Name of the encoding; null when only positions were given. */
  readonly name: string | null
  readonly axes: readonly string[]
  /** Tokens of the prompt, padding not counted, and how many more were counted as generated text. */
  readonly tokens: number
  readonly generated: number
  /** Largest id of the prompt; −1 when it is empty. */
  readonly maxId: number
  /** `(maxId + 1) / tokens`; null when empty. */
  readonly growth: number | null
  /** Ids taken by images and videos for each of their tokens; null without any, or when it cannot be known. */
  readonly visualGrowth: number | null
  /** Most ids a token that count as slow, for blocks and videos of 256 tokens and more; null for no limit. */
  readonly growthThreshold: number | null
  readonly slowGrowth: boolean
  readonly trainedMaximum: number | null
  /** `maxId + generated < trainedMaximum`; null when it was not given. */
  readonly withinTrainedMaximum: boolean | null
  readonly blocks: readonly BlockCoherence[]
  readonly monotoneDecode: boolean
  readonly decode: DecodeStep
  readonly textCompatible: boolean
  readonly text: TextCompatibility
  /** Null without an encoding. */
  readonly fullSpectrum: boolean | null
  readonly spectrum: SpectrumCoverage | null
}
