import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { crc32, deflateSync } from 'node:zlib'
import { MropeError } from '../lib/errors.js'
import { type RawImage, readImage, textureChannels } from '../lib/relevance/index.js'
import { loadSharp } from '../lib/relevance/sharp.js'
import { refusesAsync } from './support/refuses.js'
import { maxError, randomNumbers } from './support/tensors.js'

/** A PNG with 8 bits a sample and no filters. */
function png({ width, height, data }: RawImage, colorType: 0 | 2 | 4 | 6): Uint8Array {
  const channels = { 0: 1, 2: 3, 4: 2, 6: 4 }[colorType]
  const rows = new Uint8Array(height * (1 + width * channels))
  for (let y = 0; y < height && data.length > 0; y++) {
    rows.set(data.subarray(y * width * channels, (y + 1) * width * channels), y * (1 + width * channels) + 1)
  }
  return pngOf(width, height, colorType, rows)
}

function pngOf(width: number, height: number, colorType: number, rows: Uint8Array): Uint8Array {
  const header = Buffer.alloc(13)
  header.writeUInt32BE(width, 0)
  header.writeUInt32BE(height, 4)
  header[8] = 8
  header[9] = colorType
  const signature = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a)
  return Buffer.concat([
    signature,
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(rows)),
    chunk('IEND', Buffer.alloc(0)),
  ])
}

function chunk(type: string, body: Uint8Array): Uint8Array {
  const named = Buffer.concat([Buffer.from(type, 'latin1'), body])
  const [length, check] = [Buffer.alloc(4), Buffer.alloc(4)]
  length.writeUInt32BE(body.length)
  check.writeUInt32BE(crc32(named))
  return Buffer.concat([length, named, check])
}

function samples(count: number, seed: number): Uint8Array {
  const next = randomNumbers(seed)
  return Uint8Array.from({ length: count }, () => 256 * next())
}

const rgb: RawImage = { width: 33, height: 7, channels: 3, data: samples(33 * 7 * 3, 1) }

/** What the tests use of sharp to write the formats that are not written here. */
interface Writer {
  toColourspace(space: string): Writer
  withMetadata(options: { orientation: number }): Writer
  jpeg(options: { quality: number; chromaSubsampling?: string }): Writer
  webp(options: { lossless: true }): Writer
  tiff(options: { compression: 'lzw' }): Writer
  png(): Writer
  toBuffer(): Promise<Buffer>
}

async function writer({ width, height, channels, data }: RawImage): Promise<Writer> {
  const sharp = await loadSharp()
  return sharp(data as Uint8Array, { raw: { width, height, channels } }) as unknown as Writer
}

const smooth: RawImage = {
  width: 48,
  height: 32,
  channels: 3,
  data: Uint8Array.from(
    { length: 48 * 32 * 3 },
    (_, i) => [Math.floor(i / 3) % 48, Math.floor(i / 144), 16][i % 3] * 5,
  ),
}

