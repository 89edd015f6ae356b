import { readdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

// The functions of ggml that the benchmark calls, through koffi. All handles are opaque pointers.

declare const pointer: unique symbol
export interface Pointer {
  readonly [pointer]: true
}

type Native = (...args: readonly unknown[]) => unknown
interface Library {
  func(prototype: string): Native
}
interface Koffi {
  load(path: string, options?: { readonly global?: boolean }): Library
  struct(name: string, fields: Readonly<Record<string, string>>): unknown
}

export interface Ggml {
  readonly name: string
  readonly functions: Functions<keyof typeof baseFunctions>
  /** A ggml_backend of the processor that was asked for. */
  readonly backend: Pointer
}

/** A library is unloaded when nothing refers to it any more, whatever its memory is still used for. */
const loaded: Library[] = []

type Functions<Names extends string> = Readonly<Record<Names, Native>>

const rope = 'void *b, void *c, int n_dims, const int *sections, int mode, int n_ctx_orig, float freq_base'
const ropeRest = 'float freq_scale, float ext_factor, float attn_factor, float beta_fast, float beta_slow'

const baseFunctions = {
  init: 'void *ggml_init(mrope_bench_ggml_params params)',
  newTensor: 'void *ggml_new_tensor_4d(void *ctx, int type, int64_t a, int64_t b, int64_t c, int64_t d)',
  ropeMulti: `void *ggml_rope_multi(void *ctx, void *a, ${rope}, ${ropeRest})`,
  ropeMultiInPlace: `void *ggml_rope_multi_inplace(void *ctx, void *a, ${rope}, ${ropeRest})`,
  reshape: 'void *ggml_reshape_4d(void *ctx, void *a, int64_t n0, int64_t n1, int64_t n2, int64_t n3)',
  permute: 'void *ggml_permute(void *ctx, void *a, int a0, int a1, int a2, int a3)',
  view3d: 'void *ggml_view_3d(void *ctx, void *a, int64_t n0, int64_t n1, int64_t n2, size_t b1, size_t b2, size_t at)',
  copy: 'void *ggml_cpy(void *ctx, void *from, void *to)',
  attention:
    'void *ggml_flash_attn_ext(void *ctx, void *q, void *k, void *v, void *mask, float scale, float bias, float cap)',
  newGraph: 'void *ggml_new_graph_custom(void *ctx, size_t nodes, bool grads)',
  expand: 'void ggml_build_forward_expand(void *graph, void *tensor)',
  supports: 'bool ggml_backend_supports_op(void *backend, void *op)',
  allocate: 'void *ggml_backend_alloc_ctx_tensors(void *ctx, void *backend)',
  set: 'void ggml_backend_tensor_set(void *tensor, const void *data, size_t at, size_t bytes)',
  get: 'void ggml_backend_tensor_get(void *tensor, _Out_ uint8_t *data, size_t at, size_t bytes)',
  bytes: 'size_t ggml_nbytes(void *tensor)',
  compute: 'int ggml_backend_graph_compute(void *backend, void *graph)',
  device: 'void *ggml_backend_get_device(void *backend)',
  description: 'const char *ggml_backend_dev_description(void *device)',
}

const cpuFunctions = {
  init: 'void *ggml_backend_cpu_init()',
  setThreads: 'void ggml_backend_cpu_set_n_threads(void *backend, int threads)',
  setPool: 'void ggml_backend_cpu_set_threadpool(void *backend, void *pool)',
  newPool: 'void *ggml_threadpool_new(void *params)',
}

const poolFunction = 'void ggml_threadpool_params_init(_Out_ uint8_t *params, int threads)'
const metalFunction = 'void *ggml_backend_metal_init()'

/** Where node-llama-cpp has its builds of ggml. */
const builds: Readonly<Record<string, { readonly build: string; readonly base: string } | undefined>> = {
  'linux x64': { build: 'linux-x64', base: 'libggml-base.so' },
  'darwin arm64': { build: 'mac-arm64-metal', base: 'libggml-base.dylib' },
}

/** Loads ggml with a backend for the CPU or, on a Mac, for the GPU. */
export function loadGgml(processor: 'cpu' | 'metal', threads: number): Ggml {
  const here = `${process.platform} ${process.arch}`
  const found = builds[here]
  if (found === undefined) throw new Error(`no build of ggml for ${here} is listed`)
  const require = createRequire(import.meta.url)
  const koffi: Koffi = require('koffi')
  const packageName = `@node-llama-cpp/${found.build}`
  // The package exports its entry only, dist/index.js.
  const root = join(dirname(require.resolve(packageName)), '..')
  const { version } = require(join(root, 'package.json'))
  const folder = join(root, 'bins', found.build)
  koffi.struct('mrope_bench_ggml_params', { size: 'size_t', memory: 'void *', no_alloc: 'bool' })
  const base = koffi.load(join(folder, found.base), { global: true })
  const functions = functionsOf(base, baseFunctions)
  const { file, backend } =
    processor === 'metal' ? metalBackend(koffi, folder) : cpuBackend(koffi, folder, base, threads)
  const device = functions.description(functions.device(backend))
  return {
    name: `ggml of ${packageName} ${version}, ${file.replace(/^lib|\.so$/g, '')}, ${device}`,
    functions,
    backend,
  }
}

/** The build of the CPU backend that ggml rates best for this processor, as it chooses itself. */
function cpuBackend(koffi: Koffi, folder: string, base: Library, threads: number) {
  const [{ file, library }] = readdirSync(folder)
    .filter((name) => /^libggml-cpu-.*\.so$/.test(name))
    .map((name) => ({ file: name, library: koffi.load(join(folder, name)) }))
    .map((one) => ({ ...one, score: Number(one.library.func('int ggml_backend_score()')()) }))
    .sort((a, b) => b.score - a.score)
  loaded.push(library)
  const cpu = functionsOf(library, cpuFunctions)
  const backend = cpu.init() as Pointer
  // Larger than the structure; without a pool every run would start its threads.
  const params = Buffer.alloc(4096)
  base.func(poolFunction)(params, threads)
  cpu.setThreads(backend, threads)
  cpu.setPool(backend, cpu.newPool(params))
  return { file, backend }
}

function metalBackend(koffi: Koffi, folder: string) {
  const file = 'libggml-metal.so'
  const library = koffi.load(join(folder, file))
  loaded.push(library)
  const backend = library.func(metalFunction)() as Pointer | null
  if (backend === null) throw new Error('ggml_backend_metal_init found no device')
  return { file, backend }
}

function functionsOf<Names extends string>(library: Library, prototypes: Record<Names, string>): Functions<Names> {
  const entries = Object.entries<string>(prototypes).map(([name, prototype]) => [name, library.func(prototype)])
  return Object.fromEntries(entries)
}
