import type { Backend } from '../backends/backend.js'
import type { BackendCache, CacheStep } from '../backends/cache.js'
import type { BackendResult } from '../backends/result.js'
import type { Encoding } from '../encodings/encoding.js'
import { MropeRangeError, MropeTypeError, show } from '../errors.js'
import type { Positions } from '../layouts/positions.js'
import { Sequence } from '../sequence/sequence.js'
import { checkOptions } from '../tensors/check.js'
import type { Tensor, TensorType } from '../tensors/tensor.js'
import { dropTokens } from './drop.js'
import { Track } from './track.js'

export interface SessionOptions {
  readonly backend: Backend
  readonly layers: number
  readonly heads: number
  readonly kvHeads: number
  /** The encoding's by default; any other value is an error. */
  readonly headDim?: number
  /** Head dimension of the values; headDim by default. */
  readonly valueDim?: number
  /** Tokens that the cache holds. */
  readonly capacity: number
  /** Storage type of the cache. Default float32. */
  readonly dtype?: TensorType
  /** Largest id + 1 for which a spectrum that depends on the length is taken, once. Default: the capacity. */
  readonly maxPositions?: number
}

export interface SessionAttendOptions extends Omit<CacheStep, 'q' | 'k' | 'v' | 'table'> {
  /** False for layers without rope. Default true. */
  readonly rotate?: boolean
}

/**
 * One conversation: its sequence, its positions and its KV cache. The only stateful object; delta and the next id are
 * its own, so nothing is left over from another prompt.
 *
 *     await session.append(sequence)                      a prompt, or the next turn
 *     await session.attend(layer, q, k, v)                the next tokens of a layer, any number at a time
 *
 * Tokens that are attended beyond what was appended are generated ones; their ids go on by the encoding's decode rule.
 * Layers may have encodings of their own, each with its ids, `next` and `delta`.
 */
export class Session {
  readonly backend: Backend
  readonly heads: number
  readonly layers: number
  /** The encoding of each layer, at a fixed length. */
  readonly encodings: readonly Encoding[]
  readonly #cache: BackendCache
  #sequence = Sequence.of([])
  /** One for each encoding, and that of each layer. */
  readonly #tracks: readonly Track[]
  readonly #trackOf: readonly Track[]
  readonly #busy = new Set<number>()
  #disposed = false

  /** Use `openSession`. */
  constructor(encodings: readonly Encoding[], backend: Backend, cache: BackendCache, heads: number) {
    this.backend = backend
    this.heads = heads
    this.layers = cache.options.layers
    this.encodings = encodings
    this.#cache = cache
    const tracks = new Map([...new Set(encodings)].map((encoding) => [encoding, new Track(encoding)]))
    this.#tracks = [...tracks.values()]
    this.#trackOf = encodings.map((encoding) => tracks.get(encoding) as Track)
  }

  /** That of the first layer. */
  get encoding(): Encoding {
    return this.encodings[0]
  }

  /** What was appended, and what was generated before the last `append`. */
  get sequence(): Sequence {
    return this.#sequence
  }

