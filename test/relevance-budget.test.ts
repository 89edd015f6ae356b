import assert from 'node:assert/strict'
import fc from 'fast-check'
import { layouts } from '../lib/layouts/index.js'
import { allocateTokens, relevance, relevanceSequence, textureChannels } from '../lib/relevance/index.js'
import { tokensOf } from '../lib/sequence/segment.js'
import { Sequence } from '../lib/sequence/sequence.js'
import { holes, refuses } from './support/refuses.js'

const sum = (values: ArrayLike<number>): number => Array.from(values).reduce((a, b) => a + b, 0)
const score = fc.oneof(
  fc.double({ min: 0, max: 1, noNaN: true }),
  fc.constantFrom(0, 0, 1, 1, 0.5, 5e-324, 1e-300, 1e300, Number.MAX_VALUE),
)

/** Scores, and a budget that can be met for them. */
const problem = fc
  .tuple(
    fc.array(score, { minLength: 1, maxLength: 40 }),
    fc.nat(70),
    fc.nat(340),
    fc.double({ min: 0, max: 1, noNaN: true }),
  )
  .map(([scores, least, more, part]) => {
    const room = scores.length * more
    return { scores, least, most: least + more, total: scores.length * least + Math.round(part * room) }
  })

/** Shares by bisection for c in Σ min(most, least + c · score) = total, without sorting or suffix sums. */
function naiveShares(scores: readonly number[], least: number, most: number, total: number): number[] {
  const sharesFor = (c: number): number[] => scores.map((s) => Math.min(most, least + c * s))
  let [low, high] = [0, 1]
  while (sum(sharesFor(high)) < total && high < 1e30) high *= 2
  for (let i = 0; i < 200; i++) {
    const middle = (low + high) / 2
    if (sum(sharesFor(middle)) < total) low = middle
    else high = middle
  }
  return sharesFor(high)
}

describe('allocateTokens: examples', () => {
  const cases: readonly [string, number[], { total: number; least?: number; most?: number }, number[]][] = [
    ['64 and 400 are the bounds by default', [0, 1], { total: 464 }, [64, 400]],
    ['the least total is least for all', [3, 1, 2], { total: 192 }, [64, 64, 64]],
    ['the most is most for all', [3, 1, 2], { total: 1200 }, [400, 400, 400]],
    ['what is above least goes by score', [1, 2, 3], { total: 192 + 60 }, [74, 84, 94]],
    ['no scores: even, the earlier ones first', [0, 0, 0], { total: 200 }, [67, 67, 66]],
    ['a region that is full leaves its rest to the others', [10, 1, 1], { total: 664 }, [400, 132, 132]],
    ['with all of the scores full, those of 0 get the rest', [1, 0, 0], { total: 601 }, [400, 101, 100]],
    ['the largest remainder gets the token', [5, 3, 2], { total: 7, least: 0, most: 9 }, [4, 2, 1]],
    ['of equal remainders the larger score', [3, 1], { total: 2, least: 0, most: 2 }, [2, 0]],
    ['one region takes all', [0.3], { total: 127 }, [127]],
    ['no regions take nothing', [], { total: 0 }, []],
    ['fixed sizes', [9, 1], { total: 14, least: 7, most: 7 }, [7, 7]],
    ['scores that overflow when added', [Number.MAX_VALUE, Number.MAX_VALUE], { total: 300 }, [150, 150]],
    ['scores that vanish when divided', [Number.MAX_VALUE, 5e-324, 0], { total: 500 }, [372, 64, 64]],
  ]
  for (const [name, scores, budget, expected] of cases) {
    it(`${name}: [${scores}], ${JSON.stringify(budget)} → [${expected}]`, () => {
      assert.deepEqual([...allocateTokens(scores, budget)], expected)
    })
  }

  it('a query about the bottom right corner gives that region more tokens, and the top left fewest', () => {
    const texture = textureChannels({ width: 60, height: 60, data: new Uint8Array(10800).fill(90) }, [32, 32])
    const scores = relevance(texture, { regions: [3, 3], query: 'bottom-right' })
    const tokens = allocateTokens(scores, { total: 9 * 200 })
    assert.equal(sum(tokens), 1800)
    assert.ok(tokens[8] > Math.max(...tokens.subarray(0, 8)))
    assert.ok(tokens[0] < Math.min(...tokens.subarray(1)))
    assert.ok(tokens.every((n) => n >= 64 && n <= 400))
  })
})

