import { MropeRangeError, MropeTypeError, show } from '../errors.js'

/** Versions of sharp that this is written for. */
export const sharpVersions = '>=0.34'

/** What is used of sharp. */
export type Sharp = (input: Uint8Array, options: Readonly<Record<string, unknown>>) => SharpImage

interface SharpImage {
  metadata(): Promise<{ readonly width?: number; readonly height?: number; readonly format?: string }>
  flatten(options: { readonly background: string }): SharpImage
  toColourspace(space: string): SharpImage
  raw(options: { readonly depth: 'uchar' }): SharpImage
  toBuffer(options: { readonly resolveWithObject: true }): Promise<{
    readonly data: Uint8Array
    readonly info: { readonly width: number; readonly height: number; readonly channels: number }
  }>
}

/**
 * The optional peer sharp, loaded when an encoded image is first read.
 * @param name a module's name, for tests
 * @throws MropeTypeError ERR_MROPE_BACKEND when it is not installed or does not load
 */
export async function loadSharp(name = 'sharp'): Promise<Sharp> {
  let loaded: unknown
  try {
    // By a variable, so that neither bundlers nor types ask for a package that may not be there.
    loaded = await import(name)
  } catch (cause) {
    // As import or require say it: bundlers make the one of the other.
    const missing = /^(ERR_)?MODULE_NOT_FOUND$/.test(String((cause as { code?: unknown } | null)?.code))
    const why = missing ? 'is not installed' : `does not load: ${cause instanceof Error ? cause.message : show(cause)}`
    const text = `readImage: ${name} ${why}. It decodes images and is an optional peer of mrope: npm install "sharp@${sharpVersions}", or pass { width, height, channels, data }`
    throw new MropeTypeError('ERR_MROPE_BACKEND', text, name, { cause })
  }
  return checkSharp((loaded as { default?: unknown }).default ?? loaded)
}

/** @throws MropeTypeError ERR_MROPE_ARGUMENT */
export function checkSharp(sharp: unknown): Sharp {
  if (typeof sharp === 'function') return sharp as Sharp
  throw new MropeTypeError(
    'ERR_MROPE_ARGUMENT',
    `readImage: sharp is the function of that package, got ${show(sharp)}`,
    sharp,
  )
}

/**
 * The first picture of a file's bytes as sRGB: turned upright as its EXIF says, alpha blended with white, wide gamut,
 * 16 bits and CMYK converted.
 * @throws MropeRangeError ERR_MROPE_IMAGE for bytes that are no image, are damaged, or have more than `maxPixels`
 */
export async function decode(sharp: Sharp, bytes: Uint8Array, maxPixels: number, what: string) {
  const fail = (cause: unknown): MropeRangeError => {
    const reason = cause instanceof Error ? cause.message : show(cause)
    return new MropeRangeError('ERR_MROPE_IMAGE', `readImage: cannot decode ${what}: ${reason}`, what, { cause })
  }
  // The header alone is read first, so that the number in the message is the image's own.
  const head = await run(() => sharp(bytes, { limitInputPixels: false }).metadata(), fail)
  const { width = 0, height = 0 } = head
  if (width * height > maxPixels) {
    const text = `readImage: ${what} has ${width} × ${height} = ${width * height} pixels, more than maxPixels = ${maxPixels}`
    throw new MropeRangeError('ERR_MROPE_IMAGE', text, width * height)
  }
  const upright = { limitInputPixels: maxPixels, failOn: 'warning', autoOrient: true }
  const { data, info } = await run(
    () =>
      sharp(bytes, upright)
        .flatten({ background: '#ffffff' })
        .toColourspace('srgb')
        .raw({ depth: 'uchar' })
        .toBuffer({ resolveWithObject: true }),
    fail,
  )
  return { width: info.width, height: info.height, channels: info.channels as 1 | 3, data }
}

async function run<T>(call: () => Promise<T>, fail: (cause: unknown) => MropeRangeError): Promise<T> {
  try {
    return await call()
  } catch (cause) {
    throw fail(cause)
  }
}
