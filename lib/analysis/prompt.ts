import { MropeRangeError, MropeTypeError, show } from '../errors.js'
import type { Layout } from '../layouts/layout.js'
import type { Positions } from '../layouts/positions.js'
import { cells, tokensOf } from '../sequence/segment.js'
import type { Block, Sequence } from '../sequence/sequence.js'
import { type Cells, cellsOf } from './cells.js'

/** A block of a prompt and its surroundings. */
export interface PromptBlock {
  readonly index: number
  readonly kind: Block['kind']
  /** Index of its first token, padding not counted. */
  readonly token: number
  readonly tokens: number
  readonly cells: Cells | null
  /** Text tokens in front of it. */
  readonly textBefore: number
  readonly behind: 'text' | 'block' | 'end'
  readonly inFront: 'text' | 'block' | 'nothing'
}

/** A prompt with its ids and its continuation, the way the predicates read it. */
export interface Prompt {
  readonly axes: readonly string[]
  readonly tokens: number
  /** Ids of the prompt without padding, one view for each axis. */
  readonly ids: readonly Float64Array[]
  /** Ids of the generated text, one view for each axis. */
  readonly generated: readonly Float64Array[]
  readonly generatedCount: number
  /** Axes on which not all tokens have the same id, generated ones too: a constant axis (ggml's fourth) places nothing. */
  readonly live: readonly number[]
  /** Those of them on which text counts: on others it is 0, and says nothing about what is in front of what. */
  readonly counting: readonly number[]
  readonly blocks: readonly PromptBlock[]
  /** Token of each text token of the prompt. */
  readonly textTokens: Int32Array
  /** Id of each text token, prompt and then generated: the smallest over the counting axes, which normally are equal. */
  readonly textIds: Float64Array
  /** Id of the first text token behind the prompt: that of the first generated one, if there is one. */
  readonly behind: number
  /** Id that the layout has for the next text token. */
  readonly next: number
  /** Ids of the first generated token, on every axis. */
  readonly first: readonly number[]
  /** Ids of the last token of the prompt, and whether it has a running id: text or sound. */
  readonly last: { readonly ids: readonly number[]; readonly running: boolean } | null
}

/**
 * Reads positions against the sequence that they belong to.
 * @throws MropeTypeError ERR_MROPE_ARGUMENT; MropeRangeError ERR_MROPE_SHAPE when the lengths differ, ERR_MROPE_POSITION
 *   for ids that are not finite
 */
export function readPrompt(
  caller: string,
  positions: Positions,
  sequence: Sequence,
  generatedCount: number,
  layout?: Pick<Layout, 'textAxes' | 'ownSequences'>,
): Prompt {
  checkObjects(caller, positions, sequence)
  const { axes, padding, length } = positions
  const tokens = sequence.length
  if (length - padding !== tokens) {
    const message = `${caller}: positions of ${length - padding} tokens (${length} with padding), the sequence has ${tokens}`
    throw new MropeRangeError('ERR_MROPE_SHAPE', message, length - padding)
  }
  const ids = axes.map((_, a) => positions.axis(a).subarray(padding))
  // Images still to be generated come first; their tokens are not text.
  const upcoming = sequence.upcoming.reduce((sum, grid) => sum + cells(grid), 0)
  const answer = positions.decode(generatedCount, upcoming)
  const generated = axes.map((_, a) => answer.axis(a))
  const firstStep = positions.decode(1)
  const first = firstStep.at(0)
  checkFinite(caller, 'id', axes, ids)
  checkFinite(caller, 'id of generated token', axes, generated)
  checkFinite(
    caller,
    'id of the first generated token',
    axes,
    first.map((id) => Float64Array.of(id)),
  )
  if (!Number.isFinite(positions.next)) {
    const message = `${caller}: the next id is ${show(positions.next)}`
    throw new MropeRangeError('ERR_MROPE_POSITION', message, positions.next)
  }
  const live = liveAxes(ids, first)
  const counting = live.filter((a) => a < (layout?.textAxes ?? axes.length))
  const textTokens = textTokensOf(sequence)
  const textIds = new Float64Array(textTokens.length + generatedCount)
  textTokens.forEach((n, i) => {
    textIds[i] = smallestAt(ids, counting, n)
  })
  for (let i = 0; i < generatedCount; i++) textIds[textTokens.length + i] = smallestAt(generated, counting, i)
  const behind = upcoming === 0 && generatedCount > 0 ? textIds[textTokens.length] : positions.next
  const kind = sequence.segments.filter((segment) => tokensOf(segment) > 0).at(-1)?.kind
  return {
    axes,
    tokens,
    ids,
    generated,
    generatedCount,
    live,
    counting,
    blocks: promptBlocks(sequence),
    textTokens,
    textIds,
    behind,
    next: positions.next,
    first,
    last: kind
      ? {
          ids: ids.map((axis) => axis[tokens - 1]),
          running: kind === 'text' || (kind === 'audio' && !layout?.ownSequences),
        }
      : null,
  }
}

