import { strict as assert } from 'node:assert'
import { type Encoding, type Layout, type Segment, Sequence, type SequenceOptions } from '../../lib/index.js'
import { A, C, numbers, planes } from './ids.js'

export interface Example {
  readonly name: string
  readonly layout: Layout | Encoding
  readonly segments: readonly Segment[]
  readonly options?: SequenceOptions
  /** Ids of each axis, in the order of the axes; one line stands for all axes. */
  readonly ids: readonly string[]
  readonly delta: number
  /** Ids of the first generated token on each axis; one number stands for all. */
  readonly first: readonly number[]
}

function check({ layout, segments, options, ids, delta, first }: Example): void {
  const positions = layout.positions(Sequence.of(segments, options))
  const expected = ids.length === 1 ? positions.axes.map(() => numbers(ids[0])) : ids.map(numbers)
  assert.deepEqual(planes(positions), expected)
  assert.equal(positions.delta, delta)
  assert.deepEqual(positions.decode(1).at(0), first.length === 1 ? positions.axes.map(() => first[0]) : first)
  assert.equal(positions.length, positions.padding + Sequence.of(segments).length)
}

/** One test for each worked example. */
export function examples(title: string, list: readonly Example[]): void {
  describe(title, () => {
    for (const example of list) it(example.name, () => check(example))
  })
}

export const text = (length: number): Segment => ({ kind: 'text', length })
export const image = (...grid: [number, number, number]): Segment => ({ kind: 'image', grid })
export const v4 = { compat: 'transformers@4.57' }
export const v5 = { compat: 'transformers@5.18' }
export const forward = { compat: 'transformers@5.18/forward' }

export const idsOfA = ['0 1 2 3×6 6 7', '0 1 2 3 3 3 4 4 4 6 7', '0 1 2 3 4 5 3 4 5 6 7']
export const inA = { segments: A, ids: idsOfA, delta: -3, first: [8] }
export const idsOfC = [
  '0 1 2 3×6 6 7 8 9×6 12 13',
  '0 1 2 3 3 3 4 4 4 6 7 8 9 9 9 10 10 10 12 13',
  '0 1 2 3 4 5 3 4 5 6 7 8 9 10 11 9 10 11 12 13',
]
export const inC = { segments: C, ids: idsOfC, delta: -6, first: [14] }
/** Ids of prompt B with these ids of its frames and of the text behind. */
export const idsOfB = (frames: readonly number[], behind: string): string[] => [
  `0 1 2 ${frames.map((t) => `${t}×4`).join(' ')} ${behind}`,
  `0 1 2 ${'3 3 4 4 '.repeat(4)} ${behind}`,
  `0 1 2 ${'3 4 3 4 '.repeat(4)} ${behind}`,
]