describe('allocateTokens: properties', () => {
  it('the total is exact and every region is within its bounds', () => {
    fc.assert(
      fc.property(problem, ({ scores, ...budget }) => {
        const tokens = allocateTokens(scores, budget)
        assert.equal(sum(tokens), budget.total)
        assert.ok(tokens.every((n) => n >= budget.least && n <= budget.most))
      }),
    )
  })

  it('a larger score never gets fewer tokens, and equal scores differ by 1 at most', () => {
    fc.assert(
      fc.property(problem, ({ scores, ...budget }) => {
        const tokens = allocateTokens(scores, budget)
        for (let i = 0; i < scores.length; i++) {
          for (let j = 0; j < scores.length; j++) {
            if (scores[i] > scores[j]) assert.ok(tokens[i] >= tokens[j], `${i} and ${j}`)
            if (scores[i] === scores[j]) assert.ok(Math.abs(tokens[i] - tokens[j]) <= 1, `${i} and ${j}`)
          }
        }
      }),
    )
  })

  it('regions in another order get their tokens in that order', () => {
    fc.assert(
      fc.property(problem, fc.nat(), ({ scores, ...budget }, seed) => {
        const order = scores
          .map((_, i) => i)
          .sort((a, b) => (((a + 1) * 7919 + seed) % 101) - (((b + 1) * 7919 + seed) % 101))
        const pairs = (list: number[]): string[] => {
          const tokens = allocateTokens(list, budget)
          return list.map((s, i) => `${s}: ${tokens[i]}`).sort()
        }
        assert.deepEqual(pairs(order.map((i) => scores[i])), pairs(scores))
        const different = [...new Set(scores)]
        const total = Math.min(different.length * budget.most, Math.max(different.length * budget.least, budget.total))
        const [here, there] = [different, different.toReversed()].map((list) =>
          allocateTokens(list, { ...budget, total }),
        )
        assert.deepEqual([...there.toReversed()], [...here])
      }),
    )
  })

  it('tokens are the shares min(most, least + c · score), rounded down or up', () => {
    const scores = fc.array(fc.double({ min: 0.001, max: 1, noNaN: true }), { minLength: 1, maxLength: 20 })
    fc.assert(
      fc.property(scores, fc.double({ min: 0, max: 1, noNaN: true }), (list, part) => {
        const total = 64 * list.length + Math.round(336 * list.length * part)
        const shares = naiveShares(list, 64, 400, total)
        allocateTokens(list, { total }).forEach((n, i) => {
          assert.ok(Math.abs(n - shares[i]) < 1 + 1e-6, `${n} for ${shares[i]}`)
        })
      }),
    )
  })

  it('scores count by their ratios, and arrays of any kind give the same', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 1000 }), { minLength: 1, maxLength: 20 }), (scores) => {
        const total = scores.length * 100
        const tokens = allocateTokens(scores, { total })
        assert.deepEqual(
          allocateTokens(
            Float64Array.from(scores, (s) => s * 2 ** 40),
            { total },
          ),
          tokens,
        )
        assert.deepEqual(allocateTokens(Float32Array.from(scores), { total }), tokens)
      }),
    )
  })
})

const grids = fc.tuple(fc.integer({ min: 1, max: 7 }), fc.integer({ min: 1, max: 7 }))

