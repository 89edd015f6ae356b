import { MropeRangeError, MropeTypeError, show } from '../errors.js'
import { type Compat, compatPrecision, readCompat } from './compat.js'
import { Encoding } from './encoding.js'
import { type Family, familyAllocation, familyNames, familyOf, llamaLike } from './families.js'
import { familyLayout } from './family-layouts.js'
import { asObject, countAt, isObject, type Json, numberAt, perHead } from './json.js'
import { type RopeParameters, readRopeParameters } from './rope-parameters.js'
import { spectrumFromConfig } from './spectrum-from-config.js'

export interface ConfigOptions {
  /** Whose rule is followed where releases disagree; see `Compat`. */
  readonly compat?: string
  /** Read the configuration as that of this family, whatever its `model_type`. */
  readonly family?: string
  /** Which layers, for models whose layer types have rotary parameters of their own. */
  readonly layerType?: string
}

/**
 * The encoding of a model's language layers from its config.json: nested (`text_config`, `thinker_config`) or flat, with
 * `rope_parameters` or with `rope_scaling` and `rope_theta`. Everything resolves to explicit numbers, see `describe()`.
 *
 * @throws MropeTypeError ERR_MROPE_CONFIG for malformed values; MropeRangeError ERR_MROPE_CONFIG, ERR_MROPE_ROPE_TYPE,
 *   ERR_MROPE_SECTIONS, ERR_MROPE_FAMILY, ERR_MROPE_COMPAT
 */
export function encodingFromConfig(config: unknown, options: ConfigOptions = {}): Encoding {
  const whole = asObject(config, 'config')
  checkOptions(options)
  const compat = readCompat(options.compat)
  const model = isObject(whole.thinker_config) ? whole.thinker_config : whole
  const text = textConfig(model)
  const warnings: string[] = []
  const family = resolveFamily(model, text, options.family, warnings)
  checkOutside([whole, model], text, warnings)
  const slidingBase =
    family.layout === 'sequential' && typeof family.base !== 'number' ? family.base.sliding_attention : undefined
  const rope = readRopeParameters(text, options.layerType, slidingBase)
  checkInterleaved(rope, family)
  if (options.layerType !== undefined && !rope.byLayerType && typeof family.base === 'number') {
    warnings.push(`layerType ${show(options.layerType)} is not used: all layers have the same rotary parameters`)
  }
  const headDim = headDimOf(text, family, warnings)
  const rotaryDim = rotaryDimOf(headDim, rope, family, options.layerType)
  const sections = sectionsOf(rope, family, headDim, rotaryDim, warnings)
  const base = rope.base ?? perLayer(family.base, options.layerType)
  if (rope.base === undefined) warnings.push(`rope_theta is not given; ${base}, the default of ${family.name}, is used`)
  const mrope = family.layout !== 'sequential'
  return new Encoding({
    name: family.name,
    headDim,
    layout: familyLayout(family.layout, layoutNumbers(model, sections, family, warnings), compat, family.name),
    spectrum: spectrumFromConfig(rope, {
      base,
      headDim,
      rotaryDim,
      yarnRange: compat === 'vllm' && mrope ? 'vllm' : 'original',
      precision: compatPrecision(compat),
    }),
    allocation: familyAllocation(family.allocation, sections, rotaryDim / 2, compat === 'ggml'),
    pairing: family.pairing,
    precision: compatPrecision(compat),
    compat,
    source: family.source,
    verified: family.verified,
    warnings: [...warnings, ...rope.warnings],
  })
}

function checkOptions(options: ConfigOptions): void {
  if (!isObject(options)) {
    const message = `encodingFromConfig: options is an object, got ${show(options)}`
    throw new MropeTypeError('ERR_MROPE_ARGUMENT', message, options)
  }
  const unknown = Object.keys(options).find((key) => !['compat', 'family', 'layerType'].includes(key))
  if (unknown === undefined) return
  const message = `encodingFromConfig: unknown option ${show(unknown)}; known are compat, family, layerType`
  throw new MropeTypeError('ERR_MROPE_ARGUMENT', message, unknown)
}

