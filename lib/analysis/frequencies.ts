import type { Allocation } from '../allocations/allocation.js'
import type { Encoding } from '../encodings/encoding.js'
import type { Prompt } from './prompt.js'
import type { AxisSpectrum, SpectrumCoverage, TextCompatibility } from './report.js'

/** Share of the ranks at either end in which every axis must have one. */
const edgeShare = 0.1

/**
 * Where each axis stands among the frequencies. Full: one rank in the first and one in the last 10 % (never fewer ranks
 * than there are axes, who take turns), and no gap above axes + 1. Pairs of frequency 0 turn nothing and have no rank;
 * axes that are the same for all tokens are left out.
 */
export function spectrumCoverage({ allocation, axes, invFreq }: Encoding, live: readonly number[]): SpectrumCoverage {
  const speeds = Float64Array.from(new Set(invFreq.map(Math.abs)))
    .sort()
    .reverse()
  const rankOf = new Map([...speeds].filter((speed) => speed > 0).map((speed, rank) => [speed, rank]))
  const last = rankOf.size - 1
  const edge = Math.max(edgeShare * last, axes.length - 1)
  const pairs = axes.map(() => 0)
  const ranks = axes.map(() => new Set<number>())
  forEachPair(allocation, (weights, f) => {
    const rank = rankOf.get(Math.abs(invFreq[f]))
    weights.forEach((weight, a) => {
      if (weight === 0 || rank === undefined) return
      pairs[a]++
      ranks[a].add(rank)
    })
  })
  return {
    ranks: rankOf.size,
    axes: live.map((a): AxisSpectrum => {
      const axis = axes[a]
      const own = [...ranks[a]].sort((x, y) => x - y)
      if (own.length === 0) return { axis, pairs: 0, ranks: null, coverage: null, maxGap: 0, full: false }
      const [from, to] = [own[0], own[own.length - 1]]
      const maxGap = own.slice(1).reduce((gap, rank, i) => Math.max(gap, rank - own[i]), 0)
      const full = from <= edge && to >= last - edge && maxGap <= axes.length + 1
      const coverage = last === 0 ? ([0, 1] as const) : ([from / last, to / last] as const)
      return { axis, pairs: pairs[a], ranks: [from, to], coverage, maxGap, full }
    }),
  }
}

/**
 * Is text rotated as in the language model? Its ids must be equal on all axes that turn pairs, and each pair must then
 * turn by its frequency once. Without the language model's own encoding the frequencies are taken for its own, and the
 * attention factor must be 1; with it, frequencies, factor, pairing and rotary dimension must be the same.
 */
export function textCompatibility(prompt: Prompt, encoding: Encoding | null, textModel: Encoding | null) {
  const used = encoding ? turningAxes(encoding) : prompt.axes.map((_, a) => a)
  const firstUnequal = firstUnequalText(prompt, used)
  const sameTextModel =
    encoding && textModel ? encoding.pairing === textModel.pairing && encoding.rotaryDim === textModel.rotaryDim : null
  const text: TextCompatibility = {
    axesEqual: firstUnequal === null,
    firstUnequal,
    differentPairs: encoding ? differentPairs(encoding, textModel) : null,
    attentionFactor: encoding?.attentionFactor ?? null,
    sameTextModel,
  }
  const factor = textModel?.attentionFactor ?? 1
  const compatible =
    text.axesEqual &&
    (text.differentPairs ?? 0) === 0 &&
    (text.attentionFactor ?? factor) === factor &&
    text.sameTextModel !== false
  return { compatible, text }
}

function turningAxes({ allocation, axes, invFreq }: Encoding): number[] {
  const used = new Set<number>()
  forEachPair(allocation, (weights, f) => {
    weights.forEach((weight, a) => {
      if (weight !== 0 && invFreq[f] !== 0) used.add(a)
    })
  })
  return axes.map((_, a) => a).filter((a) => used.has(a))
}

function firstUnequalText({ ids, generated, textTokens, generatedCount, tokens }: Prompt, axes: readonly number[]) {
  const unequal = (at: readonly Float64Array[], token: number): boolean =>
    axes.some((a) => at[a][token] !== at[axes[0]][token])
  const inPrompt = textTokens.find((token) => unequal(ids, token))
  if (inPrompt !== undefined) return inPrompt
  for (let i = 0; i < generatedCount; i++) if (unequal(generated, i)) return tokens + i
  return null
}

/** For equal ids p on all axes the angle of a pair is inv · p · Σ_a u[a]; the one-dimensional table has inv · p. */
function differentPairs({ allocation, invFreq }: Encoding, textModel: Encoding | null): number {
  const base = textModel?.invFreq ?? invFreq
  let different = 0
  forEachPair(allocation, (weights, f) => {
    const speed = invFreq[f] * weights.reduce((sum, weight) => sum + weight, 0)
    if (!(Math.abs(speed - base[f]) <= 1e-12 * Math.abs(base[f]))) different++
  })
  return different
}

/** The weights `u[h][f][a]` of every pair of every head. */
function forEachPair(allocation: Allocation, visit: (weights: readonly number[], f: number) => void): void {
  const { axes, axisOf, directions, heads, pairs } = allocation
  for (let i = 0; i < heads * pairs; i++) {
    const weights = Array.from({ length: axes }, (_, a) =>
      directions ? directions[i * axes + a] : axisOf[i] === a ? 1 : 0,
    )
    visit(weights, i % pairs)
  }
}
