import { MropeTypeError, show } from '../errors.js'
import { checkOptions } from '../tensors/check.js'
import { parameters, perHead } from '../tensors/parameters.js'
import type { Tensor } from '../tensors/tensor.js'
import { type AttentionBias, defineBias } from './bias.js'
import { distanceTable } from './distances.js'

export interface KerpleOptions {
  /** Learned, one for each head. */
  readonly p: ArrayLike<number>
  /** Learned, one for each head. */
  readonly a: ArrayLike<number>
}

/**
 * KERPLE, logarithmic: `−p · ln(1 + a · |i − j|)`, p and a not below 0.01.
 * Source: chijames/KERPLE `megatron/mpu/layers.py: ParallelKerpleLog`.
 * @throws MropeTypeError ERR_MROPE_ARGUMENT, MropeRangeError ERR_MROPE_HEADS | ERR_MROPE_ARGUMENT
 */
export function kerpleLog(options: KerpleOptions): AttentionBias {
  const { p, a } = checkKernel('biases.kerpleLog', options)
  return kernel('kerple-log', '−p · ln(1 + a · |i − j|)', { p, a }, (head, far) => -p[head] * Math.log1p(a[head] * far))
}

/**
 * KERPLE, power: `−a · |i − j|^p`, a not below 0.01, p from 0.01 to 2.
 * Source: chijames/KERPLE `megatron/mpu/layers.py: ParallelKerplePower`.
 * @throws MropeTypeError ERR_MROPE_ARGUMENT, MropeRangeError ERR_MROPE_HEADS | ERR_MROPE_ARGUMENT
 */
export function kerplePower(options: KerpleOptions): AttentionBias {
  const { p, a } = checkKernel('biases.kerplePower', options)
  const powers = p.map((x) => Math.min(x, 2))
  return kernel('kerple-power', '−a · |i − j|^p', { p: powers, a }, (head, far) => -a[head] * far ** powers[head])
}

export const kerpleSource = 'KERPLE, arXiv 2205.09921; chijames/KERPLE 25be3d7 megatron/mpu/layers.py'

/** As the source clamps what it learned. */
const least = 0.01

export function checkKernel(caller: string, options: KerpleOptions): { p: Float64Array; a: Float64Array } {
  checkOptions(caller, options, ['p', 'a'])
  const p = perHead(caller, 'p', options.p, 0)
  const a = perHead(caller, 'a', options.a, 0, p.length)
  return { p: p.map((x) => Math.max(x, least)), a: a.map((x) => Math.max(x, least)) }
}

function kernel(
  name: string,
  formula: string,
  { p, a }: { p: Float64Array; a: Float64Array },
  at: (head: number, distance: number) => number,
): AttentionBias {
  return defineBias(
    {
      name,
      heads: p.length,
      formula,
      evaluated: 'distance',
      readsQueries: false,
      readsKeys: false,
      exchange: 'same',
      parameters: { p: [...p], a: [...a] },
      source: kerpleSource,
      verified: 'source',
    },
    distanceTable(p.length, (head, distance) => at(head, Math.abs(distance))),
  )
}

export interface CableOptions {
  /** What the layer makes of its tokens, `w · x`, before softplus: `(tokens, heads)`, one row for each key. */
  readonly gates: Tensor
}

/**
 * CABLE: `b[i] − b[j]` with `b` the running sum of `−softplus(gate)` of each head: context-dependent, and one number
 * for each token and head to keep. Meant for causal attention; a key behind the query gets a positive bias.
 * Source: axiomlab/Cable.
 * @throws MropeTypeError ERR_MROPE_ARGUMENT, MropeRangeError ERR_MROPE_SHAPE | ERR_MROPE_HEADS
 */
export function cable(options: CableOptions): AttentionBias {
  checkOptions('biases.cable', options, ['gates'])
  if (options.gates === undefined) {
    const text = `biases.cable: gates must be a Tensor, got ${show(options.gates)}`
    throw new MropeTypeError('ERR_MROPE_ARGUMENT', text, options.gates)
  }
  const gates = parameters('biases.cable', 'gates', options.gates, [undefined, undefined])
  const [tokens, heads] = options.gates.dims
  const values = new Float32Array(heads * tokens)
  for (let head = 0; head < heads; head++) {
    let sum = 0
    for (let n = 0; n < tokens; n++) {
      sum -= softplus(gates[n * heads + head])
      values[head * tokens + n] = sum
    }
  }
  return defineBias(
    {
      name: 'cable',
      heads,
      formula: 'b[i] − b[j], b = Σ −softplus(w · x)',
      evaluated: 'difference',
      readsQueries: false,
      readsKeys: false,
      exchange: 'negated',
      parameters: { tokens },
      source: 'axiomlab/Cable 8bc6b83',
      verified: 'source',
    },
    () => ({ kind: 'difference', heads, values }),
  )
}

/** `ln(1 + e^x)` without overflow. */
function softplus(x: number): number {
  return Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)))
}
