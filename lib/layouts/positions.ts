import { MropeRangeError, MropeTypeError, show } from '../errors.js'
import { maxTokens } from '../sequence/segment.js'

/** How positions go on behind the prompt: first the rows of a table, where a layout has one, then one step a token on every axis. */
export interface Continuation {
  /** Ids of the first generated tokens, planar `(axes × steps)`. Empty for all but image generation. */
  readonly table: Float64Array
  /** Id on each axis of the first token behind the table. */
  readonly first: readonly number[]
  /** What each axis gains with every token: 0 on an axis that is not used. Default: 1 on all. */
  readonly step?: readonly number[]
}

export interface PositionsInit {
  readonly axes: readonly string[]
  /** Planar ids, `(axes × length)`: all of the first axis, then all of the second. */
  readonly ids: Float64Array
  readonly next: number
  readonly delta: number
  readonly padding?: number
  readonly continuation?: Continuation
}

/**
 * The position of every token on every axis. Ids are float64: they may be fractional and negative, and are never
 * rounded. Immutable by convention; the views share memory.
 */
export class Positions {
  readonly axes: readonly string[]
  /** Planar ids `(axes × length)`, padding included. */
  readonly ids: Float64Array
  /** Tokens, padding included. */
  readonly length: number
  /** Padding tokens in front; their ids mean nothing. */
  readonly padding: number
  /** Id of the next text token. */
  readonly next: number
  /** What an index in the sequence (padding not counted, unless the rule says so) lacks to its id: id = index + delta. */
  readonly delta: number
  readonly #continuation: Continuation

  constructor({ axes, ids, next, delta, padding = 0, continuation }: PositionsInit) {
    this.axes = Object.freeze([...axes])
    this.ids = ids
    this.length = axes.length === 0 ? 0 : ids.length / axes.length
    this.padding = padding
    this.next = next
    this.delta = delta
    this.#continuation = continuation ?? {
      table: new Float64Array(),
      first: axes.map(() => next),
    }
  }

  /**
   * Positions from any ids, for tools and tests. The continuation is the largest id + 1 on every axis.
   * @param init `ids` as one list for each axis, all of the same length
   * @throws MropeTypeError ERR_MROPE_ARGUMENT, MropeRangeError ERR_MROPE_SHAPE | ERR_MROPE_POSITION
   */
  static from(init: {
    readonly axes: readonly string[]
    readonly ids: readonly ArrayLike<number>[]
    readonly padding?: number
    readonly next?: number
    readonly delta?: number
  }): Positions {
    const { axes, ids, padding = 0 } = init ?? {}
    if (
      !Array.isArray(axes) ||
      axes.length === 0 ||
      new Set(axes).size !== axes.length ||
      !axes.every((axis) => typeof axis === 'string')
    ) {
      const message = `Positions.from: axes is a list of different names, got ${show(axes)}`
      throw new MropeTypeError('ERR_MROPE_ARGUMENT', message, axes)
    }
    if (!Array.isArray(ids) || ids.length !== axes.length) {
      const message = `Positions.from: ${axes.length} axes need ${axes.length} lists of ids, got ${show(ids)}`
      throw new MropeTypeError('ERR_MROPE_ARGUMENT', message, ids)
    }
    const lists = axes.map((axis, a) => numbersOf(ids[a], axis))
    const length = lists[0].length
    const planar = new Float64Array(axes.length * length)
    lists.forEach((list, a) => {
      if (list.length !== length) {
        const message = `Positions.from: axis ${axes[a]} has ${list.length} ids, axis ${axes[0]} ${length}`
        throw new MropeRangeError('ERR_MROPE_SHAPE', message, list.length)
      }
      planar.set(list, a * length)
    })
    const bad = planar.findIndex((id) => !Number.isFinite(id))
    if (bad >= 0) {
      const message = `Positions.from: id ${bad % length} on axis ${axes[Math.floor(bad / length)]} is ${planar[bad]}`
      throw new MropeRangeError('ERR_MROPE_POSITION', message, planar[bad])
    }
    if (!Number.isSafeInteger(padding) || padding < 0 || padding > length) {
      const message = `Positions.from: padding is from 0 to ${length}, got ${show(padding)}`
      throw new MropeRangeError('ERR_MROPE_ARGUMENT', message, padding)
    }
    for (const name of ['next', 'delta'] as const) {
      if (init[name] === undefined || Number.isFinite(init[name])) continue
      const message = `Positions.from: ${name} is a finite number, got ${show(init[name])}`
      throw new MropeRangeError('ERR_MROPE_POSITION', message, init[name])
    }
    const largest = largestId(planar, axes.length, padding)
    const next = init.next ?? largest + 1
    return new Positions({ axes, ids: planar, padding, next, delta: init.delta ?? largest + 1 - (length - padding) })
  }

  /** View of the ids of one axis, by name or number. */
  axis(axis: string | number): Float64Array {
    const a = typeof axis === 'number' ? axis : this.axes.indexOf(axis)
    if (!(a in this.axes)) {
      throw new MropeRangeError('ERR_MROPE_ARGUMENT', `Positions: no axis ${show(axis)} in ${show(this.axes)}`, axis)
    }
    return this.ids.subarray(a * this.length, (a + 1) * this.length)
  }

  /** Largest id over all axes of the tokens that are not padding; −1 for none. */
  get largest(): number {
    return largestId(this.ids, this.axes.length, this.padding)
  }

  /** Positions of tokens `start` to `end`, with the continuation of the whole. */
  slice(start: number, end = this.length): Positions {
    checkRange(start, end, this.length)
    const ids = new Float64Array(this.axes.length * (end - start))
    for (let a = 0; a < this.axes.length; a++) ids.set(this.axis(a).subarray(start, end), a * (end - start))
    return new Positions({
      axes: this.axes,
      ids,
      next: this.next,
      delta: this.delta,
      padding: Math.max(0, Math.min(end, this.padding) - start),
      continuation: this.#continuation,
    })
  }

  /** Positions of some tokens, in the order given, with the continuation of the whole. Padding counts as tokens. */
  take(tokens: Int32Array): Positions {
    const bad = tokens.find((token) => token < 0 || token >= this.length)
    if (bad !== undefined) {
      const message = `Positions.take: token ${bad} is not in 0 to ${this.length - 1}`
      throw new MropeRangeError('ERR_MROPE_POSITION_RANGE', message, bad)
    }
    const ids = new Float64Array(this.axes.length * tokens.length)
    for (let a = 0; a < this.axes.length; a++) {
      for (let i = 0; i < tokens.length; i++) ids[a * tokens.length + i] = this.ids[a * this.length + tokens[i]]
    }
    return new Positions({
      axes: this.axes,
      ids,
      next: this.next,
      delta: this.delta,
      continuation: this.#continuation,
    })
  }

  /**
   * Positions of `count` generated tokens, from the `start`-th one on.
   * @throws MropeRangeError ERR_MROPE_ARGUMENT for negative or fractional counts
   */
  decode(count: number, start = 0): Positions {
    for (const [name, value] of [
      ['count', count],
      ['start', start],
    ] as const) {
      if (!Number.isSafeInteger(value) || value < 0) {
        throw new MropeRangeError(
          'ERR_MROPE_ARGUMENT',
          `Positions.decode: ${name} is a count, got ${show(value)}`,
          value,
        )
      }
    }
    if (count > maxTokens) {
      const message = `Positions.decode: ${count} tokens at once, more than ${maxTokens}`
      throw new MropeRangeError('ERR_MROPE_ARGUMENT', message, count)
    }
    const { table, first, step = first.map(() => 1) } = this.#continuation
    const axes = this.axes.length
    const steps = table.length / axes
    const ids = new Float64Array(axes * count)
    for (let a = 0; a < axes; a++) {
      for (let i = 0; i < count; i++) {
        const n = start + i
        ids[a * count + i] = n < steps ? table[a * steps + n] : first[a] + step[a] * (n - steps)
      }
    }
    return new Positions({
      axes: this.axes,
      ids,
      next: this.next + start + count,
      delta: this.delta,
      continuation: {
        table: remaining(table, axes, start + count),
        first: first.map((id, a) => id + step[a] * Math.max(0, start + count - steps)),
        step,
      },
    })
  }

  /** Ids of one token, in the order of the axes. */
  at(token: number): number[] {
    checkRange(token, token + 1, this.length)
    return this.axes.map((_, a) => this.ids[a * this.length + token])
  }
}

