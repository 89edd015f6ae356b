import { type PixelValue, pixelValues } from './channels.js'
import type { RgbImage } from './image.js'

/** One row of pixels, every value in an array of its own. */
export type PixelRow = Readonly<Record<PixelValue, Float64Array>>

// IEC 61966-2-1, D65. The white is the sum of each row, so that greys have a* = 0.
const toX = [0.4124, 0.3576, 0.1805] as const
const toY = [0.2126, 0.7152, 0.0722] as const
const whiteX = toX[0] + toX[1] + toX[2]
const whiteY = toY[0] + toY[1] + toY[2]

const linear = Float64Array.from({ length: 256 }, (_, sample) => {
  const value = sample / 255
  return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4
})

/**
 * Calls `use` with the values of every row of pixels, from above. The arrays are used again for the next row, so memory
 * does not grow with the height.
 */
export function eachPixelRow(image: RgbImage, use: (row: PixelRow, y: number) => void): void {
  const { width, height } = image
  const row = Object.fromEntries(pixelValues.map((name) => [name, new Float64Array(width)])) as PixelRow
  // Grey of the rows above, here and below, with a repeated pixel on both sides.
  let [above, here, below] = [0, 1, 2].map(() => new Float64Array(width + 2))
  fillGrey(image, 0, above)
  here.set(above)
  for (let y = 0; y < height; y++) {
    fillGrey(image, Math.min(y + 1, height - 1), below)
    fillColors(image, y, row)
    fillEdges(above, here, below, row)
    use(row, y)
    const free = above
    above = here
    here = below
    below = free
  }
}

function fillGrey({ data, width }: RgbImage, y: number, to: Float64Array): void {
  for (let x = 0, at = y * width * 3; x < width; x++, at += 3) {
    to[x + 1] = (0.299 * data[at] + 0.587 * data[at + 1] + 0.114 * data[at + 2]) / 255
  }
  to[0] = to[1]
  to[width + 1] = to[width]
}

function fillColors({ data, width }: RgbImage, y: number, row: PixelRow): void {
  const { r, g, b, 'L*': lightness, 'a*': greenRed } = row
  for (let x = 0, at = y * width * 3; x < width; x++, at += 3) {
    r[x] = data[at] / 255
    g[x] = data[at + 1] / 255
    b[x] = data[at + 2] / 255
    const lr = linear[data[at]]
    const lg = linear[data[at + 1]]
    const lb = linear[data[at + 2]]
    const fx = labRoot((toX[0] * lr + toX[1] * lg + toX[2] * lb) / whiteX)
    const fy = labRoot((toY[0] * lr + toY[1] * lg + toY[2] * lb) / whiteY)
    lightness[x] = 116 * fy - 16
    greenRed[x] = 500 * (fx - fy)
  }
}

function labRoot(t: number): number {
  return t > 216 / 24389 ? Math.cbrt(t) : (t * 841) / 108 + 4 / 29
}

function fillEdges(above: Float64Array, here: Float64Array, below: Float64Array, row: PixelRow): void {
  const { gx, gy, magnitude } = row
  for (let x = 0; x < gx.length; x++) {
    const across = above[x + 2] - above[x] + 2 * (here[x + 2] - here[x]) + below[x + 2] - below[x]
    const down = below[x] - above[x] + 2 * (below[x + 1] - above[x + 1]) + below[x + 2] - above[x + 2]
    gx[x] = across / 8
    gy[x] = down / 8
    magnitude[x] = Math.sqrt(across * across + down * down) / 8
  }
}
