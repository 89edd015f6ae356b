import { strict as assert } from 'node:assert'
import { encodings, type ProcessorOutput, Sequence } from '../lib/index.js'
import { type Part, promptConfig, row, stack, tokens } from './support/prompts.js'
import { refuses } from './support/refuses.js'

const parse =
  (family: string, output: unknown, more: object = {}) =>
  (): Sequence =>
    Sequence.fromProcessor(output as ProcessorOutput, promptConfig(family, more))
const qwen = (output: unknown) => parse('qwen2_vl', output)
const images = (image_grid_thw: unknown) => qwen({ ...whole, image_grid_thw })
const videos = (video_grid_thw: unknown) => qwen({ ...whole, video_grid_thw })
const two: Part[] = [3, { image: [1, 4, 6] }, 2, { image: [1, 2, 2] }, { video: [2, 4, 2] }, 1]
const whole = row(two)
/** The types of the prompt with another one at a token. */
const typesWith = (token: number, kind: number): number[] =>
  whole.mm_token_type_ids.map((old, i) => (i === token ? kind : old))
const cut = (length: number): object => ({
  ...whole,
  input_ids: whole.input_ids.slice(0, length),
  mm_token_type_ids: whole.mm_token_type_ids.slice(0, length),
})

refuses('grids that do not match the tokens', [
  ['no grid', images([]), 'Range GRID_COUNT', 0, /block at token 3 has no grid: image_grid_thw has 0/],
  ['one too few', images([[1, 4, 6]]), 'Range GRID_COUNT', 1, /block at token 11 has no grid: image_grid_thw has 1/],
  [
    'one too many',
    images([...whole.image_grid_thw, [1, 2, 2]]),
    'Range GRID_COUNT',
    3,
    /image_grid_thw has 3 grids, the tokens have 2 blocks/,
  ],
  [
    'a video grid too many',
    videos([2, 4, 2, 2, 4, 2]),
    'Range GRID_COUNT',
    2,
    /video_grid_thw has 2 grids, the tokens have 1 blocks/,
  ],
  [
    'wrong product',
    images([1, 4, 4, 1, 2, 2]),
    'Range BLOCK',
    6,
    /block at token 3 has 6 tokens, image_grid_thw\[0\] = \[1,4,4\] gives 4/,
  ],
  [
    'wrong product of a video',
    videos([[3, 4, 2]]),
    'Range BLOCK',
    4,
    /block at token 12 has 4 tokens, video_grid_thw\[0\] = \[3,4,2\] gives 6/,
  ],
  [
    'grids in the wrong order',
    images([1, 2, 2, 1, 4, 6]),
    'Range BLOCK',
    6,
    /block at token 3 has 6 tokens, image_grid_thw\[0\] = \[1,2,2\] gives 1/,
  ],
  [
    'a side that the merge does not divide',
    images([1, 3, 8, 1, 2, 2]),
    'Range GRID',
    [1, 3, 8],
    /image_grid_thw\[0\]: grid \[1,3,8\] does not divide by merge size 2/,
  ],
  [
    'a side of 0',
    images([1, 0, 6, 1, 2, 2]),
    'Range GRID',
    [1, 0, 6],
    /image_grid_thw\[0\]: a grid is \[t, h, w\] with three positive integers, got \[1, 0, 6\]/,
  ],
  ['a negative side', images([1, -4, -6, 1, 2, 2]), 'Range GRID', [1, -4, -6], /got \[1, -4, -6\]/],
  ['a side of 2^40', images([1, 2 ** 40, 2, 1, 2, 2]), 'Range GRID', [1, 2 ** 40, 2], /1099511627776/],
  [
    'a fractional side',
    images([1, 4.5, 6, 1, 2, 2]),
    'Type ARGUMENT',
    4.5,
    /image_grid_thw\[1\]: expected an integer, got 4.5/,
  ],
  [
    'two numbers',
    images([
      [4, 6],
      [1, 2, 2],
    ]),
    'Range GRID',
    [4, 6],
    /image_grid_thw\[0\]: expected 3 numbers, got \[4, 6\]/,
  ],
  [
    'flat numbers that are no rows of three',
    images([1, 4, 6, 1]),
    'Range GRID',
    [1, 4, 6, 1],
    /4 numbers are not rows of 3/,
  ],
  [
    'a list between numbers',
    images([[1, 4, 6], 5]),
    'Type ARGUMENT',
    5,
    /image_grid_thw\[1\]: expected a list of numbers, got 5/,
  ],
  [
    'seconds for another number of videos',
    qwen({ ...whole, second_per_grid_ts: [1, 1] }),
    'Range GRID_COUNT',
    2,
    /second_per_grid_ts has 2 entries, video_grid_thw 1/,
  ],
  [
    'NaN seconds',
    parse('qwen2_5_vl', { ...whole, second_per_grid_ts: [Number.NaN] }),
    'Type ARGUMENT',
    Number.NaN,
    /second_per_grid_ts\[0\]: expected a finite number, got NaN/,
  ],
  [
    'negative seconds',
    parse('qwen2_5_vl', { ...whole, second_per_grid_ts: [-1] }),
    'Range SEGMENT',
    -1,
    /secondsPerGrid is a finite number of seconds, not negative, got -1/,
  ],
  [
    'an odd number of frames, where two become one',
    parse('ernie4_5_vl_moe', { ...whole, video_grid_thw: [[3, 4, 2]] }),
    'Range GRID',
    [3, 4, 2],
    /video_grid_thw\[0\]: grid \[3,4,2\] does not divide by merge sizes 2, 2/,
  ],
])

