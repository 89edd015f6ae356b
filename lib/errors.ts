/** Every error code that mrope raises, with what it means. */
export const errorCodes = {
  ERR_MROPE_ARGUMENT: 'an argument has the wrong kind, or an option is unknown',
  ERR_MROPE_SHAPE: 'a tensor has the wrong length, rank or dimension',
  ERR_MROPE_DTYPE: 'a tensor has a type that the operation does not take',
  ERR_MROPE_SEGMENT: 'a segment of a sequence is not valid',
  ERR_MROPE_GRID: 'a grid is not three positive integers, or does not divide by the merge size',
  ERR_MROPE_GRID_COUNT: 'the grids of a prompt do not match the blocks of its tokens',
  ERR_MROPE_BLOCK: 'a run of visual or audio tokens does not have the length its grid gives',
  ERR_MROPE_POSITION: 'a position is NaN or infinite',
  ERR_MROPE_POSITION_RANGE: 'a position is outside the range or the table',
  ERR_MROPE_CONFIG: 'a model configuration is malformed or contradicts itself',
  ERR_MROPE_ROPE_TYPE: 'the rope type is unknown',
  ERR_MROPE_FAMILY: 'the model family is unknown, or does not have what was asked of it',
  ERR_MROPE_COMPAT: 'the compatibility rule is unknown, or not defined for the family',
  ERR_MROPE_SECTIONS: 'the sections do not fit the rotary dimension',
  ERR_MROPE_HEADS: 'the numbers of heads do not fit each other',
  ERR_MROPE_CAPACITY: 'a cache or a table is full',
  ERR_MROPE_MEMORY: 'there is not enough memory',
  ERR_MROPE_STATE: 'the object cannot do this in its present state',
  ERR_MROPE_BACKEND: 'the backend is unknown or not available here',
  ERR_MROPE_DEVICE: 'the device failed, was lost, or cannot do this',
  ERR_MROPE_COMPILE: 'a kernel did not compile',
  ERR_MROPE_SAFETENSORS: 'a safetensors file is damaged',
  ERR_MROPE_JSON: 'a JSON document is malformed',
  ERR_MROPE_IMAGE: 'an image is damaged or too large',
  ERR_MROPE_FILE: 'a file cannot be read or written',
  ERR_MROPE_USAGE: 'the command line is not valid',
} as const

export type MropeErrorCode = keyof typeof errorCodes

/**
 * What every error of mrope is an instance of: `error instanceof MropeError`.
 * The errors themselves are `MropeTypeError` (wrong kind) or `MropeRangeError` (right kind, wrong value), so that they
 * are also a `TypeError` or a `RangeError`. The check goes by `code`, so it holds across the ESM and CommonJS copies.
 */
export abstract class MropeError extends Error {
  abstract readonly code: MropeErrorCode
  abstract readonly value: unknown

  static override [Symbol.hasInstance](candidate: unknown): boolean {
    return candidate instanceof Error && 'code' in candidate && Object.hasOwn(errorCodes, String(candidate.code))
  }
}

/** An argument of the wrong kind. `value` is what came. */
export class MropeTypeError extends TypeError {
  override readonly name = 'MropeTypeError'
  readonly code: MropeErrorCode
  readonly value: unknown

  constructor(code: MropeErrorCode, message: string, value?: unknown, options?: ErrorOptions) {
    super(message, options)
    this.code = code
    this.value = value
  }
}

/** An argument of the right kind with a value that cannot be used. `value` is what came. */
export class MropeRangeError extends RangeError {
  override readonly name = 'MropeRangeError'
  readonly code: MropeErrorCode
  readonly value: unknown

  constructor(code: MropeErrorCode, message: string, value?: unknown, options?: ErrorOptions) {
    super(message, options)
    this.code = code
    this.value = value
  }
}

/** A short, safe picture of any value for an error message: never throws, never long. */
export function show(value: unknown, depth = 0): string {
  try {
    if (typeof value === 'string')
      return value.length > 80 ? JSON.stringify(value.slice(0, 77)) + '…' : JSON.stringify(value)
    if (typeof value === 'bigint') return `${value}n`
    if (typeof value === 'function') return 'a function'
    if (ArrayBuffer.isView(value))
      return `${value.constructor.name}(${'length' in value ? value.length : value.byteLength})`
    if (Array.isArray(value)) {
      if (depth === 3) return '[…]'
      const head = value
        .slice(0, 8)
        .map((entry) => show(entry, depth + 1))
        .join(', ')
      return value.length > 8 ? `[${head}, … ${value.length} entries]` : `[${head}]`
    }
    if (typeof value === 'object' && value !== null) {
      const text = JSON.stringify(value)
      return text === undefined ? 'an object' : text.length > 120 ? text.slice(0, 117) + '…' : text
    }
    return String(value)
  } catch {
    return 'a value that cannot be shown'
  }
}
