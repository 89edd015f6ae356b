import { strict as assert } from 'node:assert'
import { frameTimes, type ProcessorOutput, type Segment, Sequence } from '../lib/index.js'
import { qwen3OmniAudioLength, qwen25OmniAudioLength } from '../lib/sequence/audio-lengths.js'
import { type Part, promptConfig, row, stack, tokens } from './support/prompts.js'

const text = (length: number): Segment => ({ kind: 'text', length })
const image = (...grid: [number, number, number]): Segment => ({ kind: 'image', grid })
const video = (...grid: [number, number, number]): Segment => ({ kind: 'video', grid })

function segmentsOf(modelType: string, output: ProcessorOutput, more: object = {}): readonly Segment[] {
  return Sequence.fromProcessor(output, promptConfig(modelType, more)).segments
}

describe('Sequence.of', () => {
  const counts: [string, Segment, number][] = [
    ['text', text(3), 3],
    ['empty text', text(0), 0],
    ['image 1×2×3', image(1, 2, 3), 6],
    ['image 1×2×3 with row ends', { kind: 'image', grid: [1, 2, 3], rowEnds: true }, 8],
    ['video 4×2×2', video(4, 2, 2), 16],
    ['audio', { kind: 'audio', length: 33 }, 33],
    ['video with sound: four markers', { kind: 'audio-video', grid: [2, 2, 2], audioLength: 5 }, 17],
    ['canvas: thumbnail and its markers', { kind: 'canvas', thumbnail: [2, 3] }, 8],
    [
      'canvas with 2×3 slices of 1×2 and one trailing marker',
      { kind: 'canvas', thumbnail: [2, 3], slices: { rows: 2, columns: 3, grid: [1, 2] }, trailing: 1 },
      8 + 6 * 4 + 1 + 1,
    ],
  ]
  for (const [name, segment, length] of counts) {
    it(`${name}: ${length} tokens`, () => assert.equal(Sequence.of([segment]).length, length))
  }

  it('lists its blocks with the places of their tokens, padding not counted', () => {
    const sequence = Sequence.of(
      [text(3), image(1, 2, 3), image(1, 1, 1), text(0), { kind: 'audio', length: 4 }, video(2, 2, 2)],
      { padding: 7 },
    )
    assert.deepEqual([sequence.length, sequence.padding], [22, 7])
    assert.deepEqual(sequence.blocks(), [
      { kind: 'image', start: 3, length: 6, grid: [1, 2, 3] },
      { kind: 'image', start: 9, length: 1, grid: [1, 1, 1] },
      { kind: 'audio', start: 10, length: 4 },
      { kind: 'video', start: 14, length: 8, grid: [2, 2, 2] },
    ])
  })

  it('keeps nothing of what it was made from', () => {
    const grid: [number, number, number] = [1, 2, 3]
    const list: Segment[] = [{ kind: 'image', grid }]
    const sequence = Sequence.of(list)
    grid[1] = 5
    list.push(text(9))
    assert.deepEqual(sequence.segments, [image(1, 2, 3)])
    assert.throws(() => (sequence.segments as Segment[]).push(text(1)), TypeError)
    assert.throws(() => ((sequence.segments[0] as { kind: string }).kind = 'text'), TypeError)
  })

  it('takes grids as typed arrays and big integers', () => {
    const grids = [Int32Array.of(1, 2, 3), BigInt64Array.of(1n, 2n, 3n)] as unknown as [number, number, number][]
    for (const grid of grids) assert.deepEqual(Sequence.of([{ kind: 'image', grid }]).segments, [image(1, 2, 3)])
  })

  it('of nothing is empty', () => {
    const empty = Sequence.of([])
    assert.deepEqual([empty.length, empty.blocks().length], [0, 0])
  })

  it('concat joins text, keeps the padding in front, and ends with what the second part is to generate', () => {
    const first = Sequence.of([text(3), image(1, 2, 3), text(2)], { padding: 2, upcoming: [[1, 9, 9]] })
    const both = first.concat(Sequence.of([text(1), text(4), video(1, 1, 2)], { upcoming: [[1, 2, 2]] }))
    assert.deepEqual(both.segments, [text(3), image(1, 2, 3), text(7), video(1, 1, 2)])
    assert.deepEqual([both.length, both.padding, both.upcoming], [18, 2, [[1, 2, 2]]])
    assert.deepEqual([first.length, first.segments.length], [11, 3])
  })

  it('unpadded is the row as it stands alone', () => {
    const padded = Sequence.of([text(3), image(1, 2, 3)], { padding: 5, upcoming: [[1, 2, 2]] })
    assert.deepEqual(padded.unpadded(), Sequence.of([text(3), image(1, 2, 3)], { upcoming: [[1, 2, 2]] }))
  })
})

