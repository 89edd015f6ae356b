import type { Prompt, PromptBlock } from './prompt.js'
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
  let [from, to] = [0, sorted.length]
  while (from < to) {
    const middle = (from + to) >>> 1
    if (sorted[middle] <= limit) from = middle + 1
    else to = middle
  }
  return from
}

/** For each block, how many text tokens, before or behind it or generated, have exactly the ids of one of its tokens. */
export function sharedVectors(prompt: Prompt): number[] {
  const { ids, generated, live, textTokens, generatedCount } = prompt
  const texts = new Map<number | string, number>()
  const count = (key: number | string): unknown => texts.set(key, (texts.get(key) ?? 0) + 1)
  for (const token of textTokens) count(vectorKey(ids, live, token))
  for (let i = 0; i < generatedCount; i++) count(vectorKey(generated, live, i))
  const onlyDiagonal = [...texts.keys()].every((key) => typeof key === 'number')
  return prompt.blocks.map((block) => {
    const shared = new Set<number | string>()
    for (let i = 0; i < block.tokens; i++) {
      if (onlyDiagonal && !isDiagonal(ids, live, block.token + i)) continue
      const key = vectorKey(ids, live, block.token + i)
      if (texts.has(key)) shared.add(key)
    }
    let tokens = 0
    for (const key of shared) tokens += texts.get(key) ?? 0
    return tokens
  })
}

function isDiagonal(ids: readonly Float64Array[], axes: readonly number[], token: number): boolean {
  for (const a of axes) if (ids[a][token] !== ids[axes[0]][token]) return false
  return true
}

/** One id for all axes, as text has, is its own key. */
function vectorKey(ids: readonly Float64Array[], axes: readonly number[], token: number): number | string {
  return isDiagonal(ids, axes, token) ? ids[axes[0]][token] : axes.map((a) => ids[a][token]).join(' ')
}

/** For each block and axis, the text tokens in front of the block that have one of its ids on that axis. */
export function sharedWithEarlierText({ axes, ids, blocks, textTokens }: Prompt): Record<string, number>[] {
  const found = blocks.map((): Record<string, number> => ({}))
  axes.forEach((name, a) => {
    const earlier = new Map<number, number>()
    let text = 0
    blocks.forEach((block, b) => {
      for (; text < block.textBefore; text++) {
        const id = ids[a][textTokens[text]]
        earlier.set(id, (earlier.get(id) ?? 0) + 1)
      }
      found[b][name] = countShared(ids[a], block, earlier)
    })
  })
  return found
}

function countShared(ids: Float64Array, { token, tokens }: PromptBlock, earlier: ReadonlyMap<number, number>): number {
  const own = new Set(ids.subarray(token, token + tokens))
  let count = 0
  for (const id of own) count += earlier.get(id) ?? 0
  return count
}