  /** Tokens of the longest layer: those that were attended so far. */
  get length(): number {
    return Math.max(...Array.from({ length: this.layers }, (_, layer) => this.#cache.length(layer)))
  }

  /** Tokens that were generated since the last `append`. */
  get generated(): number {
    return Math.max(0, this.length - this.#sequence.length)
  }

  /** Positions of all tokens so far, generated ones included; those of layer 0. */
  get positions(): Positions {
    return this.positionsOf(0)
  }

  /** Positions of a layer. @throws MropeRangeError ERR_MROPE_ARGUMENT when there is no such layer */
  positionsOf(layer: number): Positions {
    this.#cache.length(layer)
    return this.#trackOf[layer].range(0, Math.max(this.length, this.#sequence.length))
  }

  /** Id of the next text token, in layer 0. */
  get next(): number {
    return this.#tracks[0].positions.decode(0, this.generated).next
  }

  /** What an index lacks to its id, for the tokens behind the sequence, in layer 0. */
  get delta(): number {
    return this.#tracks[0].positions.delta
  }

  /** Bytes of the KV cache. */
  get cacheBytes(): number {
    return this.#cache.bytes
  }

  /**
   * Declares the tokens that come next: a prompt, or a further turn. Generated tokens so far become text of the sequence.
   * Positions are computed anew from the whole sequence and must agree with those of the tokens in the cache.
   *
   * @throws MropeRangeError ERR_MROPE_CAPACITY when it does not fit, ERR_MROPE_STATE when layers stand at different
   *   tokens or ids of cached tokens would change. The session is as it was then.
   */
  async append(sequence: Sequence): Promise<void> {
    this.#assertIdle('append')
    if (!(sequence instanceof Sequence)) {
      throw new MropeTypeError(
        'ERR_MROPE_ARGUMENT',
        `session.append: expected a Sequence, got ${show(sequence)}`,
        sequence,
      )
    }
    if (sequence.padding > 0) {
      const message = `session.append: a session takes a row without its ${sequence.padding} padding tokens; use unpadded()`
      throw new MropeRangeError('ERR_MROPE_ARGUMENT', message, sequence.padding)
    }
    const length = this.#settled('append')
    const generated = Math.max(0, length - this.#sequence.length)
    const whole = this.#withGenerated(generated).concat(sequence)
    if (whole.length > this.#cache.options.capacity) {
      const message = `session.append: ${whole.length} tokens do not fit a capacity of ${this.#cache.options.capacity}`
      throw new MropeRangeError('ERR_MROPE_CAPACITY', message, whole.length)
    }
    const positions = this.#tracks.map((track) => track.checked(whole, length))
    this.#sequence = whole
    this.#tracks.forEach((track, i) => {
      track.positions = positions[i]
    })
  }

  /**
   * Rotates and caches the next tokens of a layer and attends from them to all tokens so far, causally.
   *
   * @param q `(tokens, heads, headDim)`, before rotation and after any norm
   * @param k `(tokens, kvHeads, headDim)`
   * @param v `(tokens, kvHeads, valueDim)`
   * @returns `(tokens, heads, valueDim)`, with the backend that ran it
   * @throws MropeRangeError ERR_MROPE_SHAPE, ERR_MROPE_CAPACITY, ERR_MROPE_STATE. A call that fails or is aborted takes
   *   no tokens: it can be repeated.
   */
  async attend(
    layer: number,
    q: Tensor,
    k: Tensor,
    v: Tensor,
    options: SessionAttendOptions = {},
  ): Promise<BackendResult> {
    checkOptions('session.attend', options, attendOptionNames)
    const { rotate = true, ...step } = options
    if (typeof rotate !== 'boolean') {
      const message = `session.attend: rotate is true or false, got ${show(rotate)}`
      throw new MropeTypeError('ERR_MROPE_ARGUMENT', message, rotate)
    }
    const start = this.#cache.length(layer)
    const count = this.#checkTensors(q, k, v)
    const { capacity } = this.#cache.options
    if (start + count > capacity) {
      const message = `session.attend: layer ${layer} holds ${start} tokens, ${count} more do not fit a capacity of ${capacity}`
      throw new MropeRangeError('ERR_MROPE_CAPACITY', message, start + count)
    }
    if (this.#busy.has(layer)) {
      throw new MropeRangeError('ERR_MROPE_STATE', `session.attend: layer ${layer} has a call under way`, layer)
    }
    this.#busy.add(layer)
    try {
      const table = rotate ? this.#trackOf[layer].angles(start, count) : undefined
      return await this.#cache.attend(layer, { ...step, q, k, v, table })
    } finally {
      this.#busy.delete(layer)
    }
  }

  /**
   * Forgets tokens `start` to `start + count` and closes the gap: the tokens behind get the ids that the shorter sequence
   * gives them, and their keys are turned by the difference, axis by axis (rotations compose). Cuts must not go through
   * a block. What the remaining tokens took from the forgotten ones stays in their values.
   *
   * @throws MropeRangeError ERR_MROPE_ARGUMENT, ERR_MROPE_BLOCK, ERR_MROPE_STATE
   */
  async drop(start: number, count: number): Promise<void> {
    this.#assertIdle('drop')
    const length = this.#settled('drop')
    const before = this.#withGenerated(Math.max(0, length - this.#sequence.length))
    const after = dropTokens(before, start, count, length)
    const positions = this.#tracks.map(({ encoding }) => encoding.positions(after))
    const turns = this.#tracks.map((track, i) => {
      const old = track.checked(before, length).slice(start + count, length)
      return track.turn(old, positions[i].slice(start, start + old.length))
    })
    const turn = turns.find((one) => one !== undefined)
    if (turn && turns.length > 1) {
      const message = `session.drop: layers of ${turns.length} encodings do not turn alike; drop the last tokens only`
      throw new MropeRangeError('ERR_MROPE_STATE', message, turns.length)
    }
    for (let layer = 0; layer < this.layers; layer++) this.#busy.add(layer)
    try {
      await this.#cache.drop(start, count, turn)
      this.#sequence = after
      this.#tracks.forEach((track, i) => {
        track.positions = positions[i]
      })
    } finally {
      this.#busy.clear()
    }
  }

  /** Gives the memory of the cache back. May be called twice. @throws MropeRangeError ERR_MROPE_STATE under way */
  async dispose(): Promise<void> {
    if (this.#disposed) return
    this.#assertIdle('dispose')
    await this.#cache.dispose()
    this.#disposed = true
  }

  #withGenerated(count: number): Sequence {
    if (count === 0) return this.#sequence
    if (this.#sequence.upcoming.length > 0) {
      const message = 'session: image generation was started, and its tokens are not text; open a new session'
      throw new MropeRangeError('ERR_MROPE_STATE', message, count)
    }
    return this.#sequence.concat(Sequence.of([{ kind: 'text', length: count }]))
  }

  #checkTensors(q: Tensor, k: Tensor, v: Tensor): number {
    const { kvHeads, headDim, valueDim } = this.#cache.options
    const expected = { q: [this.heads, headDim], k: [kvHeads, headDim], v: [kvHeads, valueDim] }
    const count = q?.dims?.[0]
    for (const [name, tensor] of Object.entries({ q, k, v })) {
      const [heads, dim] = expected[name as 'q' | 'k' | 'v']
      const dims = tensor?.dims
      if (dims?.length !== 3) {
        throw new MropeTypeError(
          'ERR_MROPE_SHAPE',
          `session.attend: ${name} is a tensor (tokens, heads, headDim)`,
          dims,
        )
      }
      if (dims[0] !== count || dims[1] !== heads || dims[2] !== dim) {
        const message = `session.attend: ${name} is (${count}, ${heads}, ${dim}), got (${dims.join(', ')})`
        throw new MropeRangeError('ERR_MROPE_SHAPE', message, dims)
      }
    }
    return count
  }

  /** Length of the cache when all layers stand at the same token. */
  #settled(call: string): number {
    const lengths = Array.from({ length: this.layers }, (_, layer) => this.#cache.length(layer))
    const odd = lengths.findIndex((length) => length !== lengths[0])
    if (odd > 0) {
      const message = `session.${call}: layer 0 holds ${lengths[0]} tokens, layer ${odd} ${lengths[odd]}; finish the step first`
      throw new MropeRangeError('ERR_MROPE_STATE', message, lengths[odd])
    }
    return lengths[0]
  }

  #assertIdle(call: string): void {
    if (this.#disposed) {
      throw new MropeRangeError('ERR_MROPE_STATE', `session.${call}: the session was disposed`, 'disposed')
    }
    if (this.#busy.size === 0) return
    const message = `session.${call}: a call is under way (layer ${[...this.#busy].join(', ')})`
    throw new MropeRangeError('ERR_MROPE_STATE', message, [...this.#busy])
  }
}

const optionNames = [
  ...['backend', 'layers', 'heads', 'kvHeads', 'headDim', 'valueDim', 'capacity', 'dtype', 'maxPositions'],
]
const attendOptionNames = ['rotate', 'qNorm', 'kNorm', 'scale', 'window', 'bias', 'out', 'signal']

/**
 * Opens a conversation on a backend.
 * @param encoding of all layers, or one for each (CircleRoPE's alternating layers: `alternateLayers(…).encodings`)
 * @throws MropeRangeError ERR_MROPE_ARGUMENT | ERR_MROPE_HEADS | ERR_MROPE_SHAPE | ERR_MROPE_MEMORY, as rejections
 */
export async function openSession(encoding: Encoding | readonly Encoding[], options: SessionOptions): Promise<Session> {
  checkOptions('openSession', options, optionNames)
  const { backend, layers, heads, kvHeads, capacity, dtype = 'float32' } = options
  const list: readonly Encoding[] = Array.isArray(encoding) ? Array.from(encoding) : [encoding]
  for (const one of list) {
    if (typeof one?.atLength === 'function') continue
    throw new MropeTypeError('ERR_MROPE_ARGUMENT', `openSession: expected an Encoding, got ${show(one)}`, one)
  }
  if (Array.isArray(encoding) && list.length !== layers) {
    const message = `openSession: ${list.length} encodings for ${show(layers)} layers`
    throw new MropeRangeError('ERR_MROPE_SHAPE', message, list.length)
  }
  if (typeof backend?.attend !== 'function' || typeof backend.openCache !== 'function') {
    const message = `openSession: backend is what openBackend gives, got ${show(backend)}`
    throw new MropeTypeError('ERR_MROPE_ARGUMENT', message, backend)
  }
  const { headDim = list[0]?.headDim, valueDim = headDim, maxPositions = capacity } = options
  const counts = { layers, heads, kvHeads, headDim, valueDim, capacity, maxPositions }
  const fixed = new Map<Encoding, Encoding>()
  for (const one of new Set(list)) {
    checkShape(one, counts)
    fixed.set(one, one.atLength(maxPositions))
  }
  const cache = await backend.openCache({ layers, kvHeads, headDim, valueDim, capacity, dtype })
  const ofLayers = Array.from(
    { length: layers },
    (_, layer) => fixed.get(list[list.length > 1 ? layer : 0]) as Encoding,
  )
  return new Session(ofLayers, backend, cache, heads)
}

type Counts = Required<Omit<SessionOptions, 'backend' | 'dtype'>>

function checkShape(encoding: Encoding, counts: Counts): void {
  const { heads, kvHeads, headDim } = counts
  for (const [name, value] of Object.entries(counts)) {
    if (Number.isSafeInteger(value) && value >= 1) continue
    const message = `openSession: ${name} is a positive integer, got ${show(value)}`
    throw new MropeRangeError('ERR_MROPE_ARGUMENT', message, value)
  }
  if (heads % kvHeads !== 0) {
    const message = `openSession: ${heads} heads do not divide by ${kvHeads} KV heads`
    throw new MropeRangeError('ERR_MROPE_HEADS', message, heads)
  }
  if (headDim !== encoding.headDim) {
    const message = `openSession: headDim is ${headDim}, the encoding's is ${encoding.headDim}`
    throw new MropeRangeError('ERR_MROPE_SHAPE', message, headDim)
  }
  if (encoding.allocation.heads !== 1 && encoding.allocation.heads !== kvHeads) {
    const message = `openSession: the encoding is made for ${encoding.allocation.heads} KV heads, got ${kvHeads}`
    throw new MropeRangeError('ERR_MROPE_HEADS', message, kvHeads)
  }
}
