import type { Encoding } from '../encodings/encoding.js'
import type { Judged } from './judge.js'
import type { BlockCoherence, CellIndex, Predicate } from './report.js'

const named: Readonly<Record<Predicate, string>> = {
  structure3D: 'structure of the grid',
  growth: 'slow growth',
  trainedMaximum: 'trained range',
  noOverlap: 'no overlap with later text',
  noSharedVector: 'no ids shared with text',
  modalityInterval: 'distance to text',
  monotoneDecode: 'generated text goes on from the prompt',
  textCompatible: 'text as in the language model',
  fullSpectrum: 'all frequencies on every axis',
}

/** The verdict in sentences, worst first within each predicate. Their number does not grow with the number of blocks. */
export function explain(judged: Judged, encoding: Encoding | null): string[] {
  const release = encoding && encoding.compat !== 'coherent' ? encoding.compat : null
  const apart = encoding?.layout.ownSequences === true
  const failed = new Set(judged.failed)
  const say = (predicate: Predicate, sentences: () => string[]): string[] => (failed.has(predicate) ? sentences() : [])
  return [
    headline(judged, apart),
    ...say('structure3D', () => ofStructure(judged.blocks)),
    ...say('growth', () => ofGrowth(judged)),
    ...say('trainedMaximum', () => ofTrainedMaximum(judged)),
    ...say('noOverlap', () => ofOverlap(judged.blocks, release)),
    ...say('noSharedVector', () => ofSharedVectors(judged.blocks)),
    ...say('modalityInterval', () => ofInterval(judged.blocks)),
    ...say('monotoneDecode', () => ofDecode(judged, release)),
    ...say('textCompatible', () => ofText(judged)),
    ...say('fullSpectrum', () => ofSpectrum(judged)),
    ...notJudged(judged.blocks, apart),
  ]
}

function headline(judged: Judged, apart: boolean): string {
  const { coherent, failed, blocks, tokens, generated, maxId, decode, visualGrowth } = judged
  if (!coherent)
    return `The positions are not coherent. Not met: ${failed.map((predicate) => named[predicate]).join(', ')}.`
  if (tokens === 0) return ofNothing(judged)
  const several = blocks.length !== 1
  const growth = visualGrowth === null ? '' : `${several ? 'take' : 'takes'} ${number(visualGrowth)} ids a token and `
  const all = `${count(tokens, 'token')} with ids up to ${number(maxId)}`
  const place = several ? 'end below the text behind them' : 'ends below the text behind it'
  const own = several ? 'are sequences of their own' : 'is a sequence of its own'
  const ofBlocks = `${count(blocks.length, 'block')} ${growth}${apart ? own : place}`
  const answer = `generated text goes on from ${vector(decode.first)} (${count(generated, 'token')} looked at)`
  return `The positions are coherent: ${all}; ${blocks.length === 0 ? 'all of them are text' : ofBlocks}; ${answer}.`
}

function ofNothing({ generated, decode }: Judged): string {
  const start = generated === 0 ? '' : `; generated text starts at ${vector(decode.first)}`
  return `The prompt is empty, so nothing in it can be wrong${start}.`
}

function ofStructure(blocks: readonly BlockCoherence[]): string[] {
  return [
    ...group(
      blocks.filter(({ structure3D }) => structure3D && !structure3D.injective),
      (block) => {
        const { cells, distinct, collision } = block.structure3D!
        const pair = collision ? `: ${cellName(collision[0])} and ${cellName(collision[1])} share theirs` : ''
        const inTime = collision && collision[0][0] !== collision[1][0] && block.kind !== 'image'
        const advice = inTime
          ? 'Give every frame an id of its own: more ids a second, or fractional ids.'
          : 'Use a layout with an axis for rows and one for columns.'
        return `${name(block)} has ${number(distinct)} different ids for ${count(cells, 'cell')}${pair}. Attention cannot tell such cells apart by their position. ${advice}`
      },
    ),
    ...group(
      blocks.filter(({ structure3D }) => structure3D && !structure3D.affine),
      (block) =>
        `In ${name(block)} equal steps in the picture are not equal steps of ids: cells are up to ${number(block.structure3D!.deviation)} ids away from a straight grid. The same distance then means different things in different places. Let ids be frame, row and column times fixed steps${block.grid && block.grid[0] > 1 ? '; where time is rounded to whole ids, keep the fractions' : ''}.`,
    ),
    ...group(
      blocks.filter(({ structure3D }) => structure3D?.rank != null && structure3D.rank < structure3D.dimensions),
      (block) => {
        const { rank, dimensions } = block.structure3D!
        return `${name(block)} has ${count(dimensions, 'direction')}, its ids have ${number(rank!)}: steps in one direction look like steps in another, and the picture is read as a line. Use a layout with an axis for time, rows and columns, such as M-RoPE.`
      },
    ),
  ]
}

