import { MropeRangeError, MropeTypeError, show } from '../errors.js'
import { checkCount, checkOptions } from '../tensors/check.js'
import { type Finding, findingsOf, usualRules } from './findings.js'
import { Similarity, type Wave } from './waves.js'

export interface SearchOptions {
  /** Sides of the grids to serve, trained on and not: `[frames]`, `[rows, columns]` or `[frames, rows, columns]`. */
  readonly sizes: readonly (readonly number[])[]
  /** Pairs of one head: half its dimension. */
  readonly pairs: number
  /** Lowest frequencies to try. Default 0.2, 0.5, 1. */
  readonly minimum?: readonly number[]
  /** Highest frequencies, as multiples of the lowest. Default 20, 50, 100. */
  readonly ratio?: readonly number[]
  /** Shares of pairs that do not turn. Default 0 and 0.25. */
  readonly zeroShare?: readonly number[]
  /** `axial`: pairs take the axes in turn. `golden`: directions by the golden angle, two sides only. Default by sides. */
  readonly directions?: 'axial' | 'golden'
  /**
   * `normalised`: each side from −1 to 1, whatever its cells. `aspect`: the same for squares, and longer sides reach
   * further, √(columns / rows) and its inverse; two sides only. `index`: whole numbers. Default normalised.
   */
  readonly positions?: 'normalised' | 'aspect' | 'index'
}

export interface FrequencyRange {
  readonly minimum: number
  readonly maximum: number
  readonly zeroShare: number
  /** `contrast · order` of the worst size; 1 would be near cells alike, far ones not, in strict order. */
  readonly score: number
  /** Mean similarity of neighbours − that of cells further than half of the furthest. */
  readonly contrast: number
  /** Rank correlation of distance and dissimilarity, −1 to 1. */
  readonly order: number
  /** What is wrong with the maps, by size. */
  readonly findings: readonly { readonly size: readonly number[]; readonly finding: Finding }[]
}

/** More cosines than this would take minutes. */
const mostWork = 2 ** 31

/** Scores that differ by less are one: then more pairs are left to content. */
const tie = 0.01

/**
 * Tries frequency ranges `minimum · ratio^linspace(0, 1)` with a share of zeros on given sizes and ranks them: those
 * without findings first, then by score. Only pairs that turn are scored, so zeros cost nothing until too few turn; of
 * ranges that score alike, the one with more zeros is first. Deterministic.
 *
 * @throws MropeTypeError, MropeRangeError ERR_MROPE_ARGUMENT
 * @see N-dimensional Rotary Positional Embeddings, jerryxio.ng/posts/nd-rope: ranges and zeros for vision
 */
export function searchFrequencies(options: SearchOptions): FrequencyRange[] {
  const plan = readPlan(options)
  const found: FrequencyRange[] = []
  for (const minimum of plan.minimum) {
    for (const ratio of plan.ratio) {
      for (const zeroShare of plan.zeroShare) found.push(rate(plan, minimum, minimum * ratio, zeroShare))
    }
  }
  const grade = ({ score }: FrequencyRange): number => Math.round(score / tie)
  return found.sort(
    (a, b) =>
      Number(a.findings.length > 0) - Number(b.findings.length > 0) ||
      grade(b) - grade(a) ||
      b.zeroShare - a.zeroShare ||
      b.score - a.score,
  )
}

type Plan = Required<SearchOptions>

function rate(plan: Plan, minimum: number, maximum: number, zeroShare: number): FrequencyRange {
  const waves = searchedWaves(plan, minimum, maximum, zeroShare)
  const axes = plan.sizes[0].length
  const similarity = new Similarity({ axes, waves, still: 0, pairs: waves.length })
  const results = plan.sizes.map((size) => rateSize(plan, similarity, size))
  const worst = results.reduce((low, next) => (next.score < low.score ? next : low))
  const findings = plan.sizes.flatMap((size, i) => results[i].findings.map((finding) => ({ size, finding })))
  return { minimum, maximum, zeroShare, score: worst.score, contrast: worst.contrast, order: worst.order, findings }
}

