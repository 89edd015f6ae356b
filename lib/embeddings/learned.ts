import { MropeRangeError, MropeTypeError, show } from '../errors.js'
import { checkCount, checkOptions } from '../tensors/check.js'
import { checkWindow, parameters } from '../tensors/parameters.js'
import { Tensor } from '../tensors/tensor.js'
import { AbsoluteEmbedding } from './embedding.js'
import { checkResizeRule, type ResizeRule, type ResizeRuleName, resizeGrid } from './interpolate.js'

export interface LearnedOptions {
  /** `(prefix + rows·columns, dim)`: the vectors of the prefix tokens, then those of the grid in raster order. */
  readonly table: Tensor
  /** Rows and columns of the grid. Without it the table is a list by one running id. */
  readonly grid?: readonly [rows: number, columns: number]
  /** Class and register tokens in front, never resized. Default 0. */
  readonly prefix?: number
  /** How the grid is read at another size: a rule, or the name of one. */
  readonly rule?: ResizeRule | ResizeRuleName
}

/** What a learned embedding consists of, once checked. */
interface Learned {
  readonly values: Float32Array
  readonly prefix: Float32Array
  readonly rows: number
  readonly columns: number
  readonly dim: number
  readonly oneAxis: boolean
  readonly rule?: ResizeRule
  /** Rows and columns that were learned. */
  readonly trained: readonly [number, number]
}

/**
 * A learned table: by a running id, or by row and column of a grid that can be read at another size.
 * Positions have the axis n, or h and w; their ids are whole numbers inside the table.
 */
export class LearnedEmbedding extends AbsoluteEmbedding {
  readonly #learned: Learned

  private constructor(learned: Learned) {
    const { dim, rows, columns, trained, rule, oneAxis, prefix } = learned
    super({
      name: 'learned',
      dim,
      axes: oneAxis ? ['n'] : ['h', 'w'],
      formula: oneAxis ? 'table[n]' : 'table[h, w]',
      parameters: {
        ...(oneAxis ? { length: columns } : { grid: [rows, columns], trained }),
        prefix: prefix.length / dim,
        ...(rule && { rule }),
      },
      source: 'transformers 5.18 vision_utils.py _interpolation_axis_taps_weights; timm 1.0.29 resample_abs_pos_embed',
      verified: 'run',
    })
    this.#learned = learned
  }

  /**
   * @throws MropeTypeError ERR_MROPE_ARGUMENT, MropeRangeError ERR_MROPE_SHAPE | ERR_MROPE_GRID | ERR_MROPE_ARGUMENT
   */
  static of(options: LearnedOptions): LearnedEmbedding {
    const caller = 'embeddings.learned'
    checkOptions(caller, options, ['table', 'grid', 'prefix', 'rule'])
    const all = parameters(caller, 'table', options.table, [undefined, undefined])
    const [tokens, dim] = options.table.dims
    const prefix = checkCount(caller, 'prefix', options.prefix ?? 0)
    const [rows, columns] = checkWindow(caller, 'grid', options.grid ?? [1, Math.max(1, tokens - prefix)])
    if (dim < 1 || tokens !== prefix + rows * columns) {
      const text = `${caller}: ${prefix} prefix tokens and a grid of ${rows} × ${columns} need a table of ${prefix + rows * columns} vectors, its dims are ${show(options.table.dims)}`
      throw new MropeRangeError('ERR_MROPE_SHAPE', text, options.table.dims)
    }
    return new LearnedEmbedding({
      values: all.subarray(prefix * dim),
      prefix: all.subarray(0, prefix * dim),
      rows,
      columns,
      dim,
      oneAxis: options.grid === undefined,
      rule: options.rule === undefined ? undefined : checkResizeRule(caller, options.rule),
      trained: [rows, columns],
    })
  }

  /** The vectors of the prefix tokens, `(prefix, dim)`. */
  get prefix(): Tensor {
    const { prefix, dim } = this.#learned
    return new Tensor('float32', Float32Array.from(prefix), [prefix.length / dim, dim])
  }

  /**
   * The same embedding at another size, or another length for a running id.
   * @throws MropeTypeError ERR_MROPE_ARGUMENT without a rule, MropeRangeError ERR_MROPE_GRID
   */
  at(size: readonly [rows: number, columns: number] | number): LearnedEmbedding {
    const caller = 'embeddings.learned.at'
    const { oneAxis, rule, values, rows, columns } = this.#learned
    const grid = checkWindow(caller, 'size', oneAxis && typeof size === 'number' ? [1, size] : size)
    if (oneAxis && grid[0] !== 1) {
      const text = `${caller}: a list by one running id has one row, got ${show(size)}`
      throw new MropeRangeError('ERR_MROPE_GRID', text, size)
    }
    if (grid[0] === rows && grid[1] === columns) return this
    if (rule === undefined) {
      const text = `${caller}: the table has no rule for another size: give learned() the rule of its model`
      throw new MropeTypeError('ERR_MROPE_ARGUMENT', text, rule)
    }
    const resized = resizeGrid({ values, rows, columns }, grid, rule)
    return new LearnedEmbedding({ ...this.#learned, values: resized, rows: grid[0], columns: grid[1] })
  }

  protected override write(ids: readonly Float64Array[], to: Float32Array): void {
    const { values, dim, rows, columns, oneAxis } = this.#learned
    const sides = oneAxis ? [columns] : [rows, columns]
    ids.forEach((list, a) => {
      const bad = list.findIndex((id) => !Number.isInteger(id) || id < 0 || id >= sides[a])
      if (bad < 0) return
      const text = `learned: ids of axis ${this.axes[a]} are whole numbers from 0 to ${sides[a] - 1}, token ${bad} has ${list[bad]}`
      throw new MropeRangeError('ERR_MROPE_POSITION_RANGE', text, list[bad])
    })
    for (let n = 0; n < ids[0].length; n++) {
      const cell = oneAxis ? ids[0][n] : ids[0][n] * columns + ids[1][n]
      to.set(values.subarray(cell * dim, (cell + 1) * dim), n * dim)
    }
  }
}