function ofGrowth({ blocks, growthThreshold, visualGrowth }: Judged): string[] {
  const threshold = number(growthThreshold ?? Number.POSITIVE_INFINITY)
  const why = 'long videos then leave the range the model was trained on'
  const fast = blocks
    .filter(({ kind, tokens, growth }) => kind !== 'audio' && tokens >= 256 && (growth ?? 0) > (growthThreshold ?? 0))
    .sort((a, b) => (b.growth ?? 0) - (a.growth ?? 0))
  if (fast.length === 0) {
    return [`All blocks together take ${number(visualGrowth ?? 0)} ids a token, more than ${threshold}: ${why}.`]
  }
  return group(fast, (block) => {
    const advice = slowerGrowth(block)
    return `${name(block)} takes ${number(block.next! - block.start!)} ids for ${count(block.tokens, 'token')}, ${number(block.growth!)} each and more than ${threshold}: ${why}. ${advice}.`
  })
}

function slowerGrowth({ kind, structure3D }: BlockCoherence): string {
  if (kind === 'queries') return 'Take fewer query tokens'
  const { rank, dimensions, matrix } = structure3D ?? { rank: 0, dimensions: 0, matrix: null }
  if (rank !== dimensions) return 'Use a layout that counts rows and columns'
  const wide = matrix?.some(([, row, column]) => Math.max(Math.abs(row), Math.abs(column)) > 1)
  return wide
    ? 'Take smaller steps of rows and columns'
    : 'Take fewer ids a second, or as many as the longest side of the block'
}

function ofTrainedMaximum({ maxId, generated, trainedMaximum }: Judged): string[] {
  return [
    `The largest id ${number(maxId)} and ${count(generated, 'generated token')} do not stay below ${number(trainedMaximum ?? 0)}, the end of what the model was trained on; behind it attention is guesswork. Shorten the prompt, take fewer frames or pixels, or extend the frequencies (YaRN).`,
  ]
}

function ofOverlap(blocks: readonly BlockCoherence[], release: string | null): string[] {
  const overlapping = blocks.filter(({ noOverlap }) => !noOverlap).sort((a, b) => b.overlap - a.overlap)
  return group(overlapping, (block) => {
    const { prompt, generated, ids } = block.overlapping
    const range =
      ids && ids[0] !== ids[1] ? `ids ${number(ids[0])} to ${number(ids[1])}` : `id ${number(ids?.[0] ?? 0)}`
    const rule = release ? `; that is the rule without compat ${release}` : ''
    return `${name(block)} has ids up to ${number(block.largest)}, and ${count(block.overlap, 'text token')} behind it (${number(prompt)} of the prompt, ${number(generated)} generated) with ${range} are not above that. By position this text stands inside the picture, not behind it, and what is generated there confuses the two; output such as "1111…" has been seen. Let the text behind a block start at its largest id on any axis + 1, here ${number(block.largest + 1)}${rule}.`
  })
}

function ofSharedVectors(blocks: readonly BlockCoherence[]): string[] {
  return group(
    blocks.filter(({ sharedVectors }) => sharedVectors > 0),
    (block) =>
      `${count(block.sharedVectors, 'text token')} and tokens of ${name(block)} have the same ids on every axis: no rotation tells them apart. Place the block and the text behind it on ids that nothing else has.`,
  )
}

function ofInterval(blocks: readonly BlockCoherence[]): string[] {
  // Text that overlaps has its own sentence.
  const failing = blocks.filter(({ interval, noOverlap }) => !interval.coherent && noOverlap)
  const limitOf = ({ interval }: BlockCoherence): number => interval.limit ?? Number.POSITIVE_INFINITY
  return [
    ...group(
      failing.filter((block) => (block.interval.after ?? 1) < 1 && !((block.interval.distance ?? 0) > limitOf(block))),
      (block) =>
        `Text behind ${name(block)} goes on ${number(block.interval.after!)} ids from its largest id, ${number(block.largest)}: less than one step. Let it start at ${number(block.largest + 1)}.`,
    ),
    ...group(
      failing.filter((block) => (block.interval.after ?? 0) > limitOf(block)),
      (block) =>
        `Text behind ${name(block)} starts ${number(block.interval.after!)} ids above it, more than ${number(limitOf(block))}: far text and picture attend to each other less. Let it start nearer, or raise intervalLimit if this is wanted.`,
    ),
    ...group(
      failing.filter((block) => (block.interval.distance ?? 0) > limitOf(block)),
      (block) =>
        `The text in front of ${name(block)} is ${number(block.interval.distance!)} ids away from its nearest token, more than ${number(limitOf(block))}${
          block.structure3D?.disentangled
            ? ', because rows and columns count anew in every block. That is how such layouts are meant: raise intervalLimit to accept it.'
            : ': far text and picture attend to each other less. Place the block nearer, or raise intervalLimit if this is wanted.'
        }`,
    ),
  ]
}

