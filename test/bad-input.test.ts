import {
  allocations,
  Encoding,
  encodingFromConfig,
  encodings,
  frameTimes,
  layouts,
  Positions,
  RotaryAngles,
  Sequence,
  spectra,
} from '../lib/index.js'
import { holes, refuses } from './support/refuses.js'

const of =
  (...segments: unknown[]) =>
  () =>
    Sequence.of(segments as never)
const image = (grid: unknown): object => ({ kind: 'image', grid })
refuses('segments', [
  ['no list', () => Sequence.of('text' as never), 'Type SEGMENT', 'text', /expected a list of segments, got "text"/],
  ['a number', of(5), 'Type SEGMENT', 5, /segment 0: expected an object with a kind, got 5/],
  [
    'holes',
    () => Sequence.of(holes as never),
    'Type SEGMENT',
    undefined,
    /segment 0: expected an object with a kind, got undefined/,
  ],
  [
    'an unknown kind',
    of({ kind: 'txt', length: 1 }),
    'Type SEGMENT',
    'txt',
    /segment 0: kind is one of text, image, .*, got "txt"/,
  ],
  ['a kind from Object.prototype', of({ kind: 'toString' }), 'Type SEGMENT', 'toString', /got "toString"/],
  [
    'a misspelt property',
    of({ kind: 'video', grid: [1, 1, 1], secondPerGrid: 1 }),
    'Type SEGMENT',
    'secondPerGrid',
    /video has no property "secondPerGrid"/,
  ],
  [
    'no length',
    of({ kind: 'text' }),
    'Type SEGMENT',
    undefined,
    /segment 0: length is a number of tokens, got undefined/,
  ],
  [
    'a negative length',
    of({ kind: 'text', length: 1 }, { kind: 'text', length: -1 }),
    'Range SEGMENT',
    -1,
    /segment 1: length is an integer from 0 to 16777216, got -1/,
  ],
  ['a fractional length', of({ kind: 'audio', length: 1.5 }), 'Range SEGMENT', 1.5, /got 1.5/],
  ['a NaN length', of({ kind: 'text', length: Number.NaN }), 'Range SEGMENT', Number.NaN, /got NaN/],
  ['more than 2^24 tokens', of({ kind: 'text', length: 2 ** 24 + 1 }), 'Range SEGMENT', 2 ** 24 + 1, /got 16777217/],
  [
    'more than 2^24 cells',
    of(image([4096, 4096, 4096])),
    'Range SEGMENT',
    image([4096, 4096, 4096]),
    /more than 16777216 tokens/,
  ],
  [
    'more than 2^24 together',
    of({ kind: 'text', length: 2 ** 24 }, { kind: 'text', length: 1 }),
    'Range SEGMENT',
    2 ** 24 + 1,
    /16777217 tokens, more than 16777216/,
  ],
  [
    'no grid',
    of({ kind: 'image' }),
    'Range GRID',
    undefined,
    /segment 0: a grid is \[t, h, w\] with three positive integers, got undefined/,
  ],
  ['a grid of two', of(image([2, 3])), 'Range GRID', [2, 3], /got \[2, 3\]/],
  ['a grid of zeros', of(image([1, 0, 3])), 'Range GRID', [1, 0, 3], /got \[1, 0, 3\]/],
  ['a grid of text', of(image(['1', '2', '3'])), 'Range GRID', ['1', '2', '3'], /got \["1", "2", "3"\]/],
  [
    'a list-like grid of 2^40',
    of(image({ length: 2 ** 40 })),
    'Range GRID',
    { length: 2 ** 40 },
    /got \{"length":1099511627776\}/,
  ],
  [
    'infinite seconds',
    of({ kind: 'video', grid: [1, 1, 1], secondsPerGrid: Number.POSITIVE_INFINITY }),
    'Range SEGMENT',
    Number.POSITIVE_INFINITY,
    /not negative, got Infinity/,
  ],
  [
    'row ends of 1',
    of({ kind: 'image', grid: [1, 1, 1], rowEnds: 1 }),
    'Type SEGMENT',
    { kind: 'image', grid: [1, 1, 1], rowEnds: 1 },
    /rowEnds is true or false, got 1/,
  ],
  [
    'streams of another length',
    of({ kind: 'audio-video', grid: [1, 1, 1], audioLength: 2, streams: [0, 1] }),
    'Range SEGMENT',
    [0, 1],
    /streams has 1 video and 1 audio tokens, expected 1 and 2/,
  ],
  [
    'streams of 2',
    of({ kind: 'audio-video', grid: [1, 1, 1], audioLength: 1, streams: [0, 2] }),
    'Type SEGMENT',
    [0, 2],
    /streams is a list of 0 \(video\) and 1 \(audio\), got \[0, 2\]/,
  ],
  [
    'a thumbnail of three',
    of({ kind: 'canvas', thumbnail: [1, 2, 3, 4] }),
    'Range GRID',
    [1, 2, 3, 4],
    /segment 0: thumbnail: .*got \[1, 2, 3, 4\]/,
  ],
  [
    'slices without rows',
    of({ kind: 'canvas', thumbnail: [1, 1], slices: { columns: 1, grid: [1, 1] } }),
    'Range GRID',
    [1, undefined, 1],
    /segment 0: slices: /,
  ],
  ['padding −1', () => Sequence.of([], { padding: -1 }), 'Range SEGMENT', -1, /padding is a count of tokens, got -1/],
  [
    'padding 2^40',
    () => Sequence.of([], { padding: 2 ** 40 }),
    'Range SEGMENT',
    2 ** 40,
    /1099511627776 tokens, more than 16777216/,
  ],
  [
    'upcoming grids as a number',
    () => Sequence.of([], { upcoming: 3 as never }),
    'Type SEGMENT',
    3,
    /upcoming is a list of grids, got 3/,
  ],
  [
    'an upcoming grid of 2^72 cells',
    () => Sequence.of([], { upcoming: [[2 ** 24, 2 ** 24, 2 ** 24]] }),
    'Range SEGMENT',
    2 ** 72,
    /more than 16777216/,
  ],
  [
    'concat with padding',
    () => Sequence.of([]).concat(Sequence.of([], { padding: 2 })),
    'Range SEGMENT',
    2,
    /second part has 2 padding tokens/,
  ],
  [
    'concat with a list',
    () => Sequence.of([]).concat([] as never),
    'Type ARGUMENT',
    [],
    /concat: expected a Sequence, got \[\]/,
  ],
])