describe('Sequence.fromProcessor: forms of its numbers', () => {
  const plain = row([3, { image: [1, 4, 6] }, 2, { image: [1, 2, 2] }, { video: [2, 4, 2] }, 33])
  const n = plain.input_ids.length
  const big = (list: number[]): BigInt64Array => BigInt64Array.from(list, BigInt)
  const tensor = (data: ArrayLike<number> | ArrayLike<bigint>, ...dims: number[]) => ({ data, dims })
  const expected = [text(3), image(1, 2, 3), text(2), image(1, 1, 1), video(2, 2, 1), text(33)]
  const forms: [string, ProcessorOutput][] = [
    ['lists', plain],
    ['a batch of one: [[…]]', { ...plain, input_ids: [plain.input_ids], mm_token_type_ids: [plain.mm_token_type_ids] }],
    [
      'Int32Array',
      { ...plain, input_ids: Int32Array.from(plain.input_ids), image_grid_thw: Int32Array.of(1, 4, 6, 1, 2, 2) },
    ],
    ['BigInt64Array', { ...plain, input_ids: big(plain.input_ids), mm_token_type_ids: big(plain.mm_token_type_ids) }],
    [
      'lists of typed arrays',
      { ...plain, input_ids: [Uint16Array.from(plain.input_ids)], image_grid_thw: [Int8Array.of(1, 4, 6), [1, 2, 2]] },
    ],
    ['flat grids', { ...plain, image_grid_thw: [1, 4, 6, 1, 2, 2], video_grid_thw: [2, 4, 2] }],
    [
      'tensors with data and dims',
      {
        input_ids: tensor(big(plain.input_ids), 1, n),
        mm_token_type_ids: tensor(Uint8Array.from(plain.mm_token_type_ids), 1, n),
        attention_mask: tensor(big(Array<number>(n).fill(1)), 1, n),
        image_grid_thw: tensor(big([1, 4, 6, 1, 2, 2]), 2, 3),
        video_grid_thw: tensor(Float32Array.of(2, 4, 2), 1, 3),
      },
    ],
    [
      'tensors of one dimension, and without dims',
      { ...plain, input_ids: tensor(plain.input_ids, n), image_grid_thw: { data: [1, 4, 6, 1, 2, 2] } },
    ],
    [
      'null for what is missing',
      {
        ...plain,
        attention_mask: null,
        second_per_grid_ts: null,
        audio_feature_lengths: null,
        use_audio_in_video: null,
      },
    ],
    ['keys that are of no concern', { ...plain, pixel_values: 'anything' } as ProcessorOutput],
  ]
  for (const [name, output] of forms) {
    it(name, () => assert.deepEqual(segmentsOf('qwen2_vl', output), expected))
  }

  it('no grids: null, missing, an empty list, an empty tensor', () => {
    for (const none of [null, undefined, [], [[]].slice(1), tensor([], 0, 3)]) {
      assert.deepEqual(segmentsOf('qwen2_vl', { input_ids: [1, 2, 3], image_grid_thw: none, video_grid_thw: none }), [
        text(3),
      ])
    }
  })

  it('no tokens', () => {
    for (const ids of [[], [[]], tensor([], 1, 0)]) {
      assert.equal(Sequence.fromProcessor({ input_ids: ids }, promptConfig('qwen2_vl')).length, 0)
    }
  })

  it('left padding is counted and cut off', () => {
    const sequence = Sequence.fromProcessor(row([3, { image: [1, 4, 6] }, 2], 5), promptConfig('qwen2_vl'))
    assert.deepEqual(
      [sequence.padding, sequence.length, sequence.segments],
      [5, 11, [text(3), image(1, 2, 3), text(2)]],
    )
  })

  it('a row of padding only', () => {
    const sequence = Sequence.fromProcessor({ input_ids: [0, 0], attention_mask: [0, 0] }, promptConfig('qwen2_vl'))
    assert.deepEqual([sequence.padding, sequence.length], [2, 0])
  })
})

