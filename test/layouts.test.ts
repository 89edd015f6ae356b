import { strict as assert } from 'node:assert'
import { type Encoding, encodings, layouts, Sequence } from '../lib/index.js'
import { type Example, examples, forward, idsOfA, idsOfB, image, inA, inC, text, v4, v5 } from './support/examples.js'
import { A, B, video } from './support/ids.js'

examples('M-RoPE of Qwen2-VL', [
  { name: 'A, coherent', layout: encodings.qwen2VL(), ...inA },
  { name: 'A, transformers 4.57', layout: encodings.qwen2VL(v4), ...inA },
  { name: 'A, transformers 5.18', layout: encodings.qwen2VL(v5), ...inA },
  { name: 'A, vllm', layout: encodings.qwen2VL({ compat: 'vllm' }), ...inA },
  {
    name: 'B, coherent: time counts',
    layout: encodings.qwen2VL(),
    segments: B,
    ids: idsOfB([3, 4, 5, 6], '7 8'),
    delta: -12,
    first: [9],
  },
  {
    name: 'B, 4.57: time counts',
    layout: encodings.qwen2VL(v4),
    segments: B,
    ids: idsOfB([3, 4, 5, 6], '7 8'),
    delta: -12,
    first: [9],
  },
  {
    name: 'B, 5.18: time is ignored',
    layout: encodings.qwen2VL(v5),
    segments: B,
    ids: idsOfB([3, 4, 5, 6], '5 6'),
    delta: -14,
    first: [7],
  },
  {
    name: '7 frames, 5.18 generate(): goes on from the last column',
    layout: encodings.qwen2VL(v5),
    segments: video([7, 1, 1]),
    ids: ['0 1 2 3..9 4 5', '0 1 2 3×7 4 5', '0 1 2 3×7 4 5'],
    delta: -2,
    first: [6],
  },
  {
    name: '7 frames, 5.18 forward(): jumps to index + delta',
    layout: encodings.qwen2VL(forward),
    segments: video([7, 1, 1]),
    ids: ['0 1 2 3..9 4 5', '0 1 2 3×7 4 5', '0 1 2 3×7 4 5'],
    delta: -2,
    first: [10],
  },
  {
    name: 'A padded by 2, 4.57: pads are 1, delta counts the width',
    layout: encodings.qwen2VL(v4),
    segments: A,
    options: { padding: 2 },
    ids: idsOfA.map((line) => `1 1 ${line}`),
    delta: -5,
    first: [8],
  },
  {
    name: 'A padded by 2, 5.18: pads are 0, delta counts the tokens',
    layout: encodings.qwen2VL(v5),
    segments: A,
    options: { padding: 2 },
    ids: idsOfA.map((line) => `0 0 ${line}`),
    delta: -3,
    first: [8],
  },
  {
    name: 'text padded by 3, 4.57',
    layout: encodings.qwen2VL(v4),
    segments: [text(4)],
    options: { padding: 3 },
    ids: ['1 1 1 0 1 2 3'],
    delta: -3,
    first: [4],
  },
  {
    name: 'text padded by 3, 5.18',
    layout: encodings.qwen2VL(v5),
    segments: [text(4)],
    options: { padding: 3 },
    ids: ['0 0 0 0 1 2 3'],
    delta: 0,
    first: [4],
  },
  {
    name: 'A, ggml: a fourth axis of zeros, for generated tokens too',
    layout: encodings.qwen2VL({ compat: 'ggml' }),
    segments: A,
    ids: [...idsOfA, '0×11'],
    delta: -3,
    first: [8, 8, 8, 0],
  },
])

