import assert from 'node:assert/strict'
import fc from 'fast-check'
import { MropeError } from '../lib/errors.js'
import { textureChannelTable } from '../lib/relevance/channels.js'
import { channelOf, type RawImage, rgbImage, type Texture, textureChannels } from '../lib/relevance/index.js'
import { refuses } from './support/refuses.js'
import { maxError, randomNumbers } from './support/tensors.js'

type Rgb = readonly [r: number, g: number, b: number]

function paint(width: number, height: number, color: (y: number, x: number) => Rgb): RawImage {
  const data = new Uint8Array(width * height * 3)
  for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) data.set(color(y, x), (y * width + x) * 3)
  return { width, height, channels: 3, data }
}

function noise(width: number, height: number, seed: number): RawImage {
  const next = randomNumbers(seed)
  return paint(width, height, () => [256 * next(), 256 * next(), 256 * next()])
}

/** L*, a* of CIE 1976 from the textbook's steps: sRGB → linear → XYZ → f → L*a*. */
function labOf(rgb: Rgb): [number, number] {
  const [r, g, b] = rgb.map((v) => (v / 255 > 0.04045 ? ((v / 255 + 0.055) / 1.055) ** 2.4 : v / 255 / 12.92))
  const x = 0.4124 * r + 0.3576 * g + 0.1805 * b
  const y = 0.2126 * r + 0.7152 * g + 0.0722 * b
  const f = (t: number): number => (t > (6 / 29) ** 3 ? t ** (1 / 3) : t / (3 * (6 / 29) ** 2) + 4 / 29)
  return [116 * f(y) - 16, 500 * (f(x / 0.9505) - f(y))]
}

/** All channels as their formulas say, cell by cell and pixel by pixel, with no sharing. */
function naiveChannels({ width, height, data }: RawImage, [rows, columns]: readonly [number, number]): number[][] {
  const at = (y: number, x: number): Rgb => {
    const i = (Math.min(height - 1, Math.max(0, y)) * width + Math.min(width - 1, Math.max(0, x))) * 3
    return [data[i], data[i + 1], data[i + 2]]
  }
  const grey = (y: number, x: number): number => {
    const [r, g, b] = at(y, x)
    return (0.299 * r + 0.587 * g + 0.114 * b) / 255
  }
  const kernel = [
    [-1, 0, 1],
    [-2, 0, 2],
    [-1, 0, 1],
  ]
  const pixel = (y: number, x: number): number[] => {
    let [gx, gy] = [0, 0]
    for (const i of [0, 1, 2]) {
      for (const j of [0, 1, 2]) {
        gx += (kernel[i][j] * grey(y + i - 1, x + j - 1)) / 8
        gy += (kernel[j][i] * grey(y + i - 1, x + j - 1)) / 8
      }
    }
    return [...at(y, x).map((v) => v / 255), ...labOf(at(y, x)), gx, gy, Math.hypot(gx, gy)]
  }
  const overlap = (cell: number, cells: number, i: number, n: number): number =>
    Math.max(0, Math.min((cell + 1) / cells, (i + 1) / n) - Math.max(cell / cells, i / n)) * cells
  const channels = Array.from({ length: 13 }, () => new Array<number>(rows * columns).fill(0))
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const cell = row * columns + column
      for (let y = 0; y < height; y++) {
        for (let x = 0; x < width; x++) {
          const part = overlap(row, rows, y, height) * overlap(column, columns, x, width)
          if (part === 0) continue
          for (const [c, value] of pixel(y, x).entries()) channels[c][cell] += part * value
        }
      }
      const [v, u] = [rows > 1 ? row / (rows - 1) : 0, columns > 1 ? column / (columns - 1) : 0]
      channels[8][cell] = v
      channels[9][cell] = u
      channels[10][cell] = Math.sqrt((v - 0.5) ** 2 + (u - 0.5) ** 2)
      channels[11][cell] = channels[7][cell]
      channels[12][cell] = channels[3][cell]
    }
  }
  return channels
}

const means = (values: Float32Array): number => values.reduce((a, b) => a + b, 0) / values.length

describe('texture channels: the table', () => {
  it('has the 13 channels of the text in its order, each with formula, range and source, all unverified', () => {
    const names =
      'red green blue lightness green-red gradient-x gradient-y gradient-magnitude y x eccentricity saliency luminance'
    assert.deepEqual(
      textureChannelTable.map(({ name }) => name),
      names.split(' '),
    )
    for (const { formula, range, source, verified } of textureChannelTable) {
      assert.ok(formula.length > 0 && source.length > 0 && range[0] < range[1])
      assert.equal(verified, 'unverified')
    }
  })
})

