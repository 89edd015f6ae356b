import { alternateLayers, deepStack } from '../lib/encodings/published-layers.js'
import { encodings, layouts, type Segment, Sequence } from '../lib/index.js'
import { text } from './support/examples.js'
import { A } from './support/ids.js'
import { type Bad, holes, refuses } from './support/refuses.js'

const bad = (value: unknown): never => value as never
const strides = (name: 'videoRope' | 'hope' | 'mropeI' | 'mhRope' | 'mmRope' | 'omniRope', value: unknown) => () =>
  encodings[name]({ temporalStride: bad(value) })

refuses('strides', [
  ['0', strides('videoRope', 0), 'Range CONFIG', 0, /layout diagonal: stride is a positive number, got 0/],
  ['−1', strides('hope', -1), 'Range CONFIG', -1, /got -1/],
  ['NaN', strides('mropeI', Number.NaN), 'Range CONFIG', Number.NaN, /layout spatial-reset: stride .* got NaN/],
  ['a string', strides('mhRope', '2'), 'Range CONFIG', '2', /got "2"/],
  ['null', strides('mmRope', null), 'Range CONFIG', null, /got null/],
  [
    'nothing to draw from',
    strides('hope', { among: [], seed: 1 }),
    'Range CONFIG',
    [],
    /drawn among a list .* got \[\]/,
  ],
  ['no list', strides('hope', { seed: 1 }), 'Range CONFIG', undefined, /drawn among a list .* got undefined/],
  ['a hole', strides('hope', { among: holes, seed: 1 }), 'Range CONFIG', undefined, /stride 0 of those to draw/],
  ['0 to draw', strides('hope', { among: [1, 0], seed: 1 }), 'Range CONFIG', 0, /stride 1 of those to draw .* got 0/],
  [
    'no seed',
    strides('omniRope', { among: [1] }),
    'Range CONFIG',
    undefined,
    /seed of stride is an integer, got undefined/,
  ],
  ['seed 0.5', strides('hope', { among: [1], seed: 0.5 }), 'Range CONFIG', 0.5, /seed .* got 0.5/],
])

refuses('V2PE', [
  [
    'mode',
    () => encodings.v2pe({ mode: bad('v2pe_fix') }),
    'Range ARGUMENT',
    'v2pe_fix',
    /default, fixed or random, got "v2pe_fix"/,
  ],
  ['stride 0', () => encodings.v2pe({ stride: 0 }), 'Range CONFIG', 0, /layout v2pe: stride/],
  [
    'no tokens a tile',
    () => encodings.v2pe({ tokensPerTile: 0 }),
    'Range CONFIG',
    0,
    /positive number of tokens, or `block`; got 0/,
  ],
  ['tokens a tile', () => layouts.v2pe({ per: bad('tile') }), 'Range CONFIG', 'tile', /got "tile"/],
  ['seed', () => encodings.v2pe({ mode: 'random', seed: Number.NaN }), 'Range CONFIG', Number.NaN, /seed of stride/],
  [
    'sound',
    () => encodings.v2pe().positions(Sequence.of([{ kind: 'audio', length: 3 }])),
    'Range SEGMENT',
    'audio',
    /layout v2pe does not place audio segments/,
  ],
])