describe('Sequence.fromProcessor: prompts of the families', () => {
  const { image_token_id: pic, vision_start_token_id: vs, vision_end_token_id: ve } = tokens
  const {
    image_start_token_id: is,
    image_end_token_id: ie,
    video_start_token_id: vids,
    video_end_token_id: vide,
  } = tokens
  const framed = (asImages: boolean): Part[] => [
    2,
    { image: [1, 4, 4] },
    3,
    { frames: [3, 4, 6], between: 4, asImages },
    5,
  ]
  const framedSegments = [
    text(2),
    image(1, 2, 2),
    text(3),
    video(1, 2, 3),
    text(4),
    video(1, 2, 3),
    text(4),
    video(1, 2, 3),
    text(5),
  ]
  const cases: [string, string, Part[], readonly Segment[]][] = [
    [
      'one block a video',
      'qwen2_5_vl',
      [1, { video: [4, 4, 4], seconds: 0.5 }, 1],
      [text(1), { kind: 'video', grid: [4, 2, 2], secondsPerGrid: 0.5 }, text(1)],
    ],
    ['block first and last, no text', 'qwen2_vl', [{ image: [1, 2, 2] }], [image(1, 1, 1)]],
    [
      'an image and a video side by side',
      'qwen2_vl',
      [{ image: [1, 2, 2] }, { video: [2, 2, 4] }],
      [image(1, 1, 1), video(2, 1, 2)],
    ],
    ['a block a frame', 'qwen3_vl', framed(false), framedSegments],
    ['a block a frame of image tokens', 'glm4v', framed(true), framedSegments],
    ['audio', 'qwen2_5_omni', [1, { audio: 5, mel: 20 }, 2], [text(2), { kind: 'audio', length: 5 }, text(3)]],
    [
      'audio by its own rule',
      'qwen3_omni_moe',
      [1, { audio: 33, mel: 250 }, 2],
      [text(2), { kind: 'audio', length: 33 }, text(3)],
    ],
  ]
  for (const [name, family, parts, segments] of cases) {
    it(`${family}: ${name}`, () => assert.deepEqual(segmentsOf(family, row(parts)), segments))
  }

  it('ernie4_5_vl_moe: two frames of a grid are one frame of tokens', () => {
    const block: Part = { raw: Array.from({ length: 8 }, () => [tokens.video_token_id, 2]) }
    const output = { ...row([1, block]), video_grid_thw: [[4, 4, 4]] }
    assert.deepEqual(segmentsOf('ernie4_5_vl_moe', output), [text(1), video(2, 2, 2)])
    const whole = { vision_config: { spatial_merge_size: 2, temporal_merge_size: 1 } }
    const two = { ...output, video_grid_thw: [[2, 4, 4]] }
    assert.deepEqual(segmentsOf('ernie4_5_vl_moe', two, whole), [text(1), video(2, 2, 2)])
  })

  it('hunyuan_vl: rows with an end token, with and without a token around the image', () => {
    const grid = { kind: 'image', grid: [1, 2, 3], rowEnds: true } as const
    const prompt = (around: number): Part[] => [3, { raw: Array.from({ length: 8 + around }, () => [pic, 1]) }, 2]
    const output = (around: number): ProcessorOutput => ({ ...row(prompt(around)), image_grid_thw: [[1, 4, 6]] })
    assert.deepEqual(segmentsOf('hunyuan_vl', output(0)), [text(3), grid, text(2)])
    assert.deepEqual(segmentsOf('hunyuan_vl', output(2)), [text(3), text(1), grid, text(1), text(2)])
  })

  it('glm_image: grids without an image are those to be generated, last one first', () => {
    const cell: [number, number] = [pic, 0]
    const marked: Part = { raw: [[is, 0], cell, cell, cell, cell, cell, cell, [ie, 0]] }
    const output = {
      ...row([2, marked, 3, { raw: [[is, 0]] }]),
      image_grid_thw: [
        [1, 2, 3],
        [1, 2, 2],
        [1, 1, 5],
      ],
    }
    const sequence = Sequence.fromProcessor(output, promptConfig('glm_image'))
    assert.deepEqual(sequence.segments, [text(3), image(1, 2, 3), text(5)])
    assert.deepEqual(sequence.upcoming, [
      [1, 1, 5],
      [1, 2, 2],
    ])
  })

  it('minicpmv4_7: thumbnail and slices on one canvas, two rows of two slices', () => {
    const none = { image_start_token_id: undefined, image_end_token_id: undefined }
    const markers = { ...none, image_start_id: 1, image_end_id: 2, slice_start_id: 3, slice_end_id: 4, newline_id: 5 }
    const crop = (start: number, end: number, count: number): [number, number][] => [
      [start, 0],
      ...Array.from({ length: count }, (): [number, number] => [pic, 1]),
      [end, 0],
    ]
    const slice = crop(3, 4, 2)
    const raw = [...crop(1, 2, 4), ...slice, ...slice, [5, 0] as [number, number], ...slice, ...slice]
    const sizes = [
      [8, 8],
      [4, 8],
      [4, 8],
      [4, 8],
      [4, 8],
    ]
    const config = promptConfig('minicpmv4_7', markers)
    const output = { ...row([2, { raw }, 1, { raw: crop(1, 2, 1) }]), target_sizes: [...sizes, [4, 4]] }
    assert.deepEqual(Sequence.fromProcessor(output, config).segments, [
      text(2),
      { kind: 'canvas', thumbnail: [2, 2], slices: { rows: 2, columns: 2, grid: [1, 2] }, trailing: 0 },
      text(1),
      { kind: 'canvas', thumbnail: [1, 1], trailing: 0 },
    ])
    const fine = Sequence.fromProcessor(
      { ...row([{ raw: crop(1, 2, 8) }]), target_sizes: [[4, 8]] },
      promptConfig('minicpmv4_7', { ...markers, downsample_mode: '4x' }),
    )
    assert.deepEqual(fine.segments, [{ kind: 'canvas', thumbnail: [2, 4], trailing: 0 }])
  })

  it('omni: a video with its sound is one block, markers included', () => {
    const { video_token_id: v, audio_token_id: a, audio_start_token_id: as, audio_end_token_id: ae } = tokens
    const streams = [0, 0, 1, 1, 0, 0, 1]
    const raw = [[vs, 0], [as, 0], ...streams.map((s) => [s ? a : v, s ? 3 : 2]), [ae, 0], [ve, 0]] as [
      number,
      number,
    ][]
    const output = {
      ...row([1, { raw }, 1]),
      video_grid_thw: [[2, 2, 4]],
      second_per_grid_ts: [0.1],
      audio_feature_lengths: [12],
      use_audio_in_video: true,
    }
    const expected = [
      text(1),
      { kind: 'audio-video', grid: [2, 1, 2], secondsPerGrid: 0.1, audioLength: 3, streams: Uint8Array.from(streams) },
      text(1),
    ]
    assert.deepEqual(segmentsOf('qwen2_5_omni', output), expected)
    const { mm_token_type_ids: _, ...untyped } = output
    assert.deepEqual(segmentsOf('qwen2_5_omni', untyped), expected)
    assert.equal(Sequence.fromProcessor(output, promptConfig('qwen2_5_omni')).length, output.input_ids.length)
  })

  it('names of published checkpoints: ernie4_5_moe_vl with im_patch_id, thinker_config, *_token_index', () => {
    const ernie = {
      model_type: 'ernie4_5_moe_vl',
      im_patch_id: pic,
      video_start_token_id: vids,
      video_end_token_id: vide,
      vision_config: { spatial_merge_size: 2 },
    }
    const frames = { raw: [[vids, 0], ...Array.from({ length: 4 }, () => [pic, 0]), [vide, 0]] as [number, number][] }
    const { mm_token_type_ids: _, ...ernieRow } = {
      ...row([1, { image: [1, 4, 4] }, frames]),
      video_grid_thw: [[2, 4, 4]],
    }
    assert.deepEqual(Sequence.fromProcessor(ernieRow, ernie).segments, [
      text(1),
      image(1, 2, 2),
      text(1),
      video(1, 2, 2),
      text(1),
    ])
    const { image_token_id, ...others } = tokens
    const thinker = {
      model_type: 'qwen2_5_omni_thinker',
      ...others,
      image_token_index: image_token_id,
      vision_config: {},
    }
    const omniRow = row([1, { image: [1, 4, 4] }])
    const omni = { model_type: 'qwen2_5_omni', thinker_config: thinker }
    assert.deepEqual(Sequence.fromProcessor(omniRow, omni).segments, [text(1), image(1, 2, 2)])
  })
})

