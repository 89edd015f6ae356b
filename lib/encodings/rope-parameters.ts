import { MropeRangeError, MropeTypeError, show } from '../errors.js'
import { asObject, booleanAt, isObject, type Json, numberAt, numbersAt } from './json.js'

/** The rotary part of a configuration, from either of its two forms, with what was odd about it. */
export interface RopeParameters {
  readonly ropeType: string
  readonly base?: number
  readonly partialRotaryFactor?: number
  readonly sections?: readonly number[]
  /** Pairs of the time axis, where only they are given (Ernie `freq_allocation`). */
  readonly temporalPairs?: number
  readonly interleaved?: boolean
  /** Rotary dimension in channels, where it is given so (GPT-J). */
  readonly rotaryDim?: number
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
  /** Whether the layer type made a difference. */
  readonly byLayerType: boolean
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
  'interleaved',
  'freq_allocation',
]
/** Keys beside the rotary object that are read. */
const outside = [
  ...'rope_parameters rope_scaling rope_theta rotary_emb_base partial_rotary_factor rotary_pct rotary_dim'.split(' '),
  ...'rope_local_base_freq mrope_section xdrope_section freq_allocation rope_3d'.split(' '),
]
const rotaryKey = /(^|_)[mxd]*rope(_|$)|(^|_)rotary(_|$)/
const yarnKeys =
  'factor original_max_position_embeddings beta_fast beta_slow mscale mscale_all_dim truncate attention_factor'

/** Keys that each rope type reads, besides the common ones. */
const keysOfType: Readonly<Record<string, readonly string[]>> = {
  default: [],
  linear: ['factor'],
  ntk: ['factor', 'alpha'],
  dynamic: ['factor', 'alpha'],
  yarn: yarnKeys.split(' '),
  longrope: 'factor original_max_position_embeddings short_factor long_factor attention_factor'.split(' '),
  llama3: 'factor original_max_position_embeddings low_freq_factor high_freq_factor'.split(' '),
  proportional: ['factor'],
}

/** Names that mean a rope type of the list: legacy ones, and those that only say that there are sections. */
const aliasesOfType: Readonly<Record<string, string>> = {
  mrope: 'default',
  ernie_3d: 'default',
  su: 'longrope',
  xdrope: 'dynamic',
}

/**
 * Reads `rope_parameters` (transformers 5) or `rope_scaling` with `rope_theta` (published checkpoints).
 * Inside wins over outside; whatever is unknown, not used by the type, or contradicts itself is an error or a warning.
 *
 * @param config the text model's configuration
 * @param layerType which entry to read where there is one for each layer type
 * @param slidingBase base of the sliding layers of families whose sliding layers are never scaled
 * @throws MropeTypeError ERR_MROPE_CONFIG, MropeRangeError ERR_MROPE_ROPE_TYPE | ERR_MROPE_CONFIG
 */
export function readRopeParameters(config: Json, layerType?: string, slidingBase?: number): RopeParameters {
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
  const nested = isNested(config)
  const localBase = nested ? undefined : (numberAt(config, 'rope_local_base_freq') ?? slidingBase)
  if (localBase !== undefined && layerType === 'sliding_attention') {
    return { ropeType: 'default', base: localBase, byLayerType: true, warnings }
  }
  if (localBase !== undefined && layerType === undefined) {
    warnings.push(`sliding_attention layers have base ${localBase} and no scaling; choose them with layerType`)
  }
  for (const key of Object.keys(config)) {
    if (rotaryKey.test(key) && !outside.includes(key)) warnings.push(`config.${key} is unknown and not used`)
  }
  const parameters: RopeParameters = {
    ropeType,
    base: both('rope_theta', 'rotary_emb_base'),
    partialRotaryFactor: both('partial_rotary_factor', 'rotary_pct'),
    sections: sectionsIn(config, rope, place),
    temporalPairs: both('freq_allocation'),
    interleaved: agreed(rope, place, ['mrope_interleaved', 'interleaved'], booleanAt),
    rotaryDim: numberAt(config, 'rotary_dim'),
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
    byLayerType: nested || (localBase !== undefined && layerType === 'full_attention'),
    warnings,
  }
  warnAboutLengths(parameters, warnings)
  return parameters
}