refuses('CircleRoPE', [
  [
    'radius −1',
    () => encodings.circleRope({ radius: -1 }),
    'Range CONFIG',
    -1,
    /layout circle: the radius is a number/,
  ],
  ['radius NaN', () => encodings.circleRope({ radius: Number.NaN }), 'Range CONFIG', Number.NaN, /got NaN/],
  ['radius auto-', () => encodings.circleRope({ radius: bad('auto-') }), 'Range CONFIG', 'auto-', /got "auto-"/],
  [
    'radius auto-x',
    () => encodings.circleRope({ radius: bad('auto-1e9') }),
    'Range CONFIG',
    'auto-1e9',
    /got "auto-1e9"/,
  ],
  [
    'alpha 1.5',
    () => encodings.circleRope({ alpha: 1.5 }),
    'Range CONFIG',
    1.5,
    /alpha is a share from 0 to 1, got 1.5/,
  ],
  ['mix −0.1', () => encodings.circleRope({ mix: -0.1 }), 'Range CONFIG', -0.1, /mix is a share/],
  ['mix true', () => encodings.circleRope({ mix: bad(true) }), 'Range CONFIG', true, /mix is a share .* got true/],
  [
    'origin 1',
    () => encodings.circleRope({ moveToOrigin: bad(1) }),
    'Range CONFIG',
    1,
    /moveToOrigin is true or false/,
  ],
  ['positive −2', () => encodings.circleRope({ moveToPositive: -2 }), 'Range CONFIG', -2, /moveToPositive/],
  [
    'frames',
    () => encodings.circleRope({ frameStride: Number.POSITIVE_INFINITY }),
    'Range CONFIG',
    Number.POSITIVE_INFINITY,
    /stride of frames/,
  ],
  [
    'row ends',
    () => encodings.circleRope().positions(Sequence.of([{ kind: 'image', grid: [1, 2, 3], rowEnds: true }])),
    'Range SEGMENT',
    [1, 2, 3],
    /layout circle does not place images with row ends/,
  ],
])

refuses('options of papers', [
  [
    'an unknown option',
    () => encodings.hope(bad({ stride: 1 })),
    'Type ARGUMENT',
    'stride',
    /encodings: hope: unknown option "stride"; known are/,
  ],
  [
    'no object',
    () => encodings.bagel(bad(null)),
    'Type ARGUMENT',
    null,
    /encodings: bagel: expected an object, got null/,
  ],
  ['a list', () => encodings.vRope(bad([])), 'Type ARGUMENT', [], /expected an object, got \[\]/],
  [
    'a rule of a release',
    () => encodings.mropeI({ compat: 'vllm' }),
    'Range COMPAT',
    'vllm',
    /mropeI has no known rule of vllm/,
  ],
  ['an unknown rule', () => encodings.v2pe({ compat: 'v2pe' }), 'Range COMPAT', 'v2pe', /compat is one of/],
  ['head 0', () => encodings.bagel({ headDim: 0 }), 'Range CONFIG', 0, /headDim is a positive integer, got 0/],
  [
    'an odd head',
    () => encodings.vRope({ headDim: 33 }),
    'Range SECTIONS',
    16.5,
    /number of pairs is an integer .* got 16.5/,
  ],
  ['base 0', () => encodings.mmRope({ base: 0 }), 'Range CONFIG', 0, /base is a positive number, got 0/],
  [
    'pairing',
    () => encodings.vRope({ pairing: bad('neox') }),
    'Range CONFIG',
    'neox',
    /pairing is half-split or adjacent, got "neox"/,
  ],
  [
    'sections',
    () => encodings.videoRope({ sections: [16, 24, 23] }),
    'Range SECTIONS',
    [24, 23, 16],
    /sections \[24, 23, 16\]/,
  ],
  ['no sections', () => encodings.hope({ sections: bad(7) }), 'Range SECTIONS', [undefined], /sections \[undefined\]/],
  [
    'unequal rows and columns',
    () => encodings.videoRope({ sections: [16, 20, 28] }),
    'Range SECTIONS',
    [20, 28, 16],
    /h and w alternate/,
  ],
  ['too few heads', () => encodings.mhRope({ kvHeads: 4 }), 'Range SECTIONS', [2, 3, 3], /sum to at most 4/],
  ['half a head', () => encodings.mhRope({ kvHeads: 8.5 }), 'Range HEADS', 8.5, /from 1 to 1024, got 8.5/],
  [
    'reset',
    () => encodings.mropeI({ spatialReset: bad('no') }),
    'Type ARGUMENT',
    'no',
    /spatialReset is true or false, got "no"/,
  ],
  [
    'scale',
    () => encodings.mmRope({ scale: bad([4, 8]) }),
    'Range CONFIG',
    [4, 8],
    /three numbers of ids, for t, h and w, got \[4, 8\]/,
  ],
  [
    'scale −8',
    () => encodings.mmRope({ scale: [4, -8, 8] }),
    'Range CONFIG',
    -8,
    /a step is a number of ids, not negative, got -8/,
  ],
  ['scale of a string', () => encodings.mmRope({ scale: bad([4, '8', 8]) }), 'Range CONFIG', '8', /got "8"/],
  [
    'interval',
    () => encodings.enlargedInterval({ interval: -1 }),
    'Range CONFIG',
    -1,
    /the interval is a number of ids, not negative, got -1/,
  ],
  [
    'factor',
    () => encodings.scaledSpatialBase({ spatialBaseFactor: 0 }),
    'Range CONFIG',
    0,
    /spatialBaseFactor is a positive number, got 0/,
  ],
  [
    'the thumbnail',
    () => layouts.slices({ thumbnail: bad('small') }),
    'Range CONFIG',
    'small',
    /stretched or a block, got "small"/,
  ],
])

