import { findingsOf, usualRules } from '../../analysis/findings.js'
import { Similarity } from '../../analysis/waves.js'
import type { BlockData, BlockMap, ReportData, SchemeData } from '../data.js'
import { paint, type Rgb, ramp, rampCss } from './colors.js'
import { clamp, element, onChange, oncePerFrame, place } from './dom.js'

/** Similarities below this have the darkest colour, where all maps have the same colours. */
const lowest = 0

/** The query by number of the drawn frame, row and column. */
interface Query {
  t: number
  h: number
  w: number
}

interface DrawnMap {
  readonly scheme: SchemeData
  readonly map: BlockMap
  readonly similarity: Similarity
  readonly canvas: HTMLCanvasElement
  readonly mark: HTMLElement
  readonly time: HTMLCanvasElement
  readonly words: HTMLElement
  readonly box: HTMLElement
}

const shortNames = { flat: 'flat', 'several-peaks': 'several peaks', 'no-central-peak': 'no central peak' } as const

/** Heat maps of all schemes with one query, moved by pointer, arrow keys or sliders. */
export function drawMaps({ schemes, waves, block }: ReportData): void {
  const target = place('maps')
  if (!target || !block) return
  const query: Query = { t: block.frames.length >> 1, h: block.rows.length >> 1, w: block.columns.length >> 1 }
  const known = waves.map((own) => new Similarity(own))
  const drawn = schemes.flatMap((scheme) => {
    if (scheme.map) return [drawMap(target, scheme, scheme.map, known[scheme.waves], block)]
    target.append(withoutMap(scheme))
    return []
  })
  const { sliders, stretch } = drawControls(block, query, () => changed())
  const draw = oncePerFrame(() => {
    for (const map of drawn) paintMap(map, block, query, stretch.checked)
    say(block, query, drawn)
  })
  const changed = (): void => {
    for (const [side, slider] of sliders) slider.value = String(query[side])
    draw()
  }
  drawn.forEach((map) => {
    listen(map, block, query, changed)
  })
  draw()
  onChange(draw)
}

function drawMap(
  target: HTMLElement,
  scheme: SchemeData,
  map: BlockMap,
  similarity: Similarity,
  block: BlockData,
): DrawnMap {
  const canvas = element('canvas')
  const mark = element('div', { class: 'query' })
  const label = `${scheme.name}: similarity to the query. Arrow keys move the query, Page Up and Page Down change the frame.`
  const box = element(
    'div',
    { class: 'map', role: 'img', 'aria-label': label, tabindex: scheme.own ? 0 : -1 },
    canvas,
    mark,
  )
  // Long rows stay visible, and high columns do not fill the screen.
  const ratio = clamp(block.columns.length / block.rows.length, 0.5, 6)
  canvas.style.aspectRatio = String(ratio)
  const time = element('canvas')
  time.style.cssText = 'width: 100%; height: 12px; display: block; image-rendering: pixelated; margin-top: 4px'
  const words = element('figcaption')
  const caption = block.frames.length > 1 ? [time] : []
  target.append(
    element(
      'figure',
      {},
      element('h3', {}, scheme.own ? `${scheme.name} (this model)` : scheme.name),
      box,
      ...caption,
      words,
    ),
  )
  return { scheme, map, similarity, canvas, mark, time, words, box }
}

function withoutMap({ name }: SchemeData): HTMLElement {
  const words = 'Frames of this scheme do not repeat each other; its similarity is not drawn.'
  return element('figure', {}, element('h3', {}, name), element('figcaption', {}, words))
}

/** Similarities of the query to each cell of its frame, and to its place in each frame. */
function valuesOf({ map: { time, plane }, similarity }: DrawnMap, block: BlockData, { t, h, w }: Query) {
  const [rows, columns] = [block.rows.length, block.columns.length]
  const at = h * columns + w
  const delta = new Float64Array(plane.length)
  const frame = Float64Array.from({ length: rows * columns }, (_, k) => {
    for (let a = 0; a < delta.length; a++) delta[a] = plane[a][k] - plane[a][at]
    return similarity.at(delta)
  })
  const line = Float64Array.from(block.frames, (_, f) => {
    for (let a = 0; a < delta.length; a++) delta[a] = time[a][f] - time[a][t]
    return similarity.at(delta)
  })
  return { frame, line }
}

