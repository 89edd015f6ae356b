/** Audio tokens from mel frames. Divisions are floors, also of negative numbers, as in Python. */
export type AudioLengthRule = (melFrames: number) => number

const half = (n: number): number => Math.floor(n / 2)

/** Qwen2.5-Omni `get_rope_index`: two strided convolutions, then a pooling by two. */
export const qwen25OmniAudioLength: AudioLengthRule = (melFrames) => half(half(melFrames - 1) + 1 - 2) + 1

/** Qwen3-Omni `_get_feat_extract_output_lengths`: 13 tokens for each 2·window mel frames, and the rest by three halvings. */
export function qwen3OmniAudioLength(melFrames: number, window = 50): number {
  const chunk = window * 2
  const features = half((melFrames % chunk) - 1) + 1
  return half(half(features - 1) + 1 - 1) + 1 + Math.floor(melFrames / chunk) * 13
}
