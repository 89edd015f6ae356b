import type { PlacedScheme } from '../analysis/compare.js'
import { overlappedText } from '../analysis/compare.js'
import { tokensOf } from '../sequence/segment.js'
import type { Sequence } from '../sequence/sequence.js'
import type { SchemeData, Strip } from './data.js'

const mostColumns = 600
/** A segment is drawn in at least as many columns, if it has the tokens and there is room. */
const leastColumns = 16

/** Kinds and tokens of the prompt, with what will be generated behind it. */
interface Run {
  readonly kind: string
  readonly tokens: number
}

/** Columns in proportion to the tokens, but short segments stay visible. One that starts a segment never mixes kinds. */
export function stripOf(sequence: Sequence, generated: number): Strip {
  const runs: Run[] = [
    ...sequence.segments.map((segment) => ({ kind: segment.kind, tokens: tokensOf(segment) })),
    { kind: 'generated', tokens: generated },
  ].filter(({ tokens }) => tokens > 0)
  const tokens = runs.reduce((sum, run) => sum + run.tokens, 0)
  const least = Math.min(leastColumns, Math.floor(mostColumns / 2 / Math.max(1, runs.length)))
  // Very many segments cannot all have a column of their own: then columns are even, and take the kind of their first token.
  const widths = least === 0 ? null : runs.map(({ tokens }) => Math.min(tokens, least))
  const kinds: string[] = []
  const starts: number[] = []
  if (widths) {
    const spare = mostColumns - widths.reduce((sum, width) => sum + width, 0)
    let token = 0
    runs.forEach((run, i) => {
      const width = Math.min(run.tokens, widths[i] + Math.floor((spare * run.tokens) / tokens))
      for (let c = 0; c < width; c++) {
        kinds.push(run.kind)
        starts.push(token + Math.floor((c * run.tokens) / width))
      }
      token += run.tokens
    })
  } else {
    let run = 0
    let end = runs[0].tokens
    for (let c = 0; c < mostColumns; c++) {
      const token = Math.floor((c * tokens) / mostColumns)
      while (token >= end) end += runs[++run].tokens
      kinds.push(runs[run].kind)
      starts.push(token)
    }
  }
  return { kinds, starts: [...starts, tokens] }
}

/** The columns of one scheme. */
export function stripData(
  { prompt, result }: PlacedScheme,
  { starts }: Strip,
): Pick<SchemeData, 'ids' | 'low' | 'high' | 'inside'> {
  const { ids, generated, tokens, textTokens } = prompt
  const columns = starts.length - 1
  const at = (axis: number, token: number): number =>
    token < tokens ? ids[axis][token] : generated[axis][token - tokens]
  const low = new Array<number>(columns).fill(Number.POSITIVE_INFINITY)
  const high = new Array<number>(columns).fill(Number.NEGATIVE_INFINITY)
  const means = ids.map((_, a) =>
    Array.from({ length: columns }, (_, c) => {
      let sum = 0
      for (let token = starts[c]; token < starts[c + 1]; token++) {
        const id = at(a, token)
        sum += id
        low[c] = Math.min(low[c], id)
        high[c] = Math.max(high[c], id)
      }
      return round(sum / (starts[c + 1] - starts[c]))
    }),
  )
  const inside = new Array<number>(columns).fill(0)
  let column = 0
  overlappedText(prompt, result.coherence).forEach((overlapped, i) => {
    const token = i < textTokens.length ? textTokens[i] : tokens + i - textTokens.length
    while (token >= starts[column + 1]) column++
    inside[column] += overlapped
  })
  return { ids: means, low: low.map(round), high: high.map(round), inside }
}

/** Enough digits for a picture. */
export function round(value: number): number {
  return Number(value.toPrecision(6))
}
