import assert from 'node:assert/strict'
import fc from 'fast-check'
import { bfloat16ToFloat32, float16ToFloat32, toBfloat16, toFloat16 } from '../lib/tensors/half.js'
import { Tensor } from '../lib/tensors/tensor.js'

const seed = Number(process.env.MROPE_FUZZ_SEED ?? Date.now() % 2 ** 31)

interface Format {
  readonly name: 'float16' | 'bfloat16'
  readonly mantissaBits: number
  /** Bits of infinity, one more than those of the largest finite value. */
  readonly infinity: number
  /** The smallest subnormal is 2^-unit. */
  readonly unit: number
  readonly narrow: (value: number) => number
  readonly widen: (half: number) => number
}

const formats: Format[] = [
  { name: 'float16', mantissaBits: 10, infinity: 0x7c00, unit: 24, narrow: toFloat16, widen: float16ToFloat32 },
  { name: 'bfloat16', mantissaBits: 7, infinity: 0x7f80, unit: 133, narrow: toBfloat16, widen: bfloat16ToFloat32 },
]

for (const format of formats) {
  const { name, infinity, narrow, widen } = format
  const signs = [0, 0x8000]

  describe(`${name} conversion`, () => {
    it('widens all 65536 bit patterns to their exact value', () => {
      for (const sign of signs) {
        for (let magnitude = 0; magnitude < 0x8000; magnitude++) {
          const expected =
            magnitude > infinity ? NaN : magnitude === infinity ? Infinity : exactNumber(format, magnitude)
          const actual = widen(sign | magnitude)
          assert.ok(Object.is(actual, sign === 0 ? expected : -expected), hex(sign | magnitude, actual, expected))
        }
      }
    })

    it('gives all 65536 bit patterns back, NaN as some NaN', () => {
      for (let half = 0; half < 0x10000; half++) {
        const actual = narrow(widen(half))
        if ((half & 0x7fff) > infinity) assert.ok((actual & 0x7fff) > infinity, hex(half, actual, NaN))
        else assert.equal(actual, half)
      }
    })

    it('rounds halfway to even, and any float64 beside it to its own side, between all neighbours', () => {
      for (let low = 0; low < infinity; low++) {
        const middle = (exactNumber(format, low) + exactNumber(format, low + 1)) / 2
        const even = low % 2 === 0 ? low : low + 1
        for (const [value, expected] of [
          [middle, even],
          [neighbour(middle, 1n), low + 1],
          [neighbour(middle, -1n), low],
        ]) {
          if (narrow(value) !== expected) assert.fail(hex(value, narrow(value), expected))
          if (narrow(-value) !== (expected | 0x8000)) assert.fail(hex(-value, narrow(-value), expected | 0x8000))
        }
      }
    })

    it(`rounds 20 000 random float64 bit patterns as exact arithmetic does, seed ${seed}`, () => {
      fc.assert(
        fc.property(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), (bits) => agrees(format, fromBits(bits))),
        {
          seed,
          numRuns: 20000,
        },
      )
    })

    it(`rounds 20 000 random numbers of its own range as exact arithmetic does, seed ${seed}`, () => {
      const { min, max } = name === 'float16' ? { min: -28, max: 16 } : { min: -137, max: 128 }
      const arbitrary = fc.tuple(
        fc.integer({ min, max }),
        fc.integer({ min: 1, max: 53 }),
        fc.bigInt(0n, 2n ** 53n - 1n),
      )
      const property = fc.property(arbitrary, fc.boolean(), ([exponent, kept, mantissa], negative) => {
        // Few leading bits make ties and values near them likely.
        const leading = Number((mantissa >> BigInt(53 - kept)) << BigInt(53 - kept)) / 2 ** 53
        agrees(format, (negative ? -1 : 1) * (1 + leading) * 2 ** exponent)
      })
      fc.assert(property, { seed, numRuns: 20000 })
    })

    it('rounds float32 values that come through Tensor.from', () => {
      const values = Float32Array.from({ length: 777 }, (_, i) => Math.sin(i * i) * 2 ** ((i % 40) - 26))
      const tensor = Tensor.from(name, values, [7, 111])
      assert.deepEqual(
        [...tensor.data],
        Array.from(values, (value) => nearest(format, value)),
      )
      assert.deepEqual([...tensor.toFloat32()], Array.from(tensor.data, widen))
    })
  })
}