const joined = [3, { image: [1, 4, 6] }, { image: [1, 2, 2] }, 1] as const
const frames: Part[] = [1, { frames: [3, 4, 4], between: 2 }, 1]
refuses('runs that are no single block', [
  [
    'two images with no token between',
    qwen(row(joined)),
    'Range BLOCK',
    7,
    /run of 7 tokens at 3 spans two blocks: image_grid_thw\[0\] and image_grid_thw\[1\] have no token between/,
  ],
  [
    'two videos with no token between',
    qwen(row([{ video: [1, 2, 2] }, { video: [2, 4, 4] }])),
    'Range BLOCK',
    9,
    /run of 9 tokens at 0 spans two blocks: video_grid_thw\[0\]/,
  ],
  [
    'three images at once',
    qwen(row([...joined.slice(0, 3), { image: [1, 2, 2] }])),
    'Range BLOCK',
    8,
    /block at token 3 has 8 tokens, .* gives 6/,
  ],
  [
    'a text token inside an image',
    qwen({ ...whole, mm_token_type_ids: typesWith(5, 0) }),
    'Range BLOCK',
    2,
    /block at token 3 has 2 tokens/,
  ],
  [
    'image and video types swapped',
    qwen({ ...whole, mm_token_type_ids: whole.mm_token_type_ids.map((kind) => (3 - kind) % 3) }),
    'Range BLOCK',
    6,
    /block at token 3 has 6 tokens, video_grid_thw\[0\] = \[2,4,2\] gives 4/,
  ],
  [
    'a whole video where frames are blocks',
    parse('qwen3_vl', row([1, { video: [2, 4, 4] }])),
    'Range BLOCK',
    8,
    /run of 8 tokens at 1 spans two blocks/,
  ],
  [
    'a frame too few',
    parse('qwen3_vl', { ...row(frames), video_grid_thw: [[4, 4, 4]] }),
    'Range GRID_COUNT',
    1,
    /video_grid_thw has 1 grids of 4 frames, the tokens have 3 blocks; none for frame 3 of video_grid_thw\[0\]/,
  ],
  [
    'a video of no frames',
    parse('qwen3_vl', { ...row(frames), video_grid_thw: [[0, 4, 4]] }),
    'Range GRID',
    0,
    /\[0, 4, 4\] has no valid number of frames/,
  ],
  [
    'a frame too many',
    parse('qwen3_vl', { ...row(frames), video_grid_thw: [[2, 4, 4]] }),
    'Range GRID_COUNT',
    1,
    /the block at token 13 has no grid: video_grid_thw has 1 grids of 2 frames/,
  ],
  [
    'a frame of the wrong size',
    parse('qwen3_vl', {
      ...row([...frames, ...frames]),
      video_grid_thw: [
        [3, 4, 4],
        [3, 4, 6],
      ],
    }),
    'Range BLOCK',
    4,
    /block at token 19 has 4 tokens, frame 0 of video_grid_thw\[1\] = \[3,4,6\] gives 6/,
  ],
  [
    'a frame that the merge does not divide',
    parse('qwen3_vl', { ...row(frames), video_grid_thw: [[3, 4, 5]] }),
    'Range GRID',
    [3, 4, 5],
    /frame 0 of video_grid_thw\[0\]: grid \[3,4,5\] does not divide by merge size 2/,
  ],
  [
    'a thousand videos of a million frames, one token',
    parse('qwen3_vl', { input_ids: [7], video_grid_thw: Array(1000).fill([1e6, 4, 6]) }),
    'Range GRID_COUNT',
    1000,
    /video_grid_thw has 1000 grids of 1000000000 frames, the tokens have 0 blocks; none for frame 0 of video_grid_thw\[0\]/,
  ],
  [
    'a thousand videos of a million frames, the third not divisible, in a batch',
    () =>
      Sequence.batchFromProcessor(
        { ...stack([frames, frames]), video_grid_thw: [[3, 4, 4], [3, 4, 5], ...Array(1000).fill([1e6, 4, 6])] },
        promptConfig('qwen3_vl'),
      ),
    'Range GRID',
    [3, 4, 5],
    /frame 0 of video_grid_thw\[1\]: grid \[3,4,5\] does not divide/,
  ],
  [
    'frames left over, in a batch',
    () =>
      Sequence.batchFromProcessor(
        {
          ...stack([frames, frames]),
          video_grid_thw: [
            [3, 4, 4],
            [3, 4, 4],
            [1e6, 4, 4],
          ],
        },
        promptConfig('qwen3_vl'),
      ),
    'Range GRID_COUNT',
    2,
    /video_grid_thw has 2 grids of 1000003 frames for row 1, .* none for frame 0 of video_grid_thw\[2\]/,
  ],
  [
    'a video of no frames, in a batch',
    () =>
      Sequence.batchFromProcessor(
        {
          ...stack([frames, frames]),
          video_grid_thw: [
            [3, 4, 4],
            [3, 4, 4],
            [-1, 4, 4],
          ],
        },
        promptConfig('qwen3_vl'),
      ),
    'Range GRID',
    -1,
    /video_grid_thw\[2\]: \[-1, 4, 4\] has no valid number of frames/,
  ],
  [
    'a video of 2^40 frames',
    parse('qwen3_vl', { ...row(frames), video_grid_thw: [[2 ** 40, 4, 4]] }),
    'Range GRID',
    2 ** 40,
    /no valid number of frames/,
  ],
  [
    'token type 4',
    qwen({ ...whole, mm_token_type_ids: typesWith(5, 4) }),
    'Range ARGUMENT',
    4,
    /mm_token_type_ids\[5\] is 0 text, 1 image, 2 video or 3 audio, got 4/,
  ],
  [
    'types of another length',
    qwen({ ...whole, mm_token_type_ids: [0, 1] }),
    'Range SHAPE',
    2,
    /mm_token_type_ids has 2 entries, input_ids 17/,
  ],
])

