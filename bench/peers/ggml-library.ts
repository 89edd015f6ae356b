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
  view(value: Pointer, bytes: number): ArrayBuffer
}

export interface Ggml {
  readonly name: string
  readonly koffi: Koffi
  readonly base: Record<keyof typeof baseFunctions, Native>
  readonly cpu: Record<keyof typeof cpuFunctions, Native>
}

const rope = 'void *b, void *c, int n_dims, const int *sections, int mode, int n_ctx_orig, float freq_base'
const ropeRest = 'float freq_scale, float ext_factor, float attn_factor, float beta_fast, float beta_slow'

const baseFunctions = {
  init: 'void *ggml_init(mrope_bench_ggml_params params)',
  newTensor: 'void *ggml_new_tensor_4d(void *ctx, int type, int64_t a, int64_t b, int64_t c, int64_t d)',
  data: 'void *ggml_get_data(void *tensor)',
  ropeMulti: `void *ggml_rope_multi(void *ctx, void *a, ${rope}, ${ropeRest})`,
  reshape: 'void *ggml_reshape_4d(void *ctx, void *a, int64_t n0, int64_t n1, int64_t n2, int64_t n3)',
  permute: 'void *ggml_permute(void *ctx, void *a, int a0, int a1, int a2, int a3)',
  view3d: 'void *ggml_view_3d(void *ctx, void *a, int64_t n0, int64_t n1, int64_t n2, size_t b1, size_t b2, size_t at)',
  copy: 'void *ggml_cpy(void *ctx, void *from, void *to)',
  attention:
    'void *ggml_flash_attn_ext(void *ctx, void *q, void *k, void *v, void *mask, float scale, float bias, float cap)',
  newGraph: 'void *ggml_new_graph(void *ctx)',
  expand: 'void ggml_build_forward_expand(void *graph, void *tensor)',
  compute: 'int ggml_backend_graph_compute(void *backend, void *graph)',
}

const cpuFunctions = {
  cpuInit: 'void *ggml_backend_cpu_init()',
  setThreads: 'void ggml_backend_cpu_set_n_threads(void *backend, int threads)',
  setPool: 'void ggml_backend_cpu_set_threadpool(void *backend, void *pool)',
  newPool: 'void *ggml_threadpool_new(void *params)',
}

const poolFunction = 'void ggml_threadpool_params_init(_Out_ uint8_t *params, int threads)'

/** Loads ggml with the build of its CPU backend that it rates best for this processor, as it does itself. */
export function loadGgml(threads: number): { ggml: Ggml; backend: Pointer } {
  const require = createRequire(import.meta.url)
  const koffi: Koffi = require('koffi')
  // The package exports its entry only, dist/index.js.
  const root = join(dirname(require.resolve('@node-llama-cpp/linux-x64')), '..')
  const { version } = require(join(root, 'package.json'))
  const folder = join(root, 'bins', 'linux-x64')
  koffi.struct('mrope_bench_ggml_params', { size: 'size_t', memory: 'void *', no_alloc: 'bool' })
  const base = koffi.load(join(folder, 'libggml-base.so'), { global: true })
  const [best] = readdirSync(folder)
    .filter((file) => /^libggml-cpu-.*\.so$/.test(file))
    .map((file) => ({ file, library: koffi.load(join(folder, file)) }))
    .map(({ file, library }) => ({ file, library, score: Number(library.func('int ggml_backend_score()')()) }))
    .sort((a, b) => b.score - a.score)
  const ggml: Ggml = {
    name: `ggml of @node-llama-cpp/linux-x64 ${version}, ${best.file.replace(/^lib|\.so$/g, '')}`,
    koffi,
    base: functions(base, baseFunctions),
    cpu: functions(best.library, cpuFunctions),
  }
  // Larger than the structure; without a pool every run would start its threads.
  const params = Buffer.alloc(4096)
  base.func(poolFunction)(params, threads)
  const backend = ggml.cpu.cpuInit() as Pointer
  ggml.cpu.setThreads(backend, threads)
  ggml.cpu.setPool(backend, ggml.cpu.newPool(params))
  return { ggml, backend }
}

function functions<Names extends string>(library: Library, prototypes: Record<Names, string>): Record<Names, Native> {
  const entries = Object.entries<string>(prototypes).map(([name, prototype]) => [name, library.func(prototype)])
  return Object.fromEntries(entries)
}
