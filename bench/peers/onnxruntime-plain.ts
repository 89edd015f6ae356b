import { type Inputs, type Problem, storageOf } from '../contest/problem.js'
import type { Node, Value } from './onnx-model.js'
import { type Graph, type MakeGraph, type Ort, tensorOf } from './onnxruntime-graphs.js'

/**
 * The problem in operators that Core ML has, with shapes that never change: q, k and v as `(batch, heads, tokens of a
 * batch, headDim)`, the scale in the cosines and sines of the queries. The whole matrix of scores is in memory.
 */
export const plainOperators: MakeGraph = (ort, problem, inputs) => {
  const { work, tokens, heads, kvHeads, headDim, segment = tokens } = problem
  const { type } = storageOf(problem)
  const batch = tokens / segment
  const dims = (count: number) => [batch, count, segment, headDim]
  const q = turned(ort, problem, inputs, 'q', dims(heads), work === 'rotate' ? 1 : 1 / Math.sqrt(headDim))
  const k = turned(ort, problem, inputs, 'k', dims(kvHeads), 1)
  const arrange = (values: Float32Array) => swapped(values, batch, values.length / tokens / headDim, segment, headDim)
  if (work === 'rotate') {
    return {
      name: 'plain operators',
      nodes: [...q.nodes, ...k.nodes],
      inputs: [...q.inputs, ...k.inputs],
      outputs: [output('q_turned', dims(heads)), output('k_turned', dims(kvHeads))],
      feeds: { ...q.feeds, ...k.feeds },
      results: ['q_turned', 'k_turned'],
      arrange,
    }
  }
  if (problem.causal || heads !== kvHeads) throw new Error('plain operators are for vision towers')
  const attention: Node[] = [
    plain('Transpose', ['k_turned'], ['k_across'], [['perm', [0, 1, 3, 2]]]),
    plain('MatMul', ['q_turned', 'k_across'], ['scores']),
    plain('Softmax', ['scores'], ['weights'], [['axis', 3]]),
    plain('MatMul', ['weights', 'v'], ['output']),
  ]
  const v = tensorOf(ort, type, swapped(inputs.v, batch, segment, heads, headDim), dims(heads))
  return {
    name: 'plain operators',
    nodes: [...q.nodes, ...k.nodes, ...attention],
    inputs: [...q.inputs, ...k.inputs, output('v', dims(heads))],
    outputs: [output('output', dims(heads))],
    feeds: { ...q.feeds, ...k.feeds, v },
    results: ['output'],
    arrange,
  }

  function output(name: string, sizes: readonly number[]): Value {
    return { name, type, rank: sizes.length, dims: sizes }
  }
}

/** x → x_turned, half-split */
function turned(ort: Ort, problem: Problem, inputs: Inputs, x: 'q' | 'k', dims: readonly number[], scale: number) {
  const { type } = storageOf(problem)
  const [batch, heads, segment, headDim] = dims
  const half = [batch, 1, segment, headDim / 2]
  const [a, b, cos, sin] = ['a', 'b', 'cos', 'sin'].map((name) => `${x}_${name}`)
  const scaled = (values: Float32Array) =>
    tensorOf(ort, type, scale === 1 ? values : values.map((y) => y * scale), half)
  const nodes: Node[] = [
    plain(
      'Split',
      [x],
      [a, b],
      [
        ['axis', 3],
        ['num_outputs', 2],
      ],
    ),
    plain('Mul', [a, cos], [`${a}_cos`]),
    plain('Mul', [b, sin], [`${b}_sin`]),
    plain('Sub', [`${a}_cos`, `${b}_sin`], [`${x}_first`]),
    plain('Mul', [b, cos], [`${b}_cos`]),
    plain('Mul', [a, sin], [`${a}_sin`]),
    plain('Add', [`${b}_cos`, `${a}_sin`], [`${x}_second`]),
    plain('Concat', [`${x}_first`, `${x}_second`], [`${x}_turned`], [['axis', 3]]),
  ]
  const values: Value[] = [
    { name: x, type, rank: 4, dims },
    { name: cos, type, rank: 4, dims: half },
    { name: sin, type, rank: 4, dims: half },
  ]
  const feeds: Graph['feeds'] = {
    [x]: tensorOf(ort, type, swapped(inputs[x], batch, segment, heads, headDim), dims),
    [cos]: scaled(inputs.cos),
    [sin]: scaled(inputs.sin),
  }
  return { nodes, inputs: values, feeds }
}

function plain(
  op: string,
  inputs: readonly string[],
  outputs: readonly string[],
  attributes?: Node['attributes'],
): Node {
  return { op, domain: '', inputs, outputs, attributes }
}

/** (batch, a, b, dim) → (batch, b, a, dim) */
function swapped(values: Float32Array, batch: number, a: number, b: number, dim: number): Float32Array {
  const out = new Float32Array(values.length)
  for (let n = 0, from = 0; n < batch; n++) {
    for (let i = 0; i < a; i++) {
      for (let j = 0; j < b; j++, from += dim) {
        out.set(values.subarray(from, from + dim), ((n * b + j) * a + i) * dim)
      }
    }
  }
  return out
}
