import type { allocations } from '../allocations/index.js'
import type { visionEncodings } from '../encodings/grids/index.js'
import type { encodings } from '../encodings/named.js'
import type { layouts } from '../layouts/index.js'

/** What the model has to do. */
export interface Needs {
  /** `text`: no pictures. `vision`: an image or video encoder. `vision-language`: text with pictures in one sequence. */
  readonly task: 'text' | 'vision' | 'vision-language'
  /** `none`: a checkpoint is used as it is. `continue`: trained on from a language model. `scratch`. */
  readonly training: 'none' | 'continue' | 'scratch'
  /** Every input has the same size. Default false. */
  readonly fixedSize?: boolean
  readonly video?: boolean
  /** Axes of a position, 8 at most. Default: 3 for video and language models with pictures, 2 for images, 1 for text. */
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
  readonly choice: 'keep' | 'layout' | 'allocation' | 'encoding' | 'tables' | 'positions' | 'frequencies' | 'scaling'
  readonly because: string
  readonly source: string
}

/** Parts of an encoding; null where the needs do not decide it. */
export interface Recommendation {
  /** Take the numbers of the checkpoint and change nothing. */
  readonly keep: boolean
  /** A key of `layouts`; null also where none has so many axes. */
  readonly layout: keyof typeof layouts | null
  /** A key of `allocations`. */
  readonly allocation: keyof typeof allocations | null
  /** What makes the whole encoding, as `registry.key`, with the options that are not sizes. */
  readonly encoding: {
    readonly make: `encodings.${keyof typeof encodings}` | `visionEncodings.${keyof typeof visionEncodings}`
    readonly options: Readonly<Record<string, unknown>>
  } | null
  readonly tables: 'precomputed' | 'dynamic' | null
  /** `normalised`: rows and columns span −1 to 1 at any resolution. */
  readonly positions: 'normalised' | 'index' | null
  /** Where a search of frequencies should look first; radians a position. */
  readonly frequencies: {
    readonly minimum: readonly number[]
    readonly ratio: readonly number[]
    readonly zeroShare: readonly number[]
  } | null
  readonly scaling: { readonly name: 'yarn'; readonly factor: number } | null
  readonly reasons: readonly Reason[]
  /** What else would do, as `registry.key`, and what it costs. */
  readonly alternatives: readonly string[]
}
