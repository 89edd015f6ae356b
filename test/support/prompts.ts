import type { Grid, ProcessorOutput } from '../../lib/index.js'

/** Special tokens of the prompts of the tests, under the names that configurations use. */
export const tokens = {
  image_token_id: 9001,
  video_token_id: 9002,
  audio_token_id: 9003,
  vision_start_token_id: 9010,
  vision_end_token_id: 9011,
  audio_start_token_id: 9012,
  audio_end_token_id: 9013,
  image_start_token_id: 9014,
  image_end_token_id: 9015,
  video_start_token_id: 9016,
  video_end_token_id: 9017,
} as const

/** Configuration of a model family with just what its prompts need. */
export function promptConfig(modelType: string, more: object = {}): object {
  return { model_type: modelType, ...tokens, vision_config: { spatial_merge_size: 2 }, ...more }
}

/** A stretch of text tokens; a block with its raw grid; a video as one block a frame with `between` text tokens. */
export type Part =
  | number
  | { readonly image: Grid }
  | { readonly video: Grid; readonly seconds?: number }
  | { readonly frames: Grid; readonly between: number; readonly asImages?: boolean }
  | { readonly audio: number; readonly mel: number }
  /** Single tokens by id and kind. */
  | { readonly raw: readonly (readonly [token: number, kind: number])[] }

export interface Row extends ProcessorOutput {
  readonly input_ids: number[]
  readonly mm_token_type_ids: number[]
  readonly image_grid_thw: number[][]
  readonly video_grid_thw: number[][]
}

const cells = ([t, h, w]: Grid): number => (t * h * w) / 4

/** One row of a processor from its parts. Text tokens are numbered from 100. */
export function row(parts: readonly Part[], padding = 0): Row {
  const ids: number[] = Array<number>(padding).fill(0)
  const kinds: number[] = Array<number>(padding).fill(0)
  const images: number[][] = []
  const videos: number[][] = []
  const seconds: number[] = []
  const mels: number[] = []
  const put = (token: number, kind: number, count = 1): void => {
    for (let i = 0; i < count; i++) {
      ids.push(token)
      kinds.push(kind)
    }
  }
  const text = (count: number): void => {
    for (let i = 0; i < count; i++) put(100 + ids.length, 0)
  }
  for (const part of parts) {
    if (typeof part === 'number') text(part)
    else if ('raw' in part) for (const [token, kind] of part.raw) put(token, kind)
    else if ('image' in part) {
      images.push([...part.image])
      put(tokens.image_token_id, 1, cells(part.image))
    } else if ('video' in part) {
      videos.push([...part.video])
      if (part.seconds !== undefined) seconds.push(part.seconds)
      put(tokens.video_token_id, 2, cells(part.video))
    } else if ('frames' in part) {
      const [t, h, w] = part.frames
      videos.push([t, h, w])
      for (let frame = 0; frame < t; frame++) {
        if (frame > 0) text(part.between)
        put(part.asImages ? tokens.image_token_id : tokens.video_token_id, 2, cells([1, h, w]))
      }
    } else {
      mels.push(part.mel)
      put(tokens.audio_start_token_id, 0)
      put(tokens.audio_token_id, 3, part.audio)
      put(tokens.audio_end_token_id, 0)
    }
  }
  return {
    input_ids: ids,
    mm_token_type_ids: kinds,
    image_grid_thw: images,
    video_grid_thw: videos,
    ...(seconds.length > 0 ? { second_per_grid_ts: seconds } : {}),
    ...(mels.length > 0 ? { audio_feature_lengths: mels } : {}),
    ...(padding > 0 ? { attention_mask: ids.map((_, i) => (i < padding ? 0 : 1)) } : {}),
  }
}

/** Rows as one Hugging Face call gives them: padded on the left to one width, grids behind one another. */
export function stack(rows: readonly (readonly Part[])[]): ProcessorOutput {
  const plain = rows.map((parts) => row(parts))
  const width = Math.max(...plain.map(({ input_ids }) => input_ids.length))
  const padded = rows.map((parts, i) => row(parts, width - plain[i].input_ids.length))
  return {
    input_ids: padded.map(({ input_ids }) => input_ids),
    mm_token_type_ids: padded.map(({ mm_token_type_ids }) => mm_token_type_ids),
    attention_mask: padded.map(({ attention_mask }) => (attention_mask ?? Array<number>(width).fill(1)) as number[]),
    image_grid_thw: padded.flatMap(({ image_grid_thw }) => image_grid_thw),
    video_grid_thw: padded.flatMap(({ video_grid_thw }) => video_grid_thw),
    second_per_grid_ts: padded.flatMap(({ second_per_grid_ts }) => (second_per_grid_ts ?? []) as number[]),
    audio_feature_lengths: padded.flatMap(({ audio_feature_lengths }) => (audio_feature_lengths ?? []) as number[]),
  }
}