refuses('prompts that were cut off', [
  [
    'inside the first image',
    qwen(cut(6)),
    'Range BLOCK',
    3,
    /block at token 3 has 3 tokens, image_grid_thw\[0\] = \[1,4,6\] gives 6/,
  ],
  [
    'behind the first image',
    qwen(cut(9)),
    'Range GRID_COUNT',
    2,
    /image_grid_thw has 2 grids, the tokens have 1 blocks/,
  ],
  ['inside the video', qwen(cut(15)), 'Range BLOCK', 3, /block at token 12 has 3 tokens/],
  [
    'in front',
    qwen({ ...whole, input_ids: whole.input_ids.slice(4), mm_token_type_ids: whole.mm_token_type_ids.slice(4) }),
    'Range BLOCK',
    5,
    /block at token 0 has 5 tokens/,
  ],
  [
    'types without their tokens',
    qwen({ ...whole, input_ids: whole.input_ids.slice(0, 9) }),
    'Range SHAPE',
    17,
    /mm_token_type_ids has 17 entries, input_ids 9/,
  ],
])

const { video_token_id: v, audio_token_id: a, audio_start_token_id: as, audio_end_token_id: ae } = tokens
const { vision_start_token_id: vs, vision_end_token_id: ve, image_start_token_id: is, image_end_token_id: ie } = tokens
const pic = tokens.image_token_id
const streams = (kinds: readonly number[], closing: readonly number[] = [ae, ve]): Part => ({
  raw: [
    [vs, 0],
    [as, 0],
    ...kinds.map((kind) => [kind ? a : v, kind ? 3 : 2] as const),
    ...closing.map((token) => [token, 0] as const),
  ],
})
const sounding = (parts: Part[], more: object = {}): object => ({
  ...row(parts),
  video_grid_thw: [[2, 2, 2]],
  second_per_grid_ts: [1],
  audio_feature_lengths: [12],
  use_audio_in_video: true,
  ...more,
})
const markers = {
  image_start_token_id: undefined,
  image_end_token_id: undefined,
  image_start_id: 1,
  image_end_id: 2,
  slice_start_id: 3,
  slice_end_id: 4,
  newline_id: 5,
}
const crop = (start: number, end: number, count: number): [number, number][] => [
  [start, 0],
  ...Array.from({ length: count }, (): [number, number] => [pic, 1]),
  [end, 0],
]
const mini = (raw: [number, number][], sizes: number[][], more: object = {}) =>
  parse('minicpmv4_7', { ...row([{ raw }]), target_sizes: sizes }, { ...markers, ...more })
