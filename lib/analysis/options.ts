import type { Encoding } from '../encodings/encoding.js'
import { MropeRangeError, MropeTypeError, show } from '../errors.js'
import { checkCount, checkOptions } from '../tensors/check.js'

export interface CoherenceOptions {
  /** How many text tokens will be generated behind the prompt. Default 110. */
  readonly generated?: number
  /** Most ids that a visual token may take, for blocks of 256 tokens and more. Default 0.25. */
  readonly growthThreshold?: number
  /** Ids are to stay below this, `max_position_embeddings` of the training. Not judged without it. */
  readonly trainedMaximum?: number
  /** How far text may be from a block, in ids. Default: its longer side, at least one step on every axis. */
  readonly intervalLimit?: number
  /** Encoding of the language model without pictures, to compare frequencies and attention factor with. */
  readonly textModel?: Encoding
}

export interface PositionsCoherenceOptions extends Omit<CoherenceOptions, 'textModel'> {
  /**
   * Id that a text token in the place of each block would have, in the order of `sequence.blocks()`. Without it they are
   * known only behind text, and the growth of other blocks is not judged.
   */
  readonly starts?: readonly number[]
}

export interface Limits {
  readonly generated: number
  readonly growthThreshold: number
  readonly trainedMaximum: number | null
  readonly intervalLimit: number | null
  readonly textModel: Encoding | null
  readonly starts: readonly (number | null)[] | null
}

/** More than any answer has; what is looked at one by one stays small. */
const mostGenerated = 2 ** 20

const common = ['generated', 'growthThreshold', 'trainedMaximum', 'intervalLimit']

/** @throws MropeTypeError, MropeRangeError ERR_MROPE_ARGUMENT; ERR_MROPE_SHAPE when `starts` do not match the blocks */
export function readLimits(
  caller: string,
  options: CoherenceOptions & PositionsCoherenceOptions,
  own: 'textModel' | 'starts',
  blocks: number,
): Limits {
  checkOptions(caller, options, [...common, own])
  const generated = checkCount(caller, 'generated', options.generated ?? 110)
  if (generated > mostGenerated) {
    const message = `${caller}: generated must be at most ${mostGenerated}, got ${generated}`
    throw new MropeRangeError('ERR_MROPE_ARGUMENT', message, generated)
  }
  const { growthThreshold = 0.25, trainedMaximum = null, intervalLimit = null, textModel = null } = options
  checkPositive(caller, 'growthThreshold', growthThreshold)
  if (trainedMaximum !== null) checkPositive(caller, 'trainedMaximum', trainedMaximum)
  if (intervalLimit !== null) checkPositive(caller, 'intervalLimit', intervalLimit)
  if (textModel !== null) checkEncoding(caller, 'textModel', textModel)
  const starts = checkStarts(caller, options.starts, blocks)
  return { generated, growthThreshold, trainedMaximum, intervalLimit, textModel, starts }
}

/** Infinity stands for no limit. */
function checkPositive(caller: string, name: string, value: unknown): void {
  if (typeof value !== 'number') {
    throw new MropeTypeError('ERR_MROPE_ARGUMENT', `${caller}: ${name} must be a number, got ${show(value)}`, value)
  }
  if (value > 0) return
  const message = `${caller}: ${name} must be a positive number, got ${value}`
  throw new MropeRangeError('ERR_MROPE_ARGUMENT', message, value)
}

export function checkEncoding(caller: string, name: string, value: unknown): void {
  const { layout, allocation, invFreq, positions } = Object(value) as Partial<Encoding>
  if (layout && allocation && invFreq instanceof Float64Array && typeof positions === 'function') return
  const message = `${caller}: ${name} must be an Encoding, got ${show(value)}`
  throw new MropeTypeError('ERR_MROPE_ARGUMENT', message, value)
}

function checkStarts(caller: string, starts: unknown, blocks: number): readonly number[] | null {
  if (starts === undefined) return null
  if (!Array.isArray(starts) || !starts.every((id) => typeof id === 'number')) {
    const message = `${caller}: starts must be a list of ids, one for each block, got ${show(starts)}`
    throw new MropeTypeError('ERR_MROPE_ARGUMENT', message, starts)
  }
  if (starts.length !== blocks) {
    const message = `${caller}: starts has ${starts.length} ids, the sequence has ${blocks} blocks`
    throw new MropeRangeError('ERR_MROPE_SHAPE', message, starts)
  }
  const bad = starts.find((id) => !Number.isFinite(id))
  if (bad === undefined) return starts
  throw new MropeRangeError('ERR_MROPE_POSITION', `${caller}: a start is ${bad}`, bad)
}
