/**
 * Cosines and sines of `id · inv[f]` for a list of frequencies, id after id.
 * A whole id is split as `256·hi + lo`; the rows of hi and of lo are made once each by libm and joined by the addition
 * theorem in float64, which loses about 2e-16. Ids that are not whole are computed one by one.
 */
export class PhaseRows {
  /** Of the id last asked for. */
  readonly cos: Float64Array
  readonly sin: Float64Array
  readonly #invFreq: Float64Array
  readonly #rows = new Map<number, Row>()
  #last = Number.NaN

  constructor(invFreq: Float64Array) {
    this.#invFreq = invFreq
    this.cos = new Float64Array(invFreq.length)
    this.sin = new Float64Array(invFreq.length)
  }

  seek(id: number): void {
    if (id === this.#last) return
    this.#last = id
    const { cos, sin } = this
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
    const row = { cos: new Float64Array(this.cos.length), sin: new Float64Array(this.cos.length) }
    fillRow(this.#invFreq, id, row.cos, row.sin)
    this.#rows.set(id, row)
    return row
  }
}

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
