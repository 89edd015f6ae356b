import type { BiasFunction } from '../attention/request.js'
import type { Backend } from '../backends/backend.js'
import type { BackendResult } from '../backends/result.js'
import type { Encoding } from '../encodings/encoding.js'
import { MropeRangeError, MropeTypeError, show } from '../errors.js'
import { Positions } from '../layouts/positions.js'
import { buildTable } from '../rotary/build-table.js'
import type { RotaryTable } from '../rotary/table.js'
import { Sequence } from '../sequence/sequence.js'
import { checkOptions } from '../tensors/check.js'
import type { Tensor, TensorType } from '../tensors/tensor.js'
import { KVCache, store } from './cache.js'
import { dropTokens } from './drop.js'

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

export interface SessionAttendOptions {
  /** Factor of the scores, 1/√headDim by default. */
  readonly scale?: number | ArrayLike<number>
  /** Sliding window of this layer: a token sees the last `window` tokens, itself included. */
  readonly window?: number
  readonly bias?: BiasFunction | Tensor
  readonly out?: Tensor
  readonly signal?: AbortSignal
}

/**
 * One conversation: its sequence, its positions and its KV cache. The only stateful object; delta and the next id are
 * its own, so nothing is left over from another prompt.
 *
 *     await session.append(sequence)                      a prompt, or the next turn
 *     await session.attend(layer, q, k, v)                the next tokens of a layer, any number at a time
 *
 * Tokens that are attended beyond what was appended are generated ones; their ids go on by the encoding's decode rule.
 */
export class Session {
  readonly backend: Backend
  readonly heads: number
  readonly layers: number
  /** The encoding, at a fixed length. */
  readonly encoding: Encoding
  readonly #cache: KVCache
  #sequence = Sequence.of([])
  #positions: Positions
  #table: { start: number; count: number; table: RotaryTable } | undefined
  readonly #busy = new Set<number>()

