import { MropeRangeError } from '../errors.js'
import { maxTokens } from '../sequence/segment.js'
import { checkCount, checkOptions } from '../tensors/check.js'
import { checkScores } from './check.js'

export interface TokenBudget {
  /** Tokens of all regions together. */
  readonly total: number
  /** Fewest tokens of a region. Default 64. */
  readonly least?: number
  /** Most tokens of a region. Default 400. */
  readonly most?: number
}

/**
 * Tokens for every region: at least `least`, at most `most`, and `total` to the token.
 *
 *     share_i = min(most, least + c · score_i),   c such that the shares sum to total
 *
 * Shares are rounded down and the tokens that are left go to the largest remainders, of equal ones to the larger score,
 * then to the earlier region. A larger score never gets fewer tokens, equal scores differ by 1 at most, and regions in
 * another order get the same tokens in that order, up to which of equal scores has one more. Scores count by their
 * ratios; all 0 is an even split.
 * Source: 64 … 400 tokens by relevance is ARR-COC's; how its total is kept is not told (unverified).
 * @param scores finite numbers of at least 0
 * @throws MropeRangeError ERR_MROPE_CAPACITY where regions · least … regions · most does not hold the total;
 *   MropeRangeError ERR_MROPE_ARGUMENT, MropeTypeError ERR_MROPE_ARGUMENT
 */
export function allocateTokens(scores: ArrayLike<number>, budget: TokenBudget): Int32Array {
  const caller = 'allocateTokens'
  const list = checkScores(caller, 'scores', scores)
  const { total, least, most } = checkBudget(caller, budget, list.length)
  const order = Int32Array.from({ length: list.length }, (_, i) => i)
  order.sort((a, b) => list[b] - list[a] || a - b)
  const shares = sharesOf(order, list, { total, least, most })
  const tokens = Int32Array.from(shares, Math.floor)
  const left = total - tokens.reduce((sum, n) => sum + n, 0)
  // A stable sort keeps the larger score, then the earlier region, in front.
  const byRemainder = order.toSorted((a, b) => shares[b] - tokens[b] - (shares[a] - tokens[a]))
  // The remainders sum to what is left, so it is less than the regions that have one.
  for (const region of byRemainder.subarray(0, left)) tokens[region]++
  return tokens
}

/** Shares as real numbers, for regions in the order of falling scores. */
function sharesOf(order: Int32Array, scores: ArrayLike<number>, { total, least, most }: Required<TokenBudget>) {
  const regions = order.length
  const shares = new Float64Array(regions)
  if (regions === 0) return shares
  // By the largest, so that no sum of scores overflows.
  const largest = scores[order[0]] || 1
  const weights = Float64Array.from(order, (i) => scores[i] / largest)
  const behind = new Float64Array(regions + 1)
  for (let i = regions - 1; i >= 0; i--) behind[i] = behind[i + 1] + weights[i]
  let full = 0
  const rest = (): number => total - regions * least - full * (most - least)
  while (full < regions && weights[full] * rest() > (most - least) * behind[full]) full++
  const even = full < regions && behind[full] === 0
  order.forEach((region, i) => {
    const part = even ? 1 / (regions - full) : weights[i] / behind[full]
    shares[region] = i < full ? most : Math.min(most, least + rest() * part)
  })
  return shares
}

export function checkBudget(caller: string, budget: TokenBudget, regions: number): Required<TokenBudget> {
  checkOptions(caller, budget, ['total', 'least', 'most'])
  const total = checkCount(caller, 'total', budget.total)
  const least = checkCount(caller, 'least', budget.least ?? 64)
  const most = checkCount(caller, 'most', budget.most ?? 400)
  if (least > most || most > maxTokens) {
    const text = `${caller}: least must be at most most, and most at most ${maxTokens}, got least = ${least}, most = ${most}`
    throw new MropeRangeError('ERR_MROPE_ARGUMENT', text, [least, most])
  }
  const [fewest, greatest] = [least * regions, most * regions]
  if (total < fewest || total > greatest || total > maxTokens) {
    const text = `${caller}: ${regions} regions of ${least} … ${most} tokens take ${least} · ${regions} = ${fewest} to ${most} · ${regions} = ${greatest} tokens, at most ${maxTokens}; total is ${total}`
    throw new MropeRangeError('ERR_MROPE_CAPACITY', text, total)
  }
  return { total, least, most }
}