describe('readImage', () => {
  let folder = ''
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'mrope-images-'))
  })
  after(() => rm(folder, { recursive: true }))

  it('reads a PNG from bytes, an ArrayBuffer, a path and a file: URL, sample by sample', async () => {
    const bytes = png(rgb, 2)
    const path = join(folder, 'noise.png')
    await writeFile(path, bytes)
    const buffer = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length) as ArrayBuffer
    for (const source of [bytes, buffer, path, pathToFileURL(path)]) {
      const { width, height, channels, data } = await readImage(source)
      assert.deepEqual([width, height, channels], [33, 7, 3])
      assert.equal(maxError(data, rgb.data), 0)
    }
  })

  it('takes raw pixels as they are, without sharp', async () => {
    assert.equal((await readImage(rgb, { maxPixels: 33 * 7 })).data, rgb.data)
  })

  it('1 × 1 is an image, and has 13 channels', async () => {
    const image = await readImage(png({ width: 1, height: 1, data: Uint8Array.of(255, 0, 0) }, 2))
    assert.deepEqual([...image.data], [255, 0, 0])
    assert.deepEqual([...textureChannels(image, [1, 1]).data.subarray(0, 3)], [1, 0, 0])
  })

  it('greyscale becomes three equal samples', async () => {
    const { channels, data } = await readImage(png({ width: 3, height: 1, data: Uint8Array.of(0, 77, 255) }, 0))
    assert.deepEqual([channels, ...data], [3, 0, 0, 0, 77, 77, 77, 255, 255, 255])
  })

  it('alpha is blended with white, as raw alpha is', async () => {
    const data = Uint8Array.of(9, 8, 7, 0, 9, 8, 7, 255, 0, 100, 255, 51)
    const decoded = await readImage(png({ width: 3, height: 1, data }, 6))
    const raw = await readImage({ width: 3, height: 1, data })
    assert.ok(maxError(decoded.data, raw.data) <= 1, `${decoded.data} for ${raw.data}`)
    assert.deepEqual([...decoded.data.subarray(0, 6)], [255, 255, 255, 9, 8, 7])
    const grey = await readImage(png({ width: 2, height: 1, data: Uint8Array.of(9, 0, 9, 255) }, 4))
    assert.deepEqual([...grey.data], [255, 255, 255, 9, 9, 9])
  })

  it('JPEG, lossless WebP and TIFF are the picture that was written', async () => {
    const source = await writer(smooth)
    const files = [
      [await source.jpeg({ quality: 95, chromaSubsampling: '4:4:4' }).toBuffer(), 12],
      [await source.webp({ lossless: true }).toBuffer(), 0],
      [await source.tiff({ compression: 'lzw' }).toBuffer(), 0],
    ] as const
    for (const [bytes, tolerance] of files) {
      const { data } = await readImage(bytes)
      assert.ok(maxError(data, smooth.data) <= tolerance, `${maxError(data, smooth.data)}`)
    }
  })

  it('CMYK becomes RGB: the sides that were dark stay dark', async () => {
    const bytes = await (await writer(smooth)).toColourspace('cmyk').jpeg({ quality: 100 }).toBuffer()
    const { width, height, channels, data } = await readImage(bytes)
    assert.deepEqual([width, height, channels, data.length], [48, 32, 3, smooth.data.length])
    const at = (image: Uint8Array | Uint8ClampedArray, y: number, x: number) => image[(y * 48 + x) * 3]
    assert.ok(at(data, 10, 2) < 80 && at(data, 10, 46) > 170, `${at(data, 10, 2)}, ${at(data, 10, 46)}`)
  })

  it('16 bits become 8', async () => {
    const bytes = await (await writer(smooth)).toColourspace('rgb16').png().toBuffer()
    assert.equal(bytes[24], 16)
    assert.ok(maxError((await readImage(bytes)).data, smooth.data) <= 1)
  })

  it('a photo that EXIF says lies on its side is turned upright', async () => {
    const bytes = await (await writer(smooth)).withMetadata({ orientation: 6 }).png().toBuffer()
    const { width, height, data } = await readImage(bytes)
    assert.deepEqual([width, height], [32, 48])
    // Orientation 6 is turned by 90° clockwise: the lower left corner comes to the upper left.
    assert.deepEqual([...data.subarray(0, 3)], [...smooth.data.subarray(31 * 48 * 3, 31 * 48 * 3 + 3)])
  })

  it('takes the module of sharp, and refuses what is none', async () => {
    const sharp = await loadSharp()
    assert.equal(maxError((await readImage(png(rgb, 2), { sharp })).data, rgb.data), 0)
    await refusesAsync(() => readImage(png(rgb, 2), { sharp: {} }), 'ERR_MROPE_ARGUMENT', 'sharp', '{}')
  })
})

