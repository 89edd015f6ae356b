/** Which two channels form pair f: `half-split` is (f, f + R/2), `adjacent` is (2f, 2f + 1). */
export type Pairing = 'half-split' | 'adjacent'

/**
 * Cosines and sines for given positions, attention factor included.
 * `shape` is `(heads, tokens, pairs)`; heads is 1 when all heads turn alike, otherwise the number of KV heads, and query
 * head h reads entry `floor(h · heads / queryHeads)`.
 */
export interface RotaryTable {
  readonly cos: Float32Array
  readonly sin: Float32Array
  readonly shape: readonly [heads: number, tokens: number, pairs: number]
  readonly pairing: Pairing
}