refuses('prompts of single families', [
  [
    'an audio of the wrong length',
    parse('qwen2_5_omni', row([1, { audio: 6, mel: 20 }])),
    'Range BLOCK',
    6,
    /audio 0 at token 2 has 6 tokens, 20 mel frames give 5/,
  ],
  [
    'an audio without its length',
    parse('qwen2_5_omni', { ...row([1, { audio: 5, mel: 20 }]), audio_feature_lengths: [] }),
    'Range GRID_COUNT',
    0,
    /audio at token 2 has no entry in audio_feature_lengths \(0\)/,
  ],
  [
    'a length without its audio',
    parse('qwen2_5_omni', { ...row([1]), audio_feature_lengths: [20] }),
    'Range GRID_COUNT',
    1,
    /audio_feature_lengths has 1 entries, the tokens have 0 audios/,
  ],
  [
    'n_window 0',
    parse('qwen3_omni_moe', row([1, { audio: 3, mel: 20 }]), { audio_config: { n_window: 0 } }),
    'Range CONFIG',
    0,
    /n_window is a positive integer, got 0/,
  ],
  [
    'a video with sound of the wrong grid',
    parse('qwen2_5_omni', sounding([streams([0, 0, 0, 1, 1, 1])])),
    'Range BLOCK',
    3,
    /block at token 2 has 3 tokens, video_grid_thw\[0\] = \[2,2,2\] gives 2/,
  ],
  [
    'its sound of the wrong length',
    parse('qwen2_5_omni', sounding([streams([0, 0, 1])])),
    'Range BLOCK',
    1,
    /sound of the video at token 2 has 1 tokens, 12 mel frames give 3/,
  ],
  [
    'cut off before its closing markers',
    parse('qwen2_5_omni', sounding([streams([0, 0, 1, 1, 1], [ae])])),
    'Range BLOCK',
    8,
    /ends at 7 without its two closing markers/,
  ],
  [
    'an image in place of its closing markers',
    parse('qwen2_5_omni', sounding([streams([0, 0, 1, 1, 1], []), { image: [1, 2, 2] }, 1])),
    'Range BLOCK',
    9,
    /ends at 7 without its two closing markers/,
  ],
  [
    'its tokens in another order than the rule',
    () => encodings.qwen25Omni().positions(parse('qwen2_5_omni', sounding([streams([1, 0, 0, 1, 1])]))()),
    'Range BLOCK',
    0,
    /token 2 is an audio token where the merge rule has a video token/,
  ],
  [
    'a picture without <image>',
    mini(crop(9, 2, 4), [[8, 8]]),
    'Range BLOCK',
    0,
    /picture at token 1 has no <image> marker in front/,
  ],
  [
    'a picture without </image>',
    mini(crop(1, 9, 4), [[8, 8]]),
    'Range BLOCK',
    9,
    /token 5 should be <\/image> \(2\), got 9/,
  ],
  [
    'a crop of the wrong size',
    mini(crop(1, 2, 4), [[8, 12]]),
    'Range BLOCK',
    4,
    /crop at token 1 has 4 tokens, target_sizes\[0\] = \[8,12\] gives 6/,
  ],
  [
    'unequal slices',
    mini(
      [...crop(1, 2, 1), ...crop(3, 4, 1), ...crop(3, 4, 2)],
      [
        [4, 4],
        [4, 4],
        [4, 8],
      ],
    ),
    'Range BLOCK',
    [1, 2],
    /slice 1 has grid \[1,2\], the first one \[1,1\]/,
  ],
  [
    'three slices in two rows',
    mini(
      [...crop(1, 2, 1), ...crop(3, 4, 1), ...crop(3, 4, 1), [5, 0], ...crop(3, 4, 1)],
      [
        [4, 4],
        [4, 4],
        [4, 4],
        [4, 4],
      ],
    ),
    'Range BLOCK',
    3,
    /slices at token 4 are not 2 in every row/,
  ],
  [
    'an unknown downsample_mode',
    mini(crop(1, 2, 1), [[4, 4]], { downsample_mode: '8x' }),
    'Range CONFIG',
    '8x',
    /downsample_mode is '16x' or '4x', got "8x"/,
  ],
  [
    'GLM-Image: an image of the wrong grid',
    parse('glm_image', {
      ...row([
        1,
        {
          raw: [
            [is, 0],
            [pic, 1],
            [ie, 0],
          ],
        },
      ]),
      image_grid_thw: [[1, 2, 3]],
    }),
    'Range BLOCK',
    1,
    /image at token 2 has 1 tokens, image_grid_thw\[0\] = \[1,2,3\] gives 6/,
  ],
  [
    'GLM-Image: images_per_sample',
    parse('glm_image', { ...row([1]), image_grid_thw: [[1, 2, 3]], images_per_sample: 2 }),
    'Range GRID_COUNT',
    2,
    /images_per_sample is 2, image_grid_thw has 1 grids/,
  ],
  [
    'GLM-Image without its markers',
    parse('glm_image', row([1]), { image_start_token_id: undefined }),
    'Range CONFIG',
    undefined,
    /image_start_token_id and image_end_token_id are needed/,
  ],
  [
    'a family without rules',
    parse('llava', whole),
    'Range FAMILY',
    'llava',
    /no prompt rules for model_type "llava"; declare segments with Sequence.of/,
  ],
  [
    'a token id as text',
    parse('qwen2_vl', whole, { image_token_id: '<image>' }),
    'Type CONFIG',
    '<image>',
    /config.image_token_id is a token id, got "<image>"/,
  ],
  [
    'merge size 0',
    parse('qwen2_vl', whole, { vision_config: { spatial_merge_size: 0 } }),
    'Range CONFIG',
    0,
    /spatial_merge_size is a positive integer, got 0/,
  ],
])