describe('relevanceSequence', () => {
  it('has the total to the token in full grids within the bounds, whatever the scores', () => {
    fc.assert(
      fc.property(grids, fc.double({ min: 0, max: 1, noNaN: true }), fc.nat(99), ([rows, columns], part, seed) => {
        const regions = rows * columns
        const scores = Array.from({ length: regions }, (_, i) => ((i + seed) * 7919) % 13)
        const total = 64 * regions + Math.round(336 * regions * part)
        const { sequence, blocks } = relevanceSequence(scores, { regions: [rows, columns], total })
        assert.equal(sequence.length, total)
        assert.equal(sum(blocks.map(({ budget }) => budget)), total)
        assert.deepEqual(
          sequence.segments,
          blocks.map(({ grid }) => ({ kind: 'image', grid })),
        )
        blocks.forEach(({ tokens, budget, grid, density, stretch }, i) => {
          assert.equal(grid[0] * grid[1] * grid[2], tokens)
          assert.ok(tokens >= 64 && tokens <= 400)
          assert.ok(Math.abs(tokens - budget) <= Math.max(4, budget / 8))
          assert.equal(density, tokens * regions)
          assert.ok(stretch >= 1)
          for (const [j, other] of blocks.entries()) if (scores[i] > scores[j]) assert.ok(tokens >= other.tokens)
        })
      }),
      { numRuns: 100 },
    )
  })

  /** Longer side / shorter side of the best grid of n cells, by trying all. */
  const stretchOf = (n: number): number => {
    const ratios = Array.from({ length: n }, (_, i) => i + 1).filter((h) => n % h === 0)
    return Math.min(...ratios.map((h) => Math.max((h * h) / n, n / (h * h))))
  }

  it('two regions take the nearest pair of grids stretched 2 times at most, where a search of all pairs finds one', () => {
    let found = 0
    for (let total = 128; total <= 800; total += 7) {
      const { blocks } = relevanceSequence([1, 2], { regions: [1, 2], total })
      const budgets = blocks.map(({ budget }) => budget)
      const cost = (first: number): number => (first - budgets[0]) ** 2 + (total - first - budgets[1]) ** 2
      const allowed = (n: number, budget: number): boolean => {
        const reach = Math.min(32, Math.floor(budget / 8))
        return n >= 64 && n <= 400 && Math.abs(n - budget) <= reach && stretchOf(n) <= 2
      }
      const firsts = Array.from({ length: 337 }, (_, i) => 64 + i)
      const good = firsts.filter((n) => allowed(n, budgets[0]) && allowed(total - n, budgets[1]))
      const worst = Math.max(...blocks.map(({ stretch }) => stretch))
      assert.equal(worst <= 2, good.length > 0, `${total}`)
      if (good.length === 0) continue
      found++
      assert.equal(cost(blocks[0].tokens), Math.min(...good.map(cost)), `${total}`)
    }
    assert.ok(found > 80, `${found}`)
  })

  it('three regions move with the least sum of squares, as a search of all triples finds it', () => {
    for (let total = 200; total < 1190; total += 11) {
      const { blocks } = relevanceSequence([2, 5, 3], { regions: [1, 3], total })
      const moves = blocks.map(({ budget }) => {
        const reach = Math.min(32, Math.floor(budget / 8))
        const near = Array.from({ length: 2 * reach + 1 }, (_, i) => i - reach)
        return near.filter((m) => budget + m >= 64 && budget + m <= 400 && stretchOf(budget + m) <= 2)
      })
      let least = Infinity
      for (const a of moves[0]) {
        for (const b of moves[1]) if (moves[2].includes(-a - b)) least = Math.min(least, a * a + b * b + (a + b) ** 2)
      }
      assert.equal(sum(blocks.map(({ tokens, budget }) => (tokens - budget) ** 2)), least, `${total}`)
    }
  })

  it('eleven budgets of 127 part in the order of their scores', () => {
    const scores = Array.from({ length: 11 }, (_, i) => 1 + ((i * 4) % 11) * 1e-9)
    const { blocks } = relevanceSequence(scores, { regions: [1, 11], total: 11 * 127 })
    const byScore = blocks.toSorted((a, b) => a.score - b.score).map(({ tokens }) => tokens)
    assert.deepEqual(new Set(blocks.map(({ budget }) => budget)), new Set([127]))
    assert.deepEqual(
      byScore,
      byScore.toSorted((a, b) => a - b),
    )
    assert.ok(byScore[0] < 127 && byScore[10] > 127)
  })

  it('of equal budgets that have to part the larger score gets the larger grid: 127 + 127 = 126 + 128', () => {
    const tokensOf2 = (scores: number[]) =>
      relevanceSequence(scores, { regions: [1, 2], total: 254 }).blocks.map(({ budget, tokens }) => [budget, tokens])
    const [low, high] = [
      [127, 126],
      [127, 128],
    ]
    assert.deepEqual(tokensOf2([1, 1.0001]), [low, high])
    assert.deepEqual(tokensOf2([1.0001, 1]), [high, low])
  })

  it('one region cannot move: 127 tokens are one row, 144 are 12 × 12', () => {
    const gridOf = (total: number) => relevanceSequence([1], { regions: [1, 1], total }).blocks[0].grid
    assert.deepEqual([...gridOf(127)].sort(), [1, 1, 127])
    assert.deepEqual(gridOf(144), [1, 12, 12])
  })

  it('two regions of 255 tokens become 9 × 15 and 10 × 12, because 127 is prime', () => {
    const { blocks } = relevanceSequence([1, 1], { regions: [1, 2], total: 255 })
    assert.deepEqual(
      blocks.map(({ budget, grid }) => [budget, ...grid]),
      [
        [128, 1, 9, 15],
        [127, 1, 10, 12],
      ],
    )
  })

  it('wide regions have more columns than rows, high ones more rows', () => {
    const wide = relevanceSequence([1, 1], { regions: [2, 1], total: 256, aspect: 1 }).blocks[0]
    assert.deepEqual([wide.grid, wide.stretch], [[1, 8, 16], 1])
    const high = relevanceSequence([1, 1], { regions: [1, 2], total: 256, aspect: 1 }).blocks[0]
    assert.deepEqual([high.grid, high.stretch], [[1, 16, 8], 1])
  })

  it('boxes tile the picture in raster order, and blocks say where their tokens are', () => {
    const options = { regions: [2, 3], total: 600, before: 1, after: 2 } as const
    const { sequence, blocks } = relevanceSequence([1, 2, 3, 4, 5, 6], options)
    assert.deepEqual(
      blocks.map(({ region }) => region.join()),
      ['0,0', '0,1', '0,2', '1,0', '1,1', '1,2'],
    )
    assert.deepEqual(blocks[4].box, [1 / 2, 1 / 3, 1, 2 / 3])
    assert.equal(sequence.length, 600 + 6 * 3)
    assert.deepEqual(
      sequence.blocks().map(({ start, length }) => [start, length]),
      blocks.map(({ start, tokens }) => [start, tokens]),
    )
  })

  it('the order of the regions does not change what a score gets', () => {
    const scores = [0.1, 0.9, 0.4, 0.33, 0.2, 0.77]
    const tokensBy = (list: number[]): string[] =>
      relevanceSequence(list, { regions: [2, 3], total: 901 }).blocks.map((b) => `${b.score}: ${b.tokens}`)
    assert.deepEqual(tokensBy(scores.toReversed()), tokensBy(scores).toReversed())
  })

  it('M-RoPE places every block from the largest id before it on, as wide and high as its grid', () => {
    const { sequence, blocks } = relevanceSequence([3, 1, 2], { regions: [1, 3], total: 500, before: 2 })
    const positions = layouts.mrope().positions(sequence)
    let next = 0
    for (const { start, grid, tokens } of blocks) {
      const [, h, w] = grid
      next += 2
      for (let i = 0; i < tokens; i++) {
        assert.deepEqual(positions.at(start + i), [next, next + Math.floor(i / w), next + (i % w)])
      }
      next += Math.max(h, w)
    }
    assert.equal(positions.next, next)
  })

  const question = Sequence.of([{ kind: 'text', length: 9 }])
  const { sequence } = relevanceSequence([3, 1, 2, 0], { regions: [2, 2], total: 777 })
  for (const layout of [
    layouts.sequential(),
    layouts.mrope(),
    layouts.mropeTimestamps(),
    layouts.spatialReset(),
    layouts.plainIndex(),
    layouts.v2pe(),
    layouts.diagonal(),
    layouts.circle(),
    layouts.corners(),
  ]) {
    it(`${layout.name} places the blocks and the question behind them`, () => {
      const positions = layout.positions(sequence.concat(question))
      assert.equal(positions.length, 786)
      assert.equal(sum(sequence.segments.map(tokensOf)), 777)
      assert.ok(positions.ids.every(Number.isFinite))
      assert.ok(new Set(positions.axis(positions.axes.length - 1).subarray(0, 777)).size > 1)
    })
  }
})