describe('readImage refuses', () => {
  const good = png(rgb, 2)

  it('a package that is not installed, and says how to install it', async () => {
    await refusesAsync(
      () => loadSharp('mrope-has-no-such-decoder'),
      'ERR_MROPE_BACKEND',
      'mrope-has-no-such-decoder is not',
      'npm install "sharp@',
    )
  })

  const empty: readonly [string, Uint8Array | ArrayBuffer][] = [
    ['no bytes', new Uint8Array()],
    ['an empty ArrayBuffer', new ArrayBuffer(0)],
  ]
  for (const [name, bytes] of empty) {
    it(name, () => refusesAsync(() => readImage(bytes), 'ERR_MROPE_IMAGE', 'no bytes'))
  }

  it('bytes that are no image', () => refusesAsync(() => readImage(samples(1000, 3)), 'ERR_MROPE_IMAGE', '1000 bytes'))

  it('a PNG that ends early, wherever it does', async () => {
    for (const end of [1, 8, 20, 33, 40, 100, Math.floor(good.length / 2), good.length - 20]) {
      await refusesAsync(() => readImage(good.subarray(0, end)), 'ERR_MROPE_IMAGE', `${end} bytes`)
    }
  })

  it('a JPEG that ends early', async () => {
    const bytes = await (await writer(smooth)).jpeg({ quality: 90 }).toBuffer()
    await refusesAsync(() => readImage(bytes.subarray(0, bytes.length / 2)), 'ERR_MROPE_IMAGE', 'cannot decode')
  })

  it('flipped bytes are refused or read, but never crash or give another size of data', async () => {
    const next = randomNumbers(7)
    for (let round = 0; round < 60; round++) {
      const bytes = Uint8Array.from(good)
      for (let i = 0; i < 3; i++) bytes[Math.floor(next() * bytes.length)] ^= 1 << Math.floor(next() * 8)
      try {
        const { width, height, data } = await readImage(bytes, { maxPixels: 2 ** 16 })
        assert.equal(data.length, width * height * 3)
      } catch (error) {
        assert.ok(error instanceof MropeError, String(error))
      }
    }
  })

  it('a header of 100 000 × 100 000 pixels, before anything is decoded', async () => {
    const bytes = pngOf(100_000, 100_000, 2, new Uint8Array(10))
    await refusesAsync(() => readImage(bytes), 'ERR_MROPE_IMAGE', '100000 × 100000 = 10000000000 pixels', '67108864')
  })

  it('one pixel more than maxPixels, encoded and raw, and takes as many', async () => {
    await refusesAsync(() => readImage(good, { maxPixels: 230 }), 'ERR_MROPE_IMAGE', '33 × 7 = 231 pixels', '230')
    await refusesAsync(() => readImage(rgb, { maxPixels: 230 }), 'ERR_MROPE_IMAGE', '33 × 7 pixels', '230')
    assert.equal((await readImage(good, { maxPixels: 231 })).width, 33)
  })

  it('a path where nothing is, and a folder', async () => {
    await refusesAsync(() => readImage('/no/such/picture.png'), 'ERR_MROPE_FILE', 'no/such/picture.png', 'no such file')
    await refusesAsync(() => readImage(tmpdir()), 'ERR_MROPE_FILE', 'directory')
  })

  const wrong: readonly [string, unknown, string][] = [
    ['a number', 7, 'got 7'],
    ['null', null, 'got null'],
    ['nothing', undefined, 'got undefined'],
    ['a list', [1, 2], 'got [1, 2]'],
    ['raw pixels in a list', { width: 1, height: 1, data: [1] }, 'got [1]'],
    ['raw pixels with a bigint', { width: 1n, height: 1, data: new Uint8Array(3) }, 'got 1n'],
  ]
  for (const [name, source, words] of wrong) {
    it(name, () => refusesAsync(() => readImage(source as never), 'ERR_MROPE_ARGUMENT', words))
  }

  it('unknown options, and limits that are none', async () => {
    await refusesAsync(() => readImage(good, { limit: 3 } as never), 'ERR_MROPE_ARGUMENT', 'limit')
    for (const maxPixels of [0, -1, 1.5, Number.NaN, Infinity, '9']) {
      await refusesAsync(() => readImage(good, { maxPixels: maxPixels as number }), 'ERR_MROPE_ARGUMENT', 'maxPixels')
    }
  })
})