function ofDecode({ decode, axes }: Judged, release: string | null): string[] {
  const { last, expected, first } = decode
  const from = last ? `the last token of the prompt has ${vector(last)}` : 'the prompt is empty'
  const rule = release ? `, as they do without compat ${release}` : ''
  return [
    `Generated text starts at ${vector(first)}, but ${from} and ${vector(expected)} was expected (${axes.join(', ')}): prompt and answer do not join, and a second turn gets other ids than the first one had. Let generated tokens go on from the id of the next text${rule}.`,
  ]
}

function ofText({ text, axes, tokens }: Judged): string[] {
  const sentences: string[] = []
  if (text.firstUnequal !== null) {
    const which = text.firstUnequal < tokens ? 'of the prompt' : 'generated'
    sentences.push(
      `Text token ${number(text.firstUnequal)} (${which}) has different ids on the axes ${axes.join(', ')}: text is not rotated as the language model learned it. Give text one id on every axis.`,
    )
  }
  if (text.differentPairs) {
    sentences.push(
      `${count(text.differentPairs, 'pair')}, counted over heads, do not turn as in one-dimensional RoPE, for text too: the language model has to learn text anew.`,
    )
  }
  if (text.attentionFactor !== null && text.attentionFactor !== 1) {
    sentences.push(
      `The attention factor is ${number(text.attentionFactor)}: scores of text are scaled by ${number(text.attentionFactor ** 2)} compared with the language model before its context was extended.`,
    )
  }
  if (text.sameTextModel === false) {
    sentences.push('Pairing or rotary dimension are not those of the text model: text is rotated on other channels.')
  }
  return sentences
}

function ofSpectrum({ spectrum, axes: { length } }: Judged): string[] {
  if (!spectrum) return []
  const parts = spectrum.axes
    .filter(({ full }) => !full)
    .map(({ axis, ranks, maxGap }) => {
      if (!ranks) return `${axis} has none`
      const gaps = maxGap > length + 1 ? `, up to ${maxGap} apart` : ''
      return `${axis} has numbers ${ranks[0] + 1} to ${ranks[1] + 1} of ${spectrum.ranks}${gaps}`
    })
  return [
    `Not every axis has the whole range of frequencies, from number 1, the fastest, on: ${parts.join('; ')}. Without slow ones an axis loses far relations, without fast ones near ones. An interleaved allocation gives all to every axis; it is part of the training, so keep what a checkpoint has.`,
  ]
}

function notJudged(blocks: readonly BlockCoherence[], apart: boolean): string[] {
  const unknown = blocks.filter(({ growth }) => growth === null)
  const merged = blocks.filter(({ kind, structure3D }) => kind === 'audio-video' && structure3D === null)
  const queries = blocks.filter(({ kind }) => kind === 'queries')
  return [
    ...(apart && blocks.length > 0
      ? [
          'Distance and overlap of blocks and text were not judged: the blocks are sequences of their own, and text reads them by cross-attention.',
        ]
      : []),
    ...(queries.length > 0
      ? [`The grid of ${list(queries)} was not judged: query tokens have no places in the picture.`]
      : []),
    ...(unknown.length > 0
      ? [
          `The growth of ${list(unknown)} was not judged: no text next to it says where it starts or ends; give \`starts\`.`,
        ]
      : []),
    ...(merged.length > 0
      ? [`The grid of ${list(merged)} was not judged: the sequence does not say which tokens are sound.`]
      : []),
  ]
}

/** One sentence about the first block, and one that counts the others. */
function group(blocks: readonly BlockCoherence[], sentence: (block: BlockCoherence) => string): string[] {
  if (blocks.length === 0) return []
  const first = capital(sentence(blocks[0]))
  return blocks.length === 1 ? [first] : [first, `The same is true of ${list(blocks.slice(1))}.`]
}

function list(blocks: readonly BlockCoherence[]): string {
  const shown = blocks.slice(0, 5).map(({ index }) => index)
  const rest = blocks.length - shown.length
  return `${blocks.length === 1 ? 'block' : 'blocks'} ${shown.join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`
}

function name({ index, kind, grid, token, tokens }: BlockCoherence): string {
  const sides = grid ? ` of ${(grid[0] === 1 ? grid.slice(1) : grid).join('×')}` : ''
  const place = tokens === 1 ? `token ${token}` : `tokens ${token} to ${token + tokens - 1}`
  return `block ${index} (${kind}${sides}, ${place})`
}

function cellName([t, h, w]: CellIndex): string {
  return `frame ${t}, row ${h}, column ${w}`
}

/** Ids of one token; one number where all axes agree. */
function vector(ids: readonly number[]): string {
  return ids.every((id) => id === ids[0]) ? number(ids[0]) : `(${ids.map(number).join(', ')})`
}

/** Four digits of what is small, thousandths of what is not. */
function number(value: number): string {
  return String(Math.abs(value) < 1 ? Number(value.toPrecision(4)) : Math.round(value * 1000) / 1000)
}

function count(value: number, noun: string): string {
  return `${number(value)} ${noun}${value === 1 ? '' : 's'}`
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1)
}