const axes = ['t', 'h', 'w']
const from = (init: unknown) => () => Positions.from(init as never)
const three = Positions.from({
  axes,
  ids: [
    [0, 1, 2],
    [0, 1, 2],
    [0, 1, 2],
  ],
})
refuses('positions', [
  [
    'NaN',
    from({
      axes,
      ids: [
        [0, 1],
        [0, Number.NaN],
        [0, 1],
      ],
    }),
    'Range POSITION',
    Number.NaN,
    /id 1 on axis h is NaN/,
  ],
  [
    'infinite',
    from({ axes: ['p'], ids: [[0, 1, Number.NEGATIVE_INFINITY]] }),
    'Range POSITION',
    Number.NEGATIVE_INFINITY,
    /id 2 on axis p is -Infinity/,
  ],
  ['text', from({ axes: ['p'], ids: [[0, '1']] }), 'Type ARGUMENT', '1', /id 1 on axis p is a number, got "1"/],
  ['big integers', from({ axes: ['p'], ids: [BigInt64Array.of(1n)] }), 'Type ARGUMENT', 1n, /got 1n/],
  [
    'holes',
    from({ axes: ['p'], ids: [holes] }),
    'Type ARGUMENT',
    undefined,
    /id 0 on axis p is a number, got undefined/,
  ],
  [
    'axes of unequal length',
    from({ axes, ids: [[0, 1], [0], [0, 1]] }),
    'Range SHAPE',
    1,
    /axis h has 1 ids, axis t 2/,
  ],
  ['too few axes', from({ axes, ids: [[0]] }), 'Type ARGUMENT', [[0]], /3 axes need 3 lists of ids/],
  [
    'an axis that is no list',
    from({ axes: ['p'], ids: [null] }),
    'Type ARGUMENT',
    null,
    /ids of axis p are a list of numbers, got null/,
  ],
  [
    'equal axes',
    from({ axes: ['t', 't'], ids: [[0], [0]] }),
    'Type ARGUMENT',
    ['t', 't'],
    /list of different names, got \["t", "t"\]/,
  ],
  ['no axes', from({ axes: [], ids: [] }), 'Type ARGUMENT', [], /got \[\]/],
  ['nothing', from(undefined), 'Type ARGUMENT', undefined, /axes is a list of different names, got undefined/],
  [
    'more padding than tokens',
    from({ axes: ['p'], ids: [[0]], padding: 2 }),
    'Range ARGUMENT',
    2,
    /padding is from 0 to 1, got 2/,
  ],
  [
    'next is NaN',
    from({ axes: ['p'], ids: [[0]], next: Number.NaN }),
    'Range POSITION',
    Number.NaN,
    /next is a finite number, got NaN/,
  ],
  ['an axis that is not there', () => three.axis('x'), 'Range ARGUMENT', 'x', /no axis "x" in \["t", "h", "w"\]/],
  ['axis 3', () => three.axis(3), 'Range ARGUMENT', 3, /no axis 3/],
  ['token 3 of 3', () => three.at(3), 'Range POSITION_RANGE', [3, 4], /tokens 3 to 4 are not in 0 to 3/],
  [
    'a slice that ends before it starts',
    () => three.slice(2, 1),
    'Range POSITION_RANGE',
    [2, 1],
    /tokens 2 to 1 are not in 0 to 3/,
  ],
  ['decode −1', () => three.decode(-1), 'Range ARGUMENT', -1, /count is a count, got -1/],
  ['decode 1.5', () => three.decode(1, 1.5), 'Range ARGUMENT', 1.5, /start is a count, got 1.5/],
  [
    'decode 2^40',
    () => three.decode(2 ** 40),
    'Range ARGUMENT',
    2 ** 40,
    /1099511627776 tokens at once, more than 16777216/,
  ],
])