refuses('masks, shapes and kinds', [
  [
    'no output',
    qwen(undefined),
    'Type ARGUMENT',
    undefined,
    /expected one processor output with input_ids, got undefined/,
  ],
  ['a list of outputs', qwen([whole]), 'Type ARGUMENT', [whole], /expected one processor output/],
  ['no input_ids', qwen({}), 'Type ARGUMENT', undefined, /input_ids: expected a list of numbers, got undefined/],
  [
    'input_ids as text',
    qwen({ input_ids: '1 2 3' }),
    'Type ARGUMENT',
    '1 2 3',
    /input_ids: expected a list of numbers, got "1 2 3"/,
  ],
  [
    'a token that is NaN',
    qwen({ input_ids: [1, Number.NaN] }),
    'Type ARGUMENT',
    Number.NaN,
    /input_ids\[1\]: expected an integer, got NaN/,
  ],
  [
    'a token that is missing',
    qwen({ input_ids: [1, null] }),
    'Type ARGUMENT',
    null,
    /input_ids\[1\]: expected an integer, got null/,
  ],
  [
    'a token beyond 2^53',
    qwen({ input_ids: [1n, 2n ** 60n] }),
    'Type ARGUMENT',
    2n ** 60n,
    /input_ids\[1\]: expected an integer, got 1152921504606846976n/,
  ],
  [
    'two rows',
    qwen({ input_ids: [[1], [2]] }),
    'Range SHAPE',
    2,
    /input_ids: expected one row, got 2; use Sequence.batchFromProcessor/,
  ],
  [
    'dims that do not fit',
    qwen({ input_ids: { data: [1, 2, 3], dims: [2, 2] } }),
    'Range SHAPE',
    [2, 2],
    /input_ids: dims \[2, 2\] with 3 values/,
  ],
  [
    'fractional dims',
    qwen({ input_ids: { data: [1, 2, 3, 4, 5], dims: [2.5, 2] } }),
    'Range SHAPE',
    [2.5, 2],
    /dims \[2.5, 2\] with 5 values/,
  ],
  [
    'negative dims',
    qwen({ input_ids: { data: [1], dims: [-1, -1] } }),
    'Range SHAPE',
    [-1, -1],
    /dims \[-1, -1\] with 1 values/,
  ],
  [
    'a mask of another length',
    qwen({ input_ids: [1, 2], attention_mask: [1] }),
    'Range SHAPE',
    1,
    /attention_mask has 1 entries, input_ids 2/,
  ],
  [
    'padding behind',
    qwen({ input_ids: [1, 2], attention_mask: [1, 0] }),
    'Range ARGUMENT',
    0,
    /attention_mask\[1\] is 0: only padding in front of the prompt is taken/,
  ],
  ['a mask of 2', qwen({ input_ids: [1, 2], attention_mask: [0, 2] }), 'Range ARGUMENT', 2, /attention_mask\[1\] is 2/],
  [
    'config is a list',
    () => Sequence.fromProcessor(whole, []),
    'Type CONFIG',
    [],
    /config: expected an object, got \[\]/,
  ],
  [
    'a batch with masks for other rows',
    () => Sequence.batchFromProcessor({ ...stack([[1], [2]]), attention_mask: [[1, 1]] }, promptConfig('qwen2_vl')),
    'Range SHAPE',
    1,
    /attention_mask has 1 rows, input_ids 2/,
  ],
  [
    'a batch with a grid too many',
    () =>
      Sequence.batchFromProcessor(
        {
          ...stack([[1, { image: [1, 2, 2] }], [2]]),
          image_grid_thw: [
            [1, 2, 2],
            [1, 4, 4],
          ],
        },
        promptConfig('qwen2_vl'),
      ),
    'Range GRID_COUNT',
    1,
    /image_grid_thw has 1 grids for row 1, the tokens have 0 blocks; none for image_grid_thw\[1\]/,
  ],
  [
    'a batch with a grid too few',
    () =>
      Sequence.batchFromProcessor(
        {
          ...stack([
            [1, { image: [1, 2, 2] }],
            [2, { image: [1, 2, 2] }],
          ]),
          image_grid_thw: [[1, 2, 2]],
        },
        promptConfig('qwen2_vl'),
      ),
    'Range GRID_COUNT',
    0,
    /has no grid: image_grid_thw has 0 grids for row 1/,
  ],
  [
    'a batch of images to be generated, without their rows',
    () => Sequence.batchFromProcessor(stack([[1], [2]]), promptConfig('glm_image')),
    'Range GRID_COUNT',
    0,
    /images_per_sample has 0 entries, input_ids 2 rows/,
  ],
  [
    'no batch',
    () => Sequence.batchFromProcessor(null as never, {}),
    'Type ARGUMENT',
    null,
    /expected one processor output/,
  ],
])

