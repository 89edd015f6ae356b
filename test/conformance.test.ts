import assert from 'node:assert/strict'
import { attendSync } from '../lib/attention/attend.js'
import type { AttentionBias } from '../lib/biases/bias.js'
import { biasTensor } from '../lib/biases/data.js'
import { biases } from '../lib/biases/index.js'
import { t5Bucket } from '../lib/biases/t5.js'
import type { AbsoluteEmbedding } from '../lib/embeddings/embedding.js'
import { embeddings } from '../lib/embeddings/index.js'
import { resizeGrid } from '../lib/embeddings/interpolate.js'
import type { Encoding } from '../lib/encodings/encoding.js'
import { gridPositions } from '../lib/encodings/grids/coordinates.js'
import { visionEncodings } from '../lib/encodings/grids/index.js'
import { rotate } from '../lib/rotary/rotate.js'
import type { Pairing } from '../lib/rotary/table.js'
import { Sequence } from '../lib/sequence/sequence.js'
import { Tensor } from '../lib/tensors/tensor.js'
import { type Case, goldenCases, goldenTensors, optionsOf } from './support/encoding-goldens.js'
import { maxError } from './support/tensors.js'

/** Calls the entry of a registry that a case names. */
function make<T>(registry: object, one: Case, tensor: (name: string) => Tensor): T {
  const entry: unknown = Reflect.get(registry, one.scheme)
  assert.ok(typeof entry === 'function', one.scheme)
  return entry(optionsOf(one, tensor)) as T
}

/**
 * The published code keeps frequencies and angles in float32, each rounded twice or so: an angle errs by about its size
 * times 2^-22.
 */
function tolerance(largestAngle: number): number {
  return 2 ** -23 + 2 ** -22 * largestAngle
}

describe('conformance: encodings of grids', () => {
  const tensor = goldenTensors('rotary')
  for (const one of goldenCases.rotary) {
    it(`${one.name}: ${one.source}, ${JSON.stringify(one.grids)} behind ${one.text} text tokens`, () => {
      const encoding = make<Encoding>(visionEncodings, one, tensor)
      const blocks = (one.grids ?? []).map((grid) => ({
        kind: grid[0] === 1 ? ('image' as const) : ('video' as const),
        grid,
      }))
      const positions = encoding.positions(Sequence.of([{ kind: 'text', length: one.text ?? 0 }, ...blocks]))
      const table = encoding.table(positions)
      const reach = positions.ids.reduce((most, id) => Math.max(most, Math.abs(id)), 0)
      const weights = encoding.allocation.directions?.reduce((most, u) => Math.max(most, Math.abs(u)), 0) ?? 1
      const fastest = encoding.invFreq.reduce((most, f) => Math.max(most, f), 0)
      const most = tolerance(2 * reach * fastest * weights)
      const [cos, sin] = [tensor(`${one.name}.cos`), tensor(`${one.name}.sin`)]
      assert.deepEqual(cos.dims.length === 3 ? cos.dims : [1, ...cos.dims], table.shape)
      assert.ok(maxError(table.cos, cos.data) <= most, `cos ${maxError(table.cos, cos.data)} > ${most}`)
      assert.ok(maxError(table.sin, sin.data) <= most, `sin ${maxError(table.sin, sin.data)} > ${most}`)
      assert.equal(encoding.verified, 'run')
    })
  }
})

