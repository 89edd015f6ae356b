import { halves, type Inputs, type Problem, type Storage, storageOf } from '../contest/problem.js'
import type { Node, Value } from './onnx-model.js'

// What is used of onnxruntime-node and onnxruntime-web, so that these files can be checked without the packages.
export interface OrtTensor {
  readonly data: Float32Array | Uint16Array
}
export type Tensors = Record<string, OrtTensor>
export interface OrtSession {
  run(feeds: Tensors, fetches?: Tensors): Promise<Tensors>
}
export interface Ort {
  readonly env: { readonly versions: { readonly common: string } }
  readonly InferenceSession: { create(model: Uint8Array, options: object): Promise<OrtSession> }
  readonly Tensor: new (type: string, data: ArrayBufferView, dims: readonly number[]) => OrtTensor
}

export interface Graph {
  readonly name: string
  readonly nodes: readonly Node[]
  readonly inputs: readonly Value[]
  readonly outputs: readonly Value[]
  readonly feeds: Tensors
  /** Outputs in memory of ours, so that no run allocates. */
  readonly fetches?: Tensors
  readonly results: readonly string[]
  /** Puts a result into `(tokens, heads, headDim)`, where the graph has it in another order. */
  readonly arrange?: (values: Float32Array) => Float32Array
}

export type MakeGraph = (ort: Ort, problem: Problem, inputs: Inputs) => Graph

/** A tensor of these values in this storage. */
export function tensorOf(ort: Ort, type: Storage, values: Float32Array, dims: readonly number[]): OrtTensor {
  return new ort.Tensor(type, type === 'float16' ? halves(values) : values, dims)
}

/** Operators of ONNX Runtime itself. */
export const ownOperators: MakeGraph = (ort, problem, inputs) => {
  if (problem.work === 'rotate') return rotation(ort, problem, inputs)
  if (problem.causal) return groupQueryAttention(ort, problem, inputs)
  return multiHeadAttention(ort, problem, inputs)
}

/** com.microsoft GroupQueryAttention with do_rotary. Past and present share their memory, so the cache is not copied. */
function groupQueryAttention(ort: Ort, problem: Problem, inputs: Inputs): Graph {
  const { work, tokens, heads, kvHeads, headDim } = problem
  const { cache } = storageOf(problem)
  const decode = work === 'decode'
  const queries = decode ? 1 : tokens
  const tensor = (values: Float32Array, dims: readonly number[]) => tensorOf(ort, cache, values, dims)
  const rows = (values: Float32Array) => values.slice((tokens - queries) * kvHeads * headDim)
  const cacheDims = [1, kvHeads, tokens, headDim]
  const past = decode ? [headMajor(problem, inputs.k), headMajor(problem, inputs.v)] : []
  const [presentKey, presentValue] = decode
    ? past.map((values) => tensor(values, cacheDims))
    : [0, 1].map(() => tensor(new Float32Array(kvHeads * tokens * headDim), cacheDims))
  const values: Value[] = [
    { name: 'query', type: cache, rank: 3 },
    { name: 'key', type: cache, rank: 3 },
    { name: 'value', type: cache, rank: 3 },
    ...(decode ? (['past_key', 'past_value'] as const).map((name) => ({ name, type: cache, rank: 4 })) : []),
    { name: 'seqlens_k', type: 'int32', rank: 1 },
    { name: 'total_sequence_length', type: 'int32', rank: 1 },
    { name: 'cos_cache', type: cache, rank: 2 },
    { name: 'sin_cache', type: cache, rank: 2 },
  ]
  const pastNames = decode ? ['past_key', 'past_value'] : ['', '']
  const node: Node = {
    op: 'GroupQueryAttention',
    inputs: ['query', 'key', 'value', ...pastNames, 'seqlens_k', 'total_sequence_length', 'cos_cache', 'sin_cache'],
    outputs: ['output', 'present_key', 'present_value'],
    attributes: [
      ['num_heads', heads],
      ['kv_num_heads', kvHeads],
      ['do_rotary', 1],
    ],
  }
  return {
    name: `GroupQueryAttention, ${cache}`,
    nodes: [node],
    inputs: values,
    outputs: [
      { name: 'output', type: cache, rank: 3 },
      { name: 'present_key', type: cache, rank: 4 },
      { name: 'present_value', type: cache, rank: 4 },
    ],
    feeds: {
      query: tensor(inputs.q, [1, queries, heads * headDim]),
      key: tensor(rows(inputs.k), [1, queries, kvHeads * headDim]),
      value: tensor(rows(inputs.v), [1, queries, kvHeads * headDim]),
      ...(decode ? { past_key: presentKey, past_value: presentValue } : {}),
      seqlens_k: new ort.Tensor('int32', Int32Array.of(tokens - 1), [1]),
      total_sequence_length: new ort.Tensor('int32', Int32Array.of(tokens), [1]),
      cos_cache: tensor(inputs.cos, [tokens, headDim / 2]),
      sin_cache: tensor(inputs.sin, [tokens, headDim / 2]),
    },
    fetches: {
      output: tensor(new Float32Array(queries * heads * headDim), [1, queries, heads * headDim]),
      present_key: presentKey,
      present_value: presentValue,
    },
    results: ['output'],
  }
}

