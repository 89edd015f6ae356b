import { axisLetters } from '../allocations/allocation.js'
import type { Encoding } from '../encodings/encoding.js'
import type { Layout } from '../layouts/layout.js'
import { type Decay, decay } from './decay.js'
import { spectrumCoverage } from './frequencies.js'
import { tableBytes } from './memory.js'
import type { AxisSpectrum } from './report.js'
import { fittingAllocations, type Scheme, withParts } from './schemes.js'

/** What an allocation gives to the axes, whatever the layout. */
export interface AllocationRow {
  readonly name: string
  /** The one of the model. */
  readonly own: boolean
  readonly axes: readonly string[]
  readonly axisOf: string
  /** The same letters with the fastest pair first, where pairs stand in another order; `-` for pairs that do not turn. */
  readonly byFrequency: string
  readonly heads: number
  readonly spectrum: readonly AxisSpectrum[]
  readonly decay: Decay
  /** Cosines and sines of the prompt. */
  readonly tableBytes: number
}

/** Layouts of the same axes share their allocations. */
export function allocationRows(
  model: Encoding,
  placed: readonly Scheme[],
  { distances, kvHeads, tokens }: { distances: readonly number[]; kvHeads: number; tokens: number },
): AllocationRow[] {
  const seen = new Set<string>()
  const rows: AllocationRow[] = []
  const add = (name: string, own: boolean, encoding: Encoding): void => {
    const { axes, allocation } = encoding
    const letters = axisLetters(allocation, axes)
    const key = [letters, [...encoding.invFreq], axes].join('|')
    if (seen.has(key)) return
    seen.add(key)
    const all = axes.map((_, a) => a)
    const spectrum = spectrumCoverage(encoding, all).axes
    const decays = decay(encoding, { distances })
    const bytes = tableBytes(encoding, tokens)
    const shape = { axes, axisOf: letters, byFrequency: byFrequency(letters, encoding), heads: allocation.heads }
    rows.push({ name, own, ...shape, spectrum, decay: decays, tableBytes: bytes })
  }
  add(model.allocation.name, true, model)
  for (const { layout } of differentAxes(placed)) {
    for (const { allocation } of fittingAllocations(model, layout.axes, kvHeads)) {
      add(allocation.name, false, withParts(model, allocation.name, layout, allocation))
    }
  }
  return rows
}

function byFrequency(letters: string, { allocation: { directions, pairs }, invFreq }: Encoding): string {
  if (directions) return letters
  const speed = (f: number): number => Math.abs(invFreq[f])
  const order = Array.from({ length: pairs }, (_, f) => f).sort((a, b) => speed(b) - speed(a) || a - b)
  const heads = letters.split('|')
  return heads.map((head) => order.map((f) => (speed(f) === 0 ? '-' : head[f])).join('')).join('|')
}

function differentAxes(placed: readonly Scheme[]): { layout: Layout }[] {
  const found = new Map<string, { layout: Layout }>()
  for (const { encoding } of placed) {
    const key = encoding.axes.join()
    if (!found.has(key)) found.set(key, { layout: encoding.layout })
  }
  return [...found.values()]
}