describe('half conversion, named cases', () => {
  const cases: [number, number, number][] = [
    // value, float16, bfloat16
    [0, 0x0000, 0x0000],
    [-0, 0x8000, 0x8000],
    [1, 0x3c00, 0x3f80],
    [-2, 0xc000, 0xc000],
    [Infinity, 0x7c00, 0x7f80],
    [-Infinity, 0xfc00, 0xff80],
    [65504, 0x7bff, 0x4780],
    [65519.999999999, 0x7bff, 0x4780],
    [65520, 0x7c00, 0x4780],
    [2 ** -14, 0x0400, 0x3880],
    [2 ** -24, 0x0001, 0x3380],
    [2 ** -25, 0x0000, 0x3300],
    [2 ** -25 * 1.0000001, 0x0001, 0x3300],
    [2 ** -133, 0x0000, 0x0001],
    [2 ** -134, 0x0000, 0x0000],
    [2 ** -134 * (1 + 2 ** -52), 0x0000, 0x0001],
    [3.3895313892515355e38, 0x7c00, 0x7f7f],
    [3.3961775292304601e38, 0x7c00, 0x7f80],
    [Number.MAX_VALUE, 0x7c00, 0x7f80],
    [-Number.MIN_VALUE, 0x8000, 0x8000],
    // A float32 in between would make ties of these.
    [1 + 2 ** -8 + 2 ** -40, 0x3c04, 0x3f81],
    [1 + 2 ** -11 + 2 ** -40, 0x3c01, 0x3f80],
  ]
  for (const [value, float16, bfloat16] of cases) {
    const shown = Object.is(value, -0) ? '-0' : String(value)
    it(`${shown} is 0x${float16.toString(16)} in float16 and 0x${bfloat16.toString(16)} in bfloat16`, () => {
      assert.equal(toFloat16(value), float16)
      assert.equal(toBfloat16(value), bfloat16)
    })
  }

  it('NaN is a quiet NaN in both', () => {
    assert.equal(toFloat16(NaN) & 0x7e00, 0x7e00)
    assert.equal(toBfloat16(NaN) & 0x7fc0, 0x7fc0)
  })
})

/** Asserts that a conversion agrees with exact arithmetic. */
function agrees(format: Format, value: number): void {
  const actual = format.narrow(value)
  if (Number.isNaN(value)) assert.ok((actual & 0x7fff) > format.infinity, hex(value, actual, NaN))
  else assert.equal(actual, nearest(format, value), hex(value, actual, nearest(format, value)))
}

/** The nearest half by a search among all of them, in integers: multiples of 2^-1074, the last bit of float64. */
function nearest(format: Format, value: number): number {
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0
  if (!Number.isFinite(value)) return sign | format.infinity
  const target = exactFloat64(Math.abs(value))
  const exact = (half: number) => exactHalf(format, half) << BigInt(1074 - format.unit)
  let low = 0
  let high = format.infinity
  while (high - low > 1) {
    const middle = (low + high) >> 1
    if (exact(middle) <= target) low = middle
    else high = middle
  }
  const twice = 2n * target
  const sum = exact(low) + exact(low + 1)
  const up = twice > sum || (twice === sum && low % 2 === 1)
  return sign | (up ? low + 1 : low)
}

/** Magnitude of a half in multiples of its smallest subnormal. Infinity counts as the next value after the largest. */
function exactHalf({ mantissaBits }: Format, half: number): bigint {
  const exponent = half >> mantissaBits
  const mantissa = BigInt(half & ((1 << mantissaBits) - 1))
  return exponent === 0 ? mantissa : (mantissa + (1n << BigInt(mantissaBits))) << BigInt(exponent - 1)
}

// Exact: the integer has at most 11 significant bits, and the power of two is a normal float64.
function exactNumber(format: Format, half: number): number {
  return Number(exactHalf(format, half)) * 2 ** -format.unit
}

function exactFloat64(value: number): bigint {
  const bits = toBits(value)
  const exponent = bits >> 52n
  const mantissa = bits & (2n ** 52n - 1n)
  return exponent === 0n ? mantissa : (mantissa + 2n ** 52n) << (exponent - 1n)
}

function toBits(value: number): bigint {
  return new BigUint64Array(Float64Array.of(value).buffer)[0]
}

function fromBits(bits: bigint): number {
  return new Float64Array(BigUint64Array.of(bits).buffer)[0]
}

/** The next float64 above or below a positive one. */
function neighbour(value: number, step: bigint): number {
  return fromBits(toBits(value) + step)
}

function hex(input: number, actual: number, expected: number): string {
  return `${input}: got ${actual} (0x${actual.toString(16)}), expected ${expected} (0x${expected.toString(16)})`
}
