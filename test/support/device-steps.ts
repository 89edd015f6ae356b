import type { MetalCache } from '../../lib/backends/metal/cache.js'
import type { DeviceTensor } from '../../lib/backends/metal/device-tensor.js'
import type { MetalBackend } from '../../lib/backends/metal/metal.js'
import { encodings } from '../../lib/encodings/named.js'
import { Sequence } from '../../lib/sequence/sequence.js'
import { openMetal } from './metal.js'
import { randomTensor } from './tensors.js'

const encoding = encodings.qwen2VL()
const positions = encoding.positions(Sequence.of([{ kind: 'image', grid: [1, 5, 7] }]))
const [heads, dim] = [14, 128]

/** The cache that these steps are for. */
export const shape = { layers: 2, kvHeads: 2, headDim: dim, valueDim: dim, capacity: 40, dtype: 'float16' } as const

/** What a layer gets for tokens `start` to `end`. */
export const inputs = (layer: number, start: number, end: number) => ({
  q: randomTensor('float16', [end - start, heads, dim], 10 * layer + start + 1),
  k: randomTensor('float16', [end - start, 2, dim], 10 * layer + start + 2),
  v: randomTensor('float16', [end - start, 2, dim], 10 * layer + start + 3),
})

export const tableOf = (start: number, end: number) => encoding.angles(positions.slice(start, end))

/** What a test of encoded steps works on. */
export interface EncodingHere {
  readonly backend: MetalBackend
  readonly cache: MetalCache
  readonly steps: DeviceSteps
}

/** Opens a device for the suite, and for every test an empty cache, which `use` takes. */
export function withCache(use: (here: EncodingHere) => void): void {
  let here: EncodingHere | undefined
  let backend: MetalBackend
  let steps: DeviceSteps
  before(async () => {
    backend = await openMetal()
    steps = new DeviceSteps(backend)
  })
  after(() => backend.dispose())
  beforeEach(async () => {
    here = { backend, cache: await backend.openCache(shape), steps }
    use(here)
  })
  afterEach(async () => {
    await here?.cache.dispose()
    steps.dispose()
  })
}

/** Steps in device memory, given back together. */
export class DeviceSteps {
  readonly #backend: MetalBackend
  readonly #kept: DeviceTensor[] = []

  constructor(backend: MetalBackend) {
    this.#backend = backend
  }

  async of(layer: number, start: number, end: number) {
    const [q, k, v] = await Promise.all(Object.values(inputs(layer, start, end)).map((x) => this.#backend.upload(x)))
    this.#kept.push(q, k, v)
    return { q, k, v, table: tableOf(start, end), out: this.room([end - start, heads, dim]) }
  }

  room(dims: readonly number[]): DeviceTensor {
    const tensor = this.#backend.allocate('float16', dims)
    this.#kept.push(tensor)
    return tensor
  }

  dispose(): void {
    for (const tensor of this.#kept.splice(0)) tensor.dispose()
  }
}
