import type { Backend } from '../backends/backend.js'
import type { BackendCache, CacheStep } from '../backends/cache.js'
import type { BackendResult } from '../backends/result.js'
import type { Encoding } from '../encodings/encoding.js'
import { MropeRangeError, MropeTypeError, show } from '../errors.js'
import { Positions } from '../layouts/positions.js'
import { RotaryAngles } from '../rotary/angles.js'
import { Sequence } from '../sequence/sequence.js'
import { checkOptions } from '../tensors/check.js'
import type { Tensor, TensorType } from '../tensors/tensor.js'
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
 */
export class Session {
  readonly backend: Backend
  readonly heads: number
  readonly layers: number
  /** The encoding, at a fixed length. */
  readonly encoding: Encoding
  readonly #cache: BackendCache
  #sequence = Sequence.of([])
  #positions: Positions
  #angles: { start: number; count: number; angles: RotaryAngles } | undefined
  readonly #busy = new Set<number>()

  /** Use `openSession`. */
  constructor(encoding: Encoding, backend: Backend, cache: BackendCache, heads: number) {
    this.backend = backend
    this.heads = heads
    this.layers = cache.options.layers
    this.encoding = encoding
    this.#cache = cache
    this.#positions = encoding.positions(this.#sequence)
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
    this.#angles = undefined
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
      const table = rotate ? this.#anglesOf(start, count) : undefined
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
    const old = this.encoding.positions(before)
    const positions = this.encoding.positions(after)
    this.#assertPrefix(old, length)
    const moved = length - start - count
    const turn =
      moved > 0 ? this.#turn(old.slice(start + count, length), positions.slice(start, start + moved)) : undefined
    await this.#cache.drop(start, count, turn)
    this.#sequence = after
    this.#positions = positions
    this.#angles = undefined
  }

  /** Gives the memory of the cache back. May be called twice. @throws MropeRangeError ERR_MROPE_STATE under way */
  async dispose(): Promise<void> {
    this.#assertIdle('dispose')
    await this.#cache.dispose()
  }

  /** What turns keys from old to new ids; nothing where they stay. */
  #turn(from: Positions, to: Positions): RotaryAngles | undefined {
    const difference = from.ids.map((id, i) => to.ids[i] - id)
    if (difference.every((d) => d === 0)) return undefined
    const positions = new Positions({ axes: from.axes, ids: difference, next: 0, delta: 0 })
    const { invFreq, allocation, pairing } = this.encoding
    return new RotaryAngles({ positions, invFreq, allocation, pairing, attentionFactor: 1 })
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

  /** All layers of a step use the same angles, so the last ones are kept. */
  #anglesOf(start: number, count: number): RotaryAngles {
    if (this.#angles?.start !== start || this.#angles.count !== count) {
      this.#angles = { start, count, angles: this.encoding.angles(this.#range(start, start + count)) }
    }
    return this.#angles.angles
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
const attendOptionNames = ['rotate', 'qNorm', 'kNorm', 'scale', 'window', 'bias', 'out', 'signal']

/**
 * Opens a conversation on a backend.
 * @throws MropeRangeError ERR_MROPE_ARGUMENT | ERR_MROPE_HEADS | ERR_MROPE_SHAPE | ERR_MROPE_MEMORY, as rejections
 */
export async function openSession(encoding: Encoding, options: SessionOptions): Promise<Session> {
  checkOptions('openSession', options, optionNames)
  if (typeof encoding?.atLength !== 'function') {
    throw new MropeTypeError('ERR_MROPE_ARGUMENT', `openSession: expected an Encoding, got ${show(encoding)}`, encoding)
  }
  const { backend, layers, heads, kvHeads, capacity, dtype = 'float32' } = options
  if (typeof backend?.attend !== 'function' || typeof backend.openCache !== 'function') {
    const message = `openSession: backend is what openBackend gives, got ${show(backend)}`
    throw new MropeTypeError('ERR_MROPE_ARGUMENT', message, backend)
  }
  const { headDim = encoding.headDim, valueDim = headDim, maxPositions = capacity } = options
  checkShape(encoding, { layers, heads, kvHeads, headDim, valueDim, capacity, maxPositions })
  const cache = await backend.openCache({ layers, kvHeads, headDim, valueDim, capacity, dtype })
  return new Session(encoding.atLength(maxPositions), backend, cache, heads)
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
