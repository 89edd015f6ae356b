import type { Needs, Reason, Recommendation } from './recommendation.js'

const paper = 'Revisiting Multimodal Positional Encoding, arXiv 2510.23095'
const nd = 'N-dimensional Rotary Positional Embeddings, jerryxio.ng/posts/nd-rope'

export interface Known extends Required<Omit<Needs, 'trainedMaximum' | 'largestId' | 'kvHeads'>> {
  readonly kvHeads: number | null
  readonly trainedMaximum: number | null
  readonly largestId: number | null
}

export type Parts = Omit<Recommendation, 'reasons' | 'alternatives'>

export interface Rule {
  readonly when: (needs: Known) => boolean
  readonly set: Partial<Parts> | ((needs: Known) => Partial<Parts>)
  readonly reason: Reason | ((needs: Known) => Reason)
  readonly alternative?: string | ((needs: Known) => string | null)
}

const trains = (task: Needs['task'], { training, ...needs }: Known): boolean =>
  training !== 'none' && needs.task === task
const headsSuffice = ({ axes, kvHeads, tensorParallel }: Known): boolean =>
  !tensorParallel && (kvHeads === null || kvHeads >= axes)

/** The decision tree, branch by branch. No two rules that can be met together are about the same choice. */
export const rules: readonly Rule[] = [
  {
    when: ({ training }) => training === 'none',
    set: { keep: true },
    reason: {
      choice: 'keep',
      because:
        'A checkpoint works with the layout, allocation and frequencies it was trained with, and with no others.',
      source: `${paper}: preserve textual priors`,
    },
  },
  {
    when: (needs) => trains('text', needs),
    set: {
      layout: 'sequential',
      allocation: 'single',
      encoding: { make: 'encodings.llama', options: {} },
      positions: 'index',
    },
    reason: { choice: 'layout', because: 'Text has one direction: one running id, all pairs on it.', source: paper },
  },
  {
    when: (needs) => trains('vision-language', needs) && needs.axes === 1,
    set: {
      layout: 'v2pe',
      allocation: 'single',
      encoding: { make: 'encodings.v2pe', options: {} },
      positions: 'index',
    },
    reason: {
      choice: 'layout',
      because: 'With one axis rows and columns cannot be told apart; smaller steps for visual tokens keep ids low.',
      source: 'OpenGVLab/V2PE modeling_internvl_chat.py',
    },
    alternative: 'layouts.lateFusion: a whole id for every token, as LLaVA and InternVL are trained.',
  },
  {
    when: (needs) => trains('vision-language', needs) && needs.axes === 2,
    set: { layout: 'rowsAndColumns', allocation: 'repeated', positions: 'index' },
    reason: {
      choice: 'layout',
      because: 'Two axes are rows and columns, by turns over the pairs; text moves on both, and so do frames.',
      source: 'huggingface/transformers 5.18, models/neomme',
    },
  },
  {
    when: (needs) => trains('vision-language', needs) && needs.axes === 3,
    set: { layout: 'spatialReset', positions: 'index' },
    reason: {
      choice: 'layout',
      because:
        'Rows and columns count from 0 in every block: the structure of pictures is kept, ids grow by the longest side only, no text id lies in a block, and motion between frames does not mix with time.',
      source: `${paper}: spatial reset`,
    },
    alternative:
      'layouts.mropeTimestamps: without the reset, as Qwen3-VL is trained; rows and columns then move with time.',
  },
  {
    when: (needs) => trains('vision-language', needs) && needs.axes === 3,
    set: { allocation: 'interleaved', encoding: { make: 'encodings.mropeI', options: {} } },
    reason: {
      choice: 'allocation',
      because:
        'Every axis gets fast and slow pairs, and equal ids give text the frequencies of the language model; YaRN works on it unchanged.',
      source: `${paper}: MRoPE-Interleave, ratio 24:20:20`,
    },
    alternative: (needs) =>
      headsSuffice(needs)
        ? 'allocations.perHead: an axis has whole heads; nearly as good, harder to spread over devices.'
        : null,
  },
  {
    when: (needs) => trains('vision-language', needs) && needs.axes > 3,
    set: { layout: null, positions: 'index' },
    reason: ({ axes }) => ({
      choice: 'layout',
      because: `No layout counts ${axes} axes: give ids of your own by Positions.from, rows and columns from 0 in every block, text with one id on all axes.`,
      source: `${paper}: spatial reset`,
    }),
  },
  {
    when: (needs) => trains('vision-language', needs) && needs.axes > 3 && headsSuffice(needs),
    set: { allocation: 'perHead' },
    reason: ({ axes }) => ({
      choice: 'allocation',
      because: `${axes} axes would leave each too few pairs of one head; whole heads give every axis the full range. It takes ${axes} KV heads or more.`,
      source: `${paper}: MHRoPE`,
    }),
    alternative: 'allocations.repeated: axes by turns over the pairs; one table for all heads.',
  },
  {
    when: (needs) => trains('vision-language', needs) && needs.axes > 3 && !headsSuffice(needs),
    set: { allocation: 'repeated' },
    reason: ({ tensorParallel }) => ({
      choice: 'allocation',
      because: `Axes by turns over the pairs, so that each gets fast and slow ones: whole heads for an axis ${tensorParallel ? 'are hard to spread over devices' : 'take as many KV heads as axes'}.`,
      source: `${paper}: full frequency utilization`,
    }),
  },
  {
    when: (needs) => trains('vision', needs) && needs.axes === 2,
    set: { encoding: { make: 'visionEncodings.goldenGate', options: {} } },
    reason: {
      choice: 'encoding',
      because:
        'Directions spread over the whole circle let a query meet one cell; axial pairs meet its row and its column. Nothing is learned, so it holds best at other resolutions.',
      source: `${nd}: Golden Gate RoPE, 79.78 → 80.41 % from 224 to 384 pixels`,
    },
    alternative:
      'visionEncodings.ropeVitAxial: two tables of half the pairs, known from many towers; 79.58 → 79.57 % on the same test.',
  },
  {
    when: (needs) => trains('vision', needs) && needs.axes === 3 && needs.video,
    set: { encoding: { make: 'visionEncodings.nd', options: { directions: 'axial', coordinates: 'corners' } } },
    reason: {
      choice: 'encoding',
      because: 'Time, rows and columns take the frequencies in turn, so that none is left with fast or slow ones only.',
      source: `${paper}: full frequency utilization`,
    },
  },
  {
    when: (needs) => trains('vision', needs) && needs.axes !== 2 && !(needs.axes === 3 && needs.video),
    set: { encoding: { make: 'visionEncodings.nd', options: { directions: 'uniform', coordinates: 'corners' } } },
    reason: {
      choice: 'encoding',
      because:
        'Directions spread evenly over the sphere serve any number of axes, and no axis or diagonal is preferred.',
      source: nd,
    },
  },
  {
    when: (needs) => trains('vision', needs),
    set: { positions: 'normalised' },
    reason: {
      choice: 'positions',
      because:
        'With sides from −1 to 1 a larger picture has its cells nearer to each other, within the range of training.',
      source: nd,
    },
    alternative: ({ training, axes, fixedSize }) =>
      training === 'scratch' && axes === 2 && !fixedSize
        ? 'visionEncodings.ropeVitMixed: directions learned from scratch; better at the resolution of training, worse at others.'
        : null,
  },
  {
    when: (needs) => trains('vision', needs),
    set: ({ video }) => ({
      frequencies: video
        ? { minimum: [0.1, 0.2, 0.5], ratio: [20, 50, 100], zeroShare: [0, 0.25] }
        : { minimum: [0.2, 0.5, 1], ratio: [20, 50, 100], zeroShare: [0.25, 0] },
    }),
    reason: ({ video }) => ({
      choice: 'frequencies',
      because: video
        ? 'Time needs lower frequencies than rows and columns, for its distances are longer; search these first.'
        : 'Pictures are shorter than texts: search these ranges first, with a quarter of the pairs left still.',
      source: nd,
    }),
  },
  {
    when: ({ fixedSize }) => fixedSize,
    set: { tables: 'precomputed' },
    reason: {
      choice: 'tables',
      because: 'All inputs have one size: cosines and sines are made once.',
      source: 'decision tree',
    },
  },
  {
    when: ({ fixedSize }) => !fixedSize,
    set: { tables: 'dynamic' },
    reason: {
      choice: 'tables',
      because: 'Sizes differ: keep frequencies and directions, make angles from the positions of each prompt.',
      source: 'decision tree',
    },
  },
  {
    when: ({ trainedMaximum, largestId }) =>
      trainedMaximum !== null && largestId !== null && largestId >= trainedMaximum,
    set: ({ trainedMaximum, largestId }) => ({
      scaling: { name: 'yarn', factor: ((largestId as number) + 1) / (trainedMaximum as number) },
    }),
    reason: ({ trainedMaximum, largestId }) => ({
      choice: 'scaling',
      because: `Ids reach ${largestId}, training ended at ${trainedMaximum}: slow pairs are stretched by what is missing, fast ones kept. The factor follows the ids, not the tokens; a layout whose ids grow slowly needs less.`,
      source: `YaRN, arXiv 2309.00071; ${paper}, appendix D.3`,
    }),
  },
]
