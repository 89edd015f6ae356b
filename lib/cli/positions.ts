import type { Positions } from '../layouts/positions.js'
import { tokensOf } from '../sequence/segment.js'
import type { Sequence } from '../sequence/sequence.js'
import { type ConfigFlags, loadConfig, loadSequences } from './inputs.js'
import { type Report, table } from './output.js'

export interface PositionsFlags extends ConfigFlags {
  readonly sequence: string
  readonly decode: number
}

/** `mrope positions`: ids of every token, next, delta and the ids of generated tokens. */
export async function positionsCommand(flags: PositionsFlags): Promise<Report> {
  const { config, encoding } = await loadConfig(flags)
  const sequences = await loadSequences(flags.sequence, config, flags.family)
  const placed = sequences.map((sequence) => ({ sequence, positions: encoding.positions(sequence) }))
  const rows = placed.map(({ positions }) => ({
    axes: positions.axes,
    length: positions.length,
    padding: positions.padding,
    ids: positions.axes.map((_, a) => [...positions.axis(a)]),
    next: positions.next,
    delta: positions.delta,
    decode: decodeRows(positions, flags.decode),
  }))
  const text = placed.map(({ sequence, positions }, i) => {
    const title = placed.length > 1 ? `row ${i}: ` : ''
    const { next, delta, length, padding } = positions
    const summary = `${title}${length - padding} tokens, next id ${next}, delta ${delta}${padding ? `, ${padding} padding` : ''}`
    const decode = rows[i].decode.map((ids) => ids.join(' ')).join(' | ')
    return [summary, segmentTable(sequence, positions), ...(decode ? [`decode: ${decode}`] : [])].join('\n')
  })
  const described = encoding.describe()
  const warnings = described.warnings.map((warning) => `warning: ${warning}`)
  const head = `${described.name} (${described.compat}), layout ${described.layout.name}`
  return { json: { rows, encoding: described }, text: [head, ...warnings, ...text].join('\n') }
}

function decodeRows(positions: Positions, count: number): number[][] {
  const decoded = positions.decode(count)
  return Array.from({ length: count }, (_, step) => decoded.at(step))
}

/** One line for each segment: the range of ids on every axis. */
function segmentTable(sequence: Sequence, positions: Positions): string {
  const rows: string[][] = []
  let start = positions.padding
  for (const segment of sequence.segments) {
    const end = start + tokensOf(segment)
    if (end > start) {
      const what = 'grid' in segment ? `${segment.kind} ${segment.grid.join('×')}` : segment.kind
      const ids = positions.axes.map((_, a) => range(positions.axis(a).subarray(start, end)))
      rows.push([end - start === 1 ? `${start}` : `${start}–${end - 1}`, what, ...ids])
    }
    start = end
  }
  return table(['tokens', 'segment', ...positions.axes], rows)
}

function range(ids: Float64Array): string {
  const [low, high] = ids.reduce(([lo, hi], id) => [Math.min(lo, id), Math.max(hi, id)], [Infinity, -Infinity])
  const show = (id: number): string => String(Number(id.toFixed(6)))
  return low === high ? show(low) : `${show(low)} … ${show(high)}`
}