const b25 = (options: object, secondsPerGrid?: number): Pick<Example, 'layout' | 'segments'> => ({
  layout: encodings.qwen25VL({ idsPerSecond: 2, ...options }),
  segments: video([4, 2, 2], secondsPerGrid),
})
examples('M-RoPE of Qwen2.5-VL, B at 2 ids a second', [
  { name: 'A', layout: encodings.qwen25VL(), ...inA },
  {
    name: '0.5 s, 4.57: whole seconds first, so time collapses',
    ...b25(v4, 0.5),
    ids: idsOfB([3, 3, 3, 3], '5 6'),
    delta: -14,
    first: [7],
  },
  { name: '1 s, 4.57', ...b25(v4, 1), ids: idsOfB([3, 5, 7, 9], '10 11'), delta: -9, first: [12] },
  { name: '2 s, 4.57', ...b25(v4, 2), ids: idsOfB([3, 7, 11, 15], '16 17'), delta: -3, first: [18] },
  { name: 'no seconds given, 4.57: 1 s', ...b25(v4), ids: idsOfB([3, 5, 7, 9], '10 11'), delta: -9, first: [12] },
  {
    name: '0.4 s, 5.18: truncated after the product',
    ...b25(v5, 0.4),
    ids: idsOfB([3, 3, 4, 5], '5 6'),
    delta: -14,
    first: [7],
  },
  { name: '0.5 s, 5.18', ...b25(v5, 0.5), ids: idsOfB([3, 4, 5, 6], '5 6'), delta: -14, first: [7] },
  { name: '1 s, 5.18', ...b25(v5, 1), ids: idsOfB([3, 5, 7, 9], '5 6'), delta: -11, first: [7] },
  { name: '2 s, 5.18 generate()', ...b25(v5, 2), ids: idsOfB([3, 7, 11, 15], '5 6'), delta: -5, first: [7] },
  { name: '2 s, 5.18 forward()', ...b25(forward, 2), ids: idsOfB([3, 7, 11, 15], '5 6'), delta: -5, first: [16] },
  { name: '0.4 s, coherent', ...b25({}, 0.4), ids: idsOfB([3, 3, 4, 5], '6 7'), delta: -13, first: [8] },
  { name: '0.5 s, coherent', ...b25({}, 0.5), ids: idsOfB([3, 4, 5, 6], '7 8'), delta: -12, first: [9] },
  { name: '2 s, coherent', ...b25({}, 2), ids: idsOfB([3, 7, 11, 15], '16 17'), delta: -3, first: [18] },
  { name: 'no seconds given, coherent: 1 s', ...b25({}), ids: idsOfB([3, 5, 7, 9], '10 11'), delta: -9, first: [12] },
])

describe('M-RoPE in seconds: float32 and float64 products differ', () => {
  const frame = (encoding: Encoding, index: number, seconds: number): number =>
    encoding.positions(Sequence.of([{ kind: 'video', grid: [index + 1, 1, 1], secondsPerGrid: seconds }])).axis('t')[
      index
    ]
  it('Qwen2.5-VL, 2 ids a second, 2.1 s: frame 15 has id 63, in float32 62', () => {
    assert.equal(frame(encodings.qwen25VL(), 15, 2.1), 63)
    assert.equal(frame(encodings.qwen25VL(v5), 15, 2.1), 62)
    assert.equal(frame(encodings.qwen25VL(v5), 14, 2.1), frame(encodings.qwen25VL(), 14, 2.1))
  })
  it('Qwen2.5-Omni, 25 ids a second, 0.04 s: frame 5 has id 5, in float32 4', () => {
    assert.equal(frame(encodings.qwen25Omni(), 5, 0.04), 5)
    assert.equal(frame(encodings.qwen25Omni(v5), 5, 0.04), 4)
  })
  it('a video of 1000 frames never runs backwards, whatever its seconds', () => {
    for (const seconds of [0, 1e-3, 0.04, 1 / 3, 0.5, 0.7, 1, 2.1, 60]) {
      for (const encoding of [encodings.qwen25VL(), encodings.qwen25VL(v5), encodings.qwen3Omni()]) {
        const { ids } = encoding.positions(
          Sequence.of([{ kind: 'video', grid: [1000, 1, 1], secondsPerGrid: seconds }]),
        )
        for (let n = 1; n < 1000; n++) assert.ok(ids[n] >= ids[n - 1], `${seconds} s, frame ${n}`)
      }
    }
  })
})

examples('a block a frame: Qwen3-VL, Qwen3.5, GLM, Keye', [
  { name: 'Qwen3-VL, A', layout: encodings.qwen3VL(), ...inA },
  { name: 'Qwen3-VL, C', layout: encodings.qwen3VL(), ...inC },
  { name: 'Qwen3-VL, C, 5.18', layout: encodings.qwen3VL(v5), ...inC },
  { name: 'Qwen3-VL, C, 4.57', layout: encodings.qwen3VL(v4), ...inC },
  { name: 'Qwen3.5, C', layout: encodings.qwen35(), ...inC },
  { name: 'GLM-4.1V, C', layout: encodings.glm4V(), ...inC },
  { name: 'GLM-4.5V, C, 5.18', layout: encodings.glm4VMoe(v5), ...inC },
  { name: 'Keye-VL, C', layout: encodings.keyeVL(), ...inC },
  { name: 'Cohere Compass, C', layout: encodings.cohereCompass(), ...inC },
])