function textConfig(model: Json): Json {
  for (const key of ['text_config', 'llm_config', 'language_config']) {
    if (isObject(model[key])) return model[key]
  }
  return model
}

const rotaryKeys = ['rope_parameters', 'rope_scaling', 'rope_theta', 'partial_rotary_factor', 'rope_local_base_freq']

/** Rotary keys outside of the text model's part are not read, so they must say the same, or be known not to count. */
function checkOutside(outer: readonly Json[], text: Json, warnings: string[]): void {
  for (const object of new Set(outer)) {
    if (object === text) continue
    for (const key of rotaryKeys) {
      const value = object[key]
      if (value === undefined || value === null || JSON.stringify(value) === JSON.stringify(text[key])) continue
      const where = `config.${key} ${show(value)} stands outside of the text model's part`
      if (!isObject(value) && (text[key] === undefined || text[key] === null)) {
        warnings.push(`${where} and is not used`)
        continue
      }
      throw new MropeRangeError('ERR_MROPE_CONFIG', `${where}, where ${key} is ${show(text[key])}`, value)
    }
  }
}

function resolveFamily(model: Json, text: Json, override: string | undefined, warnings: string[]): Family {
  if (override !== undefined) {
    const family = familyOf(override)
    if (family) return family
    const message = `family is one of ${familyNames.join(', ')} or a text model; got ${show(override)}`
    throw new MropeRangeError('ERR_MROPE_FAMILY', message, override)
  }
  const known = familyOf(model.model_type) ?? familyOf(text.model_type)
  if (known) return known
  const modelType = text.model_type ?? model.model_type
  const rope = text.rope_parameters ?? text.rope_scaling
  if (isObject(rope) && ('mrope_section' in rope || 'xdrope_section' in rope)) {
    const message = `config: model_type ${show(modelType)} has mrope_section but is not a known family; name one with the option family`
    throw new MropeRangeError('ERR_MROPE_FAMILY', message, modelType)
  }
  if ('kv_lora_rank' in text || 'qk_rope_head_dim' in text) {
    const message = `config: model_type ${show(modelType)} rotates a part of latent attention; make an Encoding of its qk_rope_head_dim`
    throw new MropeRangeError('ERR_MROPE_FAMILY', message, modelType)
  }
  warnings.push(`model_type ${show(modelType)} is not known; read as Llama-like: one axis, half-split`)
  return llamaLike(modelType)
}

/** A checkpoint that says the other allocation than its family is refused: text would be right and images garbage. */
function checkInterleaved({ interleaved }: RopeParameters, family: Family): void {
  if (interleaved === undefined || family.allocation === 'single') return
  if (interleaved === (family.allocation === 'interleaved' || family.allocation === 'greedy')) return
  const message = `config: mrope_interleaved is ${interleaved}, but ${family.name} allocates ${family.allocation}`
  throw new MropeRangeError('ERR_MROPE_CONFIG', message, interleaved)
}

function headDimOf(text: Json, family: Family, warnings: string[]): number {
  const given = countAt(text, 'head_dim') ?? countAt(text, 'attention_head_dim')
  if (given !== undefined) return given
  if (family.headDim !== undefined) {
    warnings.push(`head_dim is not given; ${family.headDim}, the default of ${family.name}, is used`)
    return family.headDim
  }
  return perHead(text, 'hidden_size', 'num_attention_heads')
}

