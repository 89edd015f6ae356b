import { MropeRangeError, show } from '../errors.js'

/**
 * From frames to ids on the time axis.
 * `index`: frame · stride. `seconds`: frame · seconds between frames · ids per second, rounded as said.
 */
export type TimeRule =
  | { readonly by: 'index'; readonly stride: number }
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
export function checkTimeRule(rule: TimeRule, layout: string): void {
  const [name, value] = rule.by === 'index' ? ['stride', rule.stride] : ['ids per second', rule.idsPerSecond]
  if (typeof value === 'number' && Number.isFinite(value) && value > 0) return
  const message = `layout ${layout}: ${name} is a positive number, got ${show(value)}`
  throw new MropeRangeError('ERR_MROPE_CONFIG', message, value)
}

/**
 * Id of a frame relative to the start of its block. `seconds` between two frames is 1 where the prompt gives none.
 * @throws MropeRangeError ERR_MROPE_POSITION_RANGE above 2^53, where whole ids are no longer exact
 */
export function frameId(rule: TimeRule, frame: number, seconds = 1): number {
  const id = rule.by === 'index' ? frame * rule.stride : ofSeconds(rule, frame, seconds)
  if (id <= Number.MAX_SAFE_INTEGER) return id
  const message = `layout: frame ${frame} at ${show(seconds)} seconds a frame has id ${id}, above 2^53`
  throw new MropeRangeError('ERR_MROPE_POSITION_RANGE', message, id)
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
