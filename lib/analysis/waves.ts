import type { Allocation } from '../allocations/allocation.js'

/** Pairs of all heads that turn alike: radians for one id on every axis, and how many pairs they are. */
export interface Wave {
  readonly speeds: readonly number[]
  readonly count: number
}

/**
 * How alike a token is to itself at another place, if its channels are unknown: the mean of the cosines of all pairs.
 * It is the expected cosine similarity of q and the rotated q, and depends on differences of ids only.
 *
 *     similarity(Δ) = (still + Σ_waves count · cos(Σ_a speeds[a] · Δ[a])) / pairs
 */
export interface Waves {
  readonly axes: number
  readonly waves: readonly Wave[]
  /** Pairs that do not turn at all. */
  readonly still: number
  /** All pairs of all heads. */
  readonly pairs: number
}

interface Turning {
  readonly allocation: Allocation
  readonly invFreq: Float64Array
}

/** The waves of an encoding. Heads that are alike, and pairs of equal speed, are counted once. */
export function wavesOf({ allocation, invFreq }: Turning, head?: number): Waves {
  const { axes, axisOf, directions, heads, pairs } = allocation
  const found = new Map<string, { speeds: number[]; count: number }>()
  let still = 0
  const [first, end] = head === undefined ? [0, heads] : [head, head + 1]
  for (let i = first * pairs; i < end * pairs; i++) {
    const speeds = Array.from({ length: axes }, (_, a) => {
      const weight = directions ? directions[i * axes + a] : axisOf[i] === a ? 1 : 0
      return weight === 0 ? 0 : weight * invFreq[i % pairs]
    })
    if (speeds.every((speed) => speed === 0)) {
      still++
      continue
    }
    const key = speeds.join(' ')
    const known = found.get(key)
    if (known) known.count++
    else found.set(key, { speeds, count: 1 })
  }
  return { axes, waves: [...found.values()], still, pairs: (end - first) * pairs }
}

/** Similarity for differences of ids. Waves along one axis are summed once for each different id. */
export class Similarity {
  readonly #waves: Waves
  /** For each axis, the waves along it alone. */
  readonly #alone: readonly (readonly Wave[])[]
  readonly #dense: readonly Wave[]
  readonly #known: readonly Map<number, number>[]

  constructor(waves: Waves) {
    const along = waves.waves.map(({ speeds }) => {
      const axes = speeds.flatMap((speed, a) => (speed === 0 ? [] : [a]))
      return axes.length === 1 ? axes[0] : -1
    })
    const axes = Array.from({ length: waves.axes }, (_, a) => a)
    this.#waves = waves
    this.#alone = axes.map((a) => waves.waves.filter((_, i) => along[i] === a))
    this.#dense = waves.waves.filter((_, i) => along[i] === -1)
    this.#known = axes.map(() => new Map())
  }

  at(delta: ArrayLike<number>): number {
    const { still, pairs, axes } = this.#waves
    if (pairs === 0) return 1
    let sum = still
    for (let a = 0; a < axes; a++) sum += this.#along(a, delta[a])
    for (const { speeds, count } of this.#dense) {
      let angle = 0
      for (let a = 0; a < axes; a++) angle += speeds[a] * delta[a]
      sum += count * Math.cos(angle)
    }
    return sum / pairs
  }

  #along(axis: number, delta: number): number {
    const known = this.#known[axis].get(delta)
    if (known !== undefined) return known
    let sum = 0
    for (const { speeds, count } of this.#alone[axis]) sum += count * Math.cos(speeds[axis] * delta)
    if (this.#known[axis].size >= mostKnown) this.#known[axis].clear()
    this.#known[axis].set(delta, sum)
    return sum
  }
}

/** Fractional ids have many differences; what is kept stays small. */
const mostKnown = 1 << 16
