/**
 * Cosines and sines of `id · inv[f]` for a list of frequencies, id after id.
 * A whole id is split as `256·hi + lo`; the rows of hi and of lo are made once each by libm and joined by the addition
 * theorem in float64, which loses about 2e-16. Ids that are not whole are computed one by one, and so are all angles that
 * are to be rounded to float32.
 */
export class PhaseRows {
  readonly #invFreq: Float64Array
  readonly #float32: boolean
  readonly #rows = new Map<number, Row>()

  constructor(invFreq: Float64Array, float32 = false) {
    this.#invFreq = invFreq
    this.#float32 = float32
  }

  /** Writes `factor · cos` and `factor · sin` of an id to `cos[at + columns[i]]` and `sin[at + columns[i]]`. */
  write(id: number, factor: number, cos: Floats, sin: Floats, at: number, columns: Int32Array): void {
    if (this.#float32 || !Number.isInteger(id) || Math.abs(id) > 2 ** 31) {
      this.#writeAngles(id, factor, cos, sin, at, columns)
      return
    }
    const high = Math.floor(id / 256) * 256
    const hi = this.#row(high)
    const lo = this.#row(id - high)
    const count = columns.length
    for (let i = 0; i < count; i++) {
      const c = hi.cos[i]
      const s = hi.sin[i]
      cos[at + columns[i]] = factor * (c * lo.cos[i] - s * lo.sin[i])
      sin[at + columns[i]] = factor * (s * lo.cos[i] + c * lo.sin[i])
    }
  }

  #writeAngles(id: number, factor: number, cos: Floats, sin: Floats, at: number, columns: Int32Array): void {
    const position = this.#float32 ? Math.fround(id) : id
    for (let i = 0; i < columns.length; i++) {
      const product = position * this.#invFreq[i]
      const angle = this.#float32 ? Math.fround(product) : product
      cos[at + columns[i]] = factor * Math.cos(angle)
      sin[at + columns[i]] = factor * Math.sin(angle)
    }
  }

  #row(id: number): Row {
    const known = this.#rows.get(id)
    if (known) return known
    if (this.#rows.size >= maxRows) this.#rows.clear()
    const angles = this.#invFreq.map((f) => id * f)
    const row = { cos: angles.map(Math.cos), sin: angles.map(Math.sin) }
    this.#rows.set(id, row)
    return row
  }
}

/** Rows that are kept: those of every whole id up to 2^20, and a bound on memory for ids that jump about. */
const maxRows = 256 + 4096

type Floats = Float32Array | Float64Array

interface Row {
  readonly cos: Float64Array
  readonly sin: Float64Array
}
