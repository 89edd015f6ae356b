import type { Prompt } from './prompt.js'
import type { Overlap } from './report.js'

/**
 * For each block, the text tokens behind it, prompt and generated, whose id is at most the block's largest.
 * Goes from the last block to the first and keeps the text behind in a counting tree: n log n for any order of ids.
 */
export function overlaps({ textIds, textTokens, blocks }: Prompt, largest: readonly number[]): Overlap[] {
  const tree = new CountingTree(textIds)
  const answer = textIds.slice(textTokens.length).sort()
  const found: Overlap[] = new Array(blocks.length)
  let behind = textIds.length
  for (let b = blocks.length - 1; b >= 0; b--) {
    while (behind > blocks[b].textBefore) tree.add(textIds[--behind])
    const total = tree.count(largest[b])
    const generated = upTo(answer, largest[b])
    const ids = total > 0 ? ([tree.smallest(1), tree.smallest(total)] as const) : null
    found[b] = { prompt: total - generated, generated, ids }
  }
  return found
}

/** A Fenwick tree over the different values of a list. */
class CountingTree {
  readonly #values: Float64Array
  readonly #counts: Int32Array

  constructor(all: Float64Array) {
    this.#values = all.slice().sort()
    let size = 0
    for (const value of this.#values) if (size === 0 || value !== this.#values[size - 1]) this.#values[size++] = value
    this.#values = this.#values.subarray(0, size)
    this.#counts = new Int32Array(size + 1)
  }

  add(value: number): void {
    for (let i = upTo(this.#values, value); i < this.#counts.length; i += i & -i) this.#counts[i]++
  }

  /** How many values that were added are at most `limit`. */
  count(limit: number): number {
    let count = 0
    for (let i = upTo(this.#values, limit); i > 0; i -= i & -i) count += this.#counts[i]
    return count
  }

  /** The k-th smallest that was added, from 1. */
  smallest(k: number): number {
    let at = 0
    for (let step = 2 ** Math.floor(Math.log2(this.#counts.length)); step >= 1; step /= 2) {
      if (at + step >= this.#counts.length || this.#counts[at + step] >= k) continue
      at += step
      k -= this.#counts[at]
    }
    return this.#values[at]
  }
}

/** How many of the sorted values are at most `limit`. */
function upTo(sorted: Float64Array, limit: number): number {
  return firstWhere(sorted.length, (i) => sorted[i] > limit)
}

/** The first index of a list for which something is true that stays true from there on. */
function firstWhere(length: number, isTrue: (i: number) => boolean): number {
  let [from, to] = [0, length]
  while (from < to) {
    const middle = (from + to) >>> 1
    if (isTrue(middle)) to = middle
    else from = middle + 1
  }
  return from
}

/** For each block, how many text tokens, before or behind it or generated, have exactly the ids of one of its tokens. */
export function sharedVectors({ ids, generated, live, textTokens, textIds, blocks }: Prompt): number[] {
  // Text normally has one id on all axes, and then its id is all there is to compare.
  const equal = new Float64Array(textIds.length)
  const unequal = new Map<string, number>()
  let size = 0
  textIds.forEach((id, i) => {
    const [at, token] = i < textTokens.length ? [ids, textTokens[i]] : [generated, i - textTokens.length]
    if (hasOneId(at, live, token)) equal[size++] = id
    else unequal.set(vectorKey(at, live, token), (unequal.get(vectorKey(at, live, token)) ?? 0) + 1)
  })
  const text = equal.subarray(0, size).sort()
  return blocks.map(({ token, tokens }) => {
    const own = new Float64Array(tokens)
    const keys = new Set<string>()
    let count = 0
    for (let n = token; n < token + tokens; n++) {
      if (hasOneId(ids, live, n)) own[count++] = ids[live[0]][n]
      else if (unequal.size > 0) keys.add(vectorKey(ids, live, n))
    }
    let shared = 0
    for (const key of keys) shared += unequal.get(key) ?? 0
    forEachDifferent(own.subarray(0, count).sort(), (id) => {
      shared += upTo(text, id) - firstWhere(text.length, (i) => text[i] >= id)
    })
    return shared
  })
}

function hasOneId(ids: readonly Float64Array[], axes: readonly number[], token: number): boolean {
  for (const a of axes) if (ids[a][token] !== ids[axes[0]][token]) return false
  return true
}

function vectorKey(ids: readonly Float64Array[], axes: readonly number[], token: number): string {
  return axes.map((a) => ids[a][token]).join(' ')
}

function forEachDifferent(sorted: Float64Array, visit: (value: number) => void): void {
  for (let i = 0; i < sorted.length; i++) if (i === 0 || sorted[i] !== sorted[i - 1]) visit(sorted[i])
}

/** For each block and axis, the text tokens in front of the block that have one of its ids on that axis. */
export function sharedWithEarlierText({ axes, ids, blocks, textTokens }: Prompt): Record<string, number>[] {
  const found = blocks.map((): Record<string, number> => ({}))
  axes.forEach((name, a) => {
    const text = Float64Array.from(textTokens, (token) => ids[a][token])
    const order = byValue(text)
    blocks.forEach(({ token, tokens, textBefore }, b) => {
      let shared = 0
      forEachDifferent(ids[a].slice(token, token + tokens).sort(), (id) => {
        const from = firstWhere(order.length, (i) => text[order[i]] >= id)
        const to = firstWhere(
          order.length,
          (i) => text[order[i]] > id || (text[order[i]] === id && order[i] >= textBefore),
        )
        shared += to - from
      })
      found[b][name] = shared
    })
  })
  return found
}

/** Indices in the order of the values, and in their own order where values are equal. */
function byValue(values: Float64Array): Uint32Array {
  const order = Uint32Array.from(values, (_, i) => i)
  // Text ids of nearly every scheme rise anyway.
  const rising = values.every((value, i) => i === 0 || values[i - 1] <= value)
  return rising ? order : order.sort((i, j) => values[i] - values[j] || i - j)
}
