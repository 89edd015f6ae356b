import { strict as assert } from 'node:assert'
import {
  type Encoding,
  encodings,
  type Layout,
  layouts,
  MropeError,
  Positions,
  type Segment,
  Sequence,
} from '../lib/index.js'
import { idsOfA, text, v4, v5 } from './support/examples.js'
import { A, B, numbers, planes, vectors, video } from './support/ids.js'

const mrope = layouts.mrope()

const canvas: Segment = { kind: 'canvas', thumbnail: [2, 2], slices: { rows: 2, columns: 2, grid: [1, 2] } }

const rowEnds: Segment = { kind: 'image', grid: [1, 2, 3], rowEnds: true }

const sound = (grid: [number, number, number], secondsPerGrid: number, audioLength: number): Segment[] => [
  text(1),
  { kind: 'audio-video', grid, secondsPerGrid, audioLength },
  text(1),
]

describe('Positions', () => {
  const positions = mrope.positions(Sequence.of(A, { padding: 2 }))

  it('axis: a view by name or number', () => {
    assert.deepEqual([...positions.axis('w')], numbers(`0 0 ${idsOfA[2]}`))
    assert.equal(positions.axis(2).buffer, positions.ids.buffer)
  })
  it('next and largest', () => assert.deepEqual([positions.next, positions.largest, positions.padding], [8, 7, 2]))
  it('at: the ids of one token, padding counted', () => {
    assert.deepEqual(
      [positions.at(0), positions.at(7)],
      [
        [0, 0, 0],
        [3, 3, 5],
      ],
    )
  })
  it('slice keeps the padding that it holds, and goes on as the whole', () => {
    const part = positions.slice(1, 6)
    assert.deepEqual(
      planes(part),
      planes(positions).map((ids) => ids.slice(1, 6)),
    )
    assert.deepEqual([part.padding, part.next, part.delta], [1, 8, -3])
    assert.deepEqual(vectors(part.decode(2)), [
      [8, 8, 8],
      [9, 9, 9],
    ])
    assert.deepEqual([positions.slice(6).length, positions.slice(3, 3).length, positions.slice(5).padding], [7, 0, 0])
  })
  it('decode: any start, none, and from what was decoded', () => {
    assert.deepEqual(vectors(positions.decode(2, 5)), [
      [13, 13, 13],
      [14, 14, 14],
    ])
    assert.equal(positions.decode(0).length, 0)
    assert.deepEqual(positions.decode(2).decode(3), positions.decode(3, 2))
    assert.deepEqual([positions.decode(3).next, positions.decode(3).delta], [11, -3])
  })
  it('from: any ids, and what follows them', () => {
    const free = Positions.from({ axes: ['x', 'y'], ids: [[-1.5, 2.25], Float32Array.of(0.5, 7)] })
    assert.deepEqual([free.length, free.next, free.delta, free.largest], [2, 8, 6, 7])
    assert.deepEqual(vectors(free.decode(1)), [[8, 8]])
    const given = Positions.from({ axes: ['p'], ids: [[9, 9, 0, 1]], padding: 2, next: 5, delta: 3 })
    assert.deepEqual([given.largest, given.next, given.delta, given.decode(1).at(0)], [1, 5, 3, [5]])
  })
})

describe('layouts refuse what they do not place', () => {
  const cases: [string, Layout | Encoding, readonly Segment[], string, RegExp][] = [
    [
      'a whole video, where each frame is a block',
      encodings.qwen3VL(),
      B,
      'ERR_MROPE_BLOCK',
      /one block a frame .* got a video of grid \[4,2,2\]/,
    ],
    ['the same in 4.57, which takes the rest for text', encodings.qwen3VL(v4), B, 'ERR_MROPE_BLOCK', /\[4,2,2\]/],
    [
      'a video with sound in M-RoPE',
      mrope,
      sound([2, 2, 2], 1, 2),
      'ERR_MROPE_SEGMENT',
      /mrope does not place audio-video segments \(segment at token 1\)/,
    ],
    ['a canvas in M-RoPE', mrope, [canvas], 'ERR_MROPE_SEGMENT', /does not place canvas/],
    [
      'an image on a canvas layout',
      layouts.canvas(),
      A,
      'ERR_MROPE_SEGMENT',
      /canvas does not place image segments \(segment at token 3\)/,
    ],
    ['row ends in M-RoPE', mrope, [rowEnds], 'ERR_MROPE_SEGMENT', /mrope does not place images with row ends/],
    ['a video in HunYuan', encodings.hunyuanVL(), B, 'ERR_MROPE_SEGMENT', /does not place video/],
    [
      'seconds beyond 2^53',
      layouts.mropeSeconds(2),
      video([2, 1, 1], 1e300),
      'ERR_MROPE_POSITION_RANGE',
      /frame 1 at 1e\+300 seconds a frame has id 2e\+300/,
    ],
    [
      'seconds beyond float64',
      layouts.tmropeSorted(25),
      video([3, 1, 1], 1e308),
      'ERR_MROPE_POSITION_RANGE',
      /has id Infinity/,
    ],
    [
      'the same in 5.18',
      encodings.qwen25VL(v5),
      video([2, 1, 1], 1e300),
      'ERR_MROPE_POSITION_RANGE',
      /frame 0 at 1e\+300 .* has id NaN/,
    ],
  ]
  for (const [name, layout, segments, code, message] of cases) {
    it(name, () => {
      assert.throws(
        () => layout.positions(Sequence.of(segments)),
        (error: unknown) => error instanceof MropeError && error.code === code && message.test(error.message),
      )
    })
  }
})
