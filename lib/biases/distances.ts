import type { BiasData, BiasRequest } from './bias.js'

/** The least and the largest j − i of a query i that sees key j; 0 and 0 where nothing is seen. */
export function seenDistances({ visible, queries, queryOffset }: BiasRequest): { first: number; last: number } {
  let first = 0
  let last = 0
  for (let i = 0; i < queries; i++) {
    if (visible.first[i] === visible.end[i]) continue
    first = Math.min(first, visible.first[i] - queryOffset - i)
    last = Math.max(last, visible.end[i] - 1 - queryOffset - i)
  }
  return { first, last }
}

/** A bias that is finite stays finite in float32, or it would mask its key. */
const lowest = -(2 - 2 ** -23) * 2 ** 127

/**
 * A function of the distance j − i as data, tabulated as far as an attention needs it. The longest table is kept, a
 * power of two long, so that decoding does not make it anew with every token.
 */
export function distanceTable(
  heads: number,
  valueAt: (head: number, distance: number) => number,
): (request: BiasRequest) => BiasData {
  let before = -1
  let after = -1
  let values = new Float32Array()
  return (request) => {
    const { first, last } = seenDistances(request)
    if (-first > before || last > after) {
      before = Math.max(before, reach(-first))
      after = Math.max(after, reach(last))
      const span = before + 1 + after
      values = Float32Array.from({ length: heads * span }, (_, n) =>
        Math.max(valueAt(Math.floor(n / span), (n % span) - before), lowest),
      )
    }
    return { kind: 'distance', heads, values, span: before + 1 + after, origin: before }
  }
}

function reach(distance: number): number {
  return distance === 0 ? 0 : 2 ** Math.ceil(Math.log2(distance + 1))
}
