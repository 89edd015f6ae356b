/** What the model has to do. */
export interface Needs {
  /** `text`: no pictures. `vision`: an image or video encoder. `vision-language`: text with pictures in one sequence. */
  readonly task: 'text' | 'vision' | 'vision-language'
  /** `none`: a checkpoint is used as it is. `continue`: trained on from a language model. `scratch`. */
  readonly training: 'none' | 'continue' | 'scratch'
  /** Every input has the same size. Default false. */
  readonly fixedSize?: boolean
  readonly video?: boolean
  /** Axes of a position. Default: 3 for video and language models with pictures, 2 for images, 1 for text. */
  readonly axes?: number
  /** KV heads of the model. */
  readonly kvHeads?: number
  /** The heads are spread over several devices. Default false. */
  readonly tensorParallel?: boolean
  /** Largest id that training has seen, and the largest that prompts will have. */
  readonly trainedMaximum?: number
  readonly largestId?: number
}

export interface Reason {
  /** What was decided, by the name of a part of the recommendation. */
  readonly choice: 'keep' | 'layout' | 'allocation' | 'tables' | 'positions' | 'frequencies' | 'scaling'
  readonly because: string
  readonly source: string
}

/** Parts of an encoding; null where the needs do not decide it. */
export interface Recommendation {
  /** Take the numbers of the checkpoint and change nothing. */
  readonly keep: boolean
  /** By name: a key of `layouts`, or how a vision encoder counts. */
  readonly layout: string | null
  readonly allocation: string | null
  readonly tables: 'precomputed' | 'dynamic' | null
  /** `normalised`: a side spans −1 to 1 at any resolution. */
  readonly positions: 'normalised' | 'index' | null
  /** Where a search of frequencies should look first; radians a position. */
  readonly frequencies: {
    readonly minimum: readonly number[]
    readonly ratio: readonly number[]
    readonly zeroShare: readonly number[]
  } | null
  readonly scaling: { readonly name: 'yarn'; readonly factor: number } | null
  readonly reasons: readonly Reason[]
  /** What else would do, and what it costs. */
  readonly alternatives: readonly string[]
}

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
  readonly alternative?: string
}

const trains = ({ training }: Known): boolean => training !== 'none'
const manyAxes = ({ axes, kvHeads, tensorParallel }: Known): boolean =>
  axes > 3 && !tensorParallel && (kvHeads === null || kvHeads >= axes)

/** The decision tree, branch by branch; a later rule overrides an earlier one. */
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
    when: (needs) => trains(needs) && needs.task === 'text',
    set: { layout: 'sequential', allocation: 'single', positions: 'index' },
    reason: { choice: 'layout', because: 'Text has one direction: one running id, all pairs on it.', source: paper },
  },
  {
    when: (needs) => trains(needs) && needs.task === 'vision-language',
    set: { layout: 'spatialReset', positions: 'index' },
    reason: {
      choice: 'layout',
      because:
        'Rows and columns count from 0 in every block: the structure of pictures is kept, ids grow by the longest side only, no text id lies in a block, and motion between frames does not mix with time.',
      source: `${paper}: spatial reset`,
    },
    alternative: 'mrope: without the reset, as Qwen3-VL is trained; rows and columns then move with time.',
  },
  {
    when: (needs) => trains(needs) && needs.task === 'vision-language',
    set: { allocation: 'interleaved' },
    reason: {
      choice: 'allocation',
      because:
        'Every axis gets fast and slow pairs, and equal ids give text the frequencies of the language model; YaRN works on it unchanged.',
      source: `${paper}: MRoPE-Interleave, ratio 24:20:20`,
    },
    alternative: 'perHead: an axis has whole heads; nearly as good, harder to spread over devices.',
  },
  {
    when: (needs) => trains(needs) && needs.task === 'vision-language' && manyAxes(needs),
    set: { allocation: 'perHead' },
    reason: ({ axes }) => ({
      choice: 'allocation',
      because: `${axes} axes would leave each too few pairs of one head; whole heads give every axis the full range.`,
      source: `${paper}: MHRoPE`,
    }),
    alternative: 'interleaved: one table for all heads.',
  },
  {
    when: (needs) => trains(needs) && needs.task === 'vision',
    set: { layout: 'grid', allocation: 'goldenGate', positions: 'normalised' },
    reason: {
      choice: 'allocation',
      because:
        'Directions spread over the whole circle let a query meet one cell; axial pairs meet its row and its column. Nothing is learned, so it holds best at other resolutions.',
      source: `${nd}: Golden Gate RoPE, 79.78 → 80.41 % from 224 to 384 pixels`,
    },
    alternative: 'axial: two tables of half the pairs, known from many towers; 79.58 → 79.57 % on the same test.',
  },
  {
    when: (needs) => needs.training === 'scratch' && needs.task === 'vision' && !needs.fixedSize,
    set: {},
    reason: {
      choice: 'positions',
      because:
        'With sides from −1 to 1 a larger picture has its cells nearer to each other, within the range of training.',
      source: nd,
    },
    alternative: 'mixed: directions learned from scratch; better at the resolution of training, worse at others.',
  },
  {
    when: (needs) => trains(needs) && needs.task === 'vision',
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
    when: (needs) => trains(needs) && needs.task === 'vision' && needs.video,
    set: { allocation: 'interleaved' },
    reason: {
      choice: 'allocation',
      because: 'Time, rows and columns take the frequencies in turn, so that none is left with fast or slow ones only.',
      source: `${paper}: full frequency utilization`,
    },
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
