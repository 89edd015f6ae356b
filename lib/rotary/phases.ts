/**
 * Cosines and sines of `id · inv[f]` for a list of frequencies, id after id.
 * A whole id is split as `256·hi + lo`; the rows of hi and of lo are made once each by libm and joined by the addition
 * theorem in float64, which loses about 2e-16. Ids that are not whole are computed one by one, and so are all angles that
 * are to be rounded to float32.
 */
export class PhaseRows {
  /** Of the id last asked for. */
  readonly cos: Float64Array
  readonly sin: Float64Array
  readonly #invFreq: Float64Array
  readonly #float32: boolean
  readonly #rows = new Map<number, Row>()
  #last = Number.NaN

  constructor(invFreq: Float64Array, float32 = false) {
    this.#invFreq = invFreq
    this.#float32 = float32
    this.cos = new Float64Array(invFreq.length)
    this.sin = new Float64Array(invFreq.length)
  }

  seek(id: number): void {
    if (id === this.#last) return
    this.#last = id
    const { cos, sin } = this
    if (this.#float32) {
      fillRowFloat32(this.#invFreq, id, cos, sin)
      return
    }
    if (!Number.isInteger(id) || Math.abs(id) > 2 ** 31) {
      fillRow(this.#invFreq, id, cos, sin)
      return
    }
    const hi = Math.floor(id / 256) * 256
    const { cos: cosHi, sin: sinHi } = this.#row(hi)
    const { cos: cosLo, sin: sinLo } = this.#row(id - hi)
    for (let i = 0; i < cos.length; i++) {
      cos[i] = cosHi[i] * cosLo[i] - sinHi[i] * sinLo[i]
      sin[i] = sinHi[i] * cosLo[i] + cosHi[i] * sinLo[i]
    }
  }

  #row(id: number): Row {
    const known = this.#rows.get(id)
    if (known) return known
    if (this.#rows.size >= maxRows) this.#rows.clear()
    const row = { cos: new Float64Array(this.cos.length), sin: new Float64Array(this.cos.length) }
    fillRow(this.#invFreq, id, row.cos, row.sin)
    this.#rows.set(id, row)
    return row
  }
}

/** Rows that are kept: those of every whole id up to 2^20, and a bound on memory for ids that jump about. */
const maxRows = 256 + 4096

interface Row {
  readonly cos: Float64Array
  readonly sin: Float64Array
}

function fillRow(invFreq: Float64Array, id: number, cos: Float64Array, sin: Float64Array): void {
  for (let i = 0; i < invFreq.length; i++) {
    const angle = id * invFreq[i]
    cos[i] = Math.cos(angle)
    sin[i] = Math.sin(angle)
  }
}

function fillRowFloat32(invFreq: Float64Array, id: number, cos: Float64Array, sin: Float64Array): void {
  const position = Math.fround(id)
  for (let i = 0; i < invFreq.length; i++) {
    const angle = Math.fround(position * invFreq[i])
    cos[i] = Math.cos(angle)
    sin[i] = Math.sin(angle)
  }
}