examples('one block a video: Ernie, PaddleOCR', [
  {
    name: 'Ernie, B after its temporal merge',
    layout: encodings.ernie45VL(),
    segments: B,
    ids: idsOfB([3, 4, 5, 6], '7 8'),
    delta: -12,
    first: [9],
  },
  {
    name: 'Ernie, B, 5.18',
    layout: encodings.ernie45VL(v5),
    segments: B,
    ids: idsOfB([3, 4, 5, 6], '5 6'),
    delta: -14,
    first: [7],
  },
  { name: 'PaddleOCR, A', layout: encodings.paddleOcrVL(), ...inA },
])

const mrope = layouts.mrope()
examples('edges, M-RoPE', [
  {
    name: 'block first',
    layout: mrope,
    segments: [image(1, 2, 3), text(2)],
    ids: ['0×6 3 4', '0 0 0 1 1 1 3 4', '0 1 2 0 1 2 3 4'],
    delta: -3,
    first: [5],
  },
  {
    name: 'block last',
    layout: mrope,
    segments: [text(2), image(1, 2, 3)],
    ids: ['0 1 2×6', '0 1 2 2 2 3 3 3', '0 1 2 3 4 2 3 4'],
    delta: -3,
    first: [5],
  },
  {
    name: 'block last, 5.18 generate(): each axis goes on by itself',
    layout: encodings.qwen2VL(v5),
    segments: [text(2), image(1, 2, 3)],
    ids: ['0 1 2×6', '0 1 2 2 2 3 3 3', '0 1 2 3 4 2 3 4'],
    delta: -3,
    first: [3, 4, 5],
  },
  {
    name: 'block last, 5.18 forward()',
    layout: encodings.qwen2VL(forward),
    segments: [text(2), image(1, 2, 3)],
    ids: ['0 1 2×6', '0 1 2 2 2 3 3 3', '0 1 2 3 4 2 3 4'],
    delta: -3,
    first: [5],
  },
  {
    name: 'nothing but a block',
    layout: mrope,
    segments: [image(1, 1, 2)],
    ids: ['0 0', '0 0', '0 1'],
    delta: 0,
    first: [2],
  },
  {
    name: 'two blocks side by side',
    layout: mrope,
    segments: [image(1, 2, 2), image(1, 1, 3)],
    ids: ['0×4 2×3', '0 0 1 1 2 2 2', '0 1 0 1 2 3 4'],
    delta: -2,
    first: [5],
  },
  {
    name: 'empty text between them and at the ends',
    layout: mrope,
    segments: [text(0), image(1, 2, 2), text(0), image(1, 1, 3), text(0)],
    ids: ['0×4 2×3', '0 0 1 1 2 2 2', '0 1 0 1 2 3 4'],
    delta: -2,
    first: [5],
  },
  {
    name: 'H = 1',
    layout: mrope,
    segments: [text(1), image(1, 1, 4), text(1)],
    ids: ['0 1×4 5', '0 1×4 5', '0 1..4 5'],
    delta: 0,
    first: [6],
  },
  {
    name: 'W = 1',
    layout: mrope,
    segments: [text(1), image(1, 4, 1), text(1)],
    ids: ['0 1×4 5', '0 1..4 5', '0 1×4 5'],
    delta: 0,
    first: [6],
  },
  {
    name: 'T = 1, a video of one cell is a text token',
    layout: mrope,
    segments: video([1, 1, 1]),
    ids: ['0..5'],
    delta: 0,
    first: [6],
  },
  { name: 'no tokens', layout: mrope, segments: [], ids: [''], delta: 0, first: [0] },
  { name: 'no tokens, 5.18', layout: encodings.qwen2VL(v5), segments: [], ids: [''], delta: 0, first: [0] },
  { name: 'padding only', layout: mrope, segments: [], options: { padding: 2 }, ids: ['0 0'], delta: 0, first: [0] },
])
