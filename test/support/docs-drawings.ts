import { type Encoding, type Layout, type Recommendation, type Segment, Sequence } from '../../lib/index.js'

// Drawings of the guide. The first line of an `ids` block is the call that makes the layout or the encoding, the second
// one the prompt; what follows is made of them:
//
//   layouts.mrope()
//       text 3 | image 2×3   | text 2
//   t   0 1 2  | 3 3 3 3 3 3 | 6 7

type Pair = [number, number]
type Triple = [number, number, number]

const sides = (text: string): number[] => text.split('×').map(Number)
const pair = (text: string): Pair => sides(text) as Pair
const grid = (text: string): Triple => {
  const list = sides(text)
  return (list.length === 2 ? [1, ...list] : list) as Triple
}

/** Forms of a segment in a prompt line, with what they mean. */
const forms: readonly (readonly [RegExp, (...groups: string[]) => Segment])[] = [
  [/^text (\d+)$/, (n) => ({ kind: 'text', length: Number(n) })],
  [/^sound (\d+)$/, (n) => ({ kind: 'audio', length: Number(n) })],
  [/^queries (\d+)$/, (n) => ({ kind: 'queries', length: Number(n) })],
  [/^image ([\d×]+)$/, (g) => ({ kind: 'image', grid: grid(g) })],
  [/^image ([\d×]+) with row ends$/, (g) => ({ kind: 'image', grid: grid(g), rowEnds: true })],
  [/^video ([\d×]+)$/, (g) => ({ kind: 'video', grid: grid(g) })],
  [/^video ([\d×]+) at ([\d.]+) s$/, (g, s) => ({ kind: 'video', grid: grid(g), secondsPerGrid: Number(s) })],
  [
    /^video ([\d×]+) at ([\d.]+) s with sound (\d+)$/,
    (g, s, n) => ({ kind: 'audio-video', grid: grid(g), secondsPerGrid: Number(s), audioLength: Number(n) }),
  ],
  [/^slices (\d+×\d+) of (\d+×\d+)$/, (n, g) => ({ kind: 'slices', slices: cut(n, g) })],
  [
    /^thumbnail (\d+×\d+) and slices (\d+×\d+) of (\d+×\d+)$/,
    (t, n, g) => ({ kind: 'slices', thumbnail: pair(t), slices: cut(n, g) }),
  ],
  [
    /^canvas (\d+×\d+) and (\d+×\d+) of (\d+×\d+)$/,
    (t, n, g) => ({ kind: 'canvas', thumbnail: pair(t), slices: cut(n, g) }),
  ],
]

function cut(count: string, size: string): { rows: number; columns: number; grid: Pair } {
  const [rows, columns] = sides(count)
  return { rows, columns, grid: pair(size) }
}

/** `text 3 | image 2×3 | text 2` as segments. */
export function promptOf(line: string): { readonly names: string[]; readonly segments: Segment[] } {
  const names = line.split('|').map((name) => name.trim())
  const segments = names.map((name) => {
    for (const [form, make] of forms) {
      const found = form.exec(name)
      if (found) return make(...found.slice(1))
    }
    throw new Error(`the guide has no segment ${JSON.stringify(name)}`)
  })
  return { names, segments }
}

/** At most three decimals and a true minus sign. */
export function id(value: number): string {
  return String(Math.round(value * 1000) / 1000 + 0).replace('-', '−')
}

/** Prompt, ids of every axis, and how they go on; diffusion transformers and towers do not go on. */
export function drawing(made: Layout | Encoding, promptLine: string, goesOn: boolean): string[] {
  const { names, segments } = promptOf(promptLine)
  const sequence = Sequence.of(segments)
  const positions = made.positions(sequence)
  const columns = Array.from({ length: positions.length }, (_, n) => {
    const cells = positions.at(n).map(id)
    return { cells, width: Math.max(...cells.map((cell) => cell.length)) }
  })
  const indent = Math.max(...positions.axes.map((axis) => axis.length)) + 2
  const row = (head: string, parts: readonly string[]): string => `${head.padEnd(indent)}${parts.join(' | ')}`.trimEnd()
  let start = 0
  const groups = segments.map((segment) => {
    const length = Sequence.of([segment]).length
    const own = columns.slice(start, start + length)
    start += length
    return positions.axes.map((_, a) => own.map(({ cells, width }) => cells[a].padStart(width)).join(' '))
  })
  const widths = groups.map((lines, g) => Math.max(names[g].length, ...lines.map((line) => line.length)))
  const lines = [
    row(
      '',
      names.map((name, g) => name.padEnd(widths[g])),
    ),
    ...positions.axes.map((axis, a) =>
      row(
        axis,
        groups.map((group, g) => group[a].padEnd(widths[g])),
      ),
    ),
  ]
  if (!goesOn) return lines
  const first = positions.decode(1).at(0).map(id)
  const generated = new Set(first).size === 1 ? first[0] : `(${first.join(', ')})`
  return [...lines, `next ${id(positions.next)}   delta ${id(positions.delta)}   generated from ${generated}`]
}

/** A recommendation in lines: what is decided, then the reasons in the order of the rules. */
export function choice({ reasons, alternatives, ...parts }: Recommendation): string[] {
  const decided = Object.entries(parts).filter(([, value]) => value !== null && value !== false)
  return [
    ...decided.map(([name, value]) => `${name}: ${typeof value === 'object' ? JSON.stringify(value) : value}`),
    ...reasons.flatMap(({ choice: about, because, source }) => [`because (${about})`, ...folded(because, source)]),
    ...alternatives.flatMap((other) => ['or', ...folded(other)]),
  ]
}

function folded(text: string, source?: string): string[] {
  const lines: string[] = []
  let line = ' '
  for (const word of `${text}${source === undefined ? '' : ` [${source}]`}`.split(' ')) {
    if (line.length + 1 + word.length > 100) {
      lines.push(line)
      line = ' '
    }
    line += ` ${word}`
  }
  return [...lines, line]
}
