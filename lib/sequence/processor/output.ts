import type { FlagList, NestedNumbers, NumberList } from './arrays.js'

/** The output of a Hugging Face processor, in its own names. Lists, typed arrays and tensor objects are all taken. */
export interface ProcessorOutput {
  readonly input_ids: NestedNumbers
  /** 1 or true for tokens, 0 or false for padding. */
  readonly attention_mask?: NestedNumbers | FlagList | readonly FlagList[] | null
  /** Raw grids `[t, h, w]` in patches, before merging. */
  readonly image_grid_thw?: NestedNumbers | null
  readonly video_grid_thw?: NestedNumbers | null
  /** Seconds between two frames of each video's grid. */
  readonly second_per_grid_ts?: NumberList | null
  /** The same under the name of the Omni processors. */
  readonly video_second_per_grid?: NumberList | null
  /** 0 text, 1 image, 2 video, 3 audio. Where it is missing, the config's special token ids tell. */
  readonly mm_token_type_ids?: NestedNumbers | null
  /** Mel frames of each audio. */
  readonly audio_feature_lengths?: NumberList | null
  /** One row for each audio, its mel frames marked by 1 or true: where it is given, it gives the lengths. */
  readonly feature_attention_mask?: NestedNumbers | FlagList | readonly FlagList[] | null
  readonly use_audio_in_video?: boolean | null
  /** Patch grids `[h, w]` of each image crop and of each video crop (MiniCPM-V). */
  readonly target_sizes?: NestedNumbers | null
  readonly target_sizes_videos?: NestedNumbers | null
  /** Overrides `downsample_mode` of the configuration: '16x' or '4x' (MiniCPM-V). */
  readonly downsample_mode?: string | null
  /** Grids of each row, those of images to be generated included (GLM-Image). A number stands for all rows. */
  readonly images_per_sample?: NumberList | number | null
}