/** Frequencies rise with the pairs, zeros are left out; pair f of n has direction f. */
function searchedWaves({ pairs, sizes, directions }: Plan, minimum: number, maximum: number, zeroShare: number) {
  const axes = sizes[0].length
  const zeros = Math.min(pairs - 1, Math.round(zeroShare * pairs))
  const turning = pairs - zeros
  // Axes share the frequencies evenly: pair f of the axial rule is number floor(f / axes) of its axis.
  const steps = directions === 'axial' ? Math.ceil(turning / axes) : turning
  return Array.from({ length: turning }, (_, i): Wave => {
    const step = directions === 'axial' ? Math.floor(i / axes) : i
    const speed = minimum * (maximum / minimum) ** (steps > 1 ? step / (steps - 1) : 0)
    const angle = (zeros + i) * Math.PI * ((Math.sqrt(5) - 1) / 2)
    const direction =
      directions === 'axial'
        ? Array.from({ length: axes }, (_, a) => (a === i % axes ? 1 : 0))
        : [Math.sin(angle), Math.cos(angle)]
    return { speeds: direction.map((weight) => weight * speed), count: 1 }
  })
}

/** Seen from the middle and from a corner, which has the furthest cells. */
function rateSize({ positions }: Plan, similarity: Similarity, size: readonly number[]) {
  const [rows, columns] = size
  const reach = positions === 'aspect' ? [Math.sqrt(rows / columns), Math.sqrt(columns / rows)] : size.map(() => 1)
  const steps = size.map((side, a) => (positions === 'index' ? 1 : side > 1 ? (2 * reach[a]) / (side - 1) : 0))
  const cells = size.reduce((product, side) => product * side, 1)
  const cellOf = (k: number): number[] => {
    const cell: number[] = []
    for (let a = size.length - 1, rest = k; a >= 0; a--) {
      cell[a] = rest % size[a]
      rest = Math.floor(rest / size[a])
    }
    return cell
  }
  const rated = [size.map((side) => side >> 1), size.map(() => 0)].map((query) => {
    const distance = new Float64Array(cells)
    const values = new Float64Array(cells)
    for (let k = 0; k < cells; k++) {
      const delta = cellOf(k).map((at, a) => at - query[a])
      distance[k] = Math.hypot(...delta)
      values[k] = similarity.at(delta.map((d, a) => d * steps[a]))
    }
    const contrast = contrastOf(distance, values, Math.sqrt(size.length))
    const order = rankCorrelation(distance, values)
    return { contrast, order, score: contrast * Math.max(0, order), findings: mapFindings(size, query, values) }
  })
  const worst = rated[0].score <= rated[1].score ? rated[0] : rated[1]
  return { ...worst, findings: rated.flatMap(({ findings }) => findings) }
}

/** Of the frame of the query, and for one side of the line. */
function mapFindings(size: readonly number[], query: readonly number[], values: Float64Array): Finding[] {
  const [rows, columns] = size.length === 1 ? [size[0], 1] : size.slice(-2)
  const [row, column] = size.length === 1 ? [query[0], 0] : query.slice(-2)
  const first = size.length === 3 ? query[0] * rows * columns : 0
  return findingsOf(
    { values: values.subarray(first, first + rows * columns), rows, columns, row, column },
    { ...usualRules },
  )
}

function contrastOf(distance: Float64Array, values: Float64Array, nearest: number): number {
  const half = distance.reduce((most, d) => Math.max(most, d), 0) / 2
  let [near, nears, far, fars] = [0, 0, 0, 0]
  distance.forEach((d, k) => {
    if (d > 0 && d <= nearest + 1e-9) {
      near += values[k]
      nears++
    }
    if (d > half) {
      far += values[k]
      fars++
    }
  })
  return nears > 0 && fars > 0 ? near / nears - far / fars : 0
}

/** Spearman's correlation of distance and −similarity; equal values share the mean of their ranks. */
function rankCorrelation(distance: Float64Array, values: Float64Array): number {
  const [x, y] = [ranks(distance), ranks(values.map((value) => -value))]
  const mean = (x.length - 1) / 2
  let [xy, xx, yy] = [0, 0, 0]
  for (let k = 0; k < x.length; k++) {
    xy += (x[k] - mean) * (y[k] - mean)
    xx += (x[k] - mean) ** 2
    yy += (y[k] - mean) ** 2
  }
  return xx === 0 || yy === 0 ? 0 : xy / Math.sqrt(xx * yy)
}

