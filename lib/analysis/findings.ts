/** What is wrong with a similarity map, as the three patterns that its readers look for. */
export interface Finding {
  readonly kind: 'flat' | 'several-peaks' | 'no-central-peak'
  /** What was seen, what it comes from and what to do. */
  readonly words: string
  /** Cells `[row, column]` that show it: the other peaks, or those above the query. Not more than 8. */
  readonly cells: readonly (readonly [row: number, column: number])[]
}

/** Thresholds of the rules, as parts of the range of a map. */
export interface FindingRules {
  /** Largest − smallest below this is flat: the frequencies are too low for the map. Default 0.1. */
  readonly least: number
  /** So much of the way from the query to the far cells is lost in the first step: too high. Default 0.9. */
  readonly firstStep: number
  /** How high another part of the map must be to be a peak, between the lowest cell and the query. Default 0.5. */
  readonly peak: number
}

export const usualRules: FindingRules = { least: 0.1, firstStep: 0.9, peak: 0.5 }

const mostCells = 8

/** A map in raster order and the cell of the query in it. */
export interface Map2D {
  readonly values: ArrayLike<number>
  readonly rows: number
  readonly columns: number
  readonly row: number
  readonly column: number
}

/**
 * Flat, several peaks, no central peak: what a map of similarities to one query should not be. One peak at the query
 * and a gradual fall around it has no finding.
 */
export function findingsOf(map: Map2D, rules: FindingRules): Finding[] {
  const { values, rows, columns, row, column } = map
  const count = rows * columns
  const query = row * columns + column
  const peak = values[query]
  if (count < 2) return []
  let [lowest, highest] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
  for (let k = 0; k < count; k++) {
    lowest = Math.min(lowest, values[k])
    highest = Math.max(highest, values[k])
  }
  const range = highest - lowest
  const findings: Finding[] = []
  const flat = flatness(map, rules, range)
  if (flat) findings.push({ kind: 'flat', words: flat, cells: [] })
  const same = slackOf(highest)
  const above = indices(count, (k) => k !== query && values[k] >= peak - same)
  if (above.length > 0) {
    const higher = highest > peak + same
    const words = higher
      ? `${many(above.length, 'other cell')} ${above.length === 1 ? 'is' : 'are'} more similar to the query than its own: query and key are not rotated alike, which is a fault of the rotation.`
      : `${many(above.length, 'other cell')} ${above.length === 1 ? 'is' : 'are'} as similar to the query as its own: they have the same ids, and no rotation tells them apart.`
    findings.push({ kind: 'no-central-peak', words, cells: cellsOf(above, columns) })
  }
  // A flat map has no height to speak of, and its ripples are no peaks.
  if (range >= rules.least) {
    const tops = otherPeaks(map, lowest + rules.peak * (peak - lowest))
    if (tops.length > 0) {
      findings.push({
        kind: 'several-peaks',
        words: `${many(tops.length, 'other peak')} beside the query: the frequencies repeat within the map (aliasing). Take lower ones: reduce the largest frequency.`,
        cells: cellsOf(tops, columns),
      })
    }
  }
  return findings
}

function flatness({ values, rows, columns, row, column }: Map2D, rules: FindingRules, range: number): string | null {
  if (range < rules.least) {
    return `Flat: all cells are within ${range.toPrecision(2)} of each other. The frequencies are too low for so few positions, or too few pairs turn with them; the map cannot tell cells apart.`
  }
  const peak = values[row * columns + column]
  let [near, nears, far, fars] = [0, 0, 0, 0]
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < columns; c++) {
      const distance = Math.abs(r - row) + Math.abs(c - column)
      if (distance === 1) {
        near += values[r * columns + c]
        nears++
      } else if (distance > 1) {
        far += values[r * columns + c]
        fars++
      }
    }
  }
  // With too few cells around the query there is no first step to be compared with the rest.
  if (fars < 2) return null
  const lost = peak - near / nears
  const all = peak - far / fars
  if (all <= 0 || lost < rules.firstStep * all) return null
  return `Flat but for the query: the first step already loses ${Math.round((100 * lost) / all)} % of the similarity. The frequencies are too high: nothing near is told from what is far. Take lower ones.`
}

/** The highest cell of every part of the map above a level that is not joined to the query's part; diagonals join. */
function otherPeaks({ values, rows, columns, row, column }: Map2D, level: number): number[] {
  const part = new Int32Array(rows * columns).fill(-1)
  const spread = (start: number, id: number): number => {
    let top = start
    const stack = [start]
    part[start] = id
    for (let k = stack.pop(); k !== undefined; k = stack.pop()) {
      if (values[k] > values[top]) top = k
      const [r, c] = [Math.floor(k / columns), k % columns]
      for (let i = Math.max(0, r - 1); i <= Math.min(rows - 1, r + 1); i++) {
        for (let j = Math.max(0, c - 1); j <= Math.min(columns - 1, c + 1); j++) {
          const next = i * columns + j
          if (part[next] >= 0 || values[next] < level) continue
          part[next] = id
          stack.push(next)
        }
      }
    }
    return top
  }
  spread(row * columns + column, 0)
  const tops: number[] = []
  for (let k = 0; k < rows * columns; k++) {
    if (part[k] < 0 && values[k] >= level) tops.push(spread(k, tops.length + 1))
  }
  return tops.sort((a, b) => values[b] - values[a])
}

/** Slow pairs change a similarity by 1e-10 a step and that is a step; sums in another order differ by less than this. */
function slackOf(value: number): number {
  return 1e-13 * Math.max(1, Math.abs(value))
}

function indices(count: number, wanted: (k: number) => boolean): number[] {
  const found: number[] = []
  for (let k = 0; k < count; k++) if (wanted(k)) found.push(k)
  return found
}

function cellsOf(cells: readonly number[], columns: number): [number, number][] {
  return cells.slice(0, mostCells).map((k) => [Math.floor(k / columns), k % columns])
}

function many(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}