  /** Use `openSession`. */
  constructor(encoding: Encoding, options: SessionOptions) {
    const { backend, layers, heads, kvHeads, capacity, dtype = 'float32' } = options
    const { headDim = encoding.headDim, valueDim = headDim, maxPositions = capacity } = options
    const counts = { layers, heads, kvHeads, headDim, valueDim, capacity, maxPositions }
    for (const [name, value] of Object.entries(counts)) {
      if (!Number.isSafeInteger(value) || value < 1) {
        throw new MropeRangeError(
          'ERR_MROPE_ARGUMENT',
          `openSession: ${name} is a positive integer, got ${show(value)}`,
          value,
        )
      }
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
    if (dtype !== 'float32' && dtype !== 'float16' && dtype !== 'bfloat16') {
      throw new MropeTypeError('ERR_MROPE_DTYPE', `openSession: dtype ${show(dtype)} is not a storage type`, dtype)
    }
    this.backend = backend
    this.heads = heads
    this.layers = layers
    this.encoding = encoding.atLength(maxPositions)
    this.#cache = new KVCache({ layers, kvHeads, headDim, valueDim, capacity, dtype })
    this.#positions = this.encoding.positions(this.#sequence)
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

  /** Positions of all tokens so far, generated ones included. */
  get positions(): Positions {
    return this.#range(0, Math.max(this.length, this.#sequence.length))
  }

  /** Id of the next text token. */
  get next(): number {
    return this.#positions.decode(0, this.generated).next
  }

  /** What an index lacks to its id, for the tokens behind the sequence. */
  get delta(): number {
    return this.#positions.delta
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
    const positions = this.encoding.positions(whole)
    this.#assertPrefix(positions, length)
    this.#sequence = whole
    this.#positions = positions
    this.#table = undefined
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
      const { signal, scale, bias, out, window } = options
      const table = this.#tableOf(start, count)
      const slots = this.#cache.view(layer, start, start + count)
      store(v, slots.v)
      await this.backend.rotate(k, table, { out: slots.k, signal })
      const rotated = await this.backend.rotate(q, table, { signal })
      const all = this.#cache.view(layer, 0, start + count)
      const result = await this.backend.attend({
        q: rotated.out,
        k: all.k,
        v: all.v,
        rotated: true,
        queryOffset: start,
        mask: window === undefined ? 'causal' : { causal: true, window },
        scale,
        bias,
        out,
        signal,
      })
      this.#cache.commit(layer, count)
      return result
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
    const old = this.encoding.positions(before)
    const positions = this.encoding.positions(after)
    this.#assertPrefix(old, length)
    const moved = length - start - count
    if (moved > 0)
      await this.#turnKeys(old.slice(start + count, length), positions.slice(start, start + moved), start + count)
    this.#cache.drop(start, count)
    this.#sequence = after
    this.#positions = positions
    this.#table = undefined
  }

  /** Turns cached keys from old to new ids. Works on a copy of each layer, so that a failure changes nothing of it. */
  async #turnKeys(from: Positions, to: Positions, slot: number): Promise<void> {
    const difference = from.ids.map((id, i) => to.ids[i] - id)
    if (difference.every((d) => d === 0)) return
    const { invFreq, allocation, pairing } = this.encoding
    const positions = new Positions({ axes: from.axes, ids: difference, next: 0, delta: 0 })
    const table = buildTable(positions, { invFreq, allocation, pairing, attentionFactor: 1 })
    const turned: Tensor[] = []
    for (let layer = 0; layer < this.layers; layer++) {
      const { k } = this.#cache.view(layer, slot, slot + from.length)
      turned.push((await this.backend.rotate(k, table)).out)
    }
    for (const [layer, k] of turned.entries()) store(k, this.#cache.view(layer, slot, slot + from.length).k)
  }

  #range(start: number, end: number): Positions {
    const declared = Math.min(end, this.#sequence.length)
    const prompt = this.#positions.slice(Math.min(start, declared), declared)
    if (end <= this.#sequence.length) return prompt
    const first = Math.max(start, this.#sequence.length)
    const decoded = this.#positions.decode(end - first, first - this.#sequence.length)
    if (prompt.length === 0) return decoded
    const length = prompt.length + decoded.length
    const ids = new Float64Array(prompt.axes.length * length)
    for (let a = 0; a < prompt.axes.length; a++) {
      ids.set(prompt.axis(a), a * length)
      ids.set(decoded.axis(a), a * length + prompt.length)
    }
    return new Positions({ axes: prompt.axes, ids, next: decoded.next, delta: this.delta })
  }

  /** All layers of a step use the same angles, so the last table is kept. */
  #tableOf(start: number, count: number): RotaryTable {
    if (this.#table?.start !== start || this.#table.count !== count) {
      this.#table = { start, count, table: this.encoding.table(this.#range(start, start + count)) }
    }
    return this.#table.table
  }

  #withGenerated(count: number): Sequence {
    if (count === 0) return this.#sequence
    if (this.#sequence.upcoming.length > 0) {
      const message = 'session: image generation was started, and its tokens are not text; open a new session'
      throw new MropeRangeError('ERR_MROPE_STATE', message, count)
    }
    return this.#sequence.concat(Sequence.of([{ kind: 'text', length: count }]))
  }

  #assertPrefix(positions: Positions, length: number): void {
    const cached = this.#range(0, length)
    for (let a = 0; a < cached.axes.length; a++) {
      const was = cached.axis(a)
      const is = positions.axis(a)
      const changed = was.findIndex((id, n) => id !== is[n])
      if (changed < 0) continue
      const message = `session: token ${changed} is cached with id ${was[changed]} on axis ${cached.axes[a]}, the whole sequence gives ${is[changed]} (rules of ${this.encoding.compat})`
      throw new MropeRangeError('ERR_MROPE_STATE', message, changed)
    }
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
    if (this.#busy.size === 0) return
    const message = `session.${call}: an attend call is under way (layer ${[...this.#busy].join(', ')})`
    throw new MropeRangeError('ERR_MROPE_STATE', message, [...this.#busy])
  }
}

const optionNames = [
  ...['backend', 'layers', 'heads', 'kvHeads', 'headDim', 'valueDim', 'capacity', 'dtype', 'maxPositions'],
]
const attendOptionNames = ['scale', 'window', 'bias', 'out', 'signal']

/**
 * Opens a conversation on a backend.
 * @throws MropeRangeError ERR_MROPE_ARGUMENT | ERR_MROPE_HEADS | ERR_MROPE_SHAPE, as rejections
 */
export async function openSession(encoding: Encoding, options: SessionOptions): Promise<Session> {
  checkOptions('openSession', options, optionNames)
  if (typeof encoding?.atLength !== 'function') {
    throw new MropeTypeError('ERR_MROPE_ARGUMENT', `openSession: expected an Encoding, got ${show(encoding)}`, encoding)
  }
  const { backend } = options
  if (typeof backend?.attend !== 'function' || typeof backend.rotate !== 'function') {
    const message = `openSession: backend is what openBackend gives, got ${show(backend)}`
    throw new MropeTypeError('ERR_MROPE_ARGUMENT', message, backend)
  }
  return new Session(encoding, options)
}