describe('Sequence.fromProcessor without mm_token_type_ids finds the same blocks by the special tokens', () => {
  const {
    vision_start_token_id: vs,
    vision_end_token_id: ve,
    video_start_token_id: gs,
    video_end_token_id: ge,
  } = tokens
  const mark = (token: number): Part => ({ raw: [[token, 0]] })
  const prompts: [string, Part[]][] = [
    ['qwen2_vl', [3, mark(vs), { image: [1, 4, 6] }, mark(ve), 2, mark(vs), { video: [4, 4, 4] }, mark(ve), 1]],
    ['qwen2_5_vl', [{ image: [1, 2, 2] }, 1, { image: [1, 2, 2] }]],
    ['qwen3_vl', [1, { image: [1, 4, 4] }, 2, { frames: [3, 4, 4], between: 3 }, 1]],
    ['qwen3_5', [1, { frames: [1, 2, 6], between: 3 }, 1, { frames: [2, 4, 4], between: 5 }]],
    [
      'glm4v',
      [
        1,
        { image: [1, 4, 4] },
        1,
        mark(gs),
        { frames: [3, 2, 4], between: 3, asImages: true },
        mark(ge),
        1,
        { image: [1, 2, 2] },
      ],
    ],
    ['ernie4_5_vl_moe', [1, { image: [1, 4, 4] }, 2]],
    ['qwen2_5_omni', [1, { audio: 5, mel: 20 }, 1, { image: [1, 2, 2] }, { audio: 25, mel: 100 }, 1]],
    ['qwen3_omni_moe', [1, { audio: 3, mel: 20 }, { video: [2, 2, 2], seconds: 1 }, 1]],
    ['paddleocr_vl', [777]],
  ]
  for (const [family, parts] of prompts) {
    it(family, () => {
      const { mm_token_type_ids, ...untyped } = row(parts, 3)
      assert.deepEqual(segmentsOf(family, untyped), segmentsOf(family, { ...untyped, mm_token_type_ids }))
      assert.ok(segmentsOf(family, untyped).length > 0)
    })
  }
})