const slices = { rows: 1, columns: 2, grid: [2, 2] } as const
const cut =
  (more: object): Bad[1] =>
  () =>
    Sequence.of([{ kind: 'slices', slices, ...more } as Segment])
refuses('options of layouts that nobody reads', [
  ['v2pe of a number', () => layouts.v2pe(bad(64)), 'Type ARGUMENT', 64, /layouts\.v2pe: expected an object, got 64/],
  ['circle of text', () => layouts.circle(bad('auto')), 'Type ARGUMENT', 'auto', /layouts\.circle: expected an object/],
  ['slices of null', () => layouts.slices(bad(null)), 'Type ARGUMENT', null, /layouts\.slices: expected an object/],
  ['circle', () => layouts.circle(bad({ alfa: 1 })), 'Type ARGUMENT', 'alfa', /layouts.circle: unknown option "alfa"/],
  ['v2pe', () => layouts.v2pe(bad({ tile: 1 })), 'Type ARGUMENT', 'tile', /layouts.v2pe: unknown option "tile"/],
  ['slices', () => layouts.slices(bad({ mode: 1 })), 'Type ARGUMENT', 'mode', /layouts.slices: unknown option "mode"/],
])

refuses('segments of slices and queries', [
  ['no slices', cut({ slices: undefined }), 'Range GRID', [1, undefined, undefined], /segment 0: slices: a grid is/],
  ['0 columns', cut({ slices: { ...slices, columns: 0 } }), 'Range GRID', [1, 1, 0], /got \[1, 1, 0\]/],
  ['half a row', cut({ slices: { ...slices, grid: [0.5, 2] } }), 'Range GRID', [1, 0.5, 2], /segment 0: slices.grid/],
  ['thumbnail', cut({ thumbnail: [2] }), 'Range GRID', [2], /segment 0: thumbnail/],
  ['thumbnailAt', cut({ thumbnailAt: 'end' }), 'Range SEGMENT', 'end', /thumbnailAt is front or back, got "end"/],
  ['order', cut({ order: 'columns' }), 'Range SEGMENT', 'columns', /order is slices or rows, got "columns"/],
  [
    'row ends of slices',
    cut({ rowEnds: true }),
    'Range SEGMENT',
    undefined,
    /rowEnds are for slices in the order `rows`, got undefined/,
  ],
  [
    'too many tokens',
    cut({ slices: { rows: 4096, columns: 4096, grid: [2, 2] } }),
    'Range SEGMENT',
    { kind: 'slices', slices: { rows: 4096, columns: 4096, grid: [2, 2] } },
    /more than 16777216 tokens/,
  ],
  ['an unknown key', cut({ grid: [1, 2, 2] }), 'Type SEGMENT', 'grid', /slices has no property "grid"/],
  [
    '−1 queries',
    () => Sequence.of([{ kind: 'queries', length: -1 }]),
    'Range SEGMENT',
    -1,
    /from 0 to 16777216, got -1/,
  ],
  [
    '"4" queries',
    () => Sequence.of([bad({ kind: 'queries', length: '4' })]),
    'Type SEGMENT',
    '4',
    /number of tokens, got "4"/,
  ],
  [
    'queries in a grid layout',
    () => encodings.mropeI().positions(Sequence.of([{ kind: 'queries', length: 4 }])),
    'Range SEGMENT',
    'queries',
    /layout spatial-reset does not place queries segments/,
  ],
])

