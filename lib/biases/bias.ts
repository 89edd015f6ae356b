import type { VisibleKeys } from '../attention/mask.js'
import type { Verified } from '../encodings/encoding.js'
import type { Tensor } from '../tensors/tensor.js'

/** A number to add to the score of a query head, a query and a key; query and key are indices in the sequence. */
export type BiasFunction = (head: number, query: number, key: number) => number

/**
 * A bias as data: what is added to the score of query i and key j, indices in the sequence, for `heads` query heads or,
 * with 1, for all of them. Kernels evaluate it score by score, so that no (queries × keys) tensor is made.
 */
export type BiasData =
  /** `−values[head] · |i − j|`, values `(heads)`. */
  | { readonly kind: 'slope'; readonly heads: number; readonly values: Float32Array }
  /** `values[head][clamp(j − i + origin, 0, span − 1)]`, values `(heads, span)`. */
  | {
      readonly kind: 'distance'
      readonly heads: number
      readonly values: Float32Array
      readonly span: number
      readonly origin: number
    }
  /**
   * `values[head][(yi − yj + rows − 1)·(2·columns − 1) + xi − xj + columns − 1]`, values `(heads, (2·rows −
   * 1)·(2·columns − 1))`; the cell of a token in its window is its index mod rows·columns.
   */
  | {
      readonly kind: 'grid'
      readonly heads: number
      readonly values: Float32Array
      readonly rows: number
      readonly columns: number
    }
  /** `values[head][i] − values[head][j]`, values `(heads, keys)`. */
  | { readonly kind: 'difference'; readonly heads: number; readonly values: Float32Array }

/** The attention that a bias is asked for. */
export interface BiasRequest {
  readonly queries: number
  readonly keys: number
  /** Query heads. */
  readonly heads: number
  readonly kvHeads: number
  readonly headDim: number
  /** Index in the sequence of the first query. */
  readonly queryOffset: number
  readonly visible: VisibleKeys
  /** Queries and keys as they come, before any rotation on the way. */
  readonly q: Tensor
  readonly k: Tensor
  /** Factor of `q·k`: one for all queries, or one per query. */
  readonly scale: number | Float64Array
}

export interface BiasDescription {
  readonly name: string
  /** 1 where all heads are alike. */
  readonly heads: number
  /** What is added to the score of query i and key j. */
  readonly formula: string
  /**
   * How it reaches a kernel: as `BiasData` of that kind, or as a function that fills one bounded piece after the
   * other.
   */
  readonly evaluated: BiasData['kind'] | 'pieces'
  /** It reads q, so it is not known ahead. */
  readonly readsQueries: boolean
  /** It reads k as it came, before any rotation, so a cache of rotated keys does not do. */
  readonly readsKeys: boolean
  /** What exchanging i and j does to it: nothing, a change of sign, or something else. */
  readonly exchange: 'same' | 'negated' | 'other'
  readonly parameters: Readonly<Record<string, unknown>>
  readonly source: string
  readonly verified: Verified
}

/** A relative position encoding that is added to the scores of an attention. Immutable. */
export interface AttentionBias {
  readonly name: string
  readonly heads: number
  /** The bias of one attention: data where the kernels have the form, otherwise a function. */
  resolve(request: BiasRequest): BiasData | BiasFunction
  describe(): BiasDescription
}

/** An `AttentionBias` from its description. What `resolve` gives is held against the attention by `resolveBias`. */
export function defineBias(
  description: BiasDescription,
  resolve: (request: BiasRequest) => BiasData | BiasFunction,
): AttentionBias {
  const { name, heads, parameters } = description
  const frozen = Object.freeze({ ...description, parameters: Object.freeze({ ...parameters }) })
  return Object.freeze({ name, heads, resolve, describe: () => frozen })
}

/** Whether a value is an `AttentionBias`. By shape: one of the CommonJS copy is one for the ESM copy too. */
export function isAttentionBias(value: unknown): value is AttentionBias {
  return typeof value === 'object' && value !== null && 'resolve' in value && typeof value.resolve === 'function'
}