const nan = new Positions({ axes, ids: Float64Array.of(0, 1, Number.NaN, 0, 1, 2), next: 0, delta: 0 })
const llama = encodings.llama()
const parts = { name: 'test', headDim: 128, layout: layouts.mrope(), pairing: 'half-split' } as const
const fine = {
  ...parts,
  spectrum: spectra.default({ base: 1e4, dim: 128 }),
  allocation: allocations.chunked([16, 24, 24], 64),
}
const one = llama.positions(Sequence.of([{ kind: 'text', length: 3 }]))
const angles = (change: object): RotaryAngles => {
  const { invFreq, attentionFactor, allocation, pairing } = encodings.qwen2VL()
  const positions = encodings.qwen2VL().positions(Sequence.of([{ kind: 'text', length: 3 }]))
  return new RotaryAngles({ positions, invFreq, attentionFactor, allocation, pairing, ...change })
}
const short = { ...fine.allocation, axisOf: new Int8Array(6) }
refuses('angles', [
  ['nothing', () => new RotaryAngles(undefined as never), 'Type ARGUMENT', undefined, /expected an object/],
  ['no positions', () => angles({ positions: null }), 'Type ARGUMENT', null, /positions .* got null/],
  ['positions of one axis', () => angles({ positions: one }), 'Range SHAPE', one.axes, /1 axes, the encoding 3/],
  ['frequencies as text', () => angles({ invFreq: '1' }), 'Type ARGUMENT', '1', /invFreq/],
  ['three frequencies', () => angles({ invFreq: new Float64Array(3) }), 'Range SHAPE', 3, /3 frequencies for 64 pairs/],
  ['a factor of NaN', () => angles({ attentionFactor: Number.NaN }), 'Type ARGUMENT', Number.NaN, /attentionFactor/],
  ['no allocation', () => angles({ allocation: null }), 'Type ARGUMENT', null, /allocations/],
  ['a short allocation', () => angles({ allocation: short }), 'Range SECTIONS', 6, /1 × 64 entries/],
  ['an unknown pairing', () => angles({ pairing: 'odd' }), 'Type ARGUMENT', 'odd', /pairing/],
  ['an unknown precision', () => angles({ precision: 'float8' }), 'Type ARGUMENT', 'float8', /precision/],
  ['an unknown option', () => angles({ base: 1 }), 'Type ARGUMENT', 'base', /unknown option/],
])

