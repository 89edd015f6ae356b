import * as Plot from '@observablehq/plot'
import type { ReportData, SchemeData, Strip } from '../data.js'
import { element, fill, onChange, place } from './dom.js'

/** Ids along the prompt of two schemes, each chosen from a list: the model and the one with most text inside at first. */
export function drawTraces({ strip, schemes }: ReportData): void {
  const target = place('traces')
  const controls = place('trace-controls')
  if (!target || !controls || schemes.length === 0) return
  const worst = schemes.reduce((most, { overlap }, i) => (overlap > schemes[most].overlap ? i : most), 0)
  const other = worst > 0 ? worst : Math.min(1, schemes.length - 1)
  const selects = [0, other].map((chosen, i) => {
    const select = element('select', { id: `trace-${i}` })
    schemes.forEach(({ name, overlap }, s) => {
      const option = element('option', { value: s }, overlap > 0 ? `${name} (${overlap} inside)` : name)
      option.selected = s === chosen
      select.append(option)
    })
    controls.append(element('label', { for: `trace-${i}` }, i === 0 ? 'First scheme' : 'Second scheme', select))
    return select
  })
  const draw = (): void => {
    fill(
      target,
      selects.map((select) => schemes[Number(select.value)]),
      (scheme) => frame(strip, scheme),
    )
  }
  for (const select of selects) select.addEventListener('change', draw)
  draw()
  onChange(draw)
}

function frame(strip: Strip, scheme: SchemeData) {
  const { name, overlap } = scheme
  const words = overlap === 0 ? 'no text inside of a picture' : `${overlap} text tokens inside of a picture`
  const figure = element(
    'figure',
    {},
    element('h3', {}, name),
    element('div', { class: 'drawing' }),
    element('figcaption', {}, words),
  )
  return { figure, draw: (width: number) => draw(strip, scheme, width) }
}

function draw({ kinds, starts }: Strip, { name, low, high, inside }: SchemeData, width: number): Node {
  const columns = kinds.map((kind, c) => ({
    from: c,
    to: c + 1,
    low: low[c],
    high: high[c],
    text: kind === 'text' || kind === 'generated',
    inside: inside[c] > 0,
  }))
  return Plot.plot({
    width,
    height: 260,
    marginLeft: 52,
    style: { fontSize: '12px' },
    ariaLabel: `Ids along the prompt under ${name}`,
    x: {
      label: 'token',
      ticks: tickColumns(kinds, starts, width),
      tickFormat: (c: number) => String(starts[c]),
      domain: [0, kinds.length],
    },
    y: { label: 'id', grid: true, nice: true },
    marks: [
      Plot.rectY(
        columns.filter(({ text }) => !text),
        {
          x1: 'from',
          x2: 'to',
          y1: 'low',
          y2: 'high',
          fill: 'var(--kind-block)',
          stroke: 'var(--kind-block)',
          strokeWidth: 0.6,
        },
      ),
      Plot.dot(
        columns.filter(({ text }) => text),
        { x: (d) => (d.from + d.to) / 2, y: 'high', r: 1.8, fill: (d) => (d.inside ? 'var(--bad)' : 'var(--text)') },
      ),
    ],
    color: { type: 'identity' },
  })
}

/** Where the kind changes, but not nearer than can be read. */
function tickColumns(kinds: readonly string[], starts: readonly number[], width: number): number[] {
  const gap = (kinds.length * 64) / width
  const ticks: number[] = []
  const last = kinds.length
  for (let c = 0; c < last; c++) {
    const far = ticks.length === 0 || c - ticks[ticks.length - 1] >= gap
    if (far && (c === 0 || kinds[c] !== kinds[c - 1] || c - ticks[ticks.length - 1] >= 2 * gap)) ticks.push(c)
  }
  if (ticks.length > 0 && last - ticks[ticks.length - 1] >= gap) ticks.push(last)
  return ticks.filter((c) => starts[c] !== undefined)
}
