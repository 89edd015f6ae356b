import type { Encoding } from '../encodings/encoding.js'
import { spectrumCoverage, textCompatibility } from './frequencies.js'
import type { Limits } from './options.js'
import { overlaps, sharedVectors, sharedWithEarlierText } from './overlap.js'
import { largestAt, type Prompt, type PromptBlock, smallestAt } from './prompt.js'
import type { BlockCoherence, Coherence, Interval, Predicate } from './report.js'
import { disentangled, type GridMap, gridMap, structureOf } from './structure.js'
import { slack } from './tolerance.js'

/** Everything but the sentences. */
export type Judged = Omit<Coherence, 'words' | 'name'>

export interface Context {
  readonly encoding: Encoding | null
  /** Whether rows and columns mean the same in every block, where the prompt has one block only; null: not known. */
  readonly across: boolean | null
}

/** From this many tokens on, growth is judged: a small picture takes many ids a token and harms nothing. */
const manyTokens = 256

const ofPositions: readonly Predicate[] = [
  'structure3D',
  'growth',
  'trainedMaximum',
  'noOverlap',
  'noSharedVector',
  'modalityInterval',
  'monotoneDecode',
]

export function judge(prompt: Prompt, limits: Limits, context: Context): Judged {
  const { encoding } = context
  const blocks = judgeBlocks(prompt, limits, context)
  const all = prompt.axes.map((_, a) => a)
  let maxId = prompt.tokens === 0 ? -1 : Number.NEGATIVE_INFINITY
  for (let n = 0; n < prompt.tokens; n++) maxId = Math.max(maxId, largestAt(prompt.ids, all, n))
  const { trainedMaximum, generated, growthThreshold } = limits
  const withinTrainedMaximum = trainedMaximum === null ? null : maxId + generated < trainedMaximum
  const visual = blocks.filter(({ kind }) => kind !== 'audio')
  const visualTokens = visual.reduce((sum, { tokens }) => sum + tokens, 0)
  const visualGrowth = visual.length > 0 ? growthOf(visual, visualTokens) : null
  const slowGrowth =
    !(visualTokens >= manyTokens && exceeds(visualGrowth, growthThreshold)) &&
    !visual.some(({ tokens, growth }) => tokens >= manyTokens && exceeds(growth, growthThreshold))
  const decode = decodeStep(prompt)
  const monotoneDecode = prompt.live.every(
    (a) => Math.abs(decode.first[a] - decode.expected[a]) <= slack(decode.expected[a]),
  )
  const { compatible, text } = textCompatibility(prompt, encoding, limits.textModel)
  const spectrum = encoding && spectrumCoverage(encoding, prompt.live)
  const fullSpectrum = spectrum?.axes.every(({ full }) => full) ?? null
  const holds: Record<Predicate, boolean> = {
    structure3D: visual.every(({ structure3D }) => structure3D?.holds ?? true),
    growth: slowGrowth,
    trainedMaximum: withinTrainedMaximum ?? true,
    noOverlap: blocks.every(({ noOverlap }) => noOverlap),
    noSharedVector: blocks.every((block) => block.sharedVectors === 0),
    modalityInterval: blocks.every(({ interval }) => interval.coherent),
    monotoneDecode,
    textCompatible: compatible,
    fullSpectrum: fullSpectrum ?? true,
  }
  return {
    coherent: ofPositions.every((predicate) => holds[predicate]),
    failed: (Object.keys(holds) as Predicate[]).filter((predicate) => !holds[predicate]),
    axes: prompt.axes,
    tokens: prompt.tokens,
    generated,
    maxId,
    growth: prompt.tokens === 0 ? null : (maxId + 1) / prompt.tokens,
    visualGrowth,
    growthThreshold: finiteOrNull(growthThreshold),
    slowGrowth,
    trainedMaximum: finiteOrNull(trainedMaximum),
    withinTrainedMaximum,
    blocks,
    monotoneDecode,
    decode,
    textCompatible: compatible,
    text,
    fullSpectrum,
    spectrum,
  }
}

