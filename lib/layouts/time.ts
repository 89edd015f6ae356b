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

/** Id of a frame relative to the start of its block. `seconds` between two frames is 1 where the prompt gives none. */
export function frameId(rule: TimeRule, frame: number, seconds = 1): number {
  if (rule.by === 'index') return frame * rule.stride
  const id = product(rule, frame, rule.truncate === 'seconds' ? Math.trunc(seconds) : seconds)
  return rule.truncate === 'none' ? id : Math.trunc(id)
}

const f32 = Math.fround

function product(rule: Extract<TimeRule, { by: 'seconds' }>, frame: number, seconds: number): number {
  const rate = rule.idsPerSecond
  if (rule.product === 'float64') return frame * seconds * rate
  if (rule.product === 'float32 rate-first') return f32(frame * f32(rate * f32(seconds)))
  return f32(f32(frame * f32(seconds)) * rate)
}
