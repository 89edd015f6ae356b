import { MropeRangeError } from '../../errors.js'
import { readRow } from './arrays.js'
import { tokenKind } from './row.js'
import type { PromptRules } from './rules.js'

/** What each token is: from `mm_token_type_ids`, or from the special tokens of the config where that is missing. */
export function kindsOf(
  types: unknown,
  width: number,
  padding: number,
  tokens: Float64Array,
  rules: PromptRules,
  mask?: Float64Array,
): Uint8Array {
  if (types === undefined || types === null) {
    const kinds = kindsFromTokens(tokens, rules)
    if (mask) for (let i = 0; i < kinds.length; i++) if (mask[i] === 0) kinds[i] = tokenKind.text
    return kinds
  }
  const values = readRow(types, 'mm_token_type_ids')
  if (values.length !== width) {
    const message = `mm_token_type_ids has ${values.length} entries, input_ids ${width}`
    throw new MropeRangeError('ERR_MROPE_SHAPE', message, values.length)
  }
  const bad = values.findIndex((kind) => kind < 0 || kind > 3)
  if (bad >= 0) {
    const message = `mm_token_type_ids[${bad}] is 0 text, 1 image, 2 video or 3 audio, got ${values[bad]}`
    throw new MropeRangeError('ERR_MROPE_ARGUMENT', message, values[bad])
  }
  return Uint8Array.from(values.subarray(padding))
}

function kindsFromTokens(tokens: Float64Array, rules: PromptRules): Uint8Array {
  const kinds = new Uint8Array(tokens.length)
  let inVideo = false
  for (let i = 0; i < tokens.length; i++) {
    const token = tokens[i]
    if (token === rules.videoStart) inVideo = true
    else if (token === rules.videoEnd) inVideo = false
    if (token === rules.image)
      kinds[i] = inVideo && (rules.framesAreImages || rules.video === undefined) ? tokenKind.video : tokenKind.image
    else if (token === rules.video) kinds[i] = tokenKind.video
    else if (token === rules.audio) kinds[i] = tokenKind.audio
  }
  return kinds
}