function ropeObject(config: Json, layerType: string | undefined, warnings: string[]): { rope: Json; place: string } {
  const forms = ['rope_parameters', 'rope_scaling'].filter((key) => config[key] !== undefined && config[key] !== null)
  const [first, second] = forms
  if (first && second) {
    checkForms(asObject(config[first], first), asObject(config[second], second))
    warnings.push('config has both rope_parameters and rope_scaling; only rope_parameters is read')
  }
  if (!first) return { rope: {}, place: 'config' }
  const whole = asObject(config[first], `config.${first}`)
  if (!isNested(config)) return { rope: whole, place: `config.${first}` }
  const types = Object.keys(whole).filter((key) => isObject(whole[key]) || whole[key] === null)
  const turning = types.filter((type) => whole[type] !== null)
  const chosen = layerType ?? (turning.includes('full_attention') ? 'full_attention' : (turning[0] ?? types[0]))
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
  for (const key of Object.keys(whole)) {
    if (!types.includes(key)) warnings.push(`config.${first}.${key} stands outside of the layer types and is not used`)
  }
  // `truncate` is read from the outer object by the reference, so a nested one has no effect there.
  const rope = asObject(whole[chosen], `config.${first}.${chosen}`)
  if ('truncate' in rope)
    warnings.push(`${chosen}.truncate is used here; transformers 5.18 ignores it inside a layer type`)
  return { rope, place: `config.${first}.${chosen}` }
}

/** Both forms at once must not say two things. */
function checkForms(parameters: Json, scaling: Json): void {
  const differ = (key: string, a: unknown, b: unknown): MropeRangeError => {
    const message = `config: rope_parameters.${key} is ${show(a)}, rope_scaling says ${show(b)}`
    return new MropeRangeError('ERR_MROPE_CONFIG', message, b)
  }
  for (const key of Object.keys(parameters)) {
    if (key === 'type' || key === 'rope_type' || !Object.hasOwn(scaling, key)) continue
    if (JSON.stringify(parameters[key]) !== JSON.stringify(scaling[key])) {
      throw differ(key, parameters[key], scaling[key])
    }
  }
  if (Object.values(parameters).some(isObject) || Object.values(scaling).some(isObject)) return
  const types = [typeOf(parameters, 'config.rope_parameters'), typeOf(scaling, 'config.rope_scaling')]
  if (types[0] !== types[1]) throw differ('rope_type', types[0], types[1])
}

/** One value under several names: the first that is given, and the others must agree. */
function agreed<T>(
  object: Json,
  place: string,
  names: readonly string[],
  read: (object: Json, key: string, place: string) => T | undefined,
): T | undefined {
  const given = names.map((name) => ({ name, value: read(object, name, place) })).filter((x) => x.value !== undefined)
  for (const { name, value } of given) {
    if (JSON.stringify(value) === JSON.stringify(given[0].value)) continue
    const message = `${place}: ${given[0].name} ${show(given[0].value)} and ${name} ${show(value)} differ`
    throw new MropeRangeError('ERR_MROPE_CONFIG', message, value)
  }
  return given[0]?.value
}

/** `mrope_section`, which old HunYuan configurations call `xdrope_section` and may have beside the rotary object. */
function sectionsIn(config: Json, rope: Json, place: string): readonly number[] | undefined {
  const names = ['mrope_section', 'xdrope_section']
  return agreed(rope, place, names, numbersAt) ?? agreed(config, 'config', names, numbersAt)
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
    const named = rope.rope_type ?? rope.type ?? ropeType
    if (known.has(key)) warnings.push(`${place}.${key} is not used by rope type ${named}`)
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
  if (parameters.alpha !== undefined && parameters.factor !== undefined && parameters.factor !== 1) {
    warnings.push(`factor ${parameters.factor} is not used beside alpha ${parameters.alpha}`)
  }
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
