import { MropeRangeError, MropeTypeError, show } from '../errors.js'
import { asObject, booleanAt, isObject, type Json, numberAt, numbersAt } from './json.js'

/** The rotary part of a configuration, from either of its two forms, with what was odd about it. */
export interface RopeParameters {
  readonly ropeType: string
  readonly base?: number
  readonly partialRotaryFactor?: number
  readonly sections?: readonly number[]
  readonly interleaved?: boolean
  readonly factor?: number
  readonly alpha?: number
  readonly originalMaxPositions?: number
  readonly maxPositions?: number
  readonly betaFast?: number
  readonly betaSlow?: number
  readonly mscale?: number
  readonly mscaleAllDim?: number
  readonly truncate?: boolean
  readonly attentionFactor?: number
  readonly shortFactor?: readonly number[]
  readonly longFactor?: readonly number[]
  readonly lowFreqFactor?: number
  readonly highFreqFactor?: number
  readonly warnings: readonly string[]
}

const common = [
  'rope_type',
  'type',
  'rope_theta',
  'partial_rotary_factor',
  'mrope_section',
  'xdrope_section',
  'mrope_interleaved',
]
const yarnKeys =
  'factor original_max_position_embeddings beta_fast beta_slow mscale mscale_all_dim truncate attention_factor'

/** Keys that each rope type reads, besides the common ones. */
const keysOfType: Readonly<Record<string, readonly string[]>> = {
  default: [],
  linear: ['factor'],
  ntk: ['factor', 'alpha'],
  dynamic: ['factor', 'alpha', 'original_max_position_embeddings'],
  yarn: yarnKeys.split(' '),
  longrope: 'factor original_max_position_embeddings short_factor long_factor attention_factor'.split(' '),
  llama3: 'factor original_max_position_embeddings low_freq_factor high_freq_factor'.split(' '),
  proportional: ['factor'],
}

/** Names that mean a rope type of the list: legacy ones, and those that only say that there are sections. */
const aliasesOfType: Readonly<Record<string, string>> = { mrope: 'default', su: 'longrope', xdrope: 'dynamic' }

/**
 * Reads `rope_parameters` (transformers 5) or `rope_scaling` with `rope_theta` (published checkpoints).
 * Inside wins over outside; whatever is unknown, not used by the type, or contradicts itself is an error or a warning.
 *
 * @param config the text model's configuration
 * @param layerType which entry to read where there is one for each layer type
 * @throws MropeTypeError ERR_MROPE_CONFIG, MropeRangeError ERR_MROPE_ROPE_TYPE | ERR_MROPE_CONFIG
 */
export function readRopeParameters(config: Json, layerType?: string): RopeParameters {
  const warnings: string[] = []
  const { rope, place } = ropeObject(config, layerType, warnings)
  const ropeType = typeOf(rope, place)
  warnAboutKeys(rope, ropeType, place, warnings)
  const inside = (key: string): number | undefined => numberAt(rope, key, place)
  const both = (key: string, ...outside: string[]): number | undefined => {
    const inner = inside(key)
    for (const name of [key, ...outside]) {
      const outer = numberAt(config, name)
      if (outer === undefined) continue
      if (inner === undefined) return outer
      if (inner !== outer) warnings.push(`${key} is ${inner} in ${place} and ${outer} outside; the inner one is used`)
    }
    return inner
  }
  const localBase = layerType === 'sliding_attention' ? numberAt(config, 'rope_local_base_freq') : undefined
  if (localBase !== undefined && !isNested(config)) return { ropeType: 'default', base: localBase, warnings }
  const sections = numbersAt(rope, 'mrope_section', place)
  const oldSections = numbersAt(rope, 'xdrope_section', place)
  if (sections && oldSections && sections.join() !== oldSections.join()) {
    const message = `${place}: mrope_section ${show(sections)} and xdrope_section ${show(oldSections)} differ`
    throw new MropeRangeError('ERR_MROPE_CONFIG', message, oldSections)
  }
  const parameters: RopeParameters = {
    ropeType,
    base: both('rope_theta', 'rotary_emb_base'),
    partialRotaryFactor: both('partial_rotary_factor', 'rotary_pct'),
    sections: sections ?? oldSections,
    interleaved: booleanAt(rope, 'mrope_interleaved', place),
    factor: inside('factor'),
    alpha: inside('alpha'),
    originalMaxPositions:
      ropeType === 'longrope'
        ? longRopeOriginal(config, rope, place, warnings)
        : inside('original_max_position_embeddings'),
    maxPositions: numberAt(config, 'max_position_embeddings'),
    betaFast: inside('beta_fast'),
    betaSlow: inside('beta_slow'),
    mscale: inside('mscale'),
    mscaleAllDim: inside('mscale_all_dim'),
    truncate: booleanAt(rope, 'truncate', place),
    attentionFactor: inside('attention_factor'),
    shortFactor: numbersAt(rope, 'short_factor', place),
    longFactor: numbersAt(rope, 'long_factor', place),
    lowFreqFactor: inside('low_freq_factor'),
    highFreqFactor: inside('high_freq_factor'),
    warnings,
  }
  warnAboutLengths(parameters, warnings)
  return parameters
}

