import assert from 'node:assert/strict'
import { allocations } from '../lib/allocations/index.js'
import { attendSync } from '../lib/attention/attend.js'
import { biasTensor } from '../lib/biases/data.js'
import { biases } from '../lib/biases/index.js'
import { type SinusoidalOptions, sinusoidal } from '../lib/embeddings/angles.js'
import { Encoding } from '../lib/encodings/encoding.js'
import { layouts } from '../lib/layouts/index.js'
import { Positions } from '../lib/layouts/positions.js'
import { rotate } from '../lib/rotary/rotate.js'
import type { Pairing } from '../lib/rotary/table.js'
import { spectra } from '../lib/spectra/index.js'
import type { Tensor } from '../lib/tensors/tensor.js'
import { type Case, goldenCases, goldenTensors, optionsOf } from './support/encoding-goldens.js'
import { maxError } from './support/tensors.js'

const tensor = goldenTensors('mlx')
const cases = (scheme: string): Case[] => goldenCases.mlx.filter((one) => one.scheme === scheme)

interface RopeOptions {
  readonly pairing: Pairing
  readonly spectrum?: { readonly base: number; readonly dim: number; readonly factor: number }
  /** Radians of a pair are positions over its period. */
  readonly periods?: Tensor
  readonly factor?: number
  readonly inverse?: boolean
  readonly norm?: Tensor
  readonly eps?: number
}

function encodingOf({ spectrum, periods, factor = 1, pairing }: RopeOptions, headDim: number): Encoding {
  const made = spectrum
    ? spectra.linear(spectrum)
    : spectra.explicit(Float64Array.from(periods!.data, (period) => 1 / period / factor))
  const allocation = allocations.single(made.invFreq.length)
  return new Encoding({ name: 'mlx', headDim, layout: layouts.sequential(), spectrum: made, allocation, pairing })
}

const positionsFrom = (first: number, count: number): Positions =>
  Positions.from({ axes: ['n'], ids: [Array.from({ length: count }, (_, i) => first + i)] })

/**
 * How far the float32 angle `id · f` of MLX can be off. It takes f as exp of a logarithm made in float32, so an error of
 * that logarithm is a relative error of f: `logs` is its bound, in units of 2^-23. The power itself, the scaled id and
 * the product are rounded too, which is less than two such units.
 */
const angleError = (id: number, f: number, logs: number): number => Math.abs(id) * f * 2 ** -23 * (2 + logs)

describe('conformance with MLX: rotation', () => {
  for (const one of cases('rotate')) {
    it(`${one.name}: ${one.source}, ${JSON.stringify(one.options)}, first position ${one.offset}`, () => {
      const options = optionsOf(one, tensor) as unknown as RopeOptions
      const [x, expected] = [tensor(`${one.name}.x`), tensor(`${one.name}.vectors`)]
      const [tokens, heads, headDim] = x.dims
      const encoding = encodingOf(options, headDim)
      const { rotaryDim, invFreq, pairing } = encoding
      const positions = positionsFrom(one.offset!, tokens)
      const norm = options.norm && { weight: Float32Array.from(options.norm.data), eps: options.eps! }
      const made = rotate(x, encoding.angles(positions), norm ? { norm } : { inverse: options.inverse ?? false })
      assert.deepEqual(made.dims, expected.dims)
      const largest = norm ? 2 * maxAbs(norm.weight) : maxAbs(x.data)
      for (let i = 0; i < made.data.length; i++) {
        const [id, channel] = [one.offset! + Math.floor(i / (heads * headDim)), i % headDim]
        const f = invFreq[pairing === 'adjacent' ? channel >> 1 : channel % (rotaryDim / 2)]
        // ln(base) / pairs is rounded and its multiple once more: |ln f| · 2^-23.
        const angle = channel < rotaryDim ? angleError(id, f, Math.abs(Math.log(f))) : 0
        // An angle that is off by e moves a pair by e times its length. Channels behind the rotary ones are copies.
        const turned = channel < rotaryDim || norm ? 2 ** -22 + Math.SQRT2 * angle : 0
        const off = Math.abs(made.data[i] - expected.data[i])
        const where = `channel ${channel} at ${id}: ${made.data[i]}, ${expected.data[i]}`
        assert.ok(off <= largest * turned, `${where}, ${off} > ${largest * turned}`)
      }
    })
  }
})