/** com.microsoft RotaryEmbedding of q and k, then MultiHeadAttention; segments are batches. */
function multiHeadAttention(ort: Ort, problem: Problem, inputs: Inputs): Graph {
  const { tokens, heads, headDim, segment = tokens } = problem
  const { type } = storageOf(problem)
  const dims = [tokens / segment, segment, heads * headDim]
  const turning = rotary(ort, problem, inputs, dims.slice(0, 2))
  const attention: Node = {
    op: 'MultiHeadAttention',
    inputs: ['q_turned', 'k_turned', 'value'],
    outputs: ['output'],
    attributes: [['num_heads', heads]],
  }
  return {
    name: 'RotaryEmbedding and MultiHeadAttention',
    nodes: [...turning.nodes, attention],
    inputs: [...turning.inputs, { name: 'value', type, rank: 3 }],
    outputs: [{ name: 'output', type, rank: 3 }],
    feeds: { ...turning.feeds, value: tensorOf(ort, type, inputs.v, dims) },
    fetches: { output: tensorOf(ort, type, new Float32Array(inputs.q.length), dims) },
    results: ['output'],
  }
}

/** RotaryEmbedding and Attention of opset 23; segments are batches. */
export const standardOperators: MakeGraph = (ort, problem, inputs) => {
  const { tokens, heads, kvHeads, headDim, causal, segment = tokens } = problem
  const { type } = storageOf(problem)
  const batch = tokens / segment
  const turning = rotary(ort, problem, inputs, [batch, segment])
  const turns = turning.nodes.map((node) => {
    const [x, positions, cos, sin] = node.inputs
    return { ...node, domain: '', inputs: [x, cos, sin, positions] }
  })
  const attention: Node = {
    op: 'Attention',
    domain: '',
    inputs: ['q_turned', 'k_turned', 'value'],
    outputs: ['output'],
    attributes: [
      ['is_causal', causal ? 1 : 0],
      ['q_num_heads', heads],
      ['kv_num_heads', kvHeads],
    ],
  }
  return {
    name: 'RotaryEmbedding and Attention of opset 23',
    nodes: [...turns, attention],
    inputs: [...turning.inputs, { name: 'value', type, rank: 3 }],
    outputs: [{ name: 'output', type, rank: 3 }],
    feeds: { ...turning.feeds, value: tensorOf(ort, type, inputs.v, [batch, segment, kvHeads * headDim]) },
    // It allocates: ONNX Runtime 1.30 infers a last dimension of 0 and refuses memory of ours.
    results: ['output'],
  }
}

function rotation(ort: Ort, problem: Problem, inputs: Inputs): Graph {
  const { tokens, heads, kvHeads, headDim } = problem
  const { type } = storageOf(problem)
  const turning = rotary(ort, problem, inputs, [1, tokens])
  const empty = (perToken: number) => tensorOf(ort, type, new Float32Array(tokens * perToken), [1, tokens, perToken])
  return {
    name: 'RotaryEmbedding',
    ...turning,
    outputs: ['q_turned', 'k_turned'].map((name) => ({ name, type, rank: 3 })),
    fetches: { q_turned: empty(heads * headDim), k_turned: empty(kvHeads * headDim) },
    results: ['q_turned', 'k_turned'],
  }
}

/** q → q_turned, k → k_turned */
function rotary(ort: Ort, problem: Problem, inputs: Inputs, batch: readonly number[]) {
  const { tokens, heads, kvHeads, headDim } = problem
  const { type } = storageOf(problem)
  const float = (data: Float32Array, dims: readonly number[]) => tensorOf(ort, type, data, dims)
  const turn = (name: string, count: number): Node => ({
    op: 'RotaryEmbedding',
    inputs: [name, 'position_ids', 'cos_cache', 'sin_cache'],
    outputs: [`${name}_turned`],
    attributes: [['num_heads', count]],
  })
  const values: Value[] = [
    { name: 'q', type, rank: 3 },
    { name: 'k', type, rank: 3 },
    { name: 'position_ids', type: 'int64', rank: 2 },
    { name: 'cos_cache', type, rank: 2 },
    { name: 'sin_cache', type, rank: 2 },
  ]
  return {
    nodes: [turn('q', heads), turn('k', kvHeads)],
    inputs: values,
    feeds: {
      q: float(inputs.q, [...batch, heads * headDim]),
      k: float(inputs.k, [...batch, kvHeads * headDim]),
      position_ids: new ort.Tensor(
        'int64',
        BigInt64Array.from({ length: tokens }, (_, i) => BigInt(i)),
        batch,
      ),
      cos_cache: float(inputs.cos, [tokens, headDim / 2]),
      sin_cache: float(inputs.sin, [tokens, headDim / 2]),
    },
  }
}

/** (tokens, kvHeads, headDim) → (kvHeads, tokens, headDim), the layout of ONNX caches */
function headMajor({ tokens, kvHeads, headDim }: Problem, values: Float32Array): Float32Array {
  const out = new Float32Array(values.length)
  for (let token = 0; token < tokens; token++) {
    for (let head = 0; head < kvHeads; head++) {
      const from = (token * kvHeads + head) * headDim
      out.set(values.subarray(from, from + headDim), (head * tokens + token) * headDim)
    }
  }
  return out
}