function rotaryDimOf(headDim: number, rope: RopeParameters, family: Family, layerType?: string): number {
  if (rope.rotaryDim !== undefined) return evenDim(rope.rotaryDim, headDim, `rotary_dim ${show(rope.rotaryDim)}`)
  const partial = rope.partialRotaryFactor ?? perLayer(family.partialRotaryFactor ?? 1, layerType)
  if (!(partial > 0 && partial <= 1)) {
    const message = `config: partial_rotary_factor is above 0 and at most 1, got ${show(partial)}`
    throw new MropeRangeError('ERR_MROPE_CONFIG', message, partial)
  }
  // Proportional spectra turn pairs of the whole head, some of them with frequency zero.
  const rotaryDim = rope.ropeType === 'proportional' ? headDim : Math.trunc(headDim * partial)
  return evenDim(rotaryDim, headDim, `head_dim ${headDim} × ${partial}`)
}

function evenDim(rotaryDim: number, headDim: number, from: string): number {
  if (Number.isSafeInteger(rotaryDim) && rotaryDim % 2 === 0 && rotaryDim > 0 && rotaryDim <= headDim) return rotaryDim
  const message = `config: the rotary dimension is even and from 2 to head_dim ${headDim}, got ${rotaryDim} (${from})`
  throw new MropeRangeError('ERR_MROPE_CONFIG', message, rotaryDim)
}

/** Numbers of pairs; old HunYuan configurations give them as fractions of half the head. */
function sectionsOf(
  rope: RopeParameters,
  family: Family,
  headDim: number,
  rotaryDim: number,
  warnings: string[],
): readonly number[] {
  if (rope.temporalPairs !== undefined && family.allocation === 'spatialFirst') {
    return withTemporalPairs(rope.temporalPairs, rope.sections, rotaryDim / 2)
  }
  if (rope.temporalPairs !== undefined) warnings.push(`freq_allocation is not used by ${family.name}`)
  if (family.allocation === 'single') {
    if (rope.sections) warnings.push(`mrope_section is not used by ${family.name}, which has one axis`)
    return [rotaryDim / 2]
  }
  if (!rope.sections) {
    if (!family.sections) return []
    warnings.push(`mrope_section is not given; [${family.sections}], the default of ${family.name}, is used`)
    return family.sections
  }
  const fractions = rope.sections.every((section) => section > 0 && section < 1)
  return fractions ? rope.sections.map((section) => (section * headDim) / 2) : rope.sections
}

/** Ernie checkpoints say only how many pairs turn with time; rows and columns share the others. */
function withTemporalPairs(t: number, sections: readonly number[] | undefined, pairs: number): readonly number[] {
  const spatial = (pairs - t) / 2
  const derived = [spatial, spatial, t]
  if (sections && sections.join() !== derived.join()) {
    const message = `config: freq_allocation ${t} makes sections [${derived}], mrope_section is ${show(sections)}`
    throw new MropeRangeError('ERR_MROPE_CONFIG', message, sections)
  }
  return derived
}

function layoutNumbers(model: Json, sections: readonly number[], family: Family, warnings: string[]) {
  const vision = isObject(model.vision_config) ? model.vision_config : {}
  const orDefault = (used: boolean, value: number | undefined, key: string, fallback: number): number => {
    if (used && value === undefined) warnings.push(`${key} is not given; ${fallback} is used`)
    return value ?? fallback
  }
  const seconds = family.layout === 'mrope-seconds'
  const omni = family.layout === 'tmrope-chunked' || family.layout === 'tmrope-sorted'
  const chunked = family.layout === 'tmrope-chunked'
  return {
    axes: sections.length,
    tokensPerSecond: orDefault(
      seconds,
      numberAt(vision, 'tokens_per_second', 'config.vision_config'),
      'tokens_per_second',
      4,
    ),
    positionIdPerSeconds: orDefault(omni, numberAt(model, 'position_id_per_seconds'), 'position_id_per_seconds', 25),
    secondsPerChunk: orDefault(chunked, numberAt(model, 'seconds_per_chunk'), 'seconds_per_chunk', 2),
  }
}

function perLayer(value: number | { readonly [layerType: string]: number }, layerType = 'full_attention'): number {
  if (typeof value === 'number') return value
  return Object.hasOwn(value, layerType) ? value[layerType] : value.full_attention
}

export type { Compat }
