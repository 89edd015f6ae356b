const float = new Float32Array(1)
const bits = new Uint32Array(float.buffer)

/** Bits of the float16 nearest to a number, ties to even; NaN stays NaN, overflow becomes infinity. */
export function toFloat16(value: number): number {
  // Adding half an ulp of the target in float64 arithmetic would round twice; work on the float64 magnitude directly.
  if (Number.isNaN(value)) return 0x7e00
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0
  const magnitude = Math.abs(value)
  if (magnitude >= 65520) return sign | 0x7c00
  const exponent = Math.max(Math.floor(Math.log2(magnitude || 1e-30)), -14)
  // log2 may be off by one at a power of two; both choices give the same rounded number.
  const ulp = 2 ** (exponent - 10)
  const steps = roundHalfEven(magnitude / ulp)
  return sign | (steps + ((exponent + 14) << 10))
}

/** Bits of the bfloat16 nearest to a number, ties to even; NaN stays NaN, overflow becomes infinity. */
export function toBfloat16(value: number): number {
  float[0] = value
  let word = bits[0]
  if ((word & 0x7fffffff) > 0x7f800000) return (word >>> 16) | 0x40
  // Two roundings to nearest are not one. An inexact first step goes towards zero and marks the lost rest in the last bit.
  if (float[0] !== value) word = (Math.abs(float[0]) > Math.abs(value) ? word - 1 : word) | 1
  return ((word + 0x7fff + ((word >>> 16) & 1)) >>> 16) & 0xffff
}

export function bfloat16ToFloat32(half: number): number {
  bits[0] = half << 16
  return float[0]
}

const float16Values = buildFloat16Values()

export function float16ToFloat32(half: number): number {
  return float16Values[half]
}

function buildFloat16Values(): Float32Array {
  const values = new Float32Array(65536)
  for (let half = 0; half < 65536; half++) {
    const exponent = (half >> 10) & 31
    const mantissa = half & 1023
    const magnitude =
      exponent === 31
        ? mantissa === 0
          ? Infinity
          : NaN
        : exponent === 0
          ? mantissa * 2 ** -24
          : (1024 + mantissa) * 2 ** (exponent - 25)
    values[half] = half & 0x8000 ? -magnitude : magnitude
  }
  return values
}

function roundHalfEven(x: number): number {
  const floor = Math.floor(x)
  const rest = x - floor
  return rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor
}
