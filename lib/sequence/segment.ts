/** Cells of a visual block after merging: frames, rows, columns. Tokens are in raster order, w fastest. */
export type Grid = readonly [t: number, h: number, w: number]

export interface TextSegment {
  readonly kind: 'text'
  /** Tokens; zero is allowed. */
  readonly length: number
}

export interface ImageSegment {
  readonly kind: 'image'
  readonly grid: Grid
  /** Each row ends in one more token, a newline (HunYuan-VL). */
  readonly rowEnds?: boolean
}

export interface VideoSegment {
  readonly kind: 'video'
  readonly grid: Grid
  /** Seconds between two frames of the grid. Layouts that count in seconds take 1 when it is missing. */
  readonly secondsPerGrid?: number
}

export interface AudioSegment {
  readonly kind: 'audio'
  /** Tokens; zero is allowed. */
  readonly length: number
}

/**
 * A video with its sound, token by token in one block: two opening markers, the two streams merged by the layout's
 * rule, two closing markers (Qwen-Omni, `use_audio_in_video`).
 */
export interface AudioVideoSegment {
  readonly kind: 'audio-video'
  readonly grid: Grid
  readonly secondsPerGrid?: number
  readonly audioLength: number
  /** Which stream each token between the markers belongs to, where the prompt's own tokens say so: 0 video, 1 audio. */
  readonly streams?: Uint8Array
}

/**
 * One picture or video frame on a canvas (MiniCPM-V): `<image>` thumbnail `</image>`, then slices in raster order, each
 * between `<slice>` and `</slice>`, one newline between two rows of slices, then `trailing` more marker tokens.
 */
export interface CanvasSegment {
  readonly kind: 'canvas'
  /** Rows and columns of the thumbnail, in tokens. */
  readonly thumbnail: readonly [h: number, w: number]
  /** How many rows and columns of slices there are, and the rows and columns of tokens of each. */
  readonly slices?: { readonly rows: number; readonly columns: number; readonly grid: readonly [h: number, w: number] }
  readonly trailing?: number
}

/**
 * A picture cut into slices that were encoded one by one, with a thumbnail of the whole, as one run of tokens without
 * markers (LLaVA, InternVL).
 *
 *     order `slices`: all of the first slice, then all of the second      `rows`: row by row across the slices
 */
export interface SlicesSegment {
  readonly kind: 'slices'
  /** How many rows and columns of slices there are, and the rows and columns of tokens of each. */
  readonly slices: { readonly rows: number; readonly columns: number; readonly grid: readonly [h: number, w: number] }
  /** Rows and columns of the thumbnail, in tokens. */
  readonly thumbnail?: readonly [h: number, w: number]
  /** Where the thumbnail stands: `front` (LLaVA, the default) or `back` (InternVL). */
  readonly thumbnailAt?: 'front' | 'back'
  readonly order?: 'slices' | 'rows'
  /** In the order `rows`, every row ends in one more token, a newline (LLaVA-NeXT). */
  readonly rowEnds?: boolean
}

/** Learned query tokens that stand for a picture or a video without places in it (Q-Former, Perceiver resampler). */
export interface QueriesSegment {
  readonly kind: 'queries'
  /** Tokens; zero is allowed. */
  readonly length: number
}

export type Segment =
  | TextSegment
  | ImageSegment
  | VideoSegment
  | AudioSegment
  | AudioVideoSegment
  | CanvasSegment
  | SlicesSegment
  | QueriesSegment

export type SegmentKind = Segment['kind']

/** No prompt is longer than this: tables are exact up to this id, and the ids of a prompt fit in memory. */
export const maxTokens = 2 ** 24

const markersOfAudioVideo = 4

/** Number of tokens that a segment takes in the prompt. */
export function tokensOf(segment: Segment): number {
  switch (segment.kind) {
    case 'text':
    case 'audio':
    case 'queries':
      return segment.length
    case 'image':
      return segment.grid[0] * segment.grid[1] * (segment.grid[2] + (segment.rowEnds ? 1 : 0))
    case 'video':
      return cells(segment.grid)
    case 'audio-video':
      return cells(segment.grid) + segment.audioLength + markersOfAudioVideo
    case 'canvas': {
      const { thumbnail, slices, trailing = 0 } = segment
      const picture = thumbnail[0] * thumbnail[1] + 2 + trailing
      if (!slices) return picture
      return picture + slices.rows * slices.columns * (slices.grid[0] * slices.grid[1] + 2) + slices.rows - 1
    }
    case 'slices': {
      const { thumbnail = [0, 0], rowEnds } = segment
      const [height, width] = slicedSides(segment)
      return thumbnail[0] * thumbnail[1] + height * (width + (rowEnds ? 1 : 0))
    }
  }
}

export function cells(grid: Grid): number {
  return grid[0] * grid[1] * grid[2]
}

/** Rows and columns of tokens of all slices together. */
export function slicedSides({ slices }: Pick<SlicesSegment, 'slices'>): readonly [h: number, w: number] {
  return [slices.rows * slices.grid[0], slices.columns * slices.grid[1]]
}
