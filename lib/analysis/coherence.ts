import type { Encoding } from '../encodings/encoding.js'
import type { Positions } from '../layouts/positions.js'
import { type Segment, tokensOf } from '../sequence/segment.js'
import { Sequence } from '../sequence/sequence.js'
import { cellsOf } from './cells.js'
import { type Judged, judge } from './judge.js'
import { type CoherenceOptions, checkEncoding, type PositionsCoherenceOptions, readLimits } from './options.js'
import { checkSequence, readPrompt } from './prompt.js'
import type { Coherence } from './report.js'
import { disentangled, gridMap } from './structure.js'
import { explain } from './words.js'

/**
 * Are the positions of a prompt coherent under an encoding? Judges every block (structure of the grid, growth, overlap
 * with the text behind, distance to the text around), the step from prompt to generated text, what text tokens keep of
 * one-dimensional RoPE, and which frequencies each axis has; `words` says it in sentences. Plain data, linear in tokens
 * but for sorting.
 *
 * @throws MropeTypeError ERR_MROPE_ARGUMENT for what is not an encoding, a sequence or an option; MropeRangeError
 *   ERR_MROPE_ARGUMENT for numbers out of range, and what the layout throws for segments that it does not place
 * @see "Revisiting Multimodal Positional Encoding in Vision-Language Models", arXiv 2510.23095, section 2.2
 */
export function coherence(encoding: Encoding, sequence: Sequence, options: CoherenceOptions = {}): Coherence {
  checkEncoding('coherence', 'encoding', encoding)
  checkSequence('coherence', sequence)
  const limits = readLimits('coherence', options, 'textModel', 0)
  const prompt = readPrompt('coherence', encoding.positions(sequence), sequence, limits.generated, encoding.layout)
  const starts = probeStarts(encoding, sequence)
  return report(judge(prompt, { ...limits, starts }, { encoding, across: probeAcross(encoding, sequence) }), encoding)
}

/**
 * The same for any positions, of schemes that have no layout and no encoding: `Positions.from` with the ids, and with
 * `next` where generated text does not go on behind the largest id. Frequencies are not judged.
 *
 * @throws MropeTypeError, MropeRangeError ERR_MROPE_ARGUMENT; MropeRangeError ERR_MROPE_SHAPE when positions, sequence
 *   and `starts` do not have the same tokens and blocks, ERR_MROPE_POSITION for ids that are not finite
 */
export function coherenceOf(
  positions: Positions,
  sequence: Sequence,
  options: PositionsCoherenceOptions = {},
): Coherence {
  checkSequence('coherenceOf', sequence)
  const limits = readLimits('coherenceOf', options, 'starts', sequence.blocks().length)
  const prompt = readPrompt('coherenceOf', positions, sequence, limits.generated)
  return report(judge(prompt, limits, { encoding: null, across: null }), null)
}

function report(judged: Judged, encoding: Encoding | null): Coherence {
  const { coherent, failed, ...rest } = judged
  return { coherent, failed, words: explain(judged, encoding), name: encoding?.name ?? null, ...rest }
}

/**
 * Id that a text token in front of each block would have, for blocks that do not stand behind text: one text token is
 * put in front of them and has that id, plus the number of tokens put in before it.
 */
function probeStarts(encoding: Encoding, sequence: Sequence): (number | null)[] | null {
  const probed: Segment[] = []
  const probes: (number | null)[] = []
  let length = 0
  let behindText = false
  for (const segment of sequence.segments) {
    const tokens = tokensOf(segment)
    if (segment.kind !== 'text') {
      probes.push(behindText ? null : length)
      if (!behindText) probed.push({ kind: 'text', length: 1 })
      if (!behindText) length++
    }
    probed.push(withoutStreams(segment))
    length += tokens
    if (tokens > 0) behindText = segment.kind === 'text'
  }
  if (probes.every((probe) => probe === null)) return null
  const positions = encoding.positions(Sequence.of(probed))
  let before = 0
  return probes.map((probe) => (probe === null ? null : Math.max(...positions.at(probe)) - before++))
}

/** With one block only, whether its rows and columns would mean the same in a second one is asked of the layout. */
function probeAcross(encoding: Encoding, sequence: Sequence): boolean | null {
  const grids = sequence.segments.filter((segment) => segment.kind !== 'text' && segment.kind !== 'audio')
  if (grids.length !== 1) return null
  const [segment] = grids
  const cells = cellsOf(segment)
  if (!cells) return null
  const twice = withoutStreams(segment)
  const positions = encoding.positions(Sequence.of([twice, { kind: 'text', length: 1 }, twice]))
  const ids = positions.axes.map((_, a) => positions.axis(a))
  const maps = [0, tokensOf(segment) + 1].map((token) => gridMap(ids, token, cells))
  return disentangled(maps, ids.length)
}

/** Which token is which stream is checked against the ids, and probes move those. */
function withoutStreams(segment: Segment): Segment {
  if (segment.kind !== 'audio-video') return segment
  const { streams: _, ...rest } = segment
  return rest
}
