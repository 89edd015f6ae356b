import { MropeRangeError, show } from '../errors.js'
import type { Grid } from '../sequence/segment.js'
import { checkStride, type Stride, strideOf } from './draw.js'

/**
 * From frames to ids on the time axis.
 * `index`: frame · stride. `sides`: frame · (rows + columns − 1). `seconds`: frame · seconds between frames · ids per
 * second, rounded as said.
 */
export type TimeRule =
  | { readonly by: 'index'; readonly stride: Stride }
  | { readonly by: 'sides' }
  | {
      readonly by: 'seconds'
      readonly idsPerSecond: number
      /** `none`: fractional ids. `product`: truncated after the product. `seconds`: whole seconds first, then the product. */
      readonly truncate: 'none' | 'product' | 'seconds'
      /**
       * In which precision and order the product is made. Float32 gives other frame ids than float64 for ordinary values.
       * `rate-first`: frame · (rate · seconds); `seconds-first`: (frame · seconds) · rate.
       */
      readonly product: 'float64' | 'float32 rate-first' | 'float32 seconds-first'
    }

/** @throws MropeRangeError ERR_MROPE_CONFIG for rates and strides that are not positive numbers */
export function checkTimeRule(rule: TimeRule, layout: string): TimeRule {
  if (rule.by === 'sides') return rule
  if (rule.by === 'index') return { by: 'index', stride: checkStride(rule.stride, layout) }
  const value = rule.idsPerSecond
  if (typeof value === 'number' && Number.isFinite(value) && value > 0) return rule
  const message = `layout ${layout}: ids per second is a positive number, got ${show(value)}`
  throw new MropeRangeError('ERR_MROPE_CONFIG', message, value)
}

/** A block: its grid, seconds between two frames where the prompt gives them, and its ordinal in the prompt. */
export interface TimedBlock {
  readonly grid: Grid
  readonly seconds?: number
  readonly block?: number
}

/**
 * Ids of the frames of a block relative to its start. `seconds` is 1 where the prompt gives none.
 * @throws MropeRangeError ERR_MROPE_POSITION_RANGE above 2^53, where whole ids are no longer exact
 */
export function frameIds(rule: TimeRule, { grid, seconds = 1, block = 0 }: TimedBlock): (frame: number) => number {
  const step =
    rule.by === 'index' ? strideOf(rule.stride, block) : rule.by === 'sides' ? grid[1] + grid[2] - 1 : undefined
  return (frame) => {
    const id = rule.by === 'seconds' ? ofSeconds(rule, frame, seconds) : frame * (step as number)
    if (id <= Number.MAX_SAFE_INTEGER) return id
    const message = `layout: frame ${frame} at ${show(seconds)} seconds a frame has id ${id}, above 2^53`
    throw new MropeRangeError('ERR_MROPE_POSITION_RANGE', message, id)
  }
}

type SecondsRule = Extract<TimeRule, { by: 'seconds' }>

function ofSeconds(rule: SecondsRule, frame: number, seconds: number): number {
  const id = product(rule, frame, rule.truncate === 'seconds' ? Math.trunc(seconds) : seconds)
  return rule.truncate === 'none' ? id : Math.trunc(id)
}

const f32 = Math.fround

function product(rule: SecondsRule, frame: number, seconds: number): number {
  const rate = rule.idsPerSecond
  if (rule.product === 'float64') return frame * seconds * rate
  if (rule.product === 'float32 rate-first') return f32(frame * f32(rate * f32(seconds)))
  return f32(f32(frame * f32(seconds)) * rate)
}
