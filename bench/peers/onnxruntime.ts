import { createRequire } from 'node:module'
import { float16ToFloat32 } from '../../lib/tensors/half.js'
import { type Contestant, Unable } from '../contest/contestant.js'
import type { Inputs, Problem } from '../contest/problem.js'
import { onnxModel } from './onnx-model.js'
import {
  type Graph,
  type MakeGraph,
  type Ort,
  type OrtSession,
  ownOperators,
  type Tensors,
} from './onnxruntime-graphs.js'

type PackageName = 'onnxruntime-node' | 'onnxruntime-web'
type Provider = keyof typeof providers

/** COREML_FLAG_CREATE_MLPROGRAM and COREML_FLAG_ONLY_ALLOW_STATIC_INPUT_SHAPES; Core ML may take any processor. */
const coreMlFlags = 0x010 | 0x008

/** A graph of which a part would run on the CPU says nothing of a GPU. */
const nothingElse = { extra: { session: { disable_cpu_ep_fallback: '1' } } }

const providers = {
  cpu: { executionProviders: ['cpu'] },
  wasm: { executionProviders: ['wasm'] },
  webgpu: { executionProviders: ['webgpu'], ...nothingElse },
  coreml: { executionProviders: [{ name: 'coreml', coreMlFlags }], ...nothingElse },
} as const

const load = createRequire(import.meta.url)

/** Takes and gives tensors in host memory, whatever the provider, and is waited for after every run. */
export class OnnxRuntime implements Contestant {
  readonly #package: PackageName
  readonly #provider: Provider
  readonly #makeGraph: MakeGraph
  #session: OrtSession | undefined
  #graph: Graph | undefined
  #outputs: Tensors = {}
  #queue = 1

  constructor(name: PackageName, provider: Provider, makeGraph: MakeGraph = ownOperators) {
    this.#package = name
    this.#provider = provider
    this.#makeGraph = makeGraph
  }

  async load(problem: Problem, inputs: Inputs, threads: number): Promise<string> {
    const ort: Ort = load(this.#package)
    const graph = this.#makeGraph(ort, problem, inputs)
    this.#session = await ort.InferenceSession.create(onnxModel(graph.nodes, graph.inputs, graph.outputs), {
      ...providers[this.#provider],
      intraOpNumThreads: threads,
      interOpNumThreads: 1,
      graphOptimizationLevel: 'all',
    }).catch(understand)
    this.#graph = graph
    this.#queue = problem.queue ?? 1
    return `${this.#package} ${ort.env.versions.common}, ${this.#provider}, ${graph.name}`
  }

  async run(): Promise<void> {
    if (this.#session === undefined || this.#graph === undefined) throw new Error('nothing is loaded')
    const { feeds, fetches } = this.#graph
    // onnxruntime-web does not write to memory of ours.
    const into = this.#package === 'onnxruntime-node' ? fetches : undefined
    for (let i = 0; i < this.#queue; i++) this.#outputs = await this.#session.run(feeds, into)
  }

  result(): readonly Float32Array[] {
    const { results, arrange } = this.#graph ?? { results: [] }
    return results.map((name) => {
      const { data } = this.#outputs[name]
      const values = data instanceof Float32Array ? data : Float32Array.from(data, float16ToFloat32)
      return arrange ? arrange(values) : values
    })
  }
}

function understand(error: unknown): never {
  const text = error instanceof Error ? error.message : String(error)
  throw /fallback to CPU EP/i.test(text) ? new Unable('a part of the graph would run on the CPU') : error
}
