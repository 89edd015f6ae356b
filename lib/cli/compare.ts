import { type Comparison, compareSchemes, type LayoutRow } from '../analysis/compare.js'
import type { AllocationRow } from '../analysis/compare-allocations.js'
import { usualDistances } from '../analysis/decay.js'
import { type MemoryPlan, memoryPlan } from '../analysis/memory.js'
import { type Compat, compatNames } from '../encodings/compat.js'
import type { Encoding } from '../encodings/encoding.js'
import { encodingFromConfig } from '../encodings/from-config.js'
import { MropeError } from '../errors.js'
import type { Sequence } from '../sequence/sequence.js'
import { modelDims } from './dims.js'
import { type ConfigFlags, loadConfig } from './inputs.js'
import { type Report, table } from './output.js'
import { loadRow, type RowFlags } from './row.js'

export interface CompareFlags extends RowFlags {
  readonly generated: number
  readonly distances?: readonly number[]
}

/** `mrope compare`: every layout and every allocation on one prompt, beside the model's own. */
export async function compareCommand(flags: CompareFlags): Promise<Report> {
  const { config, encoding } = await loadConfig(flags)
  const sequence = await loadRow(flags, config)
  const { generated, distances = usualDistances } = flags
  const { kvHeads } = modelDims(config)
  const releases = otherReleases(config, encoding, flags)
  const comparison = compareSchemes(encoding, sequence, {
    generated,
    distances,
    releases,
    ...(kvHeads === null ? {} : { kvHeads }),
  })
  const memory = planMemory(config, encoding, sequence, generated)
  return {
    json: { ...comparison, layouts: comparison.layouts.map(withoutBlocks), distances, memory },
    text: describe(comparison, distances, memory),
  }
}

/** The model by the rules of every release that defines it, other than the one that was asked for. */
export function otherReleases(config: unknown, encoding: Encoding, { family, layerType }: ConfigFlags): Encoding[] {
  return compatNames.flatMap((compat: Compat) => {
    if (compat === encoding.compat) return []
    try {
      return [encodingFromConfig(config, { compat, family, layerType })]
    } catch (error) {
      if (error instanceof MropeError && error.code === 'ERR_MROPE_COMPAT') return []
      throw error
    }
  })
}

/** Null where the configuration does not say how many layers and heads the model has. */
export function planMemory(
  config: unknown,
  encoding: Encoding,
  { length }: Sequence,
  generated: number,
): MemoryPlan | null {
  const { layers, heads, kvHeads, dtype } = modelDims(config)
  if (layers === null || heads === null || kvHeads === null || heads % kvHeads !== 0) return null
  return memoryPlan(encoding, { tokens: length, generated, layers, heads, kvHeads, dtype })
}

/** A prompt of hundreds of blocks would be said again for every layout. */
function withoutBlocks({ result, ...row }: LayoutRow) {
  if (!result) return { ...row, result }
  const { coherence, ...rest } = result
  const { failed, words, slowGrowth, monotoneDecode, growth } = coherence
  return { ...row, result: { ...rest, failed, words, slowGrowth, monotoneDecode, sequenceGrowth: growth } }
}

function describe(comparison: Comparison, distances: readonly number[], memory: MemoryPlan | null): string {
  const { model, tokens, generated, layouts, allocations } = comparison
  const placed = layouts.filter(({ refused }) => refused === null)
  const refused = layouts.filter((row) => row.refused !== null)
  // Curves of every axis of every allocation would fill screens; those of other axes are in the JSON document.
  const own = allocations[0].axes.length > 1 ? allocations[0].axes.join() : 't,h,w'
  const shown = allocations.filter((row) => row.own || row.axes.join() === own)
  return [
    `${model}: ${tokens} tokens and ${generated} generated, by ${placed.length} layouts and ${allocations.length} allocations`,
    `\nLayouts. Overlap: text tokens with an id not above the block in front of them.`,
    layoutTable(placed),
    ...refused.map(({ name, sameAs, refused }) => `${[name, ...sameAs].join(', ')}: ${refused?.message}`),
    `\nAllocations. Coverage: part of the range of frequencies, fastest first. * not the whole range.`,
    allocationTable(shown),
    ...(shown.length < allocations.length ? [`${allocations.length - shown.length} for other axes: see --json`] : []),
    `\nUpper bound of attention at a distance, 1 at 0, by axis; only compare its shape.`,
    decayTable(shown, distances),
    ...(memory ? ['', memoryLine(memory)] : []),
  ].join('\n')
}

function layoutTable(rows: readonly LayoutRow[]): string {
  const lines = rows.flatMap(({ name, kind, sameAs, axes, result }) => {
    if (!result) return []
    const { coherent, overlap, growth, interval, maxId, next, coherence } = result
    const own = kind === 'model' ? `${name} (this model)` : name
    const verdict = coherent ? 'coherent' : coherence.failed.filter((p) => p !== 'fullSpectrum').join(', ')
    const cells = [own, axes.join(' '), overlap, decimal(growth), decimal(interval), decimal(maxId), decimal(next)]
    return [[...cells, verdict, shorten(sameAs)]]
  })
  return table(['layout', 'axes', 'overlap', 'ids/token', 'interval', 'max id', 'next', 'verdict', 'same as'], lines)
}

function allocationTable(rows: readonly AllocationRow[]): string {
  const lines = rows.map(({ name, own, axes, spectrum, heads, tableBytes }) => {
    const coverage = spectrum.map(({ axis, coverage, full }) => {
      const range = coverage ? coverage.map((part) => `${Math.round(100 * part)}`).join('–') : 'none'
      return `${axis} ${range}${full ? '' : '*'}`
    })
    return [own ? `${name} (this model)` : name, axes.join(' '), coverage.join('  '), heads, bytes(tableBytes)]
  })
  return table(['allocation', 'axes', 'coverage in %', 'tables', 'table memory'], lines)
}

function decayTable(rows: readonly AllocationRow[], distances: readonly number[]): string {
  const lines = rows.flatMap(({ name, own, axes, decay }) => {
    const title = `${name}${own ? ' (this model)' : ''}${axes.join() === 't,h,w' ? '' : ` ${axes.join(' ')}`}`
    const curves = own ? [decay.text, ...decay.axes] : decay.axes
    return curves.map(({ axis, values }) => [title, axis, ...values.map((value) => value.toFixed(3))])
  })
  return table(['allocation', 'axis', ...distances.map(String)], lines)
}

function memoryLine({ tokens, table: { precomputed, dynamic }, kvCache, attention }: MemoryPlan): string {
  return [
    `Memory for ${tokens} tokens: table ${bytes(precomputed)} (or ${bytes(dynamic)} made on the fly)`,
    `keys and values ${bytes(kvCache.bytes)} (${bytes(kvCache.perToken)} a token)`,
    `attention ${bytes(attention.cpu)} (${bytes(attention.scores)} if scores were written out)`,
  ].join(', ')
}

const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']

export function bytes(value: number): string {
  const unit = value < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(value) / 10))
  const scaled = value / 2 ** (10 * unit)
  return `${scaled < 10 && unit > 0 ? scaled.toFixed(1) : Math.round(scaled)} ${units[unit]}`
}

function decimal(value: number | null): string {
  return value === null
    ? '–'
    : String(Math.abs(value) < 1 ? Number(value.toPrecision(3)) : Math.round(value * 100) / 100)
}

function shorten(names: readonly string[]): string {
  const shown = names.slice(0, 4)
  return names.length > shown.length ? `${shown.join(', ')} and ${names.length - shown.length} more` : shown.join(', ')
}