function numbersOf(list: unknown, axis: string): ArrayLike<number> {
  if ((Array.isArray(list) || ArrayBuffer.isView(list)) && 'length' in list) {
    const bad = Array.prototype.findIndex.call(list, (id) => typeof id !== 'number')
    if (bad < 0) return list as ArrayLike<number>
    const message = `Positions.from: id ${bad} on axis ${axis} is a number, got ${show(list[bad])}`
    throw new MropeTypeError('ERR_MROPE_ARGUMENT', message, list[bad])
  }
  const message = `Positions.from: the ids of axis ${axis} are a list of numbers, got ${show(list)}`
  throw new MropeTypeError('ERR_MROPE_ARGUMENT', message, list)
}

function largestId(ids: Float64Array, axes: number, padding: number): number {
  const length = axes === 0 ? 0 : ids.length / axes
  if (length === padding) return -1
  let largest = Number.NEGATIVE_INFINITY
  for (let a = 0; a < axes; a++) {
    for (let n = padding; n < length; n++) if (ids[a * length + n] > largest) largest = ids[a * length + n]
  }
  return largest
}

function remaining(table: Float64Array, axes: number, from: number): Float64Array {
  const steps = table.length / axes
  if (from >= steps) return new Float64Array()
  const rest = new Float64Array(axes * (steps - from))
  for (let a = 0; a < axes; a++) rest.set(table.subarray(a * steps + from, (a + 1) * steps), a * (steps - from))
  return rest
}

function checkRange(start: number, end: number, length: number): void {
  if (Number.isSafeInteger(start) && Number.isSafeInteger(end) && 0 <= start && start <= end && end <= length) return
  const message = `Positions: tokens ${show(start)} to ${show(end)} are not in 0 to ${length}`
  throw new MropeRangeError('ERR_MROPE_POSITION_RANGE', message, [start, end])
}