function judgeBlocks(prompt: Prompt, limits: Limits, { encoding, across }: Context): BlockCoherence[] {
  const { ids, axes, blocks } = prompt
  const apart = encoding?.layout.ownSequences === true
  const largest = blocks.map((block) => extreme(prompt, block, largestAt, Math.max))
  const maps = blocks.map(({ token, cells }) => cells && gridMap(ids, token, cells))
  const visual = maps.filter((map, b): map is GridMap => map !== null && blocks[b].kind !== 'audio')
  const same = visual.length > 1 ? disentangled(visual, axes.length) : across
  // Ids of two sequences are not compared: the text reads such blocks by cross-attention, which rotates neither.
  const overlapping = apart ? blocks.map(() => noOverlap) : overlaps(prompt, largest)
  const shared = apart ? blocks.map(() => 0) : sharedVectors(prompt)
  const earlier = apart ? blocks.map(() => ({})) : sharedWithEarlierText(prompt)
  const starts = blocks.map((block) => startOf(prompt, block, limits))
  return blocks.map((block, b) => {
    const { index, kind, token, tokens, cells } = block
    const map = maps[b]
    const structure = cells && map && structureOf(ids, token, cells, map)
    const start = starts[b]
    const next = nextOf(prompt, block, starts[b + 1] ?? null)
    const overlap = overlapping[b].prompt + overlapping[b].generated
    return {
      index,
      kind,
      grid: cells && kind !== 'audio' ? cells.grid : null,
      token,
      tokens,
      start,
      next,
      largest: largest[b],
      growth: start === null || next === null ? null : (next - start) / tokens,
      structure3D: structure && {
        ...structure,
        disentangled: structure.disentangledWithin && kind !== 'audio' ? same : structure.disentangledWithin,
      },
      overlap,
      overlapping: overlapping[b],
      noOverlap: overlap === 0,
      interval: apart ? noInterval : intervalOf(prompt, block, largest[b], next, limits.intervalLimit),
      sharedVectors: shared[b],
      sharedWithEarlierText: earlier[b],
    }
  })
}

const noOverlap = { prompt: 0, generated: 0, ids: null }
const noInterval: Interval = { before: null, after: null, distance: null, limit: null, coherent: true }

function startOf({ textIds }: Prompt, { index, inFront, textBefore }: PromptBlock, { starts }: Limits): number | null {
  return starts?.[index] ?? (inFront === 'text' ? textIds[textBefore - 1] + 1 : null)
}

/** Between two blocks no text has the id in question: it is the one expected in front of the second. */
function nextOf(prompt: Prompt, { behind, textBefore }: PromptBlock, following: number | null): number | null {
  return behind === 'text' ? prompt.textIds[textBefore] : behind === 'end' ? prompt.behind : following
}

function intervalOf(
  prompt: Prompt,
  block: PromptBlock,
  largest: number,
  next: number | null,
  given: number | null,
): Interval {
  const { ids, live, counting, textTokens } = prompt
  const [, height, width] = block.cells?.grid ?? [1, 1, 1]
  // One step on every axis is the nearest that text and a block can be.
  const limit = given ?? Math.max(height, width, Math.ceil(Math.sqrt(live.length)))
  const text = block.inFront === 'text' ? textTokens[block.textBefore - 1] : null
  const smallest = extreme(prompt, block, smallestAt, Math.min)
  const before = text === null ? null : smallest - largestAt(ids, counting, text)
  const after = next === null ? null : next - largest
  const distance = text === null ? null : nearest(prompt, block, text)
  const within = slack(largest)
  const behindIsNear = after === null || (after >= 1 - within && after <= limit + within)
  const coherent = behindIsNear && (distance === null || distance <= limit + within)
  return { before, after, distance, limit: finiteOrNull(limit), coherent }
}

/** Euclidean distance of a text token from the nearest token of a block. */
function nearest({ ids, live }: Prompt, { token, tokens }: PromptBlock, text: number): number {
  let nearest = Number.POSITIVE_INFINITY
  for (let n = token; n < token + tokens; n++) {
    let squares = 0
    for (const a of live) squares += (ids[a][n] - ids[a][text]) ** 2
    nearest = Math.min(nearest, squares)
  }
  return Math.sqrt(nearest)
}

function extreme(
  { ids, counting }: Prompt,
  { token, tokens }: PromptBlock,
  at: typeof largestAt,
  choose: (a: number, b: number) => number,
): number {
  let found = at(ids, counting, token)
  for (let n = token + 1; n < token + tokens; n++) found = choose(found, at(ids, counting, n))
  return found
}

/** Generated text goes on by one on every counting axis behind text or sound, behind a picture with the next text id. */
function decodeStep({ axes, counting, live, next, first, last }: Prompt) {
  const expected = axes.map((_, a) => {
    if (live.includes(a) && !counting.includes(a)) return 0
    return last?.running ? last.ids[a] + 1 : next
  })
  return { last: last?.ids ?? null, expected, first }
}

function growthOf(blocks: readonly Pick<BlockCoherence, 'start' | 'next'>[], tokens: number): number | null {
  let ids = 0
  for (const { start, next } of blocks) {
    if (start === null || next === null) return null
    ids += next - start
  }
  return ids / tokens
}

function exceeds(growth: number | null, threshold: number): boolean {
  return growth !== null && growth > threshold
}

/** JSON has no Infinity. */
function finiteOrNull(value: number | null): number | null {
  return value !== null && Number.isFinite(value) ? value : null
}