function ropeObject(config: Json, layerType: string | undefined, warnings: string[]): { rope: Json; place: string } {
  const forms = ['rope_parameters', 'rope_scaling'].filter((key) => config[key] !== undefined && config[key] !== null)
  const [first, second] = forms
  if (first && second) {
    const [a, b] = [asObject(config[first], first), asObject(config[second], second)]
    const contradiction = Object.keys(a).find((key) => key in b && JSON.stringify(a[key]) !== JSON.stringify(b[key]))
    if (contradiction !== undefined && contradiction !== 'type') {
      const message = `config: rope_parameters.${contradiction} is ${show(a[contradiction])}, rope_scaling says ${show(b[contradiction])}`
      throw new MropeRangeError('ERR_MROPE_CONFIG', message, b[contradiction])
    }
    warnings.push('config has both rope_parameters and rope_scaling; they agree, rope_parameters is used')
  }
  if (!first) return { rope: {}, place: 'config' }
  const whole = asObject(config[first], `config.${first}`)
  if (!isNested(config)) return { rope: whole, place: `config.${first}` }
  const types = Object.keys(whole).filter((key) => isObject(whole[key]) || whole[key] === null)
  const chosen = layerType ?? (types.includes('full_attention') ? 'full_attention' : types[0])
  if (!types.includes(chosen)) {
    const message = `config.${first} has layer types ${types.join(', ')}, got ${show(layerType)}`
    throw new MropeRangeError('ERR_MROPE_CONFIG', message, layerType)
  }
  if (layerType === undefined && types.length > 1) {
    warnings.push(`config.${first} has layer types ${types.join(', ')}; ${chosen} is used, choose with layerType`)
  }
  if (whole[chosen] === null) {
    throw new MropeRangeError(
      'ERR_MROPE_CONFIG',
      `config.${first}.${chosen} is null: these layers do not rotate`,
      chosen,
    )
  }
  // `truncate` is read from the outer object by the reference, so a nested one has no effect there.
  const rope = asObject(whole[chosen], `config.${first}.${chosen}`)
  if ('truncate' in rope)
    warnings.push(`${chosen}.truncate is used here; transformers 5.18 ignores it inside a layer type`)
  return { rope, place: `config.${first}.${chosen}` }
}

/** One entry for each layer type, instead of one for all layers. */
function isNested(config: Json): boolean {
  const rope = config.rope_parameters ?? config.rope_scaling
  return isObject(rope) && Object.values(rope).some(isObject)
}

function typeOf(rope: Json, place: string): string {
  const given = [rope.rope_type, rope.type].filter((value) => value !== undefined && value !== null)
  for (const value of given) {
    if (typeof value !== 'string') {
      throw new MropeTypeError('ERR_MROPE_CONFIG', `${place}: rope_type is a name, got ${show(value)}`, value)
    }
  }
  const names = given.map((value) => aliasesOfType[value as string] ?? (value as string))
  for (const [i, name] of names.entries()) {
    if (Object.hasOwn(keysOfType, name)) continue
    const message = `${place}: unknown rope type ${show(given[i])}; known are ${Object.keys(keysOfType).join(', ')}`
    throw new MropeRangeError('ERR_MROPE_ROPE_TYPE', message, given[i])
  }
  // `type: mrope` beside `rope_type: yarn` says only that there are sections.
  const [ropeType = 'default', legacy] = names
  if (legacy !== undefined && legacy !== ropeType && rope.type !== 'mrope') {
    const message = `${place}: rope_type is ${show(rope.rope_type)}, type is ${show(rope.type)}`
    throw new MropeRangeError('ERR_MROPE_CONFIG', message, rope.type)
  }
  return ropeType
}

function warnAboutKeys(rope: Json, ropeType: string, place: string, warnings: string[]): void {
  const used = [...common, ...keysOfType[ropeType]]
  const known = new Set([...common, ...Object.values(keysOfType).flat()])
  for (const key of Object.keys(rope)) {
    if (used.includes(key)) continue
    if (known.has(key)) warnings.push(`${place}.${key} is not used by rope type ${ropeType}`)
    else warnings.push(`${place}.${key} is unknown and not used`)
  }
}

/** Phi-3 keeps the original length outside, and that one counts. */
function longRopeOriginal(config: Json, rope: Json, place: string, warnings: string[]): number | undefined {
  const outside = numberAt(config, 'original_max_position_embeddings')
  const inside = numberAt(rope, 'original_max_position_embeddings', place)
  if (outside !== undefined && inside !== undefined && outside !== inside) {
    warnings.push(
      `original_max_position_embeddings is ${inside} in ${place} and ${outside} outside; the outer one is used`,
    )
  }
  return outside ?? inside ?? numberAt(config, 'max_position_embeddings')
}

function warnAboutLengths(parameters: RopeParameters, warnings: string[]): void {
  const { ropeType, factor, originalMaxPositions: original, maxPositions } = parameters
  if (factor !== undefined && factor < 1) warnings.push(`factor ${factor} is below 1: the context is shortened`)
  if (ropeType !== 'yarn') return
  if (original === undefined && factor === undefined) {
    warnings.push('yarn without factor and original length does nothing: the factor is 1')
  } else if (
    original !== undefined &&
    factor !== undefined &&
    maxPositions !== undefined &&
    factor * original !== maxPositions
  ) {
    warnings.push(
      `yarn factor ${factor} is used; max_position_embeddings / original length is ${maxPositions / original}`,
    )
  }
}
