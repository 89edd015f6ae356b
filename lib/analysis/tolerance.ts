/**
 * How far two ids may be apart and still be meant as the same number: one or two float32 ulps, because releases keep
 * fractional ids in float32; never so much that steps of ordinary schemes would be confused.
 */
export function slack(largest: number): number {
  return Math.min(2 ** -6, 2 ** -22 * Math.max(1, Math.abs(largest)))
}
