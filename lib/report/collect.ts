import { type CompareOptions, type Comparison, compareAll, type PlacedScheme } from '../analysis/compare.js'
import { largestPicture } from '../analysis/similarity.js'
import { slack } from '../analysis/tolerance.js'
import { type Waves, wavesOf } from '../analysis/waves.js'
import type { Encoding } from '../encodings/encoding.js'
import type { Sequence } from '../sequence/sequence.js'
import type { AllocationData, BlockData, BlockMap, ReportData, SchemeData } from './data.js'
import { round, stripData, stripOf } from './strip.js'

/** Half octaves from 1 to 65536. */
const distances = Array.from({ length: 33 }, (_, i) => 2 ** (i / 2))

const most = { frames: 256, rows: 40, columns: 40 }

/** The comparison for words and tables, and the data of the drawings. */
export function collect(
  encoding: Encoding,
  sequence: Sequence,
  options: Omit<CompareOptions, 'distances'>,
): { comparison: Comparison; data: ReportData } {
  const { comparison, placed } = compareAll(encoding, sequence, { ...options, distances })
  const strip = stripOf(sequence, comparison.generated)
  const chosen = drawnBlock(sequence)
  const waves: Waves[] = []
  const known = new Map<string, number>()
  const waveNumber = (scheme: PlacedScheme): number => {
    const own = wavesOf(scheme.encoding)
    const key = JSON.stringify(own)
    const number = known.get(key) ?? waves.push(own) - 1
    known.set(key, number)
    return number
  }
  const schemes = placed.map(
    (scheme): SchemeData => ({
      name: scheme.name,
      own: scheme.kind === 'model',
      axes: scheme.encoding.axes,
      allocation: scheme.encoding.allocation.name,
      overlap: scheme.result.overlap,
      ...stripData(scheme, strip),
      waves: waveNumber(scheme),
      map: chosen && blockMap(scheme, chosen),
    }),
  )
  const allocations = comparison.allocations.map(
    ({ name, own, axes, byFrequency, decay }): AllocationData => ({
      name,
      own,
      axes,
      axisOf: byFrequency,
      curves: [...(own && axes.length > 1 ? [decay.text] : []), ...decay.axes].map(({ axis, values }) => ({
        axis,
        values: values.map((value) => Math.round(value * 1e4) / 1e4),
      })),
    }),
  )
  return {
    comparison,
    data: { strip, schemes, allocations, distances: distances.map(round), waves, block: chosen?.data ?? null },
  }
}

interface DrawnBlock {
  readonly data: BlockData
  /** Token of a cell, padding not counted. */
  readonly tokenOf: (t: number, h: number, w: number) => number
}

function drawnBlock(sequence: Sequence): DrawnBlock | null {
  const found = largestPicture(sequence)
  if (!found) return null
  const { block, token, cells } = found
  const [frames, rows, columns] = cells.grid
  const size = (frames === 1 ? [rows, columns] : [frames, rows, columns]).join(' × ')
  return {
    data: {
      title: `block ${block}, ${sequence.blocks()[block].kind} of ${size} cells`,
      grid: [frames, rows, columns],
      frames: sample(frames, most.frames),
      rows: sample(rows, most.rows),
      columns: sample(columns, most.columns),
    },
    tokenOf: (t, h, w) => {
      const cell = (t * rows + h) * columns + w
      return token + (cells.tokens ? cells.tokens[cell] : cell)
    },
  }
}

/** At most so many of the numbers below `count`, evenly, with the first and the last. */
function sample(count: number, limit: number): number[] {
  const taken = Math.min(count, limit)
  return Array.from({ length: taken }, (_, i) => (taken === 1 ? 0 : Math.round((i * (count - 1)) / (taken - 1))))
}

/** Null when the ids of a cell are not a sum of those of its frame and those of its place. */
function blockMap({ prompt: { ids } }: PlacedScheme, { data, tokenOf }: DrawnBlock): BlockMap | null {
  const [frames, rows, columns] = data.grid
  for (const axis of ids) {
    const origin = axis[tokenOf(0, 0, 0)]
    for (let t = 1; t < frames; t++) {
      const shift = axis[tokenOf(t, 0, 0)] - origin
      for (let h = 0; h < rows; h++) {
        for (let w = 0; w < columns; w++) {
          const id = axis[tokenOf(t, h, w)]
          if (Math.abs(id - axis[tokenOf(0, h, w)] - shift) > slack(id)) return null
        }
      }
    }
  }
  // Similarity depends on differences only, and those have fewer digits than ids far into a prompt.
  const from = (axis: Float64Array, token: number): number => precise(axis[token] - axis[tokenOf(0, 0, 0)])
  return {
    time: ids.map((axis) => data.frames.map((t) => from(axis, tokenOf(t, 0, 0)))),
    plane: ids.map((axis) => data.rows.flatMap((h) => data.columns.map((w) => from(axis, tokenOf(0, h, w))))),
  }
}

function precise(value: number): number {
  return Number(value.toPrecision(9))
}