describe('Sequence.fromProcessor: keys that say the same, keys that do not matter, family', () => {
  const seen: Part[] = [2, { video: [2, 4, 4], seconds: 0.5 }, { raw: [[7, 0]] }, { video: [1, 2, 2], seconds: 2 }, 1]
  const plain = row(seen)
  const heard = row([1, { audio: 5, mel: 20 }, 3, { audio: 2, mel: 7 }])
  const without = (output: object, key: string): ProcessorOutput => ({ ...output, [key]: undefined }) as never
  const masks = [Array.from({ length: 33 }, (_, i) => i < 20), Array.from({ length: 33 }, (_, i) => i < 7)]
  const flat = Uint8Array.from(masks.flat(), Number)

  it('video_second_per_grid is second_per_grid_ts', () => {
    const expected = segmentsOf('qwen2_5_vl', plain)
    assert.deepEqual(
      expected.flatMap((segment) => ('secondsPerGrid' in segment ? [segment.secondsPerGrid] : [])),
      [0.5, 2],
    )
    const renamed = { ...without(plain, 'second_per_grid_ts'), video_second_per_grid: Float32Array.of(0.5, 2) }
    assert.deepEqual(segmentsOf('qwen2_5_vl', renamed), expected)
    assert.deepEqual(segmentsOf('qwen2_5_vl', { ...plain, video_second_per_grid: [0.5, 2] }), expected)
    assert.deepEqual(segmentsOf('qwen2_5_vl', { ...plain, video_second_per_grid: null }), expected)
  })

  const features: [string, unknown][] = [
    ['booleans', masks],
    ['integers', masks.map((mask) => mask.map(Number))],
    ['big integers in rows', masks.map((mask) => BigInt64Array.from(mask, BigInt))],
    ['a tensor (2, 33)', { data: flat, dims: [2, 33] }],
    ['a tensor (2, 33) of booleans', { data: masks.flat(), dims: [2, 33] }],
  ]
  for (const [name, feature_attention_mask] of features) {
    it(`feature_attention_mask gives the mel frames: ${name}`, () => {
      const masked = { ...without(heard, 'audio_feature_lengths'), feature_attention_mask } as ProcessorOutput
      assert.deepEqual(segmentsOf('qwen2_5_omni', masked), segmentsOf('qwen2_5_omni', heard))
      const both = { ...heard, feature_attention_mask } as ProcessorOutput
      assert.deepEqual(segmentsOf('qwen2_5_omni', both), segmentsOf('qwen2_5_omni', heard))
    })
  }
  it('feature_attention_mask and video_second_per_grid of a batch', () => {
    const parts: Part[][] = [
      [1, { audio: 5, mel: 20 }],
      [{ video: [2, 2, 2], seconds: 3 }, 1, { audio: 2, mel: 7 }],
      [4],
    ]
    const batch = stack(parts)
    const width = Math.max(...parts.map((part) => row(part).input_ids.length))
    const { second_per_grid_ts: video_second_per_grid, audio_feature_lengths: _, ...rest } = batch
    const renamed: ProcessorOutput = { ...rest, second_per_grid_ts: undefined, video_second_per_grid }
    const config = promptConfig('qwen2_5_omni')
    assert.deepEqual(
      Sequence.batchFromProcessor({ ...renamed, feature_attention_mask: masks }, config),
      parts.map((part) => Sequence.fromProcessor(row(part, width - row(part).input_ids.length), config)),
    )
  })
  it('an empty feature_attention_mask is no audio', () => {
    for (const feature_attention_mask of [null, [], { data: [], dims: [0, 3000] }]) {
      assert.deepEqual(segmentsOf('qwen2_5_omni', { input_ids: [5, 6], feature_attention_mask }), [text(2)])
    }
  })

  const bools: [string, unknown][] = [
    ['booleans', [false, false, true, true, true]],
    ['booleans in a row of a batch of one', [[false, false, true, true, true]]],
    ['a tensor (1, 5) of booleans', { data: [false, false, true, true, true], dims: [1, 5] }],
  ]
  for (const [name, attention_mask] of bools) {
    it(`attention_mask: ${name}`, () => {
      const masked = { input_ids: [0, 0, 5, 6, 7], attention_mask } as ProcessorOutput
      const { padding, length } = Sequence.fromProcessor(masked, promptConfig('qwen2_vl'))
      assert.deepEqual([padding, length], [2, 3])
    })
  }
  it('attention_mask of a batch: booleans', () => {
    const batch = {
      input_ids: [
        [0, 5],
        [5, 6],
      ],
      attention_mask: [
        [false, true],
        [true, true],
      ],
    }
    const rows = Sequence.batchFromProcessor(batch, promptConfig('qwen2_vl'))
    assert.deepEqual(
      rows.map(({ padding, length }) => [padding, length]),
      [
        [1, 1],
        [0, 2],
      ],
    )
  })

  const besides = ['pixel_values', 'pixel_values_videos', 'input_features', 'video_metadata', 'token_type_ids']
  for (const key of [...besides, 'moe_mm_token_type_ids', 'original_sizes', 'reshaped_input_sizes']) {
    it(`${key} may stay`, () => {
      const more = { ...plain, [key]: { data: new Float32Array(4), dims: [2, 2] } } as ProcessorOutput
      assert.deepEqual(segmentsOf('qwen2_5_vl', more), segmentsOf('qwen2_5_vl', plain))
    })
  }

  it('family: the rules of that family, whatever the model_type', () => {
    const frames = row([1, { frames: [3, 4, 4], between: 2 }, 1])
    const config = promptConfig('my_finetune')
    const expected = Sequence.fromProcessor(frames, promptConfig('qwen3_vl'))
    assert.deepEqual(Sequence.fromProcessor(frames, config, { family: 'qwen3_vl' }), expected)
    assert.deepEqual(Sequence.fromProcessor(frames, promptConfig('qwen2_vl'), { family: 'qwen3_vl' }), expected)
    assert.deepEqual(Sequence.batchFromProcessor([frames], config, { family: 'qwen3_vl' }), [expected])
    const batch = stack([[1, { frames: [3, 4, 4], between: 2 }, 1], [{ frames: [2, 2, 2], between: 1 }]])
    assert.deepEqual(
      Sequence.batchFromProcessor(batch, config, { family: 'qwen3_vl' }),
      Sequence.batchFromProcessor(batch, promptConfig('qwen3_vl')),
    )
  })
  it('family: aliases, text models, and undefined', () => {
    const config = promptConfig('my_finetune')
    const expected = segmentsOf('qwen2_5_omni', heard)
    assert.deepEqual(Sequence.fromProcessor(heard, config, { family: 'qwen2_5_omni_thinker' }).segments, expected)
    const words = { input_ids: [5, 6, 7] }
    assert.deepEqual(Sequence.fromProcessor(words, { model_type: 'x' }, { family: 'llama' }).segments, [text(3)])
    assert.deepEqual(Sequence.fromProcessor(words, promptConfig('qwen2_vl'), { family: undefined }).segments, [text(3)])
  })
})

