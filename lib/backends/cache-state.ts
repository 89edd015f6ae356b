import { MropeRangeError, MropeTypeError, show } from '../errors.js'
import { RotaryAngles } from '../rotary/angles.js'
import { checkRotaryDim, checkTable, checkTableHeads } from '../rotary/rotate.js'
import type { RotaryTable } from '../rotary/table.js'
import { checkCount, checkOptions } from '../tensors/check.js'
import type { CacheOptions } from './cache.js'

const mostLayers = 65536
const mostGibibytes = 1024

/** Checks the shape of a cache and gives its bytes. @throws MropeRangeError ERR_MROPE_ARGUMENT, ERR_MROPE_MEMORY */
export function planCache(options: CacheOptions): number {
  checkOptions('openCache', options, ['layers', 'kvHeads', 'headDim', 'valueDim', 'capacity', 'dtype'])
  const { layers, kvHeads, headDim, valueDim, capacity, dtype } = options
  for (const [name, value] of Object.entries({ layers, kvHeads, headDim, valueDim, capacity })) {
    checkCount('openCache', name, value, 1)
  }
  if (dtype !== 'float32' && dtype !== 'float16' && dtype !== 'bfloat16') {
    throw new MropeTypeError('ERR_MROPE_DTYPE', `openCache: dtype ${show(dtype)} is not a storage type`, dtype)
  }
  const bytes = bytesOf(options)
  // More is a mistake, and would be found out only after a long time.
  if (layers > mostLayers || bytes > mostGibibytes * 2 ** 30) throw cacheTooLarge(options)
  return bytes
}

function bytesOf({ layers, kvHeads, headDim, valueDim, capacity, dtype }: CacheOptions): number {
  return layers * capacity * kvHeads * (headDim + valueDim) * (dtype === 'float32' ? 4 : 2)
}

export function cacheTooLarge(options: CacheOptions, cause?: unknown): MropeRangeError {
  const { layers, capacity } = options
  const gibibytes = (bytesOf(options) / 2 ** 30).toFixed(1)
  const text = `openCache: a cache of ${layers} layers × ${capacity} tokens takes ${gibibytes} GiB, which is not to be had`
  return new MropeRangeError('ERR_MROPE_MEMORY', text, capacity, { cause })
}

/** The lengths of the layers, the claims of work under way, and the checks that every cache makes. */
export class CacheState {
  readonly options: CacheOptions
  readonly #lengths: Float64Array
  readonly #busy = new Set<number>()
  #disposed = false

  constructor(options: CacheOptions) {
    this.options = options
    this.#lengths = new Float64Array(options.layers)
  }

  length(layer: number): number {
    const length = typeof layer === 'number' ? this.#lengths[layer] : undefined
    if (length !== undefined) return length
    const text = `cache: layer is from 0 to ${this.options.layers - 1}, got ${show(layer)}`
    throw new MropeRangeError('ERR_MROPE_ARGUMENT', text, layer)
  }

  set(layer: number, length: number): void {
    this.#lengths[layer] = length
  }

  /** Runs work on a layer, which nobody else may use meanwhile. */
  async claim<T>(layer: number, work: () => Promise<T>): Promise<T> {
    this.#take(layer)
    try {
      return await work()
    } finally {
      this.#busy.delete(layer)
    }
  }

  /** As `claim`: a bias function may call back into the cache. */
  claimSync<T>(layer: number, work: () => T): T {
    this.#take(layer)
    try {
      return work()
    } finally {
      this.#busy.delete(layer)
    }
  }

  /** Runs work on all layers. */
  async claimAll<T>(call: string, work: () => Promise<T>): Promise<T> {
    this.assertIdle(call)
    for (let layer = 0; layer < this.options.layers; layer++) this.#busy.add(layer)
    try {
      return await work()
    } finally {
      this.#busy.clear()
    }
  }

  assertOpen(): void {
    if (this.#disposed) throw new MropeRangeError('ERR_MROPE_STATE', 'cache: it was disposed', 'disposed')
  }

  assertIdle(call: string): void {
    this.assertOpen()
    if (this.#busy.size === 0) return
    const layers = [...this.#busy]
    const text = `cache.${call}: a call is under way (layer ${layers.join(', ')})`
    throw new MropeRangeError('ERR_MROPE_STATE', text, layers)
  }

  /** Forgets the tokens from `length` on; `forget` does it in the memory of a layer that has more. */
  truncate(length: number, forget: (layer: number) => void): void {
    this.assertIdle('truncate')
    checkCount('cache.truncate', 'length', length)
    for (let layer = 0; layer < this.options.layers; layer++) {
      if (this.length(layer) <= length) continue
      forget(layer)
      this.set(layer, length)
    }
  }

  #take(layer: number): void {
    this.assertOpen()
    if (this.#busy.has(layer)) {
      throw new MropeRangeError('ERR_MROPE_STATE', `cache: layer ${layer} has a call under way`, layer)
    }
    this.#busy.add(layer)
  }

  /** Checks a run of tokens of a layer. */
  range(call: string, layer: number, start: number, end: number): void {
    this.assertOpen()
    const length = this.length(layer)
    checkCount(`cache.${call}`, 'start', start)
    checkCount(`cache.${call}`, 'end', end, start)
    if (end <= length) return
    const text = `cache.${call}: tokens ${start} to ${end} of layer ${layer}, which holds ${length}`
    throw new MropeRangeError('ERR_MROPE_SHAPE', text, end)
  }

  /** Checks a drop in every layer. */
  checkDrop(start: number, count: number, turn: RotaryTable | RotaryAngles | undefined): void {
    checkCount('cache.drop', 'count', count)
    if (turn !== undefined) {
      if (!(turn instanceof RotaryAngles)) checkTable('cache.drop', turn)
      checkRotaryDim('cache.drop', 'k', this.options.headDim, turn.shape[2])
      checkTableHeads('cache.drop', 'k', this.options.kvHeads, turn.shape[0])
    }
    for (let layer = 0; layer < this.options.layers; layer++) {
      this.range('drop', layer, start, start + count)
      const moved = this.length(layer) - start - count
      if (turn === undefined || turn.shape[1] === moved) continue
      const text = `cache.drop: ${moved} tokens of layer ${layer} move, the table has ${turn.shape[1]} rows`
      throw new MropeRangeError('ERR_MROPE_SHAPE', text, turn.shape)
    }
  }

  /** True the first time. */
  dispose(): boolean {
    if (this.#disposed) return false
    this.assertIdle('dispose')
    this.#disposed = true
    return true
  }
}
