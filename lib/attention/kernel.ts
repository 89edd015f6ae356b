/**
 * Query rows and columns (keys or channels) of one register tile. Measured in V8: 3×3 takes 0.85 of the time of 3×2 and
 * 0.93 of 4×2; with 4×4 the sums no longer fit the registers.
 */
export const tileRows = 3
export const tileColumns = 3

/**
 * `out[j][i] += Σ_n a[n][i] · b[n][j]` for 3 rows i and `panels` × 3 columns j, all float64.
 *
 *     a    [n0: i0 i1 i2] [n1: i0 i1 i2] …                 one panel of rows
 *     b    panel 0: [n0: j0 j1 j2] [n1: j0 j1 j2] …   panel 1: [n0: j3 j4 j5] …    `stride` apart
 *     out  [j0: i0 i1 i2] [j1: i0 i1 i2] …                 laid out like `a`: scores are the rows of the next product
 *
 * The steps are literals and the indices `| 0`: a constant of the module would be loaded anew in every turn of the inner
 * loop, and an index that may overflow be checked.
 */
export function accumulate(
  out: Float64Array,
  outAt: number,
  a: Float64Array,
  aAt: number,
  b: Float64Array,
  bAt: number,
  stride: number,
  panels: number,
  length: number,
): void {
  const end = (aAt + 3 * length) | 0
  for (let panel = 0; panel < panels; panel++) {
    const to = (outAt + 9 * panel) | 0
    let s00 = out[to]
    let s10 = out[(to + 1) | 0]
    let s20 = out[(to + 2) | 0]
    let s01 = out[(to + 3) | 0]
    let s11 = out[(to + 4) | 0]
    let s21 = out[(to + 5) | 0]
    let s02 = out[(to + 6) | 0]
    let s12 = out[(to + 7) | 0]
    let s22 = out[(to + 8) | 0]
    for (let i = aAt | 0, j = (bAt + panel * stride) | 0; i < end; i = (i + 3) | 0, j = (j + 3) | 0) {
      const b0 = b[j]
      const b1 = b[(j + 1) | 0]
      const b2 = b[(j + 2) | 0]
      const a0 = a[i]
      s00 += a0 * b0
      s01 += a0 * b1
      s02 += a0 * b2
      const a1 = a[(i + 1) | 0]
      s10 += a1 * b0
      s11 += a1 * b1
      s12 += a1 * b2
      const a2 = a[(i + 2) | 0]
      s20 += a2 * b0
      s21 += a2 * b1
      s22 += a2 * b2
    }
    out[to] = s00
    out[(to + 1) | 0] = s10
    out[(to + 2) | 0] = s20
    out[(to + 3) | 0] = s01
    out[(to + 4) | 0] = s11
    out[(to + 5) | 0] = s21
    out[(to + 6) | 0] = s02
    out[(to + 7) | 0] = s12
    out[(to + 8) | 0] = s22
  }
}