describe('texture channels: values', () => {
  const colors: readonly [string, Rgb, number, number][] = [
    ['red', [255, 0, 0], 53.2, 80.1],
    ['green', [0, 255, 0], 87.7, -86.2],
    ['blue', [0, 0, 255], 32.3, 79.2],
    ['white', [255, 255, 255], 100, 0],
    ['black', [0, 0, 0], 0, 0],
    ['mid grey', [119, 119, 119], 50.0, 0],
  ]
  for (const [name, rgb, lightness, greenRed] of colors) {
    it(`${name} has L* ${lightness} and a* ${greenRed}, as tables of CIELAB have it to one decimal`, () => {
      const texture = textureChannels(
        paint(3, 5, () => rgb),
        [1, 1],
      )
      assert.ok(Math.abs(texture.data[3] - lightness) < 0.05, `${texture.data[3]}`)
      assert.ok(Math.abs(texture.data[4] - greenRed) < 0.05, `${texture.data[4]}`)
      assert.equal(texture.data[12], texture.data[3])
    })
  }

  it('eccentricity is sqrt((x − 0.5)² + (y − 0.5)²): 0.7071 in the corners, 0 in the middle, 0.5 at the sides', () => {
    const ecc = channelOf(textureChannels(noise(33, 7, 1), [3, 5]), 'eccentricity')
    assert.deepEqual([ecc[0], ecc[4], ecc[10], ecc[14]], new Array(4).fill(Math.fround(Math.SQRT1_2)))
    assert.deepEqual([ecc[7], ecc[2], ecc[5], ecc[9], ecc[12]], [0, 0.5, 0.5, 0.5, 0.5])
  })

  it('y counts down and x to the right from 0 to 1, whatever the image', () => {
    const texture = textureChannels(noise(2, 3, 2), [3, 5])
    assert.deepEqual([...channelOf(texture, 'y')], [0, 0, 0, 0, 0, 0.5, 0.5, 0.5, 0.5, 0.5, 1, 1, 1, 1, 1])
    assert.deepEqual([...channelOf(texture, 9)], [0, 0.25, 0.5, 0.75, 1, 0, 0.25, 0.5, 0.75, 1, 0, 0.25, 0.5, 0.75, 1])
  })

  it('a constant image has no edges and one value in every cell', () => {
    for (const scale of ['plain', 'unit'] as const) {
      const texture = textureChannels(
        paint(100, 33, () => [200, 30, 77]),
        [7, 3],
        { scale },
      )
      for (const c of [5, 6, 7, 11]) assert.ok(channelOf(texture, c).every((value) => value === 0))
      for (const c of [0, 1, 2, 3, 4, 12]) {
        const values = channelOf(texture, c)
        assert.ok(values.every((value) => Math.abs(value - values[0]) < 1e-5 * Math.abs(values[0])))
      }
    }
  })

  it('a ramp to the right of 1 a pixel has gx = 1 / 255 and gy = 0; turned by 90° the two change places', () => {
    const right = textureChannels(
      paint(100, 40, (_, x) => [x, x, x]),
      [4, 10],
    )
    const down = textureChannels(
      paint(40, 100, (y) => [y, y, y]),
      [10, 4],
    )
    const inside = channelOf(right, 'gradient-x').subarray(11, 19)
    assert.ok(maxError(inside, new Array(8).fill(1 / 255)) < 1e-9)
    assert.ok(maxError(channelOf(right, 'gradient-y'), new Array(40).fill(0)) < 1e-9)
    const turned = (values: Float32Array) =>
      Float32Array.from(values, (_, i) => values[(i % 10) * 4 + Math.floor(i / 10)])
    assert.ok(maxError(turned(channelOf(down, 'gradient-y')), channelOf(right, 'gradient-x')) < 1e-9)
  })

  it('a step from black to white has the largest gx there is, and none away from it', () => {
    const texture = textureChannels(
      paint(8, 4, (_, x) => (x < 4 ? [0, 0, 0] : [255, 255, 255])),
      [1, 8],
    )
    assert.ok(maxError(channelOf(texture, 'gradient-x'), [0, 0, 0, 0.5, 0.5, 0, 0, 0]) < 1e-7)
    assert.deepEqual(channelOf(texture, 'saliency'), channelOf(texture, 'gradient-magnitude'))
  })

  it('a checkerboard of single pixels has no Sobel edges inside; of two by two pixels it has', () => {
    const board = (size: number) =>
      textureChannels(
        paint(36, 36, (y, x) =>
          (Math.floor(y / size) + Math.floor(x / size)) % 2 === 0 ? [255, 255, 255] : [0, 0, 0],
        ),
        [9, 9],
      )
    const middle = 4 * 9 + 4
    assert.ok(channelOf(board(1), 'gradient-magnitude')[middle] < 1e-7)
    assert.ok(channelOf(board(2), 'gradient-magnitude')[middle] > 0.1)
    assert.ok(Math.abs(channelOf(board(1), 'red')[middle] - 0.5) < 1e-7)
  })

  const sizes = [
    [1, 1, 1, 1],
    [1, 1, 3, 2],
    [3, 1, 1, 2],
    [33, 7, 5, 4],
    [20, 31, 31, 20],
    [5, 4, 7, 9],
    [24, 16, 4, 6],
  ] as const
  for (const [width, height, rows, columns] of sizes) {
    it(`noise of ${width} × ${height} on ${rows} × ${columns} cells is what the formulas say pixel by pixel`, () => {
      const image = noise(width, height, width * 100 + height)
      const texture = textureChannels(image, [rows, columns])
      naiveChannels(image, [rows, columns]).forEach((expected, c) => {
        const scale = c === 3 || c === 4 || c === 12 ? 100 : 1
        assert.ok(maxError(channelOf(texture, c), expected) < 1e-6 * scale, `channel ${c}`)
      })
    })
  }

  it('scale unit: lightness / 100, (a* + 128) / 255, edges from least to most, eccentricity by the largest', () => {
    const image = noise(33, 20, 9)
    const plain = textureChannels(image, [4, 5])
    const unit = textureChannels(image, [4, 5], { scale: 'unit' })
    const spread = (values: Float32Array): number[] => {
      const [least, most] = [Math.min(...values), Math.max(...values)]
      return Array.from(values, (value) => (value - least) / (most - least + 1e-8))
    }
    const expected = Array.from({ length: 13 }, (_, c) => {
      const values = channelOf(plain, c)
      if (c === 3 || c === 12) return Array.from(values, (value) => value / 100)
      if (c === 4) return Array.from(values, (value) => (value + 128) / 255)
      if (c === 10) return Array.from(values, (value) => value / Math.SQRT1_2)
      return [5, 6, 7, 11].includes(c) ? spread(values) : [...values]
    })
    for (const [c, values] of expected.entries()) assert.ok(maxError(channelOf(unit, c), values) < 1e-4, `channel ${c}`)
    assert.equal(Math.max(...channelOf(unit, 'eccentricity')), 1)
  })
})

