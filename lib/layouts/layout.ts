import { MropeRangeError } from '../errors.js'
import { type Segment, type SegmentKind, tokensOf } from '../sequence/segment.js'
import type { Sequence } from '../sequence/sequence.js'
import { type Continuation, Positions } from './positions.js'

/** `Sequence → Positions`: which id every token has on every axis. Pure: the same sequence gives the same ids. */
export interface Layout {
  readonly name: string
  readonly axes: readonly string[]
  /** The numbers and rules it was made with, for people to read. */
  readonly rules: Readonly<Record<string, unknown>>
  /** Text counts on this many axes, the first ones, and is 0 on those behind. Default: all. */
  readonly textAxes?: number
  /** Blocks are sequences of their own: their ids have nothing to do with those of the text. */
  readonly ownSequences?: boolean
  positions(sequence: Sequence): Positions
}

/** Where a segment is to be written: ids are planar, `ids[a * stride + offset + i]` is token i of the segment on axis a. */
export interface Placement {
  readonly ids: Float64Array
  readonly stride: number
  readonly offset: number
  /** Id that the next text token would have. */
  readonly next: number
  /** Index of the segment's first token in the sequence. */
  readonly index: number
  /** How many pictures come before: segments of at least one token that are neither text nor sound. */
  readonly block: number
}

/** Writes the ids of one segment and returns the id of the next text token. */
export type Place<S extends Segment = Segment> = (segment: S, at: Placement) => number

/** Which id the first generated token gets. `next`: the next text id. `last-column`: the last token's ids + 1, by axis. */
export type DecodeRule = 'next' | 'last-column' | 'largest'

/** From what `delta` is counted: tokens of the row, its width with padding, or nothing (0). */
export type DeltaRule = 'tokens' | 'width' | 'zero'

export interface LayoutDefinition {
  readonly name: string
  readonly axes: readonly string[]
  readonly rules?: Readonly<Record<string, unknown>>
  /** How each kind of segment is placed. Text is a running id on every axis unless said otherwise. */
  readonly place: { readonly [K in SegmentKind]?: Place<Extract<Segment, { kind: K }>> }
  readonly decode?: DecodeRule
  readonly delta?: DeltaRule
  /** Id of padding tokens; it means nothing, but releases differ. Default 0. */
  readonly paddingId?: number
  /** Round every id to float32, as code that keeps them in float32 does. */
  readonly float32?: boolean
  /** Text counts on this many axes; on those behind it is 0, generated tokens too. Default: all. */
  readonly usedAxes?: number
  /** Blocks are sequences of their own, such as query tokens that text reads by cross-attention. */
  readonly ownSequences?: boolean
  /** Ids of images still to be generated, and the id behind them. */
  readonly upcoming?: (sequence: Sequence, next: number) => { table: Float64Array; next: number }
}

/** A layout from its definition: the walk over the segments is the same for all. */
export function defineLayout(definition: LayoutDefinition): Layout {
  const { name, axes, rules = {}, place, paddingId = 0, float32 = false } = definition
  return Object.freeze({
    name,
    axes: Object.freeze([...axes]),
    rules: Object.freeze({ ...rules }),
    textAxes: definition.usedAxes ?? axes.length,
    ownSequences: definition.ownSequences ?? false,
    positions(sequence: Sequence): Positions {
      const stride = sequence.padding + sequence.length
      const ids = new Float64Array(axes.length * stride)
      if (paddingId !== 0) {
        for (let a = 0; a < axes.length; a++) ids.fill(paddingId, a * stride, a * stride + sequence.padding)
      }
      let next = 0
      let index = 0
      let block = 0
      for (const segment of sequence.segments) {
        const put = (place[segment.kind] ?? (segment.kind === 'text' ? placeText : undefined)) as Place | undefined
        if (!put) {
          const message = `layout ${name} does not place ${segment.kind} segments (segment at token ${index})`
          throw new MropeRangeError('ERR_MROPE_SEGMENT', message, segment.kind)
        }
        const at: Placement = { ids, stride, offset: sequence.padding + index, next, index, block }
        next = put(segment, at)
        if (!(next <= Number.MAX_SAFE_INTEGER)) throw tooFar(name, segment, index, next)
        const length = tokensOf(segment)
        next = float32 ? Math.fround(next) : settled(next)
        if (float32) roundIds(at, length, axes.length)
        index += length
        if (segment.kind !== 'text' && segment.kind !== 'audio' && length > 0) block++
      }
      return finish(definition, sequence, ids, next)
    },
  })
}

/** A running id, the same on every axis. */
export const placeText: Place<{ kind: 'text' | 'audio' | 'queries'; length: number }> = ({ length }, at) => {
  const { ids, stride, offset, next } = at
  for (let start = offset; start < ids.length; start += stride) {
    for (let i = 0; i < length; i++) ids[start + i] = next + i
  }
  return next + length
}

function finish(definition: LayoutDefinition, sequence: Sequence, ids: Float64Array, next: number): Positions {
  const { axes, decode = 'next', delta = 'tokens' } = definition
  const { padding, length } = sequence
  const plain = new Positions({ axes, ids, next, delta: 0, padding })
  const upcoming = definition.upcoming?.(sequence, next) ?? { table: new Float64Array(), next }
  const behind = plain.largest + 1
  const step = axes.map((_, a) => (a < (definition.usedAxes ?? axes.length) ? 1 : 0))
  const first =
    decode === 'last-column' && length > 0
      ? plain.at(plain.length - 1).map((id, a) => id + step[a])
      : step.map((used) => used * (decode === 'largest' ? behind : upcoming.next))
  const continuation: Continuation = { table: upcoming.table, first, step }
  // Where decode goes on from the next text id, so must index + delta: a reset block may end below it.
  const reached = decode === 'next' ? next : behind
  const missing = { tokens: reached - length, width: reached - length - padding, zero: 0 }[delta]
  return new Positions({ axes, ids, next, delta: missing, padding, continuation })
}

function tooFar(name: string, segment: Segment, index: number, next: number): MropeRangeError {
  const message = `layout ${name}: the ${segment.kind} segment at token ${index} ends at id ${next}, above 2^53`
  return new MropeRangeError('ERR_MROPE_POSITION_RANGE', message, next)
}

/**
 * An id rounded up to a multiple of 2^-24. Whole numbers are then added to it without rounding, so that generated
 * tokens have to the last bit the ids that they have as text of a longer prompt, however the text is cut.
 */
function settled(next: number): number {
  return Math.ceil(next * 2 ** 24) / 2 ** 24
}

function roundIds({ ids, stride, offset }: Placement, length: number, axes: number): void {
  for (let a = 0; a < axes; a++) {
    for (let i = 0; i < length; i++) ids[a * stride + offset + i] = Math.fround(ids[a * stride + offset + i])
  }
}
