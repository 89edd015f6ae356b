import { MropeRangeError, MropeTypeError, show } from '../errors.js'

export interface FrameTime {
  /** Mean time of the block's first and last frame, in seconds. */
  readonly seconds: number
  /** The text that Qwen3-VL writes before the block, without its brackets: one decimal, ties to even as in Python. */
  readonly label: string
}

/**
 * Times of the blocks of a video that is written as one block per temporal patch with a timestamp before each.
 * Source: transformers `Qwen3VLProcessor._calculate_timestamps`.
 *
 * @param frameIndices indices of the sampled frames; padded with the last one to a multiple of `temporalPatch`
 * @param fps frames a second of the original video; 24 where it is unknown
 * @param temporalPatch frames in one block, default 2
 */
export function frameTimes(frameIndices: ArrayLike<number>, fps = 24, temporalPatch = 2): FrameTime[] {
  if (!(Number.isFinite(fps) && fps > 0)) {
    throw new MropeRangeError('ERR_MROPE_ARGUMENT', `frameTimes: fps is a positive number, got ${show(fps)}`, fps)
  }
  if (!Number.isSafeInteger(temporalPatch) || temporalPatch < 1) {
    const message = `frameTimes: temporalPatch is a positive integer, got ${show(temporalPatch)}`
    throw new MropeRangeError('ERR_MROPE_ARGUMENT', message, temporalPatch)
  }
  const list = Array.isArray(frameIndices) || ArrayBuffer.isView(frameIndices) ? Array.from(frameIndices) : undefined
  if (!list?.every((index) => Number.isFinite(index))) {
    const message = `frameTimes: frameIndices is a list of finite numbers, got ${show(frameIndices)}`
    throw new MropeTypeError('ERR_MROPE_ARGUMENT', message, frameIndices)
  }
  const times: FrameTime[] = []
  for (let first = 0; first < list.length; first += temporalPatch) {
    const last = Math.min(first + temporalPatch, list.length) - 1
    const seconds = (list[first] / fps + list[last] / fps) / 2
    if (!Number.isFinite(seconds)) {
      const message = `frameTimes: frame ${list[last]} at ${fps} frames a second is at ${seconds} seconds`
      throw new MropeRangeError('ERR_MROPE_ARGUMENT', message, list[last])
    }
    times.push({ seconds, label: `${oneDecimal(seconds)} seconds` })
  }
  return times
}

/** `toFixed(1)` rounds exact halves up; Python rounds them to even. */
function oneDecimal(x: number): string {
  const tenths = Math.floor(x * 10)
  const isTie = x * 20 === tenths * 2 + 1 && Number.isInteger(x * 4)
  return isTie ? ((tenths + (tenths % 2)) / 10).toFixed(1) : x.toFixed(1)
}