refuses('budgets', [
  [
    'too few tokens',
    () => allocateTokens([1, 2, 3], { total: 191 }),
    'Range CAPACITY',
    191,
    /3 regions of 64 … 400 .* 64 · 3 = 192 .* 400 · 3 = 1200 .* 191/,
  ],
  ['too many', () => allocateTokens([1, 2, 3], { total: 1201 }), 'Range CAPACITY', 1201, /= 1200 tokens.* 1201/],
  ['no regions', () => allocateTokens([], { total: 1 }), 'Range CAPACITY', 1, /0 regions/],
  [
    'more than a prompt holds',
    () => allocateTokens([1, 1], { total: 2 ** 24 + 1, most: 2 ** 24 }),
    'Range CAPACITY',
    2 ** 24 + 1,
    /16777216/,
  ],
  ['no total', () => allocateTokens([1], {} as never), 'Type ARGUMENT', undefined, /total/],
  ['half a token', () => allocateTokens([1], { total: 64.5 }), 'Range ARGUMENT', 64.5, /total .* 64\.5/],
  [
    'least above most',
    () => allocateTokens([1], { total: 70, least: 80, most: 70 }),
    'Range ARGUMENT',
    [80, 70],
    /least = 80, most = 70/,
  ],
  ['least below 0', () => allocateTokens([1], { total: 70, least: -1 }), 'Range ARGUMENT', -1, /least .* -1/],
  ['an unknown option', () => allocateTokens([1], { total: 70, min: 1 } as never), 'Type ARGUMENT', 'min', /"min"/],
  ['NaN', () => allocateTokens([1, Number.NaN], { total: 128 }), 'Range ARGUMENT', Number.NaN, /number 1 is NaN/],
  ['Infinity', () => allocateTokens([Infinity], { total: 128 }), 'Range ARGUMENT', Infinity, /Infinity/],
  ['below 0', () => allocateTokens([-0.5], { total: 128 }), 'Range ARGUMENT', -0.5, /-0\.5/],
  ['holes', () => allocateTokens(holes, { total: 128 }), 'Type ARGUMENT', undefined, /number 0 is undefined/],
  ['a string', () => allocateTokens('12' as never, { total: 128 }), 'Type ARGUMENT', '12', /"12"/],
  ['nothing', () => allocateTokens(null as never, { total: 128 }), 'Type ARGUMENT', null, /null/],
  [
    '3 scores for 4 regions',
    () => relevanceSequence([1, 2, 3], { regions: [2, 2], total: 300 }),
    'Range SHAPE',
    3,
    /3 numbers for 4 regions/,
  ],
  [
    'blocks of no tokens',
    () => relevanceSequence([1], { regions: [1, 1], total: 0, least: 0 }),
    'Range ARGUMENT',
    0,
    /least/,
  ],
  [
    'regions of one number',
    () => relevanceSequence([1], { regions: 1 as never, total: 70 }),
    'Type ARGUMENT',
    1,
    /regions/,
  ],
  [
    'an aspect of 0',
    () => relevanceSequence([1], { regions: [1, 1], total: 70, aspect: 0 }),
    'Range ARGUMENT',
    0,
    /aspect/,
  ],
  [
    'markers of −1',
    () => relevanceSequence([1], { regions: [1, 1], total: 70, before: -1 }),
    'Range ARGUMENT',
    -1,
    /before/,
  ],
  [
    'a budget that is missed',
    () => relevanceSequence([1, 1], { regions: [1, 2], total: 100 }),
    'Range CAPACITY',
    100,
    /64 · 2 = 128/,
  ],
])
