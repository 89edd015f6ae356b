import { type Allocation, axisMap } from '../../allocations/allocation.js'

// Dense direction weights u[h][f][a]: pairs that turn along lines across the axes.

/** The same weight function for every head, pair and axis. */
export function dense(
  name: string,
  heads: number,
  pairs: number,
  axes: number,
  at: (head: number, pair: number, axis: number) => number,
): Allocation {
  const directions = new Float64Array(heads * pairs * axes)
  for (let n = 0; n < directions.length; n++) {
    directions[n] = at(Math.floor(n / axes / pairs), Math.floor(n / axes) % pairs, n % axes)
  }
  return { ...axisMap(name, axes, new Int8Array(pairs)), heads, axisOf: new Int8Array(heads * pairs), directions }
}

const golden = (Math.sqrt(5) - 1) / 2

/** Golden Gate: `φ = (h·F + f)·π·(√5 − 1)/2`, `u = (cos φ, sin φ)`. */
export function goldenDirections(heads: number, pairs: number): Allocation {
  return dense('golden-gate', heads, pairs, 2, (head, f, axis) => {
    const angle = (head * pairs + f) * Math.PI * golden
    return axis === 0 ? Math.cos(angle) : Math.sin(angle)
  })
}

/**
 * Directions spread evenly over the sphere of any number of axes: the sequence `frac(i·g^−k)`, g the root of
 * `x^(N+1) = x + 1`, bent to a Gaussian and normed.
 */
export function uniformDirections(heads: number, pairs: number, axes: number): Allocation {
  const root = plasticRoot(axes)
  const vectors = Array.from({ length: heads * pairs }, (_, i) => {
    const vector = Array.from({ length: axes }, (_, k) => {
      const part = (i + 1) * root ** -(k + 1)
      return inverseErf(2 * (part - Math.floor(part)) - 1)
    })
    const length = Math.hypot(...vector)
    return vector.map((x) => x / length)
  })
  return dense('uniform', heads, pairs, axes, (head, f, axis) => vectors[head * pairs + f][axis])
}

/** As the source iterates it: ten steps from 2. */
function plasticRoot(axes: number): number {
  let x = 2
  for (let i = 0; i < 10; i++) x = (1 + x) ** (1 / (axes + 1))
  return x
}

/** Newton's method on `erf`, which is concave above 0, so that it never overshoots. */
function inverseErf(y: number): number {
  const target = Math.abs(y)
  let x = 0
  for (let i = 0; i < 100; i++) {
    const step = ((target - erf(x)) * Math.sqrt(Math.PI)) / (2 * Math.exp(-x * x))
    if (!(step > 1e-15 * x) || x + step > 6) break
    x += step
  }
  return Math.sign(y) * x
}

/** `2/√π · e^(−x²) · Σ 2ⁿ x^(2n+1) / (1·3·…·(2n+1))`: all terms are positive. For 0 ≤ x ≤ 6. */
function erf(x: number): number {
  let term = x
  let sum = x
  for (let n = 1; term > sum * 1e-17; n++) {
    term *= (2 * x * x) / (2 * n + 1)
    sum += term
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum
}
