import { MropeRangeError, MropeTypeError, show } from '../errors.js'
import { checkOptions } from '../tensors/check.js'
import { checkGrid, checkSegment } from './check-segment.js'
import { splitBatch } from './processor/batch.js'
import type { ProcessorOutput } from './processor/output.js'
import { segmentsFromProcessor } from './processor/parse.js'
import type { RowPlace } from './processor/row.js'
import type { PromptOptions } from './processor/rules.js'
import { cells, type Grid, maxTokens, type Segment, type SegmentKind, tokensOf } from './segment.js'

export interface SequenceOptions {
  /** Padding tokens in front of the prompt, as batches have them. They are not part of `length`. */
  readonly padding?: number
  /** Grids `[t, h, w]` of images the model is to generate next, in the order of generation (GLM-Image). */
  readonly upcoming?: readonly Grid[]
}

/** A visual or audio block of a sequence: where it stands and what it is. */
export interface Block {
  readonly kind: Exclude<SegmentKind, 'text'>
  /** Index of its first token, padding not counted. */
  readonly start: number
  readonly length: number
  readonly grid?: Grid
}

/**
 * What a prompt is: segments of text, images, video and audio, declared as data. Immutable; positions, masks and caches
 * are functions of it. Blocks are never guessed from token ids later on.
 */
export class Sequence {
  readonly segments: readonly Segment[]
  /** Tokens of the prompt, padding not counted. */
  readonly length: number
  /** Padding tokens in front of it. */
  readonly padding: number
  readonly upcoming: readonly Grid[]

  private constructor(segments: readonly Segment[], padding: number, upcoming: readonly Grid[]) {
    this.segments = Object.freeze(segments)
    this.length = segments.reduce((sum, segment) => sum + tokensOf(segment), 0)
    this.padding = padding
    this.upcoming = Object.freeze(upcoming)
    const total = this.length + padding + upcoming.reduce((sum, grid) => sum + cells(grid), 0)
    if (total > maxTokens) {
      throw new MropeRangeError('ERR_MROPE_SEGMENT', `Sequence: ${total} tokens, more than ${maxTokens}`, total)
    }
  }

  /**
   * A sequence from declared segments; grids are those after merging.
   * @throws MropeTypeError ERR_MROPE_SEGMENT, MropeRangeError ERR_MROPE_GRID | ERR_MROPE_SEGMENT
   */
  static of(segments: readonly Segment[], options: SequenceOptions = {}): Sequence {
    if (!Array.isArray(segments)) {
      throw new MropeTypeError(
        'ERR_MROPE_SEGMENT',
        `Sequence.of: expected a list of segments, got ${show(segments)}`,
        segments,
      )
    }
    checkOptions('Sequence.of', options, ['padding', 'upcoming'])
    const { padding = 0, upcoming = [] } = options
    if (!Array.isArray(upcoming)) {
      const message = `Sequence.of: upcoming is a list of grids, got ${show(upcoming)}`
      throw new MropeTypeError('ERR_MROPE_SEGMENT', message, upcoming)
    }
    if (!Number.isSafeInteger(padding) || padding < 0) {
      throw new MropeRangeError(
        'ERR_MROPE_SEGMENT',
        `Sequence.of: padding is a count of tokens, got ${show(padding)}`,
        padding,
      )
    }
    return new Sequence(
      // Array.from, because map would leave the holes of a sparse list unchecked.
      Array.from(segments, checkSegment),
      padding,
      Array.from(upcoming, (grid, i) => checkGrid(grid, `upcoming ${i}`)),
    )
  }

  /**
   * A sequence from one row of a Hugging Face processor: `input_ids`, `attention_mask`, `image_grid_thw`,
   * `video_grid_thw`, `second_per_grid_ts`, `mm_token_type_ids`, `audio_feature_lengths`, `use_audio_in_video` and
   * the others of `ProcessorOutput`. Pixels and the like may stay in it; keys that no processor gives are refused.
   * @param output one row; arrays, typed arrays, or objects with `data` and `dims`
   * @param config the model's config.json, for its special token ids and merge sizes
   * @param options `family`: read the prompt as that of this family, whatever the `model_type`
   * @throws MropeRangeError ERR_MROPE_GRID_COUNT, ERR_MROPE_BLOCK, ERR_MROPE_GRID, ERR_MROPE_FAMILY, ERR_MROPE_ARGUMENT;
   *   MropeTypeError ERR_MROPE_ARGUMENT, ERR_MROPE_CONFIG
   */
  static fromProcessor(output: ProcessorOutput, config: unknown, options: PromptOptions = {}): Sequence {
    checkOptions('fromProcessor', options, ['family'])
    return parse(output, config, options)
  }

  /**
   * The rows of a batch. Takes a list of rows, each with its own grids, or one processor output with two-dimensional
   * `input_ids` whose grids are concatenated in row order.
   */
  static batchFromProcessor(
    output: ProcessorOutput | readonly ProcessorOutput[],
    config: unknown,
    options: PromptOptions = {},
  ): Sequence[] {
    checkOptions('batchFromProcessor', options, ['family'])
    return splitBatch(output, config, options).map((row) => parse(row.output, config, options, row.place))
  }

  /** The non-text segments with the places of their tokens. */
  blocks(): Block[] {
    const blocks: Block[] = []
    let start = 0
    for (const segment of this.segments) {
      const length = tokensOf(segment)
      if (segment.kind !== 'text') {
        blocks.push({ kind: segment.kind, start, length, ...('grid' in segment ? { grid: segment.grid } : {}) })
      }
      start += length
    }
    return blocks
  }

  /** This sequence followed by another one; padding stays in front. */
  concat(other: Sequence): Sequence {
    if (!Array.isArray((other as Sequence | null | undefined)?.segments)) {
      throw new MropeTypeError('ERR_MROPE_ARGUMENT', `concat: expected a Sequence, got ${show(other)}`, other)
    }
    if (other.padding > 0) {
      throw new MropeRangeError(
        'ERR_MROPE_SEGMENT',
        `concat: the second part has ${other.padding} padding tokens`,
        other.padding,
      )
    }
    return new Sequence(joinText([...this.segments, ...other.segments]), this.padding, other.upcoming)
  }

  /** The sequence without padding: the row as it would stand alone. */
  unpadded(): Sequence {
    return new Sequence(this.segments, 0, this.upcoming)
  }
}

function parse(output: ProcessorOutput, config: unknown, options: PromptOptions, place?: RowPlace): Sequence {
  const { segments, padding, upcoming } = segmentsFromProcessor(output, config, options, place)
  return Sequence.of(segments, { padding, upcoming })
}

/** Neighbouring text segments as one, so that a long conversation does not grow a list of single tokens. */
function joinText(segments: readonly Segment[]): Segment[] {
  const joined: Segment[] = []
  for (const segment of segments) {
    const last = joined.at(-1)
    if (segment.kind === 'text' && last?.kind === 'text') {
      joined[joined.length - 1] = Object.freeze({ kind: 'text', length: last.length + segment.length })
    } else {
      joined.push(segment)
    }
  }
  return joined
}
