import type { Encoding } from '../encodings/encoding.js'
import { MropeRangeError } from '../errors.js'
import { Positions } from '../layouts/positions.js'
import { RotaryAngles } from '../rotary/angles.js'
import { Sequence } from '../sequence/sequence.js'

/** The ids of a session under one encoding, for all layers that have it. */
export class Track {
  readonly encoding: Encoding
  #positions: Positions
  #angles: { start: number; count: number; angles: RotaryAngles } | undefined

  constructor(encoding: Encoding) {
    this.encoding = encoding
    this.#positions = encoding.positions(Sequence.of([]))
  }

  /** Of the sequence, without what was generated behind it. */
  get positions(): Positions {
    return this.#positions
  }

  set positions(positions: Positions) {
    this.#positions = positions
    this.#angles = undefined
  }

  /** Positions of tokens `start` to `end`, generated ones included. */
  range(start: number, end: number): Positions {
    const length = this.#positions.length
    const declared = Math.min(end, length)
    const prompt = this.#positions.slice(Math.min(start, declared), declared)
    if (end <= length) return prompt
    const first = Math.max(start, length)
    const decoded = this.#positions.decode(end - first, first - length)
    if (prompt.length === 0) return decoded
    const tokens = prompt.length + decoded.length
    const ids = new Float64Array(prompt.axes.length * tokens)
    for (let a = 0; a < prompt.axes.length; a++) {
      ids.set(prompt.axis(a), a * tokens)
      ids.set(decoded.axis(a), a * tokens + prompt.length)
    }
    return new Positions({ axes: prompt.axes, ids, next: decoded.next, delta: this.#positions.delta })
  }

  /** All layers of a step use the same angles, so the last ones are kept. */
  angles(start: number, count: number): RotaryAngles {
    if (this.#angles?.start !== start || this.#angles.count !== count) {
      this.#angles = { start, count, angles: this.encoding.angles(this.range(start, start + count)) }
    }
    return this.#angles.angles
  }

  /**
   * Positions of a whole sequence, which must agree with those of the first `length` tokens now.
   * @throws MropeRangeError ERR_MROPE_STATE
   */
  checked(sequence: Sequence, length: number): Positions {
    const positions = this.encoding.positions(sequence)
    const cached = this.range(0, length)
    for (let a = 0; a < cached.axes.length; a++) {
      const was = cached.axis(a)
      const is = positions.axis(a)
      const changed = was.findIndex((id, n) => id !== is[n])
      if (changed < 0) continue
      const message = `session: token ${changed} is cached with id ${was[changed]} on axis ${cached.axes[a]}, the whole sequence gives ${is[changed]} (rules of ${this.encoding.compat})`
      throw new MropeRangeError('ERR_MROPE_STATE', message, changed)
    }
    return positions
  }

  /** What turns keys from old to new ids; nothing where they stay. */
  turn(from: Positions, to: Positions): RotaryAngles | undefined {
    const difference = from.ids.map((id, i) => to.ids[i] - id)
    if (difference.every((d) => d === 0)) return undefined
    const positions = new Positions({ axes: from.axes, ids: difference, next: 0, delta: 0 })
    const { invFreq, allocation, pairing } = this.encoding
    return new RotaryAngles({ positions, invFreq, allocation, pairing, attentionFactor: 1 })
  }
}
