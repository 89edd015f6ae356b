import { resizeGrid } from '../embeddings/interpolate.js'
import { checkOptions } from '../tensors/check.js'
import { checkHeads, checkWindow, parameters } from '../tensors/parameters.js'
import type { Tensor } from '../tensors/tensor.js'
import { type AttentionBias, defineBias } from './bias.js'

// Windows of rows × columns tokens in raster order, one number for each head and each (dy, dx):
//
//   entry (dy + rows − 1) · (2 · columns − 1) + dx + columns − 1, from query minus key

export type Window = readonly [rows: number, columns: number]

export interface SwinOptions {
  /** Rows and columns of the window; the attention stays inside one (`mask.cuSeqlens`). */
  readonly window: Window
  /** `relative_position_bias_table`, `((2·rows − 1)·(2·columns − 1), heads)`. */
  readonly table: Tensor
}

/**
 * Swin's table over the offset in a window. Source: transformers `swin/modeling_swin.py: SwinSelfAttention`.
 * @throws MropeTypeError ERR_MROPE_ARGUMENT, MropeRangeError ERR_MROPE_GRID | ERR_MROPE_SHAPE
 */
export function swin(options: SwinOptions): AttentionBias {
  checkOptions('biases.swin', options, ['window', 'table'])
  const [rows, columns] = checkWindow('biases.swin', 'window', options.window)
  const cells = (2 * rows - 1) * (2 * columns - 1)
  const table = parameters('biases.swin', 'table', options.table, [cells, undefined])
  const values = byHead(table, cells)
  return gridBias('swin', [rows, columns], values, 'transformers 5.18 swin/modeling_swin.py', 'table[dy, dx]', {})
}

export interface SwinV2Options {
  /** Rows and columns of the window. */
  readonly window: Window
  /** Window of the pre-training, where it was another one: its sides norm the offsets. */
  readonly pretrainedWindow?: Window
  /** `continuous_position_bias_mlp.0.weight` `(hidden, 2)`, `.0.bias` `(hidden)`, `.2.weight` `(heads, hidden)`. */
  readonly weight0: Tensor
  readonly bias0: Tensor
  readonly weight2: Tensor
}

/**
 * Swin v2: a small network over log-spaced offsets, `16 · sigmoid`. Its attention is by cosine: hand over q and k of
 * unit length, q times `exp(min(logitScale, ln 100))` of its head, and `scale: 1`.
 * Source: transformers `swinv2/modeling_swinv2.py: Swinv2SelfAttention`.
 * @throws MropeTypeError ERR_MROPE_ARGUMENT, MropeRangeError ERR_MROPE_GRID | ERR_MROPE_SHAPE
 */
export function swinV2(options: SwinV2Options): AttentionBias {
  const caller = 'biases.swinV2'
  checkOptions(caller, options, ['window', 'pretrainedWindow', 'weight0', 'bias0', 'weight2'])
  const [rows, columns] = checkWindow(caller, 'window', options.window)
  const norm = checkWindow(caller, 'pretrainedWindow', options.pretrainedWindow ?? options.window)
  const weight0 = parameters(caller, 'weight0', options.weight0, [undefined, 2])
  const hidden = weight0.length / 2
  const bias0 = parameters(caller, 'bias0', options.bias0, [hidden])
  const weight2 = parameters(caller, 'weight2', options.weight2, [undefined, hidden])
  const heads = checkHeads(caller, options.weight2.dims[0])
  const width = 2 * columns - 1
  const cells = (2 * rows - 1) * width
  const values = new Float32Array(heads * cells)
  for (let cell = 0; cell < cells; cell++) {
    const y = logSpaced(Math.floor(cell / width) - rows + 1, norm[0])
    const x = logSpaced((cell % width) - columns + 1, norm[1])
    const inner = bias0.map((b, u) => Math.max(0, b + weight0[2 * u] * y + weight0[2 * u + 1] * x))
    for (let head = 0; head < heads; head++) {
      let sum = 0
      for (let u = 0; u < hidden; u++) sum += weight2[head * hidden + u] * inner[u]
      values[head * cells + cell] = 16 / (1 + Math.exp(-sum))
    }
  }
  const source = 'transformers 5.18 swinv2/modeling_swinv2.py'
  const formula = '16 · sigmoid(MLP(±log2(1 + 8|d|) / log2 8))'
  return gridBias('swin-v2', [rows, columns], values, source, formula, { pretrainedWindow: norm })
}