describe('texture channels: properties', () => {
  const side = fc.integer({ min: 1, max: 24 })
  const cells = fc.integer({ min: 1, max: 9 })
  const ofAny = (check: (image: RawImage, grid: [number, number]) => void) =>
    fc.assert(
      fc.property(
        side,
        side,
        cells,
        cells,
        fc.integer({ min: 0, max: 2 ** 31 }),
        (width, height, rows, columns, seed) => check(noise(width, height, seed), [rows, columns]),
      ),
      { numRuns: 60 },
    )

  it('all values are finite and in the range of their channel, plain and unit', () => {
    ofAny((image, grid) => {
      const plain = textureChannels(image, grid)
      const unit = textureChannels(image, grid, { scale: 'unit' })
      textureChannelTable.forEach(({ range: [least, most] }, c) => {
        const inside = (low: number, high: number) => (value: number) =>
          value >= low - 1e-6 && value <= high * (1 + 1e-6)
        assert.ok(channelOf(plain, c).every(inside(least, most)), `plain ${c}`)
        assert.ok(channelOf(unit, c).every(inside(0, 1)), `unit ${c}`)
      })
    })
  })

  it('the same image gives the same bits, and the image stays as it is', () => {
    ofAny((image, grid) => {
      const before = image.data.slice()
      assert.deepEqual(textureChannels(image, grid).data, textureChannels(image, grid).data)
      assert.deepEqual(image.data, before)
    })
  })

  it('the mean over the cells is the mean over the pixels, so no pixel counts twice', () => {
    ofAny((image, grid) => {
      const [whole, parts]: Texture[] = [textureChannels(image, [1, 1]), textureChannels(image, grid)]
      for (let c = 0; c < 8; c++) assert.ok(Math.abs(means(channelOf(parts, c)) - whole.data[c]) < 1e-4, `channel ${c}`)
    })
  })

  it('a mirrored image has mirrored channels, and gx the other sign', () => {
    ofAny((image, [rows, columns]) => {
      const { width, height, data } = image
      const mirrored = paint(width, height, (y, x) => {
        const i = (y * width + width - 1 - x) * 3
        return [data[i], data[i + 1], data[i + 2]]
      })
      const [here, there] = [textureChannels(image, [rows, columns]), textureChannels(mirrored, [rows, columns])]
      for (const c of [0, 3, 4, 5, 6, 7]) {
        const back = channelOf(there, c).map((_, i, values) => {
          const value = values[i - (i % columns) + columns - 1 - (i % columns)]
          return c === 5 ? -value : value
        })
        assert.ok(maxError(back, channelOf(here, c)) < 1e-4, `channel ${c}`)
      }
    })
  })
})