function ranks(values: Float64Array): Float64Array {
  const order = Uint32Array.from(values, (_, k) => k).sort((i, j) => values[i] - values[j])
  const found = new Float64Array(values.length)
  for (let from = 0; from < order.length; ) {
    let to = from
    while (to < order.length && values[order[to]] - values[order[from]] <= 1e-12) to++
    for (let k = from; k < to; k++) found[order[k]] = (from + to - 1) / 2
    from = to
  }
  return found
}

function readPlan(options: SearchOptions): Plan {
  const caller = 'searchFrequencies'
  checkOptions(caller, options, ['sizes', 'pairs', 'minimum', 'ratio', 'zeroShare', 'directions', 'positions'])
  const { sizes, minimum = [0.2, 0.5, 1], ratio = [20, 50, 100], zeroShare = [0, 0.25] } = options
  const { positions = 'normalised' } = options
  if (!Array.isArray(sizes) || sizes.length === 0 || !sizes.every(Array.isArray)) {
    const message = `${caller}: sizes must be a list of sides such as [14, 14], got ${show(sizes)}`
    throw new MropeTypeError('ERR_MROPE_ARGUMENT', message, sizes)
  }
  const axes = sizes[0].length
  for (const size of sizes) {
    if (size.length < 1 || size.length > 3 || size.length !== axes) {
      const message = `${caller}: a size has 1 to 3 sides, and all have as many; got ${show(size)}`
      throw new MropeRangeError('ERR_MROPE_ARGUMENT', message, size)
    }
    for (const side of size) checkCount(caller, 'a side', side, 1)
  }
  const { directions = axes === 2 ? 'golden' : 'axial' } = options
  const pairs = checkCount(caller, 'pairs', options.pairs, 1)
  oneOf(caller, 'directions', directions, ['axial', 'golden'])
  oneOf(caller, 'positions', positions, ['normalised', 'aspect', 'index'])
  for (const [given, what] of [
    [directions, 'golden'],
    [positions, 'aspect'],
  ]) {
    if (given !== what || axes === 2) continue
    const message = `${caller}: ${what} is for two sides, got ${show(sizes[0])}`
    throw new MropeRangeError('ERR_MROPE_ARGUMENT', message, given)
  }
  numbers(caller, 'minimum', minimum, (n) => n > 0)
  numbers(caller, 'ratio', ratio, (n) => n >= 1)
  numbers(caller, 'zeroShare', zeroShare, (n) => n >= 0 && n < 1)
  const cells = sizes.reduce((sum, size) => sum + size.reduce((product, side) => product * side, 1), 0)
  const work = 2 * cells * pairs * minimum.length * ratio.length * zeroShare.length
  if (work > mostWork) {
    const message = `${caller}: ${work} cosines are more than ${mostWork}; give fewer or smaller sizes`
    throw new MropeRangeError('ERR_MROPE_ARGUMENT', message, work)
  }
  return { sizes, pairs, minimum, ratio, zeroShare, directions, positions }
}

function oneOf(caller: string, name: string, value: unknown, known: readonly string[]): void {
  if (known.includes(value as string)) return
  const message = `${caller}: ${name} is one of ${known.join(', ')}, got ${show(value)}`
  throw new MropeRangeError('ERR_MROPE_ARGUMENT', message, value)
}

function numbers(caller: string, name: string, list: unknown, fits: (n: number) => boolean): void {
  if (!Array.isArray(list) || list.length === 0 || !list.every((n) => typeof n === 'number')) {
    const message = `${caller}: ${name} must be a list of numbers, got ${show(list)}`
    throw new MropeTypeError('ERR_MROPE_ARGUMENT', message, list)
  }
  const bad = list.find((n) => !(Number.isFinite(n) && fits(n)))
  if (bad === undefined) return
  const message = `${caller}: ${name} has ${bad}, which is out of range`
  throw new MropeRangeError('ERR_MROPE_ARGUMENT', message, bad)
}
