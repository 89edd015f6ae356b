import type { Encoding } from '../encodings/encoding.js'
import { MropeRangeError, show } from '../errors.js'
import { checkCount, checkOptions } from '../tensors/check.js'
import type { TensorType } from '../tensors/tensor.js'
import { checkEncoding } from './options.js'

export interface MemoryOptions {
  /** Tokens of the prompt. */
  readonly tokens: number
  /** Tokens to be generated, for which the cache has room. Default 0. */
  readonly generated?: number
  readonly layers: number
  /** Query heads. */
  readonly heads: number
  /** Default: as many as heads. */
  readonly kvHeads?: number
  /** Head dimension of the values. Default: that of the encoding. */
  readonly valueDim?: number
  /** Storage of keys and values. Default float16. */
  readonly dtype?: TensorType
  /** Queries of one call of attention. Default: the whole prompt. */
  readonly queries?: number
}

/** Bytes, known before anything is allocated. */
export interface MemoryPlan {
  readonly tokens: number
  /** Prompt and answer. */
  readonly capacity: number
  /** Ids, float64, on every axis. */
  readonly positions: number
  readonly table: {
    /** Cosines and sines of every token, float32: tables × tokens × pairs × 2 × 4. One for all layers. */
    readonly precomputed: number
    /** Frequencies and directions alone, float32, where angles are made while rotating: tables × pairs × axes × 4. */
    readonly dynamic: number
  }
  readonly kvCache: {
    readonly bytes: number
    /** Of one token in all layers. */
    readonly perToken: number
  }
  readonly attention: {
    /** Attention that writes its scores out, float32: heads × queries × keys × 4. This package never does. */
    readonly scores: number
    /** Tiles of the reference backend, float64; the same for any number of keys. */
    readonly reference: number
    /** Packed keys and values of the CPU backend, float32, for as many heads at a time as fit in 48 MiB. */
    readonly cpu: number
  }
  /** Positions, table, cache and scratch of the CPU backend. */
  readonly total: number
}

const packedBytes = 48 * 2 ** 20
const [rowTile, keyTile] = [252, 48]

const bytesOf: { readonly [T in TensorType]: number } = { float32: 4, float16: 2, bfloat16: 2 }

/**
 * What a prompt will take: tables made beforehand or on the fly, keys and values, and the scratch of attention.
 *
 * @throws MropeTypeError, MropeRangeError ERR_MROPE_ARGUMENT; MropeRangeError ERR_MROPE_HEADS when query heads are not a
 *   multiple of KV heads, ERR_MROPE_DTYPE
 */
export function memoryPlan(encoding: Encoding, options: MemoryOptions): MemoryPlan {
  const caller = 'memoryPlan'
  checkEncoding(caller, 'encoding', encoding)
  const known = ['tokens', 'generated', 'layers', 'heads', 'kvHeads', 'valueDim', 'dtype', 'queries']
  checkOptions(caller, options, known)
  const tokens = checkCount(caller, 'tokens', options.tokens)
  const capacity = tokens + checkCount(caller, 'generated', options.generated ?? 0)
  const layers = checkCount(caller, 'layers', options.layers, 1)
  const heads = checkCount(caller, 'heads', options.heads, 1)
  const kvHeads = checkCount(caller, 'kvHeads', options.kvHeads ?? heads, 1)
  const queries = checkCount(caller, 'queries', options.queries ?? tokens)
  const { headDim, allocation, axes } = encoding
  const valueDim = checkCount(caller, 'valueDim', options.valueDim ?? headDim, 1)
  const { dtype = 'float16' } = options
  if (heads % kvHeads !== 0) {
    const message = `${caller}: ${heads} query heads are not a multiple of ${kvHeads} KV heads`
    throw new MropeRangeError('ERR_MROPE_HEADS', message, heads)
  }
  if (!Object.hasOwn(bytesOf, dtype)) {
    const message = `${caller}: dtype is one of ${Object.keys(bytesOf).join(', ')}, got ${show(dtype)}`
    throw new MropeRangeError('ERR_MROPE_DTYPE', message, dtype)
  }
  const positions = axes.length * tokens * 8
  const tables = tableBytes(encoding, tokens)
  const perToken = layers * kvHeads * (headDim + valueDim) * bytesOf[dtype]
  const oneHead = tokens * (headDim + valueDim) * 4
  const together = Math.min(kvHeads, Math.max(1, Math.floor(packedBytes / Math.max(1, oneHead))))
  const rows = Math.min(rowTile, queries * (heads / kvHeads))
  const cpu = oneHead * together
  const kvCache = { bytes: perToken * capacity, perToken }
  return {
    tokens,
    capacity,
    positions,
    table: { precomputed: tables, dynamic: allocation.heads * allocation.pairs * axes.length * 4 },
    kvCache,
    attention: {
      scores: heads * queries * tokens * 4,
      reference: ((rows + keyTile) * (headDim + valueDim) + 2 * rows + 3 * keyTile) * 8,
      cpu,
    },
    total: positions + tables + kvCache.bytes + cpu,
  }
}

/** Cosines and sines of an encoding for so many tokens, as `encoding.table` makes them. */
export function tableBytes({ allocation: { heads, pairs } }: Encoding, tokens: number): number {
  return heads * pairs * tokens * 2 * 4
}