describe('raw images', () => {
  it('grey is three equal samples', () => {
    const { data } = rgbImage({ width: 2, height: 1, data: Uint8Array.of(7, 200) })
    assert.deepEqual([...data], [7, 7, 7, 200, 200, 200])
  })

  it('alpha is blended with white: 0 is white, 255 the color, 51 a fifth of it', () => {
    const { data } = rgbImage({ width: 3, height: 1, data: Uint8Array.of(9, 8, 7, 0, 9, 8, 7, 255, 0, 100, 255, 51) })
    assert.deepEqual([...data], [255, 255, 255, 9, 8, 7, 204, 224, 255])
    const grey = rgbImage({ width: 1, height: 1, data: Uint8Array.of(100, 51) })
    assert.deepEqual([...grey.data], [224, 224, 224])
  })

  it('RGB is not copied, and a Uint8ClampedArray is taken', () => {
    const data = new Uint8ClampedArray(12)
    assert.equal(rgbImage({ width: 2, height: 2, data }).data, data)
  })

  const bytes = new Uint8Array(12)
  refuses('raw images', [
    ['null', () => rgbImage(null as never), 'Type ARGUMENT', null, /got null/],
    ['no width', () => rgbImage({ height: 1, data: bytes } as never), 'Type ARGUMENT', undefined, /width/],
    ['width 0', () => rgbImage({ width: 0, height: 1, data: bytes }), 'Range ARGUMENT', 0, /width .* got 0/],
    ['height 1.5', () => rgbImage({ width: 1, height: 1.5, data: bytes }), 'Range ARGUMENT', 1.5, /height .* got 1.5/],
    [
      'a bigint',
      () => rgbImage({ width: 2n, height: 1, data: bytes } as never),
      'Type ARGUMENT',
      2n,
      /width .* got 2n/,
    ],
    [
      'a list',
      () => rgbImage({ width: 1, height: 1, data: [1, 2, 3] } as never),
      'Type ARGUMENT',
      [1, 2, 3],
      /\[1, 2, 3\]/,
    ],
    ['no bytes', () => rgbImage({ width: 1, height: 1, data: new Uint8Array() }), 'Range IMAGE', 0, /1 × 1, 0 samples/],
    [
      '11 of 12',
      () => rgbImage({ width: 2, height: 2, channels: 3, data: bytes.subarray(1) }),
      'Range IMAGE',
      11,
      /12 samples, data has 11/,
    ],
    [
      '5 channels',
      () => rgbImage({ width: 1, height: 1, channels: 5 as never, data: bytes }),
      'Range IMAGE',
      5,
      /got 5/,
    ],
    [
      'an option too many',
      () => rgbImage({ width: 2, height: 2, data: bytes, stride: 6 } as never),
      'Type ARGUMENT',
      'stride',
      /stride/,
    ],
  ])
})

const image = noise(3, 3, 1)
const texture = textureChannels(image, [2, 2])
refuses('textures', [
  ['a grid of 3', () => textureChannels(image, [1, 2, 3] as never), 'Type ARGUMENT', [1, 2, 3], /grid/],
  ['a grid of 0 rows', () => textureChannels(image, [0, 2]), 'Range GRID', [0, 2], /\[0, 2\]/],
  ['a grid of NaN', () => textureChannels(image, [2, Number.NaN]), 'Range GRID', [2, Number.NaN], /NaN/],
  [
    'too many cells',
    () => textureChannels(image, [2048, 1024]),
    'Range GRID',
    [2048, 1024],
    /2048 × 1024 cells, more than 1048576/,
  ],
  ['an unknown scale', () => textureChannels(image, [1, 1], { scale: 'db' as never }), 'Range ARGUMENT', 'db', /"db"/],
  ['an unknown option', () => textureChannels(image, [1, 1], { size: 3 } as never), 'Type ARGUMENT', 'size', /size/],
  ['channel 13', () => channelOf(texture, 13), 'Range ARGUMENT', 13, /no channel 13 in red/],
  ['an unknown channel', () => channelOf(texture, 'b*'), 'Range ARGUMENT', 'b*', /"b\*"/],
])

it('errors of images are errors of mrope', () => {
  assert.throws(() => textureChannels({} as never, [1, 1]), MropeError)
})
