import type { Verified } from '../encodings/encoding.js'
import { MropeRangeError, MropeTypeError, show } from '../errors.js'
import { Positions } from '../layouts/positions.js'
import { asTensor, isArrayLike, overlap, sameMemory } from '../tensors/check.js'
import { loadRow, storeRow } from '../tensors/rows.js'
import { Tensor } from '../tensors/tensor.js'

export interface EmbeddingDescription {
  readonly name: string
  /** Numbers of a vector. */
  readonly dim: number
  /** Axes of the positions it reads, by name. */
  readonly axes: readonly string[]
  readonly formula: string
  readonly parameters: Readonly<Record<string, unknown>>
  readonly source: string
  readonly verified: Verified
}

/** Positions, or the ids of the one axis of an embedding with one axis. */
export type EmbeddingPositions = Positions | ArrayLike<number>

/** An absolute position encoding: a vector for each position, added to the vectors of tokens. Immutable. */
export abstract class AbsoluteEmbedding {
  readonly #description: EmbeddingDescription

  constructor(description: EmbeddingDescription) {
    const { axes, parameters } = description
    this.#description = Object.freeze({
      ...description,
      axes: Object.freeze([...axes]),
      parameters: Object.freeze({ ...parameters }),
    })
  }

  get name(): string {
    return this.#description.name
  }
  /** Numbers of a vector. */
  get dim(): number {
    return this.#description.dim
  }
  get axes(): readonly string[] {
    return this.#description.axes
  }

  describe(): EmbeddingDescription {
    return this.#description
  }

  /** Writes the vectors of tokens, `(tokens, dim)`; `ids` has one list for each axis. */
  protected abstract write(ids: readonly Float64Array[], to: Float32Array): void

  /**
   * The vector of every position, float32 `(tokens, dim)`.
   * @throws MropeTypeError ERR_MROPE_ARGUMENT, MropeRangeError ERR_MROPE_SHAPE | ERR_MROPE_POSITION |
   *   ERR_MROPE_POSITION_RANGE
   */
  vectors(positions: EmbeddingPositions): Tensor {
    const ids = idsOf(this.name, this.axes, positions)
    const to = new Float32Array(ids[0].length * this.dim)
    this.write(ids, to)
    return new Tensor('float32', to, [ids[0].length, this.dim])
  }

  /**
   * `x + vectors(positions)`, summed in float64 and rounded once to the type of the result.
   *
   * @param x `(tokens, dim)` of any storage type
   * @param out destination `(tokens, dim)`; may be x itself
   * @throws what `vectors` throws
   */
  add(x: Tensor, positions: EmbeddingPositions, out?: Tensor): Tensor {
    const caller = `${this.name}.add`
    const from = asTensor(caller, 'x', x, 2)
    const vectors = this.vectors(positions)
    const to = out === undefined ? Tensor.zeros(from.type, from.dims) : asTensor(caller, 'out', out, 2)
    for (const [name, tensor] of Object.entries({ x: from, out: to })) {
      if (tensor.dims[0] === vectors.dims[0] && tensor.dims[1] === this.dim) continue
      const text = `${caller}: ${name} must be (${vectors.dims[0]} tokens, ${this.dim}), its dims are ${show(tensor.dims)}`
      throw new MropeRangeError('ERR_MROPE_SHAPE', text, tensor.dims)
    }
    // In place each row is read before it is written, in any type of the same width.
    if (overlap(to.data, from.data) && !sameMemory(to.data, from.data)) {
      const text = `${caller}: out shares memory with x in part; it must be x itself or other memory`
      throw new MropeRangeError('ERR_MROPE_ARGUMENT', text, to.data.byteOffset)
    }
    const line = new Float64Array(this.dim)
    for (let n = 0; n < vectors.dims[0]; n++) {
      loadRow(from, n * this.dim, this.dim, line)
      for (let c = 0; c < this.dim; c++) line[c] += vectors.data[n * this.dim + c]
      storeRow(to, n * this.dim, this.dim, line)
    }
    return out ?? to
  }
}

function idsOf(name: string, axes: readonly string[], positions: EmbeddingPositions): Float64Array[] {
  const isPositions = positions instanceof Object && 'ids' in positions && 'axes' in positions
  if (!isPositions && !isArrayLike(positions)) {
    const text = `${name}: expected Positions or a list of ids, got ${show(positions)}`
    throw new MropeTypeError('ERR_MROPE_ARGUMENT', text, positions)
  }
  const from = isPositions ? positions : Positions.from({ axes: ['n'], ids: [positions] })
  // The only axis of a list needs no name.
  if (axes.length === 1 && from.axes.length === 1) return [from.axis(0)]
  const missing = axes.find((axis) => !from.axes.includes(axis))
  if (missing !== undefined) {
    const text = `${name}: it reads axes ${axes.join(', ')}; the positions have ${from.axes.join(', ')}`
    throw new MropeRangeError('ERR_MROPE_SHAPE', text, from.axes)
  }
  return axes.map((axis) => from.axis(axis))
}

/** The width of the vectors. @throws MropeTypeError, MropeRangeError ERR_MROPE_ARGUMENT */
export function checkDim(caller: string, dim: unknown, multiple: number): number {
  if (typeof dim !== 'number') {
    throw new MropeTypeError('ERR_MROPE_ARGUMENT', `${caller}: dim must be an integer, got ${show(dim)}`, dim)
  }
  if (Number.isSafeInteger(dim) && dim > 0 && dim <= 65536 && dim % multiple === 0) return dim
  const text = `${caller}: dim must be a multiple of ${multiple} up to 65536, got ${dim}`
  throw new MropeRangeError('ERR_MROPE_ARGUMENT', text, dim)
}
