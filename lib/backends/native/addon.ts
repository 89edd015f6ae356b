/** The one description of the native module for TypeScript; its other side is native/addon.cc and native/binding. */
export interface NativeAddon {
  info(): {
    readonly instructions: string
    readonly available: string
    readonly compiler: string
    readonly threads: number
  }
  /** For the whole process. */
  setThreads(count: number): void
  useInstructions(name: string): void
  createAbort(): AbortHandle
  abort(handle: AbortHandle): void

  attend(...args: [...AttendArguments, abort: AbortHandle | undefined]): Promise<boolean>
  attendSync(...args: AttendArguments): void
  rotate(...args: [...RotateArguments, abort: AbortHandle | undefined]): Promise<boolean>
  rotateSync(...args: RotateArguments): void
  table(...args: [...TableArguments, abort: AbortHandle | undefined]): Promise<boolean>
  tableSync(...args: TableArguments): void

  /** Keys and values of one layer; `params` holds the numbers of `cachePlaces`. */
  cacheCreate(params: Float64Array): CacheHandle
  cacheDispose(cache: CacheHandle): void
  cacheTruncate(cache: CacheHandle, length: number): void
  /** Rotates, appends and attends, or leaves the cache as it was. */
  cacheStep(cache: CacheHandle, ...args: [...AttendArguments, abort: AbortHandle | undefined]): Promise<boolean>
  cacheStepSync(cache: CacheHandle, ...args: AttendArguments): void
  cacheAppend(cache: CacheHandle, ...args: [...AppendArguments, abort: AbortHandle | undefined]): Promise<boolean>
  cacheAppendSync(cache: CacheHandle, ...args: AppendArguments): void
  cacheAttend(cache: CacheHandle, ...args: [...CachedArguments, abort: AbortHandle | undefined]): Promise<boolean>
  cacheAttendSync(cache: CacheHandle, ...args: CachedArguments): void
  cacheDrop(cache: CacheHandle, ...args: [...DropArguments, abort: AbortHandle | undefined]): Promise<boolean>
  /** `params` holds the numbers of `readPlaces`. */
  cacheRead(cache: CacheHandle, params: Float64Array, k: Storage, v: Storage): void
}

declare const abortBrand: unique symbol
export interface AbortHandle {
  readonly [abortBrand]: true
}

declare const cacheBrand: unique symbol
export interface CacheHandle {
  readonly [cacheBrand]: true
}

type Storage = Float32Array | Uint16Array
type Optional<T> = T | undefined

/** `params` holds the numbers of `attendPlaces`. */
export type AttendArguments = [
  params: Float64Array,
  q: Storage,
  k: Storage,
  v: Storage,
  out: Storage,
  cos: Optional<Float32Array>,
  sin: Optional<Float32Array>,
  bias: Optional<Storage>,
  cuSeqlens: Optional<Int32Array>,
  scales: Optional<Float64Array>,
  qNorm: Optional<Float32Array>,
  kNorm: Optional<Float32Array>,
]

/** As `AttendArguments`, with the keys and values of the cache. */
export type CachedArguments = [
  params: Float64Array,
  q: Storage,
  out: Storage,
  cos: Optional<Float32Array>,
  sin: Optional<Float32Array>,
  bias: Optional<Storage>,
  cuSeqlens: Optional<Int32Array>,
  scales: Optional<Float64Array>,
  qNorm: Optional<Float32Array>,
  kNorm: Optional<Float32Array>,
]

/** `params` holds the numbers of `appendPlaces`. */
export type AppendArguments = [
  params: Float64Array,
  k: Storage,
  v: Storage,
  cos: Optional<Float32Array>,
  sin: Optional<Float32Array>,
  kNorm: Optional<Float32Array>,
]

/** `params` holds the numbers of `dropPlaces`. */
export type DropArguments = [params: Float64Array, cos: Optional<Float32Array>, sin: Optional<Float32Array>]

/** `params` holds the numbers of `rotatePlaces`. */
export type RotateArguments = [
  params: Float64Array,
  x: Storage,
  out: Storage,
  cos: Float32Array,
  sin: Float32Array,
  norm: Optional<Float32Array>,
]

/** `params` holds the numbers of `tablePlaces`. */
export type TableArguments = [
  params: Float64Array,
  ids: Float64Array,
  invFreq: Float64Array,
  axisOf: Optional<Int32Array>,
  directions: Optional<Float64Array>,
  cos: Float32Array,
  sin: Float32Array,
]

/** Places in `params`, the enums of native/binding/layout.h; a test holds them together. */
export const attendPlaces = places(
  ...['qType', 'kType', 'vType', 'outType', 'queries', 'keys', 'heads', 'kvHeads', 'headDim', 'valueDim'],
  ...['queryOffset', 'flags', 'window', 'padding', 'tableHeads', 'tableTokens', 'pairs', 'tableOffset'],
  ...[
    'scale',
    'qEps',
    'kEps',
    'biasKind',
    'biasType',
    'biasHeads',
    'biasSpan',
    'biasOrigin',
    'biasRows',
    'biasColumns',
  ],
)
export const rotatePlaces = places(
  'xType',
  'outType',
  'tokens',
  'heads',
  'headDim',
  'tableHeads',
  'pairs',
  'flags',
  'eps',
)
export const tablePlaces = places('axes', 'tokens', 'heads', 'pairs', 'factor')
export const cachePlaces = places('type', 'kvHeads', 'headDim', 'valueDim', 'capacity')
export const appendPlaces = places('kType', 'vType', 'tokens', 'tableHeads', 'pairs', 'flags', 'eps')
export const dropPlaces = places('from', 'tokens', 'tableHeads', 'pairs', 'flags')
export const readPlaces = places('kType', 'vType', 'from', 'tokens')

export const nativeFlags = {
  causal: 1,
  rotateQ: 2,
  rotateK: 4,
  adjacent: 8,
  qNormAfter: 16,
  kNormAfter: 32,
  inverse: 64,
} as const
export const nativeTypes = { float32: 0, float16: 1, bfloat16: 2 } as const
export const biasKinds = { none: 0, tensor: 1, slope: 2, distance: 3, grid: 4, difference: 5 } as const

export function places<const Names extends string[]>(...names: Names): readonly Names[number][] {
  return names
}

/** The place of each name. */
export function placesOf<Name extends string>(order: readonly Name[]): { readonly [N in Name]: number } {
  return Object.fromEntries(order.map((name, place) => [name, place])) as { [N in Name]: number }
}

/** Numbers at their places; what is not given is 0. */
export function pack<Name extends string>(
  order: readonly Name[],
  numbers: { readonly [N in Name]?: number },
): Float64Array {
  const params = new Float64Array(order.length)
  for (let i = 0; i < order.length; i++) params[i] = numbers[order[i]] ?? 0
  return params
}