const heard = row([1, { audio: 5, mel: 20 }])
const omni = (more: object) => parse('qwen2_5_omni', { ...heard, ...more })
const unlisted = (key: string) => qwen({ ...whole, [key]: [1] })
refuses('keys that nobody reads, and two accounts that differ', [
  [
    'second_per_grids_ts',
    unlisted('second_per_grids_ts'),
    'Type ARGUMENT',
    'second_per_grids_ts',
    /unknown key "second_per_grids_ts"; the keys that are read are input_ids, .*second_per_grid_ts, /,
  ],
  ['imageGridThw', unlisted('imageGridThw'), 'Type ARGUMENT', 'imageGridThw', /unknown key "imageGridThw"/],
  ['toString', unlisted('toString'), 'Type ARGUMENT', 'toString', /unknown key "toString"/],
  [
    'position_ids',
    unlisted('position_ids'),
    'Type ARGUMENT',
    'position_ids',
    /position_ids is computed from the prompt, not taken/,
  ],
  ['rope_deltas', unlisted('rope_deltas'), 'Type ARGUMENT', 'rope_deltas', /rope_deltas is computed/],
  [
    'in a batch',
    () => Sequence.batchFromProcessor({ ...stack([[1], [2]]), grids: [] } as never, promptConfig('qwen2_vl')),
    'Type ARGUMENT',
    'grids',
    /unknown key "grids"/,
  ],
  [
    'seconds under both names that differ',
    qwen({ ...whole, second_per_grid_ts: [1], video_second_per_grid: [2] }),
    'Range ARGUMENT',
    [2],
    /second_per_grid_ts \[1\] and video_second_per_grid \[2\] differ; give one of them/,
  ],
  [
    'seconds under both names, of other numbers of videos',
    qwen({ ...whole, second_per_grid_ts: [1], video_second_per_grid: [1, 1] }),
    'Range ARGUMENT',
    [1, 1],
    /differ/,
  ],
  [
    'audio lengths that are not the sums of the mask',
    omni({ feature_attention_mask: [Array(19).fill(1)] }),
    'Range ARGUMENT',
    [19],
    /audio_feature_lengths \[20\] and the sums of feature_attention_mask \[19\] differ/,
  ],
  [
    'a feature mask of 2',
    omni({ audio_feature_lengths: null, feature_attention_mask: [[1, 1, 2]] }),
    'Range ARGUMENT',
    2,
    /feature_attention_mask\[0\]\[2\] is 0 or 1, got 2/,
  ],
  [
    'a feature mask that gives another length than the tokens',
    omni({ audio_feature_lengths: null, feature_attention_mask: [Array(33).fill(true)] }),
    'Range BLOCK',
    5,
    /audio 0 at token 2 has 5 tokens, 33 mel frames give 8/,
  ],
  [
    'tokens that are booleans',
    qwen({ input_ids: [true, false] }),
    'Type ARGUMENT',
    true,
    /input_ids\[0\]: expected an integer, got true/,
  ],
  [
    'token types that are booleans',
    qwen({ ...whole, mm_token_type_ids: whole.mm_token_type_ids.map((kind) => kind > 0) }),
    'Type ARGUMENT',
    false,
    /mm_token_type_ids\[0\]: expected an integer, got false/,
  ],
  [
    'boolean padding behind',
    qwen({ input_ids: [1, 2], attention_mask: [true, false] }),
    'Range ARGUMENT',
    0,
    /attention_mask\[1\] is 0: only padding in front/,
  ],
  [
    'a batch with seconds for fewer videos',
    () =>
      Sequence.batchFromProcessor(
        { ...stack([[{ video: [2, 2, 2] }], [{ video: [2, 2, 2] }]]), second_per_grid_ts: [1] },
        promptConfig('qwen2_5_vl'),
      ),
    'Range GRID_COUNT',
    1,
    /second_per_grid_ts has 1 entries, video_grid_thw 2/,
  ],
])

