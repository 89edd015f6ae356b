import * as Plot from '@observablehq/plot'
import type { AllocationData, ReportData } from '../data.js'
import { axisColor } from './colors.js'
import { element, fill, onChange, place } from './dom.js'

interface Cell {
  readonly line: string
  readonly pair: number
  readonly axis: string
}

/** Which axis turns which pair: one line for each allocation, and for each head that differs. */
export function drawFrequencies({ allocations }: ReportData): void {
  const target = place('frequencies')
  if (!target) return
  const groups = byAxes(allocations)
  const draw = (): void => {
    fill(target, groups, frame)
  }
  draw()
  onChange(draw)
}

/** Allocations of the same axes; the model's own come first. */
function byAxes(allocations: readonly AllocationData[]): AllocationData[][] {
  const groups = new Map<string, AllocationData[]>()
  for (const allocation of allocations) {
    const key = allocation.axes.join()
    groups.set(key, [...(groups.get(key) ?? []), allocation])
  }
  return [...groups.values()]
}

const still = 'does not turn'

function frame(group: readonly AllocationData[]) {
  const { axes } = group[0]
  const lines = group.flatMap((allocation) => linesOf(allocation))
  const cells = lines.flatMap(({ title, letters }): Cell[] =>
    [...letters].map((letter, pair) => ({ line: title, pair, axis: letter === '-' ? still : letter.toLowerCase() })),
  )
  const shown = [...axes, ...(cells.some(({ axis }) => axis === still) ? [still] : [])]
  const colors = shown.map((axis, a) => (axis === still ? 'var(--still)' : axisColor(axis, a)))
  const legend = element('div', { class: 'legend' })
  legend.append(
    ...shown.map((axis, a) => element('span', {}, element('i', { style: `background: ${colors[a]}` }), axis)),
  )
  const pairs = Math.max(...lines.map(({ letters }) => letters.length))
  const draw = (width: number): Node =>
    Plot.plot({
      width,
      height: 56 + 24 * lines.length,
      marginLeft: width < 560 ? 126 : 170,
      marginRight: 10,
      marginTop: 4,
      style: { fontSize: width < 560 ? '11px' : '12px' },
      ariaLabel: `Pairs of channels by axis, for allocations over ${axes.join(', ')}`,
      x: { label: 'pair, fastest first', ticks: ticksOf(pairs), tickSize: 0, paddingInner: 0.08 },
      y: { label: null, domain: lines.map(({ title }) => title), tickSize: 0, paddingInner: 0.3 },
      color: { domain: shown, range: colors },
      marks: [Plot.cell(cells, { x: 'pair', y: 'line', fill: 'axis' })],
    })
  return { figure: element('figure', {}, legend, element('div', { class: 'drawing' })), draw }
}

function linesOf({ name, own, axisOf }: AllocationData): { title: string; letters: string }[] {
  const heads = axisOf.split('|')
  const title = own ? `${name} (this model)` : name
  if (axisOf === 'dense') return []
  if (heads.length === 1) return [{ title, letters: axisOf }]
  return runs(heads).map(({ letters, from, to }) => ({
    title: `${title}, ${from === to ? `head ${from}` : `heads ${from}–${to}`}`,
    letters,
  }))
}

/** Neighbouring heads that are alike, as one line. */
function runs(heads: readonly string[]): { letters: string; from: number; to: number }[] {
  const found: { letters: string; from: number; to: number }[] = []
  heads.forEach((letters, head) => {
    const last = found.at(-1)
    if (last?.letters === letters) last.to = head
    else found.push({ letters, from: head, to: head })
  })
  return found
}

function ticksOf(pairs: number): number[] {
  const step = pairs <= 16 ? 1 : 2 ** Math.ceil(Math.log2(pairs / 8))
  return Array.from({ length: pairs }, (_, f) => f).filter((f) => f % step === 0 || f === pairs - 1)
}
