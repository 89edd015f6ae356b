/** Rows and columns of a block, and how far its cells are from square: 1 is square, 2 is twice as long as wide. */
export interface BlockGrid {
  readonly rows: number
  readonly columns: number
  readonly stretch: number
}

/** How far a block may go from its budget to find a better grid: an eighth, or 4 tokens, and never more than 32. */
const reach = (tokens: number): number => Math.min(32, Math.max(4, Math.floor(tokens / 8)))

const mostOff = 32
const states = 2 * mostOff + 1
const limits = [2, 3, 4, 8, 16, 64, Infinity]

/** The grid of exactly so many cells whose cells are nearest to square. @param aspect height / width of the block */
export function bestGrid(tokens: number, aspect: number): BlockGrid {
  let best: BlockGrid = { rows: 1, columns: 1, stretch: Infinity }
  for (let side = 1; side * side <= tokens; side++) {
    if (tokens % side !== 0) continue
    for (const rows of [side, tokens / side]) {
      const columns = tokens / rows
      const cell = (aspect * columns) / rows
      const stretch = Math.max(cell, 1 / cell)
      if (stretch < best.stretch) best = { rows, columns, stretch }
    }
  }
  return best
}

/**
 * Token counts that are grids, near the budgets and of the same sum. A prime number of tokens is one row only, so some
 * budgets are moved: of all choices whose grids are stretched 2 times or less (if there are none 3, 4, 8 … times), the
 * one with the least sum of squared moves. The counts rise like the budgets, and all stay within `least` and `most`.
 * @param budgets rising
 * @returns counts, rising
 */
export function gridCounts(budgets: Int32Array, least: number, most: number, aspect: number): Int32Array {
  const grids = new Map<number, BlockGrid>()
  const stretchOf = (tokens: number): number => {
    const known = grids.get(tokens) ?? bestGrid(tokens, aspect)
    grids.set(tokens, known)
    return known.stretch
  }
  for (const limit of limits) {
    const candidates = (budget: number): number[] => {
      const found: number[] = []
      const [from, to] = [Math.max(1, least, budget - reach(budget)), Math.min(most, budget + reach(budget))]
      for (let n = from; n <= to; n++) if (stretchOf(n) <= limit) found.push(n)
      return found
    }
    const counts = solve(budgets, candidates)
    if (counts) return counts.sort()
  }
  return budgets
}

/** Least sum of squared moves that sum to 0, by dynamic programming over the sum of the moves so far. */
function solve(budgets: Int32Array, candidatesOf: (budget: number) => number[]): Int32Array | undefined {
  const known = new Map<number, Int32Array>()
  const moves = Array.from(budgets, (budget) => {
    const found = known.get(budget) ?? Int32Array.from(candidatesOf(budget), (n) => n - budget)
    known.set(budget, found)
    return found
  })
  let costs = new Float64Array(states).fill(Infinity)
  costs[mostOff] = 0
  const chosen = new Int8Array(budgets.length * states)
  for (let i = 0; i < budgets.length; i++) {
    const next = new Float64Array(states).fill(Infinity)
    for (let state = 0; state < states; state++) {
      if (costs[state] === Infinity) continue
      for (const move of moves[i]) {
        const to = state + move
        const cost = costs[state] + move * move
        if (to < 0 || to >= states || cost >= next[to]) continue
        next[to] = cost
        chosen[i * states + to] = move
      }
    }
    costs = next
  }
  if (costs[mostOff] === Infinity) return undefined
  const counts = new Int32Array(budgets.length)
  for (let i = budgets.length - 1, state = mostOff; i >= 0; i--) {
    const move = chosen[i * states + state]
    counts[i] = budgets[i] + move
    state -= move
  }
  return counts
}
