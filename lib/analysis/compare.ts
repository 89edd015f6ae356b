import type { Encoding } from '../encodings/encoding.js'
import { MropeError, MropeTypeError, show } from '../errors.js'
import type { Positions } from '../layouts/positions.js'
import type { Sequence } from '../sequence/sequence.js'
import { checkCount, checkOptions } from '../tensors/check.js'
import { coherence } from './coherence.js'
import { type AllocationRow, allocationRows } from './compare-allocations.js'
import { readDistances } from './decay.js'
import { spectrumCoverage, textCompatibility } from './frequencies.js'
import { checkEncoding, readLimits } from './options.js'
import { checkSequence, type Prompt, readPrompt } from './prompt.js'
import type { Coherence, Predicate } from './report.js'
import { fittingAllocations, type Scheme, schemesOf, withParts } from './schemes.js'

export interface CompareOptions {
  /** Tokens that will be generated behind the prompt. Default 110. */
  readonly generated?: number
  /** Differences of ids at which decay is given. Default: powers of 4 from 1 to 65536. */
  readonly distances?: readonly number[]
  /** KV heads, for allocations by head. Default 8. */
  readonly kvHeads?: number
  /** The model by the rules of other releases. */
  readonly releases?: readonly Encoding[]
}

/** What a layout makes of the prompt. */
export interface LayoutRow {
  readonly name: string
  readonly kind: Scheme['kind']
  /** Other names of the comparison under which the same ids came out. */
  readonly sameAs: readonly string[]
  readonly axes: readonly string[]
  readonly result: LayoutResult | null
  /** Why the layout does not place the prompt; null when it does. */
  readonly refused: { readonly code: string; readonly message: string } | null
}

export interface LayoutResult {
  readonly coherent: boolean
  /** Text tokens, prompt and generated, whose id is not above every block in front of them. */
  readonly overlap: number
  /** Ids a visual token takes; null without pictures, or when it cannot be known. */
  readonly growth: number | null
  readonly maxId: number
  readonly next: number
  readonly delta: number
  /** Id of the text behind a block − its largest id, of the block where it is least. Null without. */
  readonly interval: number | null
  readonly coherence: Coherence
}

/** A layout with an allocation. */
export interface PairRow {
  readonly layout: string
  readonly allocation: string
  readonly coherent: boolean
  readonly failed: readonly Predicate[]
}

export interface Comparison {
  readonly model: string
  readonly tokens: number
  readonly generated: number
  readonly layouts: readonly LayoutRow[]
  readonly allocations: readonly AllocationRow[]
  readonly pairs: readonly PairRow[]
}

/** A scheme with the positions it gives, for those who draw them. */
export interface PlacedScheme extends Scheme {
  readonly positions: Positions
  readonly prompt: Prompt
  readonly result: LayoutResult
}

/**
 * Every layout and every allocation on one prompt, beside the model's own. What depends on positions alone (overlap,
 * growth, interval, decode) is said by layout; what depends on frequencies alone (coverage, decay, memory) by
 * allocation; and which predicates fail together by pair.
 *
 * @throws MropeTypeError, MropeRangeError ERR_MROPE_ARGUMENT. A layout that refuses the prompt is a row that says so.
 */
export function compareSchemes(encoding: Encoding, sequence: Sequence, options: CompareOptions = {}): Comparison {
  return compareAll(encoding, sequence, options).comparison
}

/** The same, with the positions of the layouts that placed the prompt, in the order of their rows. */
export function compareAll(
  given: Encoding,
  sequence: Sequence,
  options: CompareOptions,
): { comparison: Comparison; placed: PlacedScheme[] } {
  const caller = 'compareSchemes'
  checkEncoding(caller, 'encoding', given)
  checkSequence(caller, sequence)
  checkOptions(caller, options, ['generated', 'distances', 'kvHeads', 'releases'])
  const { generated } = readLimits(caller, { generated: options.generated }, 'textModel', 0)
  const distances = readDistances(caller, options.distances)
  const kvHeads = checkCount(caller, 'kvHeads', options.kvHeads ?? 8, 1)
  const { releases = [] } = options
  if (!Array.isArray(releases)) {
    const message = `${caller}: releases must be a list of encodings, got ${show(releases)}`
    throw new MropeTypeError('ERR_MROPE_ARGUMENT', message, releases)
  }
  for (const release of releases) checkEncoding(caller, 'a release', release)
  const model = atPromptLength(given, sequence, generated)
  const rows: LayoutRow[] = []
  const placed: PlacedScheme[] = []
  for (const scheme of schemesOf(model, releases, kvHeads)) {
    const { row, same, found } = placeScheme(scheme, sequence, generated, placed)
    if (found) placed.push(found)
    const alike = row?.refused ? ({ refused }: LayoutRow) => refused?.message === row.refused?.message : () => false
    const known = rows.findIndex((other) => other.name === same || alike(other))
    if (known >= 0) rows[known] = alsoCalled(rows[known], scheme.name)
    else if (row) rows.push(row)
  }
  const allocations = allocationRows(model, placed, { distances, kvHeads, tokens: sequence.length })
  const pairs = pairRows(model, placed, kvHeads)
  const comparison = { model: model.name, tokens: sequence.length, generated, layouts: rows, allocations, pairs }
  return { comparison, placed }
}

