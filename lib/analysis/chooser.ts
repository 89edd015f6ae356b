import { MropeRangeError, MropeTypeError, show } from '../errors.js'
import { checkCount, checkOptions } from '../tensors/check.js'
import { type Known, type Parts, rules } from './chooser-rules.js'
import type { Needs, Recommendation } from './recommendation.js'

export type { Needs, Reason, Recommendation } from './recommendation.js'

const nothing: Parts = {
  keep: false,
  layout: null,
  allocation: null,
  encoding: null,
  tables: null,
  positions: null,
  frequencies: null,
  scaling: null,
}

/**
 * Which encoding to take, and why: the decision tree of the literature as rules, each with its reason and its source.
 * What it names can be called: `layouts[layout]()`, `allocations[allocation](…)`, and `encoding.make` with its options
 * and sizes of your own.
 *
 * @throws MropeTypeError, MropeRangeError ERR_MROPE_ARGUMENT
 */
export function recommend(needs: Needs): Recommendation {
  const known = readNeeds(needs)
  const met = rules.filter(({ when }) => when(known))
  const parts = met.map(({ set }) => (typeof set === 'function' ? set(known) : set))
  return {
    ...nothing,
    ...Object.assign({}, ...parts),
    reasons: met.map(({ reason }) => (typeof reason === 'function' ? reason(known) : reason)),
    alternatives: met.flatMap(({ alternative }) => {
      const other = typeof alternative === 'function' ? alternative(known) : alternative
      return other ? [other] : []
    }),
  }
}

const kinds = {
  task: ['text', 'vision', 'vision-language'],
  training: ['none', 'continue', 'scratch'],
} as const

/** Of `visionEncodings.nd` and `allocations.repeated`. */
const mostAxes = 8

const flags = ['fixedSize', 'video', 'tensorParallel'] as const
const counts = ['axes', 'kvHeads', 'trainedMaximum'] as const

function readNeeds(needs: Needs): Known {
  checkOptions('recommend', needs, [...Object.keys(kinds), ...flags, ...counts, 'largestId'])
  for (const name of ['task', 'training'] as const) {
    if ((kinds[name] as readonly unknown[]).includes(needs[name])) continue
    const message = `recommend: ${name} is one of ${kinds[name].join(', ')}, got ${show(needs[name])}`
    throw new MropeRangeError('ERR_MROPE_ARGUMENT', message, needs[name])
  }
  for (const name of flags) {
    if (needs[name] === undefined || typeof needs[name] === 'boolean') continue
    const message = `recommend: ${name} is true or false, got ${show(needs[name])}`
    throw new MropeTypeError('ERR_MROPE_ARGUMENT', message, needs[name])
  }
  for (const name of counts) if (needs[name] !== undefined) checkCount('recommend', name, needs[name], 1)
  const { task, training, fixedSize = false, video = false, tensorParallel = false, kvHeads = null } = needs
  const { axes = task === 'text' ? 1 : task === 'vision' && !video ? 2 : 3, trainedMaximum = null } = needs
  const { largestId = null } = needs
  if (largestId !== null && !(Number.isFinite(largestId) && largestId >= 0)) {
    const message = `recommend: largestId is an id, 0 or more, got ${show(largestId)}`
    throw new MropeRangeError('ERR_MROPE_ARGUMENT', message, largestId)
  }
  if (task === 'text' && video) {
    throw new MropeRangeError('ERR_MROPE_ARGUMENT', 'recommend: a task of text has no video', video)
  }
  const most = task === 'text' ? 1 : mostAxes
  if (axes > most) {
    const message = `recommend: axes is from 1 to ${most} for ${task}, got ${show(axes)}`
    throw new MropeRangeError('ERR_MROPE_ARGUMENT', message, axes)
  }
  return { task, training, fixedSize, video, tensorParallel, kvHeads, axes, trainedMaximum, largestId }
}
