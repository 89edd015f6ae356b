/** Small random generator (mulberry32): the same seed gives the same damage everywhere. */
export class Random {
  #state: number

  constructor(seed: number) {
    this.#state = seed >>> 0
  }

  /** From 0 to below 1. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let x = this.#state
    x = Math.imul(x ^ (x >>> 15), x | 1)
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61)
    return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32
  }

  below(count: number): number {
    return Math.floor(this.next() * count)
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)]
  }
}

/**
 * Values that nobody meant. No number lies between 2000 and 2^24: those would be long prompts, not damage; the frames of
 * the long list of grids are such numbers, but each of its grids is more than a prompt may have.
 */
const oddities: readonly (() => unknown)[] = [
  ...[undefined, null, true, false, '', 'x', '3', '__proto__', 'constructor', 10n, -1n, 2n ** 70n].map((x) => () => x),
  ...[0, -0, 1, -1, 2, 3, 0.5, -0.25, 1e-300, 33, 777, Number.NaN].map((x) => () => x),
  ...[2 ** 24 + 1, 2 ** 28, 2 ** 31, 2 ** 32, 2 ** 53, 1e300, -1e300, Number.POSITIVE_INFINITY].map((x) => () => x),
  ...['default', 'yarn', 'linear', 'longrope', 'mrope', 'text', 'image', 'video', 'qwen2_vl'].map((x) => () => x),
  () => [],
  () => ({}),
  () => [[]],
  () => [1, 2, 3],
  () => [[1, 4, 6]],
  () => Array.from({ length: 1000 }, () => [2 ** 20, 64, 64]),
  () => [null],
  () => new Array(3),
  () => ({ length: 2 ** 40 }),
  () => ({ data: [1, 2], dims: [2] }),
  () => ({ data: 5, dims: 'x' }),
  () => ({ toString: 1, valueOf: 1 }),
  () => Object.create(null),
  () => Int32Array.of(1, 2, 2),
  () => BigInt64Array.of(1n, 2n),
  () => new Float32Array([0.5, Number.NaN]),
  () => new Date(Number.NaN),
  () => new Map(),
  () => Symbol('odd'),
  () => () => 5,
]

type Container = Record<string, unknown> | unknown[]
const isContainer = (value: unknown): value is Container =>
  typeof value === 'object' && value !== null && !ArrayBuffer.isView(value) && !(value instanceof Date)

/** All containers of a tree, the root first. */
function containers(root: unknown): Container[] {
  const found: Container[] = []
  const walk = (value: unknown): void => {
    if (!isContainer(value) || found.length > 500) return
    found.push(value)
    for (const child of Object.values(value)) walk(child)
  }
  walk(root)
  return found
}

/** A copy of a plain tree with one to four things done to it. */
export function damage<T>(random: Random, tree: T): unknown {
  let copy: unknown = structuredClone(tree)
  for (let times = 1 + random.below(4); times > 0; times--) {
    const all = containers(copy)
    if (all.length === 0 || random.next() < 0.01) copy = random.pick(oddities)()
    else hurt(random, random.pick(all), all)
  }
  return copy
}

function hurt(random: Random, target: Container, all: readonly Container[]): void {
  const keys = Object.keys(target)
  const key = keys.length > 0 ? random.pick(keys) : 'length'
  const slots = target as Record<string, unknown>
  const old = slots[key]
  const action = random.below(10)
  if (Array.isArray(target) && action < 4) {
    hurtList(random, target)
  } else if (action < 5 && typeof old === 'number') {
    set(slots, key, random.pick([old + 1, old - 1, old * 2, -old, old / 2, old + 0.5, 0]))
  } else if (action < 6) {
    if (!Array.isArray(target)) delete slots[key]
    else target.splice(random.below(target.length + 1), 1)
  } else if (action < 7) {
    set(slots, key, copied(random.pick(all)))
  } else if (action < 8) {
    set(slots, random.pick(['rope_type', 'type', 'length', 'grid', 'kind', 'factor', 'dims', 'toString', 'odd']), old)
  } else {
    set(slots, key, random.pick(oddities)())
  }
}

function hurtList(random: Random, list: unknown[]): void {
  const at = random.below(list.length + 1)
  const action = random.below(6)
  if (action === 0) list.splice(at, 1)
  else if (action === 1) list.splice(at, 0, list[random.below(list.length)])
  else if (action === 2) list.length = at
  else if (action === 3) list.push(random.pick(oddities)())
  else if (action === 4) list.reverse()
  else list.splice(0, at)
}

/** A copy of a part, so that nothing contains itself; parts with oddities inside cannot be copied and are left out. */
function copied(part: Container): unknown {
  try {
    return structuredClone(part)
  } catch {
    return {}
  }
}

/** Some keys of some values cannot be set (the length of a list); that is no damage. */
function set(target: Record<string, unknown>, key: string, value: unknown): void {
  if (Array.isArray(target) && key === 'length') return
  target[key] = value
}