describe('conformance: absolute encodings', () => {
  const tensor = goldenTensors('tables')
  for (const one of goldenCases.tables) {
    it(`${one.name}: ${one.source}`, () => {
      const expected = tensor(`${one.name}.vectors`)
      if (one.scheme === 'rotate') {
        const [cos, sin] = ['cos', 'sin'].map((key) => tensor(`${one.name}.${key}`))
        const table = {
          cos: cos.data as Float32Array,
          sin: sin.data as Float32Array,
          shape: [1, cos.dims[1], cos.dims[2]] as const,
          pairing: one.options.pairing as Pairing,
        }
        assert.ok(maxError(rotate(tensor(`${one.name}.x`), table).data, expected.data) <= 2 ** -21)
        return
      }
      if (one.scheme === 'learned') {
        const learned = embeddings.learned({ table: tensor(`${one.name}.table`), ...one.options })
        const resized = learned.at(one.to!).vectors(gridPositions(one.to!))
        assert.ok(maxError(resized.data, expected.data) <= 2 ** -19, `${maxError(resized.data, expected.data)}`)
        return
      }
      const embedding = make<AbsoluteEmbedding>(embeddings, one, tensor)
      const positions = one.grid ? gridPositions(one.grid, one.coordinates) : Array.from({ length: 33 }, (_, i) => i)
      const vectors = embedding.vectors(positions)
      // DETR adds 1e-6 to the side it divides by, which moves angles of 2π by 2e-6.
      const most = tolerance(33) + (one.name === 'detr-normed' ? 2.2e-6 : 0)
      assert.deepEqual(vectors.dims, expected.dims)
      assert.ok(maxError(vectors.data, expected.data) <= most, `${maxError(vectors.data, expected.data)} > ${most}`)
    })
  }
})

describe('conformance: relative encodings', () => {
  const tensor = goldenTensors('biases')
  for (const one of goldenCases.biases) {
    it(`${one.name}: ${one.source}`, () => {
      const { name, options } = one
      if (one.scheme === 't5Bucket') {
        const expected = tensor(`${name}.buckets`).data
        const differs = Array.from(expected).findIndex((bucket, i) => t5Bucket(i - 1999, options) !== bucket)
        assert.equal(
          differs,
          -1,
          `distance ${differs - 1999}: ${t5Bucket(differs - 1999, options)}, ${expected[differs]}`,
        )
        return
      }
      if (name === 'shaw' || name === 'transformer-xl') {
        const parts = Object.fromEntries(['q', 'k', 'v', 'out'].map((key) => [key, tensor(`${name}.${key}`)]))
        const bias =
          name === 'shaw'
            ? biases.shaw({ embeddings: tensor('shaw.embeddings'), left: 6, right: 4 })
            : biases.transformerXL({
                relative: tensor(`${name}.relative`),
                farthest: 32,
                u: tensor(`${name}.u`),
                v: tensor(`${name}.v_bias`),
              })
        const { q, k, v, out } = parts
        const made = attendSync({ q, k, v, bias, mask: 'bidirectional' })
        // Scores of the published code reach 20 and are summed in float32.
        assert.ok(maxError(made.data, out.data) <= 2 ** -17, `${maxError(made.data, out.data)}`)
        return
      }
      const bias = make<AttentionBias>(biases, one, tensor)
      if (one.scheme === 'bloom' || one.scheme === 'mpt') {
        // One row for all queries: only differences between keys count.
        const expected = tensor(`${name}.keys`).data
        const made = biasTensor(bias, { heads: bias.heads, queries: 1, keys: 9 }).data
        for (let head = 0; head < bias.heads; head++) {
          for (let key = 0; key < 8; key++) {
            const step = expected[head * 9 + key + 1] - expected[head * 9 + key]
            const own = made[head * 9 + key + 1] - made[head * 9 + key]
            assert.ok(Math.abs(step - own) <= 2 ** -21, `head ${head}, key ${key}: ${own}, ${step}`)
          }
        }
        return
      }
      const expected = tensor(`${name}.bias`)
      const made = biasTensor(name === 'beit-oblong' ? exchanged(one, tensor) : bias, {
        heads: bias.heads,
        queries: one.keys!,
        keys: one.keys!,
      })
      assert.deepEqual(made.dims, expected.dims)
      assert.ok(maxError(made.data, expected.data) <= 2 ** -18, `${maxError(made.data, expected.data)}`)
    })
  }
})

/** The published code reads a table that is not square with rows and columns exchanged; mrope does not. */
function exchanged({ name }: Case, tensor: (name: string) => Tensor): AttentionBias {
  const { data, dims } = tensor(`${name}.table`)
  const values = Float32Array.from(data)
  const spatial = { values: values.subarray(0, 5 * 9 * dims[1]), rows: 9, columns: 5 }
  const read = resizeGrid(spatial, [5, 9], { kernel: 'bilinear', alignCorners: false })
  const table = new Tensor('float32', Float32Array.from([...read, ...values.subarray(5 * 9 * dims[1])]), dims)
  return biases.beit({ window: [3, 5], table })
}