function checkObjects(caller: string, positions: Positions, sequence: Sequence): void {
  const { axes, ids, decode } = Object(positions) as Partial<Positions>
  if (!Array.isArray(axes) || axes.length === 0 || !(ids instanceof Float64Array) || typeof decode !== 'function') {
    const message = `${caller}: expected Positions, as of encoding.positions() or Positions.from(), got ${show(positions)}`
    throw new MropeTypeError('ERR_MROPE_ARGUMENT', message, positions)
  }
  checkSequence(caller, sequence)
}

export function checkSequence(caller: string, sequence: Sequence): void {
  const { segments, length, upcoming } = Object(sequence) as Partial<Sequence>
  if (Array.isArray(segments) && Array.isArray(upcoming) && typeof length === 'number') return
  const message = `${caller}: expected a Sequence, as of Sequence.of(), got ${show(sequence)}`
  throw new MropeTypeError('ERR_MROPE_ARGUMENT', message, sequence)
}

function checkFinite(caller: string, what: string, axes: readonly string[], ids: readonly Float64Array[]): void {
  ids.forEach((axis, a) => {
    const bad = axis.findIndex((id) => !Number.isFinite(id))
    if (bad < 0) return
    const message = `${caller}: ${what} ${bad} on axis ${axes[a]} is ${axis[bad]}`
    throw new MropeRangeError('ERR_MROPE_POSITION', message, axis[bad])
  })
}

function liveAxes(ids: readonly Float64Array[], first: readonly number[]): number[] {
  const all = ids.map((_, a) => a)
  const live = all.filter((a) => ids[a].some((id) => id !== first[a]))
  return live.length > 0 ? live : all
}

export function smallestAt(ids: readonly Float64Array[], axes: readonly number[], token: number): number {
  let smallest = Number.POSITIVE_INFINITY
  for (const a of axes) smallest = Math.min(smallest, ids[a][token])
  return smallest
}

export function largestAt(ids: readonly Float64Array[], axes: readonly number[], token: number): number {
  let largest = Number.NEGATIVE_INFINITY
  for (const a of axes) largest = Math.max(largest, ids[a][token])
  return largest
}

function textTokensOf({ segments }: Sequence): Int32Array {
  const count = segments.reduce((sum, segment) => sum + (segment.kind === 'text' ? segment.length : 0), 0)
  const tokens = new Int32Array(count)
  let i = 0
  let token = 0
  for (const segment of segments) {
    const length = tokensOf(segment)
    if (segment.kind === 'text') for (let n = 0; n < length; n++) tokens[i++] = token + n
    token += length
  }
  return tokens
}

/** Blocks with at least one token. Text of no tokens separates nothing. */
function promptBlocks({ segments }: Sequence): PromptBlock[] {
  let count = 0
  const filled = segments
    .map((segment) => ({ segment, index: segment.kind === 'text' ? -1 : count++, tokens: tokensOf(segment) }))
    .filter(({ tokens }) => tokens > 0)
  const blocks: PromptBlock[] = []
  let token = 0
  let textBefore = 0
  filled.forEach(({ segment, index, tokens }, i) => {
    const before = filled[i - 1]?.segment.kind
    const after = filled[i + 1]?.segment.kind
    if (segment.kind === 'text') {
      textBefore += tokens
    } else {
      blocks.push({
        index,
        kind: segment.kind,
        token,
        tokens,
        cells: cellsOf(segment),
        textBefore,
        inFront: before === undefined ? 'nothing' : before === 'text' ? 'text' : 'block',
        behind: after === undefined ? 'end' : after === 'text' ? 'text' : 'block',
      })
    }
    token += tokens
  })
  return blocks
}
