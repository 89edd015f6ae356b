import type { ReportData, SchemeData, Strip } from '../data.js'
import { paint, type Rgb, ramp, rampCss, resolved } from './colors.js'
import { clamp, element, number, onChange, oncePerFrame, place } from './dom.js'

const rowHeight = 16

/** The tokens of the prompt coloured by position, one strip for each scheme, with one cursor for all. */
export function drawStrips({ strip, schemes }: ReportData): void {
  const target = place('strips')
  const readout = place('strip-readout')
  if (!target || !readout) return
  drawLegend()
  const columns = strip.kinds.length
  const drawn = schemes.map((scheme) => drawStrip(target, scheme))
  let cursor = Math.max(
    0,
    strip.kinds.findIndex((kind) => kind !== 'text'),
  )
  const show = (): void => {
    readout.textContent = `${describe(strip, cursor)}: ${describeIds(schemes[0], cursor)}`
    drawn.forEach(({ line, summary }, i) => {
      line.style.left = `calc(1.9rem + (100% - 1.9rem) * ${(cursor + 0.5) / columns})`
      summary.textContent = describeIds(schemes[i], cursor)
    })
  }
  const showSoon = oncePerFrame(show)
  const move = (to: number): void => {
    cursor = clamp(to, 0, columns - 1)
    showSoon()
  }
  for (const { canvas, rows } of drawn) {
    canvas.addEventListener('pointermove', (event) => {
      const box = canvas.getBoundingClientRect()
      move(Math.floor(((event.clientX - box.left) / box.width) * columns))
    })
    rows.addEventListener('keydown', (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1, PageUp: -20, PageDown: 20, Home: -columns, End: columns }[event.key]
      if (step === undefined) return
      event.preventDefault()
      move(cursor + step)
    })
  }
  const draw = (): void => {
    drawn.forEach(({ canvas }, i) => {
      paintStrip(canvas, strip, schemes[i])
    })
  }
  draw()
  show()
  onChange(draw)
}

function drawStrip(target: HTMLElement, { name, own, axes, overlap }: SchemeData) {
  const canvas = element('canvas')
  const line = element('div', { class: 'cursor' })
  const summary = element('span', { class: 'soft' })
  const letters = element('div', { class: 'letters', 'aria-hidden': 'true' })
  letters.append(...axes.map((axis) => element('span', {}, axis)), element('span', {}, ''))
  letters.style.gridTemplateRows = `repeat(${axes.length + 1}, 1fr)`
  canvas.style.height = `${rowHeight * (axes.length + 1)}px`
  const words = overlap === 0 ? 'no text token inside of a picture' : `${overlap} text tokens inside of a picture`
  const label = `${name}: tokens coloured by position on ${axes.join(', ')}; ${words}. Arrow keys move the cursor.`
  const rows = element(
    'div',
    { class: 'rows', tabindex: own ? 0 : -1, role: 'img', 'aria-label': label },
    letters,
    canvas,
    line,
  )
  const badge = overlap > 0 ? [element('span', { class: 'badge bad' }, `${overlap} inside`)] : []
  const title = element('header', {}, element('h3', {}, own ? `${name} (this model)` : name), ...badge, summary)
  target.append(element('div', { class: 'strip' }, title, rows))
  return { canvas, line, summary, rows }
}

function paintStrip(canvas: HTMLCanvasElement, { kinds }: Strip, { ids, inside, axes }: SchemeData): void {
  const all = ids.flat()
  const [low, high] = [Math.min(...all), Math.max(...all)]
  const colors = kindColors()
  paint(canvas, kinds.length, axes.length + 1, (column, row) => {
    if (row < axes.length) return ramp(high > low ? (ids[row][column] - low) / (high - low) : 0)
    return inside[column] > 0
      ? colors.inside
      : kinds[column] === 'text'
        ? colors.text
        : kinds[column] === 'generated'
          ? colors.generated
          : colors.block
  })
}

function kindColors(): Record<'text' | 'block' | 'generated' | 'inside', Rgb> {
  return {
    text: resolved('--kind-text'),
    block: resolved('--kind-block'),
    generated: resolved('--kind-generated'),
    inside: resolved('--bad'),
  }
}

function drawLegend(): void {
  const ramp = element('span', { class: 'ramp', style: `background: ${rampCss}` })
  const kinds = [
    ['--kind-text', 'text'],
    ['--kind-block', 'image, video or sound'],
    ['--kind-generated', 'generated'],
    ['--bad', 'text inside of a picture'],
  ].map(([variable, name]) => element('span', {}, element('i', { style: `background: var(${variable})` }), name))
  place('strip-legend')?.append(element('span', {}, 'smallest id', ramp, 'largest id'), ...kinds)
}

function describe({ kinds, starts }: Strip, column: number): string {
  const [from, to] = [starts[column], starts[column + 1] - 1]
  return `${from === to ? `Token ${from}` : `Tokens ${from} to ${to}`} (${kinds[column]})`
}

function describeIds({ axes, ids, inside, low, high }: SchemeData, column: number): string {
  const mean = axes.map((axis, a) => `${axis} ${number(ids[a][column])}`).join(', ')
  const range = low[column] === high[column] ? '' : ` (mean; ids ${number(low[column])} to ${number(high[column])})`
  return `${mean}${range}${inside[column] > 0 ? ', text inside of a picture' : ''}`
}
