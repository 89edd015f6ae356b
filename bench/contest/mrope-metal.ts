import type { MetalBackend } from '../../lib/backends/metal/metal.js'
import { openBackend } from '../../lib/backends/open.js'
import { encodings } from '../../lib/encodings/named.js'
import { VisionEncoding } from '../../lib/encodings/vision.js'
import { Positions } from '../../lib/layouts/positions.js'
import type { RotaryAngles } from '../../lib/rotary/angles.js'
import { Tensor } from '../../lib/tensors/tensor.js'
import { type Clocks, type Contestant, serve } from './contestant.js'
import {
  bordersOf,
  gridBase,
  gridWidth,
  halves,
  type Inputs,
  type Problem,
  type Storage,
  storageOf,
  textBase,
} from './problem.js'

type DeviceTensor = ReturnType<MetalBackend['allocate']>

/**
 * The `metal` backend through its public interface, as a runtime uses it: tensors are uploaded once, every run writes a
 * device tensor of its own, a queue is all calls before the first is awaited.
 */
class MropeMetal implements Contestant {
  #backend: MetalBackend | undefined
  #reset: () => unknown = () => undefined
  #run: () => Promise<unknown> = async () => undefined
  #results: readonly DeviceTensor[] = []
  #secondsBefore = 0

  async load(problem: Problem, inputs: Inputs): Promise<string> {
    const backend = await openBackend('metal')
    this.#backend = backend
    if (problem.work === 'decode') await this.#decode(backend, problem, inputs)
    else if (problem.work === 'attend') await this.#attend(backend, problem, inputs)
    else await this.#rotate(backend, problem, inputs)
    return `mrope, ${backend.device}, ${storageOf(problem).type}`
  }

  async reset(): Promise<void> {
    await this.#reset()
    this.#secondsBefore = this.#gpuSeconds()
  }

  run(): Promise<unknown> {
    return this.#run()
  }