/** Frequencies that depend on the length are those of the prompt and its answer, for all schemes the same. */
function atPromptLength(model: Encoding, sequence: Sequence, generated: number): Encoding {
  if (!model.spectrum.atLength) return model
  try {
    return model.atLength(model.positions(sequence).largest + 1 + generated)
  } catch (error) {
    // The model's own row will say that it does not take the prompt.
    if (error instanceof MropeError) return model
    throw error
  }
}

/** Some layouts are called as the encoding that has them. */
function alsoCalled(row: LayoutRow, name: string): LayoutRow {
  return name === row.name || row.sameAs.includes(name) ? row : { ...row, sameAs: [...row.sameAs, name] }
}

/** A row of its own, or the name of the row that has the same ids. */
function placeScheme(scheme: Scheme, sequence: Sequence, generated: number, placed: readonly PlacedScheme[]) {
  const { name, kind, encoding } = scheme
  const row = { name, kind, sameAs: [], axes: encoding.axes }
  try {
    const positions = encoding.positions(sequence)
    const same = placed.find((other) => sameIds(other.positions, positions))
    if (same) return { same: same.name }
    const judged = coherence(encoding, sequence, { generated })
    const prompt = readPrompt('compareSchemes', positions, sequence, generated, encoding.layout)
    const result = layoutResult(judged, prompt, positions)
    return { row: { ...row, result, refused: null }, found: { ...scheme, positions, prompt, result } }
  } catch (error) {
    if (!(error instanceof MropeError)) throw error
    return { row: { ...row, result: null, refused: { code: error.code, message: error.message } } }
  }
}

/** The same axes, ids and continuation. */
function sameIds(a: Positions, b: Positions): boolean {
  if (a.axes.join() !== b.axes.join() || a.next !== b.next || a.delta !== b.delta) return false
  if (a.decode(1).at(0).join() !== b.decode(1).at(0).join()) return false
  return a.ids.every((id, i) => id === b.ids[i])
}

function layoutResult(judged: Coherence, prompt: Prompt, positions: Positions): LayoutResult {
  const after = judged.blocks.flatMap(({ interval }) => (interval.after === null ? [] : [interval.after]))
  return {
    coherent: judged.coherent,
    overlap: overlappedText(prompt, judged).reduce((sum, inside) => sum + inside, 0),
    growth: judged.visualGrowth,
    maxId: judged.maxId,
    next: positions.next,
    delta: positions.delta,
    interval: after.length > 0 ? Math.min(...after) : null,
    coherence: judged,
  }
}

/**
 * For each text token, prompt and generated: 1 when a block in front of it has a larger or equal id. A token is counted
 * once, however many blocks it lies in; blocks that are sequences of their own have no text in them.
 */
export function overlappedText({ textIds, blocks }: Prompt, { blocks: judged }: Coherence): Uint8Array {
  const inside = new Uint8Array(textIds.length)
  if (judged.every(({ noOverlap }) => noOverlap)) return inside
  let largest = Number.NEGATIVE_INFINITY
  let b = 0
  for (let i = 0; i < textIds.length; i++) {
    for (; b < blocks.length && blocks[b].textBefore <= i; b++) largest = Math.max(largest, judged[b].largest)
    if (textIds[i] <= largest) inside[i] = 1
  }
  return inside
}

function pairRows(model: Encoding, placed: readonly PlacedScheme[], kvHeads: number): PairRow[] {
  return placed.flatMap(({ name, encoding, prompt, result }) => {
    const ofPositions = result.coherence.failed.filter((p) => p !== 'textCompatible' && p !== 'fullSpectrum')
    const own = encoding.allocation
    const others = fittingAllocations(model, encoding.axes, kvHeads).flatMap(({ allocation }) =>
      allocation.name === own.name ? [] : [allocation],
    )
    return [own, ...others].map((allocation): PairRow => {
      const pair = allocation === own ? encoding : withParts(model, name, encoding.layout, allocation)
      const failed: Predicate[] = [...ofPositions]
      if (!textCompatibility(prompt, pair, null).compatible) failed.push('textCompatible')
      if (!spectrumCoverage(pair, prompt.live).axes.every(({ full }) => full)) failed.push('fullSpectrum')
      return { layout: name, allocation: allocation.name, coherent: result.coherent, failed }
    })
  })
}
