import { MropeRangeError, MropeTypeError, show } from '../errors.js'
import { checkOptions } from '../tensors/check.js'
import { checkWindow } from '../tensors/parameters.js'
import { linspace, type PixelValue, pixelValues, textureChannelTable, type UnitRule } from './channels.js'
import { type RawImage, rgbImage } from './image.js'
import { eachPixelRow } from './pixels.js'
import { AreaMeans } from './pool.js'

export interface TextureOptions {
  /** `plain`: the values of the formulas. `unit`: all of them in 0 … 1, as the released example has them. */
  readonly scale?: 'plain' | 'unit'
}

/** The channels of `textureChannelTable` for every cell of a grid. */
export interface Texture {
  /** Rows and columns of cells. */
  readonly grid: readonly [rows: number, columns: number]
  readonly scale: 'plain' | 'unit'
  /** Names of the channels, in order. */
  readonly names: readonly string[]
  /** Planar, `(13, rows, columns)`. */
  readonly data: Float32Array
}

const mostCells = 2 ** 20

/**
 * The 13 texture channels of ARR-COC for every cell of a grid laid over the image; `textureChannelTable` has their
 * formulas. One walk over the pixels; memory grows with the cells and one row of pixels.
 * @param image RGB, grey, or either with alpha
 * @throws MropeTypeError ERR_MROPE_ARGUMENT, MropeRangeError ERR_MROPE_IMAGE | ERR_MROPE_GRID | ERR_MROPE_ARGUMENT
 */
export function textureChannels(
  image: RawImage,
  grid: readonly [rows: number, columns: number],
  options: TextureOptions = {},
): Texture {
  const caller = 'textureChannels'
  checkOptions(caller, options, ['scale'])
  const { scale = 'plain' } = options
  if (scale !== 'plain' && scale !== 'unit') {
    const text = `${caller}: scale is plain or unit, got ${show(scale)}`
    throw new MropeRangeError('ERR_MROPE_ARGUMENT', text, scale)
  }
  const [rows, columns] = checkWindow(caller, 'grid', grid)
  if (rows * columns > mostCells) {
    const text = `${caller}: a grid of ${rows} × ${columns} cells, more than ${mostCells}`
    throw new MropeRangeError('ERR_MROPE_GRID', text, grid)
  }
  const rgb = rgbImage(image)
  const means = Object.fromEntries(
    pixelValues.map((name) => [name, new AreaMeans(rows, columns, rgb.height)]),
  ) as Record<PixelValue, AreaMeans>
  eachPixelRow(rgb, (row, y) => {
    for (const name of pixelValues) means[name].add(row[name], y)
  })
  const cells = rows * columns
  const data = new Float32Array(textureChannelTable.length * cells)
  textureChannelTable.forEach(({ from, unit }, c) => {
    if ('channel' in from) {
      data.copyWithin(c * cells, from.channel * cells, (from.channel + 1) * cells)
      return
    }
    const values = 'pixel' in from ? means[from.pixel].means : placeValues(from.place, rows, columns)
    if (scale === 'unit') toUnit(values, unit)
    data.set(values, c * cells)
  })
  const names = textureChannelTable.map(({ name }) => name)
  return Object.freeze({ grid: Object.freeze([rows, columns] as const), scale, names: Object.freeze(names), data })
}

/**
 * View of one channel of a texture, `(rows, columns)`, by name or number.
 * @throws MropeRangeError ERR_MROPE_ARGUMENT
 */
export function channelOf(texture: Texture, channel: string | number): Float32Array {
  const c = typeof channel === 'number' ? channel : texture.names.indexOf(channel)
  if (!Number.isInteger(c) || c < 0 || c >= texture.names.length) {
    const text = `texture: no channel ${show(channel)} in ${texture.names.join(', ')}`
    throw new MropeRangeError('ERR_MROPE_ARGUMENT', text, channel)
  }
  const cells = texture.grid[0] * texture.grid[1]
  return texture.data.subarray(c * cells, (c + 1) * cells)
}

/**
 * The grid of a texture.
 * @throws MropeTypeError ERR_MROPE_ARGUMENT, MropeRangeError ERR_MROPE_SHAPE | ERR_MROPE_GRID
 */
export function checkTexture(caller: string, texture: Texture): readonly [number, number] {
  const { grid, data, names } = (texture ?? {}) as Partial<Texture>
  if (!(data instanceof Float32Array) || !Array.isArray(names)) {
    const text = `${caller}: expected a texture of textureChannels(), got ${show(texture)}`
    throw new MropeTypeError('ERR_MROPE_ARGUMENT', text, texture)
  }
  const [rows, columns] = checkWindow(caller, 'texture.grid', grid)
  if (data.length === names.length * rows * columns) return [rows, columns]
  const text = `${caller}: a texture of ${names.length} × ${rows} × ${columns} has ${names.length * rows * columns} values, got ${data.length}`
  throw new MropeRangeError('ERR_MROPE_SHAPE', text, data.length)
}

function placeValues(place: 'y' | 'x' | 'eccentricity', rows: number, columns: number): Float64Array {
  return Float64Array.from({ length: rows * columns }, (_, cell) => {
    const y = linspace(Math.floor(cell / columns), rows)
    const x = linspace(cell % columns, columns)
    return { y, x, eccentricity: Math.sqrt((y - 0.5) ** 2 + (x - 0.5) ** 2) }[place]
  })
}

function toUnit(values: Float64Array, unit: UnitRule): void {
  let [least, most] = [Infinity, -Infinity]
  for (const value of values) {
    least = Math.min(least, value)
    most = Math.max(most, value)
  }
  const [add, divide] =
    unit.by === 'numbers'
      ? [unit.add, unit.divide]
      : unit.by === 'largest'
        ? [0, most || 1]
        : [-least, most - least + 1e-8]
  for (let i = 0; i < values.length; i++) values[i] = (values[i] + add) / divide
}