describe('Sequence.batchFromProcessor', () => {
  const batches: [string, string, Part[][]][] = [
    [
      'qwen3_omni_moe',
      'two videos in the first row, one in the last',
      [
        [{ video: [1, 2, 2], seconds: 1 }, 2, { video: [2, 4, 2], seconds: 0.5 }],
        [{ video: [1, 4, 4], seconds: 2 }, 1],
      ],
    ],
    [
      'qwen2_vl',
      'rows of one, no, three images',
      [[3, { image: [1, 4, 6] }, 2], [33], [{ image: [1, 2, 2] }, 1, { image: [1, 6, 2] }, 1, { image: [1, 2, 2] }]],
    ],
    [
      'qwen2_5_vl',
      'videos with seconds, in the first and the last row',
      [
        [1, { video: [4, 4, 4], seconds: 0.5 }, 1],
        [100],
        [{ video: [2, 2, 2], seconds: 2 }, 5, { video: [1, 2, 2], seconds: 0.1 }],
      ],
    ],
    [
      'qwen3_vl',
      'frames: two videos in one row',
      [
        [1, { frames: [3, 4, 4], between: 2 }, 1, { frames: [1, 2, 2], between: 2 }, 1],
        [1, { frames: [2, 2, 2], between: 7 }],
        [7, { image: [1, 2, 2] }],
      ],
    ],
    [
      'qwen2_5_omni',
      'sounds',
      [
        [1, { audio: 5, mel: 20 }, 1],
        [1, { audio: 25, mel: 100 }, 1, { audio: 5, mel: 20 }],
        [{ video: [2, 2, 2], seconds: 1 }, 1],
      ],
    ],
    ['ernie4_5_vl_moe', 'one row only', [[1, { image: [1, 4, 4] }]]],
  ]
  for (const [family, name, rows] of batches) {
    const config = promptConfig(family)
    const alone = rows.map((parts) => Sequence.fromProcessor(row(parts), config))
    it(`${family}, ${name}: one call gives the rows as they stand alone`, () => {
      const together = Sequence.batchFromProcessor(stack(rows), config)
      assert.deepEqual(
        together.map((sequence) => sequence.segments),
        alone.map((sequence) => sequence.segments),
      )
      const width = Math.max(...alone.map(({ length }) => length))
      assert.deepEqual(
        together.map(({ padding }) => padding),
        alone.map(({ length }) => width - length),
      )
    })
    it(`${family}, ${name}: without mm_token_type_ids`, () => {
      const { mm_token_type_ids: _, ...untyped } = stack(rows)
      const together = Sequence.batchFromProcessor(untyped, config)
      assert.deepEqual(
        together.map((sequence) => sequence.segments),
        alone.map((sequence) => sequence.segments),
      )
    })
    it(`${family}, ${name}: a list of rows`, () => {
      const together = Sequence.batchFromProcessor(
        rows.map((parts) => row(parts)),
        config,
      )
      assert.deepEqual(together, alone)
    })
  }

  it('two-dimensional tensors', () => {
    const { input_ids, attention_mask, mm_token_type_ids, ...grids } = stack([[3, { image: [1, 4, 6] }], [2]])
    const flat = (rows: unknown): { data: number[]; dims: number[] } => {
      const list = rows as number[][]
      return { data: list.flat(), dims: [list.length, list[0].length] }
    }
    const output = {
      ...grids,
      input_ids: flat(input_ids),
      attention_mask: flat(attention_mask),
      mm_token_type_ids: flat(mm_token_type_ids),
    }
    const sequences = Sequence.batchFromProcessor(output, promptConfig('qwen2_vl'))
    assert.deepEqual(
      sequences.map(({ segments, padding }) => [segments, padding]),
      [
        [[text(3), image(1, 2, 3)], 0],
        [[text(2)], 7],
      ],
    )
  })

  it('padding tokens that look like image tokens are no block', () => {
    const output = {
      input_ids: [
        [9001, 9001, 101],
        [101, 9001, 102],
      ],
      attention_mask: [
        [0, 0, 1],
        [1, 1, 1],
      ],
      image_grid_thw: [[1, 2, 2]],
    }
    const sequences = Sequence.batchFromProcessor(output, promptConfig('qwen2_vl'))
    assert.deepEqual(
      sequences.map(({ segments }) => segments),
      [[text(1)], [text(1), image(1, 1, 1), text(1)]],
    )
  })
})

