import { MropeTypeError, show } from '../../errors.js'
import type { ProcessorOutput } from './output.js'

/** Keys that are read; see `ProcessorOutput`. */
const read: readonly (keyof ProcessorOutput)[] = [
  'input_ids',
  'attention_mask',
  'mm_token_type_ids',
  'image_grid_thw',
  'video_grid_thw',
  'second_per_grid_ts',
  'video_second_per_grid',
  'audio_feature_lengths',
  'feature_attention_mask',
  'use_audio_in_video',
  'target_sizes',
  'target_sizes_videos',
  'downsample_mode',
  'images_per_sample',
]

/** Keys that processors give besides, with what each is. Positions do not depend on them. */
const besides: Readonly<Record<string, string>> = {
  pixel_values: 'patches of the images',
  pixel_values_images: 'patches of the images, where videos have their own',
  pixel_values_videos: 'patches of the videos',
  input_features: 'mel spectra of the audios',
  video_metadata: 'frame rates and frame indices before sampling',
  token_type_ids: 'segments of the tokenizer',
  moe_mm_token_type_ids: 'which experts a token uses (Ernie)',
  original_sizes: 'pixels of the images before resizing (Transformers.js)',
  reshaped_input_sizes: 'pixels of the images after resizing (Transformers.js)',
  image_sizes: 'pixels of the images',
  num_crops: 'crops of each image',
  num_patches_per_image: 'crops of each image (MiniCPM-V)',
  image_bound: 'first and last token of the images (MiniCPM-V)',
  tgt_sizes: 'older name of target_sizes, in releases without rotary positions of images (MiniCPM-V)',
}

/** Keys that hold what is computed here. */
const computed: readonly string[] = ['position_ids', 'rope_deltas']

/** One processor output with no key that nobody reads: a misspelt `second_per_grid_ts` would give wrong positions. */
export function checkOutput(output: unknown): asserts output is ProcessorOutput {
  if (typeof output !== 'object' || output === null || Array.isArray(output)) {
    const message = `fromProcessor: expected one processor output with input_ids, got ${show(output)}`
    throw new MropeTypeError('ERR_MROPE_ARGUMENT', message, output)
  }
  for (const key of Object.keys(output)) {
    if ((read as readonly string[]).includes(key) || Object.hasOwn(besides, key)) continue
    if (computed.includes(key)) {
      const message = `fromProcessor: ${key} is computed from the prompt, not taken; leave it out`
      throw new MropeTypeError('ERR_MROPE_ARGUMENT', message, key)
    }
    const message = `fromProcessor: unknown key ${show(key)}; the keys that are read are ${read.join(', ')}`
    throw new MropeTypeError('ERR_MROPE_ARGUMENT', message, key)
  }
}