function paintMap(drawn: DrawnMap, block: BlockData, query: Query, stretched: boolean): void {
  const { scheme, canvas, mark, time, words } = drawn
  const [rows, columns] = [block.rows.length, block.columns.length]
  const { frame, line } = valuesOf(drawn, block, query)
  const colorOf = (values: Float64Array): ((value: number) => Rgb) => {
    const low = stretched ? Math.min(...values) : lowest
    return (value) => ramp(low < 1 ? (value - low) / (1 - low) : 1)
  }
  const [inFrame, inTime] = [colorOf(frame), colorOf(line)]
  paint(canvas, columns, rows, (x, y) => inFrame(frame[y * columns + x]))
  paint(time, line.length, 1, (x) => inTime(line[x]))
  mark.style.cssText = `left: ${((query.w + 0.5) / columns) * 100}%; top: ${((query.h + 0.5) / rows) * 100}%; width: ${100 / columns}%; height: ${100 / rows}%`
  const found = findingsOf({ values: frame, rows, columns, row: query.h, column: query.w }, usualRules)
  const overTime = findingsOf({ values: line, rows: line.length, columns: 1, row: query.t, column: 0 }, usualRules)
  const say = (findings: typeof found): string =>
    findings.length === 0 ? 'one peak' : findings.map(({ kind }) => shortNames[kind]).join(', ')
  const inTimeToo = block.frames.length > 1 ? `; over time: ${say(overTime)}` : ''
  words.textContent = `${scheme.allocation}, ${range(frame)}: ${say(found)}${inTimeToo}`
  words.title = [...found, ...overTime].map((finding) => finding.words).join(' ')
}

/** Smallest and largest similarity of a map, with as many digits as tell them apart. */
function range(values: Float64Array): string {
  const [low, high] = [Math.min(...values), Math.max(...values)]
  return `${digits(low)} to ${digits(high)}`
}

function digits(value: number): string {
  const places = value > 0.995 && value < 1 ? 4 : 2
  return String(Number(value.toFixed(places))).replace('-', '−')
}

function listen({ box }: DrawnMap, block: BlockData, query: Query, changed: () => void): void {
  const [rows, columns] = [block.rows.length, block.columns.length]
  const point = (event: PointerEvent): void => {
    const area = box.getBoundingClientRect()
    query.w = clamp(Math.floor(((event.clientX - area.left) / area.width) * columns), 0, columns - 1)
    query.h = clamp(Math.floor(((event.clientY - area.top) / area.height) * rows), 0, rows - 1)
    changed()
  }
  box.addEventListener('pointerdown', (event) => {
    box.setPointerCapture(event.pointerId)
    point(event)
  })
  box.addEventListener('pointermove', (event) => {
    if (box.hasPointerCapture(event.pointerId)) point(event)
  })
  box.addEventListener('keydown', (event) => {
    const [dt, dh, dw] = steps[event.key] ?? [0, 0, 0]
    if (dt === 0 && dh === 0 && dw === 0) return
    event.preventDefault()
    query.t = clamp(query.t + dt, 0, block.frames.length - 1)
    query.h = clamp(query.h + dh, 0, rows - 1)
    query.w = clamp(query.w + dw, 0, columns - 1)
    changed()
  })
}

const steps: Readonly<Record<string, readonly [number, number, number]>> = {
  ArrowUp: [0, -1, 0],
  ArrowDown: [0, 1, 0],
  ArrowLeft: [0, 0, -1],
  ArrowRight: [0, 0, 1],
  PageUp: [-1, 0, 0],
  PageDown: [1, 0, 0],
}

/** One slider for each side with more than one cell. */
function drawControls(block: BlockData, query: Query, changed: () => void) {
  const sliders = new Map<keyof Query, HTMLInputElement>()
  const sides = [
    ['t', 'Frame', block.frames],
    ['h', 'Row', block.rows],
    ['w', 'Column', block.columns],
  ] as const
  const controls = place('map-controls')
  for (const [side, name, cells] of sides) {
    if (cells.length < 2) continue
    const slider = element('input', {
      type: 'range',
      min: 0,
      max: cells.length - 1,
      value: query[side],
      id: `query-${side}`,
    })
    slider.addEventListener('input', () => {
      query[side] = Number(slider.value)
      changed()
    })
    controls?.append(element('label', { for: `query-${side}` }, name, slider))
    sliders.set(side, slider)
  }
  const stretch = element('input', { type: 'checkbox', id: 'stretch' })
  stretch.addEventListener('change', changed)
  const scale = element('span', { class: 'ramp', style: `background: ${rampCss}` })
  controls?.append(
    element('label', { for: 'stretch', class: 'check' }, stretch, 'Each map from its own lowest value'),
    element('span', { class: 'soft' }, `${lowest} or less`, scale, '1: the same place'),
  )
  return { sliders, stretch }
}

function say(block: BlockData, query: Query, drawn: readonly DrawnMap[]): void {
  const readout = place('map-readout')
  if (!readout) return
  const where = [
    ...(block.frames.length > 1 ? [`frame ${block.frames[query.t]}`] : []),
    `row ${block.rows[query.h]}`,
    `column ${block.columns[query.w]}`,
  ].join(', ')
  const [rows, columns] = [block.grid[1], block.grid[2]]
  const part = block.rows.length < rows || block.columns.length < columns ? ' (some rows and columns are left out)' : ''
  const own = drawn.find(({ scheme }) => scheme.own)
  const verdict = own ? ` ${own.scheme.name}: ${own.words.textContent}. ${own.words.title}` : ''
  readout.textContent = `Query at ${where} of ${rows} × ${columns}${part}.${verdict}`
}
