import { MropeRangeError, show } from '../errors.js'

/**
 * Whose rule is followed where releases disagree. Without one the coherent rule holds: the id behind a block is the
 * largest id of the block over all axes + 1, and generated tokens go on from the last id of the prompt.
 *
 * Both releases of transformers make frequencies and angles in float32, and so do these rules: their tables equal those of
 * the model code, also in what it loses at large positions.
 *
 * - `transformers@4.57`: finds whole seconds first, counts `delta` from the padded width.
 * - `transformers@5.18`: the id behind a block ignores time; decode ids are those of `generate()`, last column + 1.
 * - `transformers@5.18/forward`: as 5.18, with the decode ids of `forward()` with a cache: index + delta.
 * - `vllm`: float32 seconds; YaRN's range from four times the original length.
 * - `ggml`: a fourth axis that is 0, and its allocation rule.
 */
export type Compat =
  | 'coherent'
  | 'transformers@4.57'
  | 'transformers@5.18'
  | 'transformers@5.18/forward'
  | 'vllm'
  | 'ggml'

export const compatNames: readonly Compat[] = [
  'coherent',
  'transformers@4.57',
  'transformers@5.18',
  'transformers@5.18/forward',
  'vllm',
  'ggml',
]

/** @throws MropeRangeError ERR_MROPE_COMPAT for names that are not in `compatNames`, patch releases aside */
export function readCompat(value: unknown): Compat {
  if (value === undefined || value === null) return 'coherent'
  const name = (typeof value === 'string' ? value : '').replace(/^(transformers@\d+\.\d+)\.\d+/, '$1')
  const known = compatNames.find((compat) => compat === name)
  if (known) return known
  const message = `compat is one of ${compatNames.join(', ')}; got ${show(value)}`
  throw new MropeRangeError('ERR_MROPE_COMPAT', message, value)
}

/** In which precision a release makes frequencies and angles. */
export function compatPrecision(compat: Compat): 'float64' | 'float32' {
  return compat.startsWith('transformers') ? 'float32' : 'float64'
}