const rowEnds = Sequence.of([{ kind: 'image', grid: [1, 2, 3], rowEnds: true }])
refuses(
  'row ends, where a layout has no place for them',
  (['mropeI', 'videoRope', 'vRope', 'omniGen2', 'bagel', 'qwen25Omni', 'qwen3Omni'] as const).map((name): Bad => {
    const encoding = encodings[name]()
    const message = new RegExp(`layout ${encoding.layout.name} does not place images with row ends`)
    return [name, () => encoding.positions(rowEnds), 'Range SEGMENT', [1, 2, 3], message]
  }),
)

const ring = encodings.circleRope()
const sequence = Sequence.of(A)
const positions = encodings.qwen3VL().positions(sequence)
refuses('layers', [
  ['no positions', () => deepStack(bad(null), Sequence.of([]), [1]), 'Type ARGUMENT', null, /expected Positions/],
  [
    'no sequence',
    () => deepStack(encodings.llama().positions(Sequence.of([])), bad(7), [1]),
    'Type ARGUMENT',
    7,
    /expected a Sequence, got 7/,
  ],
  ['0 layers', () => alternateLayers(ring, ring, { layers: 0 }), 'Range ARGUMENT', 0, /alternateLayers: layers/],
  [
    'strategy',
    () => alternateLayers(ring, ring, { layers: 2, strategy: bad('strategy_1') }),
    'Range ARGUMENT',
    'strategy_1',
    /strategy is one of/,
  ],
  [
    'no options',
    () => alternateLayers(ring, ring, bad(null)),
    'Type ARGUMENT',
    undefined,
    /layers must be an integer, got undefined/,
  ],
  [
    'no encoding',
    () => alternateLayers(ring, bad({}), { layers: 2 }),
    'Type ARGUMENT',
    {},
    /second must be an Encoding/,
  ],
  [
    'other heads',
    () => alternateLayers(ring, encodings.lumina2(), { layers: 2 }),
    'Range HEADS',
    96,
    /heads of 128 .* and of 96/,
  ],
  [
    'no list',
    () => deepStack(positions, sequence, bad(8)),
    'Type ARGUMENT',
    8,
    /visionLayers must be a list of layers, got 8/,
  ],
  ['holes', () => deepStack(positions, sequence, holes), 'Type ARGUMENT', undefined, /visionLayers\[0\]/],
  ['a negative layer', () => deepStack(positions, sequence, [8, -1]), 'Range ARGUMENT', -1, /visionLayers\[1\]/],
  [
    'another sequence',
    () => deepStack(positions, Sequence.of([text(3)]), [8]),
    'Range SHAPE',
    11,
    /positions of 11 tokens, the sequence has 3/,
  ],
  [
    'features for queries',
    () => {
      const queries = Sequence.of([{ kind: 'queries', length: 4 }])
      return deepStack(layouts.lateFusion().positions(queries), queries, [8])
    },
    'Range SEGMENT',
    'queries',
    /images and videos, got a block of queries at token 0/,
  ],
  [
    'a token outside',
    () => positions.take(Int32Array.of(3, 11)),
    'Range POSITION_RANGE',
    11,
    /token 11 is not in 0 to 10/,
  ],
])
