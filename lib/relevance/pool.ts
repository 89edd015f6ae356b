/** Which part of one of `cells` lies in one of `samples`, where both cut up the same length evenly. */
function share(cell: number, cells: number, sample: number, samples: number): number {
  const from = Math.max(cell * samples, sample * cells)
  const to = Math.min((cell + 1) * samples, (sample + 1) * cells)
  return (to - from) / samples
}

/**
 * Sums up rows of samples to means over the area of the cells of a grid. Works both ways: cells of many samples, and
 * cells smaller than one.
 */
export class AreaMeans {
  readonly means: Float64Array
  readonly #rows: number
  readonly #columns: number
  readonly #height: number
  readonly #across: Float64Array

  /** @param height rows of samples that will come */
  constructor(rows: number, columns: number, height: number) {
    this.means = new Float64Array(rows * columns)
    this.#rows = rows
    this.#columns = columns
    this.#height = height
    this.#across = new Float64Array(columns)
  }

  /** Adds row `y` of the samples. */
  add(samples: Float64Array, y: number): void {
    const across = this.#across
    const [columns, rows, height, width] = [this.#columns, this.#rows, this.#height, samples.length]
    for (let column = 0; column < columns; column++) {
      const first = Math.floor((column * width) / columns)
      const last = Math.ceil(((column + 1) * width) / columns) - 1
      let sum = samples[first] * share(column, columns, first, width)
      const whole = columns / width
      let inner = 0
      for (let x = first + 1; x < last; x++) inner += samples[x]
      sum += inner * whole
      if (last > first) sum += samples[last] * share(column, columns, last, width)
      across[column] = sum
    }
    const end = Math.ceil(((y + 1) * rows) / height)
    for (let row = Math.floor((y * rows) / height); row < end; row++) {
      const part = share(row, rows, y, height)
      for (let column = 0, cell = row * columns; column < columns; column++)
        this.means[cell + column] += part * across[column]
    }
  }
}

/** Means of a grid of values over the cells of another grid. */
export function regrid(
  values: Float64Array | Float32Array,
  [rows, columns]: readonly [number, number],
  [toRows, toColumns]: readonly [number, number],
): Float64Array {
  const pool = new AreaMeans(toRows, toColumns, rows)
  for (let y = 0; y < rows; y++) pool.add(Float64Array.from(values.subarray(y * columns, (y + 1) * columns)), y)
  return pool.means
}