const named = (options: unknown, config: object = promptConfig('qwen2_vl')) => {
  return () => Sequence.fromProcessor(whole, config, options as object)
}
const textOnly = { model_type: 'qwen2' }
refuses('options', [
  [
    'an unknown family',
    named({ family: 'qwen9_vl' }),
    'Range FAMILY',
    'qwen9_vl',
    /family is one of qwen2_vl, .*, minicpmv4_7 or a text model; got "qwen9_vl"/,
  ],
  ['an unknown family of text', named({ family: 'qwen9' }, textOnly), 'Range FAMILY', 'qwen9', /family is one of/],
  ['family null', named({ family: null }), 'Range FAMILY', null, /got null/],
  ['family toString', named({ family: 'toString' }), 'Range FAMILY', 'toString', /got "toString"/],
  ['family is an object', named({ family: { toString: 1 } }), 'Range FAMILY', { toString: 1 }, /family is one of/],
  [
    'a text family for a prompt with images',
    named({ family: 'llama' }),
    'Range FAMILY',
    'llama',
    /no prompt rules for family "llama"; declare segments/,
  ],
  ['a misspelt option', named({ familly: 'qwen2_vl' }), 'Type ARGUMENT', 'familly', /unknown option "familly"/],
  ['options null', named(null), 'Type ARGUMENT', null, /fromProcessor: expected an object, got null/],
  ['options are a name', named('qwen2_vl'), 'Type ARGUMENT', 'qwen2_vl', /expected an object, got "qwen2_vl"/],
  [
    'a batch, options null',
    () => Sequence.batchFromProcessor([], {}, null as never),
    'Type ARGUMENT',
    null,
    /batchFromProcessor: expected an object, got null/,
  ],
  [
    'a batch, an unknown family',
    () => Sequence.batchFromProcessor(stack([[1], [2]]), textOnly, { family: 'x' }),
    'Range FAMILY',
    'x',
    /family is one of/,
  ],
  [
    'a batch that is a list with holes',
    () => Sequence.batchFromProcessor(new Array(2), promptConfig('qwen2_vl')),
    'Type ARGUMENT',
    undefined,
    /expected one processor output with input_ids, got undefined/,
  ],
  ['Sequence.of, null', () => Sequence.of([], null as never), 'Type ARGUMENT', null, /Sequence.of: expected an object/],
  [
    'Sequence.of, a misspelt option',
    () => Sequence.of([], { paddings: 1 } as never),
    'Type ARGUMENT',
    'paddings',
    /unknown option "paddings"; known are padding, upcoming/,
  ],
])

describe('what was refused leaves nothing behind', () => {
  it('the prompt as it was gives the same sequence afterwards', () => {
    const before = qwen(whole)()
    for (const length of [6, 9, 15]) assert.throws(qwen(cut(length)))
    assert.deepEqual(qwen(whole)(), before)
  })
  it('arguments are not changed', () => {
    const output = {
      ...whole,
      image_grid_thw: [
        [1, 4, 6],
        [1, 2, 3],
      ],
    }
    const copy = structuredClone(output)
    assert.throws(qwen(output))
    assert.deepEqual(output, copy)
  })
})