  clocks(): Clocks {
    return { gpuMs: 1000 * (this.#gpuSeconds() - this.#secondsBefore) }
  }

  result(): Promise<readonly Float32Array[]> {
    return Promise.all(this.#results.map(async (tensor) => (await tensor.read()).toFloat32()))
  }

  /** A rotation of one pair by nothing moves everything else as it is. */
  async copy(bytes: number): Promise<number> {
    const backend = this.#open()
    const dims = [Math.ceil(bytes / 2 / 128), 1, 128]
    const [from, to] = [backend.allocate('float16', dims), backend.allocate('float16', dims)]
    const angles = encodings.llama({ headDim: 2 }).angles(text(new Array(dims[0]).fill(0)))
    const all: number[] = []
    for (let i = 0; i < 7; i++) {
      const before = this.#gpuSeconds()
      await backend.rotate(from, angles, { out: to })
      all.push(1000 * (this.#gpuSeconds() - before))
    }
    from.dispose()
    to.dispose()
    return Math.min(...all)
  }

  async #attend(backend: MetalBackend, problem: Problem, inputs: Inputs): Promise<void> {
    const { tokens, heads, kvHeads, headDim, causal, queue = 1 } = problem
    const { type } = storageOf(problem)
    const q = await backend.upload(stored(type, inputs.q, [tokens, heads, headDim]))
    const k = await backend.upload(stored(type, inputs.k, [tokens, kvHeads, headDim]))
    const v = await backend.upload(stored(type, inputs.v, [tokens, kvHeads, headDim]))
    const table = anglesOf(problem)
    const cuSeqlens = bordersOf(problem)
    const mask = cuSeqlens.length > 2 ? { causal, cuSeqlens } : { causal }
    const outs = Array.from({ length: queue }, () => backend.allocate(type, q.dims))
    this.#results = outs.slice(-1)
    this.#run = () => Promise.all(outs.map((out) => backend.attend({ q, k, v, table, mask, out })))
  }

  /** A step in each layer of a cache. */
  async #decode(backend: MetalBackend, problem: Problem, inputs: Inputs): Promise<void> {
    const { tokens, heads, kvHeads, headDim, queue = 1 } = problem
    const { type, cache: dtype } = storageOf(problem)
    const before = tokens - 1
    const last = before * kvHeads * headDim
    const dims = [before, kvHeads, headDim] as const
    const cache = await backend.openCache({
      layers: queue,
      kvHeads,
      headDim,
      valueDim: headDim,
      capacity: tokens,
      dtype,
    })
    // The keys are rotated; what a window of one token attends to is of no interest, and is soon done.
    const k = await backend.upload(stored(dtype, inputs.k.subarray(0, last), dims))
    const v = await backend.upload(stored(dtype, inputs.v.subarray(0, last), dims))
    const nothing = backend.allocate(dtype, dims)
    for (let layer = 0; layer < queue; layer++) {
      await cache.attend(layer, { q: k, k, v, window: 1, out: nothing })
    }
    for (const tensor of [k, v, nothing]) tensor.dispose()
    const query = await backend.upload(stored(type, inputs.q, [1, heads, headDim]))
    const key = await backend.upload(stored(type, inputs.k.slice(last), [1, kvHeads, headDim]))
    const value = await backend.upload(stored(type, inputs.v.slice(last), [1, kvHeads, headDim]))
    const table = anglesOf(problem)
    const outs = Array.from({ length: queue }, () => backend.allocate(type, query.dims))
    this.#results = outs.slice(-1)
    this.#run = () =>
      Promise.all(outs.map((out, layer) => cache.attend(layer, { q: query, k: key, v: value, table, out })))
    this.#reset = async () => {
      if (cache.length(0) === tokens) await cache.drop(before, 1)
    }
  }

  async #rotate(backend: MetalBackend, problem: Problem, inputs: Inputs): Promise<void> {
    const { tokens, heads, kvHeads, headDim, queue = 1 } = problem
    const { type } = storageOf(problem)
    const q = await backend.upload(stored(type, inputs.q, [tokens, heads, headDim]))
    const k = await backend.upload(stored(type, inputs.k, [tokens, kvHeads, headDim]))
    const table = anglesOf(problem)
    const outs = Array.from({ length: queue }, () => [q, k].map(({ dims }) => backend.allocate(type, dims)))
    this.#results = outs[queue - 1]
    const turn = (x: DeviceTensor, out: DeviceTensor) => backend.rotate(x, table, { out })
    this.#run = () => Promise.all(outs.flatMap((out) => [turn(q, out[0]), turn(k, out[1])]))
  }

  #gpuSeconds(): number {
    return this.#open().info().gpuSeconds
  }

  #open(): MetalBackend {
    if (this.#backend === undefined) throw new Error('nothing is loaded')
    return this.#backend
  }
}

function stored(type: Storage, values: Float32Array, dims: readonly number[]): Tensor {
  return new Tensor(type, type === 'float16' ? halves(values) : values.slice(), dims)
}

/** Ids and frequencies: the kernels make the angles. */
function anglesOf({ work, tokens, headDim, positions }: Problem): RotaryAngles {
  if (positions === 'text') {
    const ids = work === 'decode' ? [tokens - 1] : Array.from({ length: tokens }, (_, i) => i)
    return encodings.llama({ headDim, base: textBase }).angles(text(ids))
  }
  const { encoding } = new VisionEncoding({ name: 'tower', headDim, base: gridBase, merge: 1 })
  const rows = Array.from({ length: tokens }, (_, i) => Math.floor(i / gridWidth))
  const columns = rows.map((_, i) => i % gridWidth)
  return encoding.angles(Positions.from({ axes: ['h', 'w'], ids: [rows, columns] }))
}

function text(ids: readonly number[]): Positions {
  return Positions.from({ axes: ['position'], ids: [ids] })
}

await serve(new MropeMetal())
