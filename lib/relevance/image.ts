import { MropeRangeError, MropeTypeError, show } from '../errors.js'
import { checkCount, checkOptions } from '../tensors/check.js'

/** Pixels in raster order, 8 bits a sample: 1 grey, 2 grey and alpha, 3 RGB, 4 RGB and alpha. */
export interface RawImage {
  readonly width: number
  readonly height: number
  /** Default: what `data` has for each pixel. */
  readonly channels?: 1 | 2 | 3 | 4
  /** `height · width · channels` samples. A canvas' ImageData is a RawImage. */
  readonly data: Uint8Array | Uint8ClampedArray
}

/** An sRGB image without alpha. */
export interface RgbImage extends RawImage {
  readonly channels: 3
}

/**
 * Raw pixels as RGB. Grey becomes three equal samples; alpha is blended with white, as the Qwen processors do. RGB is
 * not copied.
 * @throws MropeTypeError ERR_MROPE_ARGUMENT, MropeRangeError ERR_MROPE_IMAGE
 */
export function rgbImage(image: RawImage): RgbImage {
  const { width, height, channels, data } = checkRaw('rgbImage', image)
  if (channels === 3) return Object.freeze({ width, height, channels, data })
  const rgb = new Uint8Array(width * height * 3)
  const hasAlpha = channels === 2 || channels === 4
  const colors = channels > 2 ? 3 : 1
  for (let from = 0, to = 0; to < rgb.length; from += channels) {
    const alpha = hasAlpha ? data[from + channels - 1] : 255
    for (let c = 0; c < 3; c++) {
      const value = data[colors === 3 ? from + c : from]
      rgb[to++] = Math.round((value * alpha + 255 * (255 - alpha)) / 255)
    }
  }
  return Object.freeze({ width, height, channels: 3, data: rgb })
}

/** @throws MropeTypeError ERR_MROPE_ARGUMENT, MropeRangeError ERR_MROPE_IMAGE */
export function checkRaw(caller: string, image: RawImage): Required<RawImage> {
  // ImageData keeps its properties on the prototype and may have more of them, such as colorSpace.
  if (Object.prototype.toString.call(image) !== '[object ImageData]') {
    checkOptions(caller, image, ['width', 'height', 'channels', 'data', 'colorSpace', 'pixelFormat'])
  }
  const width = checkCount(caller, 'width', image.width, 1)
  const height = checkCount(caller, 'height', image.height, 1)
  const { data } = image
  if (!(data instanceof Uint8Array || data instanceof Uint8ClampedArray)) {
    const text = `${caller}: data is a Uint8Array of 8-bit samples, got ${show(data)}`
    throw new MropeTypeError('ERR_MROPE_ARGUMENT', text, data)
  }
  const channels = image.channels ?? data.length / (width * height)
  if (channels !== 1 && channels !== 2 && channels !== 3 && channels !== 4) {
    const text = `${caller}: an image has 1 to 4 channels, got ${show(channels)} (${width} × ${height}, ${data.length} samples)`
    throw new MropeRangeError('ERR_MROPE_IMAGE', text, channels)
  }
  const samples = width * height * channels
  if (data.length !== samples) {
    const text = `${caller}: ${width} × ${height} pixels of ${channels} channels are ${samples} samples, data has ${data.length}`
    throw new MropeRangeError('ERR_MROPE_IMAGE', text, data.length)
  }
  return { width, height, channels, data }
}
