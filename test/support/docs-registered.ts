import type { Verified } from '../../lib/encodings/encoding.js'
import {
  allocations,
  biases,
  embeddings,
  encodings,
  layouts,
  resizeRules,
  softmaxScaleRules,
  spectra,
  visionEncodings,
} from '../../lib/index.js'
import { biasExamples } from './biases.js'
import { gridExamples } from './grids.js'

export interface Registered {
  readonly registry: string
  readonly key: string
  readonly verified?: Verified
}

/** Every entry of the registries, with how sure it is where it says so. */
export function registered(): Registered[] {
  const entries = (registry: string, all: object, sureOf?: (key: string) => Verified): Registered[] =>
    Object.keys(all).map((key) => ({ registry, key, verified: sureOf?.(key) }))
  return [
    ...entries('layouts', layouts),
    ...entries('encodings', encodings, (key) => encodings[key as keyof typeof encodings]().verified),
    ...entries(
      'visionEncodings',
      visionEncodings,
      (key) => gridExamples[key as keyof typeof gridExamples][0]().verified,
    ),
    ...entries('biases', biases, (key) => {
      const [make] = biasExamples[key as keyof typeof biasExamples]
      return make({ heads: 2, headDim: 8, tokens: 5 }).describe().verified
    }),
    ...entries('embeddings', embeddings),
    ...entries('spectra', spectra),
    ...entries('allocations', allocations),
    ...entries('softmaxScaleRules', softmaxScaleRules, (key) =>
      softmaxScaleRules[key as keyof typeof softmaxScaleRules].verified ? 'source' : 'unverified',
    ),
    ...entries('resizeRules', resizeRules),
  ]
}
