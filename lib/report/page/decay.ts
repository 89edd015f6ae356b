import * as Plot from '@observablehq/plot'
import type { AllocationData, ReportData } from '../data.js'
import { axisColor } from './colors.js'
import { element, fill, onChange, place } from './dom.js'

/** Curves of all axes of one allocation in one drawing, the allocations side by side. */
export function drawDecay({ allocations, distances }: ReportData): void {
  const target = place('decay')
  if (!target) return
  const draw = (): void => {
    fill(target, allocations, (allocation) => frame(allocation, distances))
  }
  draw()
  onChange(draw)
}

function frame(allocation: AllocationData, distances: readonly number[]) {
  const { name, own, axes } = allocation
  const title = `${name}, axes ${axes.join(' ')}${own ? ' (this model)' : ''}`
  const figure = element('figure', {}, element('h3', {}, title), element('div', { class: 'drawing' }))
  return { figure, draw: (width: number) => draw(allocation, distances, width) }
}

function draw({ name, axes, curves }: AllocationData, distances: readonly number[], width: number): Node {
  const points = curves.flatMap(({ axis, values }) =>
    values.map((value, i) => ({ axis, value, distance: distances[i] })),
  )
  const shown = curves.map(({ axis }) => axis)
  return Plot.plot({
    width,
    height: 210,
    marginRight: 38,
    marginBottom: 42,
    style: { fontSize: '12px' },
    ariaLabel: `Decay with distance of ${name} over ${axes.join(', ')}`,
    x: { type: 'log', base: 4, label: 'distance in ids', ticks: [1, 16, 256, 4096, 65536], tickFormat: ',' },
    y: { domain: [0, 1], label: 'bound', grid: true, ticks: 5 },
    color: { domain: shown, range: shown.map((axis) => axisColor(axis, axes.indexOf(axis))) },
    marks: [
      Plot.ruleY([0]),
      Plot.line(points, { x: 'distance', y: 'value', stroke: 'axis', strokeWidth: 1.8 }),
      Plot.text(endLabels(points), {
        x: 'distance',
        y: 'height',
        text: 'axis',
        fill: 'axis',
        dx: 6,
        textAnchor: 'start',
        fontWeight: 'bold',
      }),
    ],
  })
}

interface Point {
  readonly axis: string
  readonly value: number
  readonly distance: number
}

/** Names at the ends of the curves, moved apart where they would lie on each other. */
function endLabels(points: readonly Point[]): (Point & { height: number })[] {
  const last = Math.max(...points.map(({ distance }) => distance))
  const ends = points.filter(({ distance }) => distance === last).sort((a, b) => a.value - b.value)
  let free = 0
  const labels = ends.map((end) => {
    const height = Math.max(end.value, free)
    free = height + labelHeight
    return { ...end, height }
  })
  const over = Math.max(0, free - labelHeight - 1)
  return labels.map((label, i) => ({
    ...label,
    height: Math.min(label.height, 1 - (labels.length - 1 - i) * labelHeight, label.height + over),
  }))
}

/** Of a line of text, as part of the drawing's height. */
const labelHeight = 0.085
