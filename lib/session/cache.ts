import { MropeRangeError, show } from '../errors.js'
import { rows, Tensor, type TensorType } from '../tensors/tensor.js'

export interface CacheOptions {
  readonly layers: number
  readonly kvHeads: number
  readonly headDim: number
  /** Head dimension of the values; headDim by default. */
  readonly valueDim: number
  /** Tokens that fit. */
  readonly capacity: number
  readonly dtype: TensorType
}

/** More is a mistake, and would be found out only after a long time. */
const mostLayers = 65536
const mostGibibytes = 1024

interface LayerCache {
  readonly k: Tensor
  readonly v: Tensor
  length: number
}

/**
 * Rotated keys and values of every layer, `(capacity, kvHeads, headDim)` each, in the order of the sequence. The slot of
 * a token is its index in the sequence, never its rope id.
 */
export class KVCache {
  readonly options: CacheOptions
  readonly #layers: LayerCache[]

  constructor(options: CacheOptions) {
    const { layers, kvHeads, headDim, valueDim, capacity, dtype } = options
    const gibibytes = (layers * capacity * kvHeads * (headDim + valueDim) * (dtype === 'float32' ? 4 : 2)) / 2 ** 30
    const tooLarge = (cause?: unknown): MropeRangeError => {
      const message = `session: a cache of ${layers} layers × ${capacity} tokens takes ${gibibytes.toFixed(1)} GiB, which is not to be had`
      return new MropeRangeError('ERR_MROPE_CAPACITY', message, capacity, { cause })
    }
    if (layers > mostLayers || gibibytes > mostGibibytes) throw tooLarge()
    this.options = options
    try {
      this.#layers = Array.from({ length: layers }, () => ({
        k: Tensor.zeros(dtype, [capacity, kvHeads, headDim]),
        v: Tensor.zeros(dtype, [capacity, kvHeads, valueDim]),
        length: 0,
      }))
    } catch (cause) {
      throw tooLarge(cause)
    }
  }

  /** Bytes of all layers together. */
  get bytes(): number {
    return this.#layers.reduce((sum, { k, v }) => sum + k.data.byteLength + v.data.byteLength, 0)
  }

  /** Tokens that a layer holds. */
  length(layer: number): number {
    return this.#layer(layer).length
  }

  /** Keys and values of tokens `start` to `end`, as views. */
  view(layer: number, start: number, end: number): { readonly k: Tensor; readonly v: Tensor } {
    const { k, v } = this.#layer(layer)
    return { k: rows(k, start, end), v: rows(v, start, end) }
  }

  /** Takes the tokens that were written behind the last ones into the layer. */
  commit(layer: number, count: number): void {
    this.#layer(layer).length += count
  }

  /** Takes out tokens `start` to `start + count` of every layer and closes the gap. */
  drop(start: number, count: number): void {
    for (const layer of this.#layers) {
      for (const tensor of [layer.k, layer.v]) {
        const row = tensor.dims[1] * tensor.dims[2]
        tensor.data.copyWithin(start * row, (start + count) * row, layer.length * row)
      }
      layer.length -= count
    }
  }

  #layer(layer: number): LayerCache {
    const found = typeof layer === 'number' ? this.#layers[layer] : undefined
    if (found) return found
    const message = `session: layer is from 0 to ${this.#layers.length - 1}, got ${show(layer)}`
    throw new MropeRangeError('ERR_MROPE_ARGUMENT', message, layer)
  }
}

/** Copies `(tokens, heads, dim)` into another storage type of the same dims. */
export function store(source: Tensor, target: Tensor): void {
  if (source.type === target.type) {
    target.data.set(source.data)
    return
  }
  target.data.set(Tensor.from(target.type, source.toFloat32(), source.dims).data)
}
