import { MropeRangeError, MropeTypeError, show } from '../errors.js'
import { quotePath, withInputFile } from '../io/files.js'
import { checkCount, checkOptions } from '../tensors/check.js'
import { checkRaw, type RawImage, type RgbImage, rgbImage } from './image.js'
import { checkSharp, decode, loadSharp } from './sharp.js'

export interface ReadImageOptions {
  /** More pixels are refused before they are decoded. Default 2^26, which take 192 MiB as RGB. */
  readonly maxPixels?: number
  /** The module `sharp`, for programs whose bundler has to see it. Default: it is imported when it is needed. */
  readonly sharp?: unknown
}

const mostBytes = 2 ** 29

/**
 * An image as sRGB: a file, the bytes of a file (JPEG, PNG, WebP, AVIF, GIF, TIFF; decoded by the optional peer sharp),
 * or raw pixels. Of several pages or frames the first is taken; it is turned upright and alpha is blended with white.
 * @throws MropeRangeError ERR_MROPE_IMAGE: no image, damaged, too large, or raw data of the wrong length;
 *   ERR_MROPE_FILE: it cannot be read; MropeTypeError ERR_MROPE_BACKEND: sharp is not installed; ERR_MROPE_ARGUMENT
 */
export async function readImage(
  source: string | URL | Uint8Array | ArrayBuffer | RawImage,
  options: ReadImageOptions = {},
): Promise<RgbImage> {
  checkOptions('readImage', options, ['maxPixels', 'sharp'])
  const maxPixels = checkCount('readImage', 'maxPixels', options.maxPixels ?? 2 ** 26, 1)
  if (isRaw(source)) {
    const { width, height } = checkRaw('readImage', source)
    if (width * height > maxPixels) {
      const text = `readImage: the image has ${width} × ${height} pixels, more than maxPixels = ${maxPixels}`
      throw new MropeRangeError('ERR_MROPE_IMAGE', text, width * height)
    }
    return rgbImage(source)
  }
  const { bytes, what } = await bytesOf(source)
  if (bytes.length === 0) {
    throw new MropeRangeError('ERR_MROPE_IMAGE', `readImage: cannot decode ${what}: it has no bytes`, what)
  }
  const sharp = options.sharp === undefined ? await loadSharp() : checkSharp(options.sharp)
  return rgbImage(await decode(sharp, bytes, maxPixels, what))
}

async function bytesOf(source: unknown): Promise<{ bytes: Uint8Array; what: string }> {
  if (source instanceof Uint8Array) return { bytes: source, what: `an image of ${source.length} bytes` }
  if (source instanceof ArrayBuffer) return bytesOf(new Uint8Array(source))
  if (typeof source !== 'string' && !(source instanceof URL)) {
    const text = `readImage: expected a path, a file: URL, bytes or { width, height, channels, data }, got ${show(source)}`
    throw new MropeTypeError('ERR_MROPE_ARGUMENT', text, source)
  }
  return withInputFile('readImage', source, async ({ path, size, read }) => {
    const what = quotePath(path)
    if (size <= mostBytes) return { bytes: await read(0, size), what }
    throw new MropeRangeError('ERR_MROPE_IMAGE', `readImage: ${what} has ${size} bytes, more than ${mostBytes}`, size)
  })
}

function isRaw(source: unknown): source is RawImage {
  return typeof source === 'object' && source !== null && !(source instanceof URL) && 'data' in source
}