/** Sides of 1 have no offsets to norm. */
function logSpaced(offset: number, side: number): number {
  const part = (8 * offset) / Math.max(1, side - 1)
  return (Math.sign(part) * Math.log2(1 + Math.abs(part))) / 3
}

export interface BeitOptions {
  /** Rows and columns of patches; every window has a class token in front of them. */
  readonly window: Window
  /** `relative_position_bias_table`, `((2·rows − 1)·(2·columns − 1) + 3, heads)`, of the window `from`. */
  readonly table: Tensor
  /** Window the table was learned for, where it is another one: its spatial part is resized, bilinear. */
  readonly from?: Window
}

/**
 * BEiT: Swin's table with a class token: three more entries for class → patch, patch → class, class → class.
 * Source: transformers `beit/modeling_beit.py: BeitRelativePositionBias`. That code reads a table of a window that is
 * not square with its sides exchanged when it resizes; here rows stay rows.
 * @throws MropeTypeError ERR_MROPE_ARGUMENT, MropeRangeError ERR_MROPE_GRID | ERR_MROPE_SHAPE
 */
export function beit(options: BeitOptions): AttentionBias {
  const caller = 'biases.beit'
  checkOptions(caller, options, ['window', 'table', 'from'])
  const [rows, columns] = checkWindow(caller, 'window', options.window)
  const [oldRows, oldColumns] = checkWindow(caller, 'from', options.from ?? options.window)
  const oldCells = (2 * oldRows - 1) * (2 * oldColumns - 1)
  const learned = parameters(caller, 'table', options.table, [oldCells + 3, undefined])
  const heads = learned.length / (oldCells + 3)
  const width = 2 * columns - 1
  const cells = width * (2 * rows - 1)
  const spatial = resizeGrid(
    { values: learned.subarray(0, oldCells * heads), rows: 2 * oldRows - 1, columns: 2 * oldColumns - 1 },
    [2 * rows - 1, width],
    { kernel: 'bilinear', alignCorners: false },
  )
  const table = byHead(Float32Array.from([...spatial, ...learned.subarray(oldCells * heads)]), cells + 3)
  const tokens = rows * columns + 1
  const place = (cell: number): number => Math.floor(cell / columns) * width + (cell % columns)
  const origin = (rows - 1) * width + columns - 1
  return defineBias(
    {
      name: 'beit',
      heads,
      formula: 'table[dy, dx], or the entry of the class token',
      evaluated: 'pieces',
      readsQueries: false,
      readsKeys: false,
      exchange: 'other',
      parameters: { window: [rows, columns], from: [oldRows, oldColumns] },
      source: 'transformers 5.18 beit/modeling_beit.py',
      verified: 'run',
    },
    () => (head, query, key) => {
      const [i, j] = [query % tokens, key % tokens]
      const at = head * (cells + 3)
      if (i === 0) return table[at + cells + (j === 0 ? 2 : 0)]
      return table[at + (j === 0 ? cells + 1 : origin + place(i - 1) - place(j - 1))]
    },
  )
}

/** From `(cells, heads)`, as checkpoints have it, to `(heads, cells)`. */
function byHead(table: Float32Array, cells: number): Float32Array {
  const heads = table.length / cells
  return Float32Array.from(table, (_, n) => table[(n % cells) * heads + Math.floor(n / cells)])
}

function gridBias(
  name: string,
  [rows, columns]: Window,
  values: Float32Array,
  source: string,
  formula: string,
  rest: Readonly<Record<string, unknown>>,
): AttentionBias {
  const heads = values.length / ((2 * rows - 1) * (2 * columns - 1))
  return defineBias(
    {
      name,
      heads,
      formula,
      evaluated: 'grid',
      readsQueries: false,
      readsKeys: false,
      exchange: 'other',
      parameters: { window: [rows, columns], ...rest },
      source,
      verified: 'run',
    },
    () => ({ kind: 'grid', heads, values, rows, columns }),
  )
}