describe('conformance with MLX: attention of rotated queries and keys', () => {
  for (const one of cases('attend')) {
    const [q, k, v, expected] = ['q', 'k', 'v', 'vectors'].map((key) => tensor(`${one.name}.${key}`))
    it(`${one.name}: ${one.source}, q ${JSON.stringify(q.dims)}, k ${JSON.stringify(k.dims)}`, () => {
      const encoding = encodingOf(optionsOf(one, tensor) as unknown as RopeOptions, q.dims[2])
      const made = attendSync({ q, k, v, table: encoding.angles(positionsFrom(0, k.dims[0])) })
      assert.deepEqual(made.dims, expected.dims)
      // Scores and values of about 1, angles that are off by up to 33 · 2^-22.
      assert.ok(maxError(made.data, expected.data) <= 33 * 2 ** -22, `${maxError(made.data, expected.data)}`)
    })
  }
})

describe('conformance with MLX: absolute and relative encodings', () => {
  for (const one of cases('sinusoidal')) {
    it(`${one.name}: ${one.source}, ${JSON.stringify(one.options)}, ids times ${one.stretch}`, () => {
      const { dim, order, base } = optionsOf(one, tensor) as unknown as Required<SinusoidalOptions>
      const expected = tensor(`${one.name}.vectors`)
      const ids = Array.from(tensor(`${one.name}.ids`).data, (id) => id * one.stretch!)
      const made = sinusoidal({ dim, order, base }).vectors(ids)
      assert.deepEqual(made.dims, expected.dims)
      for (let i = 0; i < made.data.length; i++) {
        const [token, channel, half] = [Math.floor(i / dim), i % dim, dim / 2]
        const own = made.data[one.cosinesFirst ? token * dim + ((channel + half) % dim) : i] * one.scale!
        const f = base ** (-(channel % half) / (half - 1))
        // The logarithm is part · ln(max/min) + ln(min), five roundings of up to 1.2 ln(base) · 2^-24 each.
        const most = one.scale! * (2 ** -22 + angleError(ids[token], f, 3 * Math.log(base)))
        const off = Math.abs(own - expected.data[i])
        assert.ok(off <= most, `channel ${channel} at ${ids[token]}: ${own}, ${expected.data[i]}, ${off} > ${most}`)
      }
    })
  }

  for (const one of cases('alibi')) {
    it(`${one.name}: ${one.source}, ${one.queries} queries, ${one.keys} keys`, () => {
      const bias = biases.alibi({ heads: Number(one.options.heads) })
      const expected = tensor(`${one.name}.bias`)
      const made = biasTensor(bias, { heads: bias.heads, queries: one.queries!, keys: one.keys! })
      assert.deepEqual(made.dims, expected.dims)
      made.data.forEach((own, i) => {
        // A slope and its product with the distance are rounded once each.
        const off = Math.abs(own - expected.data[i])
        assert.ok(off <= 2 ** -23 * Math.abs(expected.data[i]), `${own}, ${expected.data[i]}`)
      })
    })
  }

  it('there are cases of every kind', () => {
    const kinds = ['rotate', 'attend', 'sinusoidal', 'alibi']
    assert.deepEqual([...new Set(goldenCases.mlx.map(({ scheme }) => scheme))], kinds)
  })
})

function maxAbs(values: ArrayLike<number>): number {
  return Array.from(values).reduce((most, value) => Math.max(most, Math.abs(value)), 0)
}
