import { MropeRangeError, MropeTypeError, show } from '../errors.js'

export type Json = Readonly<Record<string, unknown>>

export function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !ArrayBuffer.isView(value)
}

/** @throws MropeTypeError ERR_MROPE_CONFIG */
export function asObject(value: unknown, name: string): Json {
  if (isObject(value)) return value
  throw new MropeTypeError('ERR_MROPE_CONFIG', `${name}: expected an object, got ${show(value)}`, value)
}

/** A finite number at a key, or undefined where it is missing or null. @throws MropeTypeError ERR_MROPE_CONFIG */
export function numberAt(object: Json, key: string, name = 'config'): number | undefined {
  const value = object[key]
  if (value === undefined || value === null) return undefined
  if (typeof value === 'number' && Number.isFinite(value)) return value
  throw new MropeTypeError('ERR_MROPE_CONFIG', `${name}.${key}: expected a number, got ${show(value)}`, value)
}

/** A positive integer at a key, or undefined. @throws MropeRangeError ERR_MROPE_CONFIG */
export function countAt(object: Json, key: string, name = 'config'): number | undefined {
  const value = numberAt(object, key, name)
  if (value === undefined || (Number.isSafeInteger(value) && value > 0)) return value
  throw new MropeRangeError(
    'ERR_MROPE_CONFIG',
    `${name}.${key}: expected a positive integer, got ${show(value)}`,
    value,
  )
}

/** A list of finite numbers at a key, or undefined. @throws MropeTypeError ERR_MROPE_CONFIG */
export function numbersAt(object: Json, key: string, name: string): number[] | undefined {
  const value = object[key]
  if (value === undefined || value === null) return undefined
  if (Array.isArray(value) && value.every((x) => typeof x === 'number' && Number.isFinite(x))) return value
  throw new MropeTypeError('ERR_MROPE_CONFIG', `${name}.${key}: expected a list of numbers, got ${show(value)}`, value)
}

/** True or false at a key, or undefined. @throws MropeTypeError ERR_MROPE_CONFIG */
export function booleanAt(object: Json, key: string, name: string): boolean | undefined {
  const value = object[key]
  if (value === undefined || value === null || typeof value === 'boolean') return value ?? undefined
  throw new MropeTypeError('ERR_MROPE_CONFIG', `${name}.${key}: expected true or false, got ${show(value)}`, value)
}

/** Size of one head: `size` divided by the number of heads. @throws MropeRangeError ERR_MROPE_CONFIG | ERR_MROPE_HEADS */
export function perHead(object: Json, size: string, heads: string): number {
  const whole = countAt(object, size)
  const count = countAt(object, heads)
  if (whole === undefined || count === undefined) {
    const missing = whole === undefined ? size : heads
    throw new MropeRangeError('ERR_MROPE_CONFIG', `config: needs ${missing} for the head dimension`, undefined)
  }
  if (whole % count !== 0) {
    throw new MropeRangeError('ERR_MROPE_HEADS', `config: ${size} ${whole} does not divide by ${heads} ${count}`, whole)
  }
  return whole / count
}
