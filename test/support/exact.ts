/**
 * Exact arithmetic for tests: fixed point in BigInt with 256 bits behind the point, 77 decimal digits. Nothing here uses
 * Math functions, so it is independent of what it checks.
 */
export type Fixed = bigint

const bits = 256n
export const one: Fixed = 1n << bits

const multiply = (a: Fixed, b: Fixed): Fixed => (a * b) >> bits
const divide = (a: Fixed, b: Fixed): Fixed => (a << bits) / b
const absolute = (a: bigint): bigint => (a < 0n ? -a : a)

/** A float64 without any rounding; bits below 2^-256 are cut off. */
export function fromNumber(x: number): Fixed {
  const view = new DataView(new ArrayBuffer(8))
  view.setFloat64(0, x)
  const word = view.getBigUint64(0)
  const exponent = (word >> 52n) & 0x7ffn
  if (exponent === 0x7ffn) throw new RangeError(`${x} is not finite`)
  const mantissa = (word & ((1n << 52n) - 1n)) | (exponent === 0n ? 0n : 1n << 52n)
  const shift = (exponent === 0n ? 1n : exponent) - 1075n + bits
  const size = shift >= 0n ? mantissa << shift : mantissa >> -shift
  return word >> 63n === 1n ? -size : size
}

export function fraction(numerator: number | bigint, denominator: number | bigint): Fixed {
  return (BigInt(numerator) << bits) / BigInt(denominator)
}

/** The nearest float64, to within an ulp. */
export function toNumber(x: Fixed): number {
  const size = absolute(x)
  const drop = BigInt(Math.max(0, size.toString(2).length - 64))
  const value = Number(size >> drop) * 2 ** (Number(drop) - Number(bits))
  return x < 0n ? -value : value
}

/** arctan(1/n) by its series. */
function arctanInverse(n: bigint): Fixed {
  let power = one / n
  let sum = power
  for (let k = 1n; power !== 0n; k++) {
    power /= n * n
    sum += (k % 2n === 0n ? power : -power) / (2n * k + 1n)
  }
  return sum
}

/** Machin: π = 16 arctan(1/5) − 4 arctan(1/239). */
export const pi: Fixed = 16n * arctanInverse(5n) - 4n * arctanInverse(239n)

/** ln of a fraction in [1, 2) by 2 artanh((m − 1) / (m + 1)). */
function lnReduced(m: Fixed): Fixed {
  const z = divide(m - one, m + one)
  const square = multiply(z, z)
  let power = z
  let sum = z
  for (let k = 3n; power !== 0n; k += 2n) {
    power = multiply(power, square)
    sum += power / k
  }
  return 2n * sum
}

const ln2 = lnReduced(2n * one - 1n)

export function ln(x: Fixed): Fixed {
  if (x <= 0n) throw new RangeError('ln of a number that is not positive')
  const exponent = BigInt(x.toString(2).length - 1) - bits
  const mantissa = exponent >= 0n ? x >> exponent : x << -exponent
  return lnReduced(mantissa) + exponent * ln2
}

/** exp by halving the argument 64 times, a series, and squaring back; guard bits carry the squarings. */
export function exp(x: Fixed): Fixed {
  const guard = 96n
  const unit = one << guard
  const small = (x << guard) >> 64n
  let term = unit
  let sum = unit
  for (let k = 1n; term !== 0n && term !== -1n; k++) {
    term = ((term * small) >> (bits + guard)) / k
    sum += term
  }
  for (let i = 0; i < 64; i++) sum = (sum * sum) >> (bits + guard)
  return sum >> guard
}

/** base^(numerator/denominator). */
export function power(base: number, numerator: number, denominator: number): Fixed {
  return exp((ln(fromNumber(base)) * BigInt(numerator)) / BigInt(denominator))
}

/** Cosine and sine of any angle: whole turns are taken off with all of π's bits, then a series. */
export function cosSin(angle: Fixed): { cos: Fixed; sin: Fixed } {
  const halfPi = pi / 2n
  const quarters = (angle + (angle >= 0n ? halfPi / 2n : -halfPi / 2n)) / halfPi
  const rest = angle - quarters * halfPi
  const square = multiply(rest, rest)
  const series = (first: Fixed, from: bigint): Fixed => {
    let term = first
    let sum = first
    for (let k = from; term !== 0n && term !== -1n; k += 2n) {
      term = -multiply(term, square) / (k * (k + 1n))
      sum += term
    }
    return sum
  }
  const [c, s] = [series(one, 1n), series(rest, 2n)]
  const turns = ((quarters % 4n) + 4n) % 4n
  if (turns === 0n) return { cos: c, sin: s }
  if (turns === 1n) return { cos: -s, sin: c }
  if (turns === 2n) return { cos: -c, sin: -s }
  return { cos: s, sin: -c }
}

/** |a − b| as a float64, where `a` is a float of the code under test. */
export function distance(a: number, b: Fixed): number {
  return toNumber(absolute(fromNumber(a) - b))
}

export { divide, multiply }