describe('audio tokens from mel frames', () => {
  // Floor division, of negative numbers too.
  const qwen25 = [
    [1, 0],
    [2, 0],
    [3, 1],
    [4, 1],
    [20, 5],
    [100, 25],
    [101, 25],
    [3000, 750],
  ]
  const qwen3 = [
    [1, 1],
    [2, 1],
    [3, 1],
    [9, 2],
    [20, 3],
    [99, 13],
    [100, 13],
    [101, 14],
    [200, 26],
    [250, 33],
    [3000, 390],
  ]
  it(`Qwen2.5-Omni: ${JSON.stringify(qwen25)}`, () => {
    assert.deepEqual(
      qwen25.map(([mel]) => [mel, qwen25OmniAudioLength(mel)]),
      qwen25,
    )
  })
  it(`Qwen3-Omni: ${JSON.stringify(qwen3)}`, () => {
    assert.deepEqual(
      qwen3.map(([mel]) => [mel, qwen3OmniAudioLength(mel)]),
      qwen3,
    )
  })
})

describe('frameTimes: timestamps of blocks of frames', () => {
  const labels = (...args: Parameters<typeof frameTimes>): string =>
    frameTimes(...args)
      .map(({ label }) => label)
      .join()
  const cases: [string, Parameters<typeof frameTimes>, string][] = [
    ['24 frames a second where it is unknown', [[0, 24, 48, 72]], '0.5 seconds,2.5 seconds'],
    ['an odd number of frames: the last one twice', [[0, 10, 20], 10], '0.5 seconds,2.0 seconds'],
    ['one frame', [[30], 10], '3.0 seconds'],
    ['no frames', [[], 10], ''],
    ['one frame a block', [[0, 5, 10], 10, 1], '0.0 seconds,0.5 seconds,1.0 seconds'],
    [
      'ties go to the even digit: 0.25, 0.75, 1.25, 1.75',
      [[0, 1, 1, 2, 2, 3, 3, 4], 2],
      '0.2 seconds,0.8 seconds,1.2 seconds,1.8 seconds',
    ],
    ['0.35 is below its tie and 0.45 above', [[7, 9], 20, 1], '0.3 seconds,0.5 seconds'],
    ['0.05, 0.15 and 0.65 are not ties', [[1, 3, 13], 20, 1], '0.1 seconds,0.1 seconds,0.7 seconds'],
    ['a fractional rate', [[0, 30], 29.97], '0.5 seconds'],
  ]
  for (const [name, args, expected] of cases) it(name, () => assert.equal(labels(...args), expected))

  it('seconds are the mean of the first and the last frame, not rounded', () => {
    assert.deepEqual(
      frameTimes([0, 1, 2, 7], 4, 4).map(({ seconds }) => seconds),
      [0.875],
    )
    assert.deepEqual(
      frameTimes(Int32Array.of(3, 4), 7).map(({ seconds }) => seconds),
      [(3 / 7 + 4 / 7) / 2],
    )
  })
})