refuses('encodings, layouts and tables', [
  ['an encoding of nothing', () => new Encoding(undefined as never), 'Range CONFIG', undefined, /headDim/],
  [
    'an encoding without a layout',
    () => new Encoding({ ...fine, layout: undefined as never }),
    'Type ARGUMENT',
    undefined,
    /layouts/,
  ],
  [
    'a table of a NaN id',
    () => encodings.qwen2VL().table(nan),
    'Range POSITION',
    Number.NaN,
    /id of token 0 on axis h is NaN/,
  ],
  [
    'a table of three axes for an encoding of one',
    () => llama.table(three),
    'Range SHAPE',
    axes,
    /positions have 3 axes, the encoding 1/,
  ],
  [
    'a table of 2^33 entries',
    () => llama.table(new Positions({ axes: ['p'], ids: new Float64Array(2 ** 24 + 1), next: 0, delta: 0 })),
    'Range SHAPE',
    2 ** 24 + 1,
    /1 × 16777217 × 64 entries are more than 1073741824/,
  ],
  [
    'head dimension 0',
    () => new Encoding({ ...fine, headDim: 0 }),
    'Range CONFIG',
    0,
    /headDim is a positive integer, got 0/,
  ],
  [
    'a rotary dimension beyond the head',
    () => new Encoding({ ...fine, headDim: 96 }),
    'Range CONFIG',
    128,
    /rotary dimension 128 is larger than headDim 96/,
  ],
  [
    'an unknown pairing',
    () => new Encoding({ ...fine, pairing: 'interleaved' as never }),
    'Range CONFIG',
    'interleaved',
    /pairing is half-split or adjacent, got "interleaved"/,
  ],
  [
    'sections that do not sum',
    () => encodings.qwen2VL({ sections: [16, 24, 25] }),
    'Range SECTIONS',
    [16, 24, 25],
    /\[16, 24, 25\] .* 64 pairs/,
  ],
  [
    'partial 0',
    () => encodings.qwen35({ partialRotaryFactor: 0 }),
    'Range CONFIG',
    0,
    /partial_rotary_factor is above 0/,
  ],
  [
    'options as text',
    () => encodings.qwen2VL('x' as never),
    'Type ARGUMENT',
    'x',
    /encodings: qwen2_vl: expected an object, got "x"/,
  ],
  ['stride 0', () => layouts.spatialReset(0), 'Range CONFIG', 0, /stride is a positive number, got 0/],
  [
    'NaN ids a second',
    () => layouts.mropeSeconds(Number.NaN),
    'Range CONFIG',
    Number.NaN,
    /ids per second is a positive number, got NaN/,
  ],
  [
    '−25 ids a second',
    () => layouts.tmropeSorted(-25),
    'Range CONFIG',
    -25,
    /ids per second is a positive number, got -25/,
  ],
  [
    'chunks of 0 ids',
    () => layouts.tmropeChunked(25, 0.01),
    'Range CONFIG',
    0,
    /a chunk is a positive number of whole ids, got 0/,
  ],
  ['five axes', () => layouts.plainIndex(5 as never), 'Range SECTIONS', 5, /3 or 4 axes, got 5/],
  [
    'an unknown rope type',
    () => encodingFromConfig({ model_type: 'llama', head_dim: 64, rope_scaling: { type: 'yam' } }),
    'Range ROPE_TYPE',
    'yam',
    /unknown rope type "yam"/,
  ],
  ['frames a second: 0', () => frameTimes([0, 1], 0), 'Range ARGUMENT', 0, /fps is a positive number, got 0/],
  [
    '0 frames a block',
    () => frameTimes([0, 1], 2, 0),
    'Range ARGUMENT',
    0,
    /temporalPatch is a positive integer, got 0/,
  ],
  [
    'a NaN frame',
    () => frameTimes([0, Number.NaN]),
    'Type ARGUMENT',
    [0, Number.NaN],
    /list of finite numbers, got \[0, NaN\]/,
  ],
  ['no frames', () => frameTimes(null as never), 'Type ARGUMENT', null, /got null/],
])
