import { encodings } from '../../lib/encodings/named.js'
import type { Segment } from '../../lib/sequence/segment.js'
import { Sequence } from '../../lib/sequence/sequence.js'
import { alone, type BenchCase, median } from '../harness.js'

const tokens = 262_144

/** A prompt of about `total` tokens: text, pictures and videos of unequal sides in turn. */
function prompt(total: number): Segment[] {
  const round: Segment[] = [
    { kind: 'text', length: 104 },
    { kind: 'image', grid: [1, 30, 40] },
    { kind: 'text', length: 50 },
    { kind: 'video', grid: [16, 10, 14] },
  ]
  const each = 104 + 1200 + 50 + 2240
  return Array.from({ length: Math.floor(total / each) }, () => round)
    .flat()
    .concat([{ kind: 'text', length: total % each }])
}

/** Ids of one long prompt, and how the time grows from a quarter of it: 4 is linear. */
export const positions: BenchCase = {
  name: `positions of ${tokens} tokens of text, images and video`,
  bar: { most: 10, unit: 'ms' },
  async run(report) {
    const encoding = encodings.qwen2VL()
    const place = (total: number) => () => encoding.positions(Sequence.of(prompt(total)))
    const whole = await alone(place(tokens), 15, report)
    const quarter = await alone(place(tokens / 4), 15, report)
    const times = whole.figures.all as readonly number[]
    const parts = quarter.figures.all as readonly number[]
    return { ...whole, figures: { ...whole.figures, 'growth from a quarter': median(times) / median(parts) } }
  },
}
