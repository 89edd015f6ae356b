export type { Allocation } from './allocations/allocation.js'
export { allocations } from './allocations/index.js'
export { type Compat, compatNames } from './encodings/compat.js'
export { Encoding, type EncodingDescription, type EncodingInit, type Verified } from './encodings/encoding.js'
export { type ConfigOptions, encodingFromConfig } from './encodings/from-config.js'
export { encodings, type NamedOptions } from './encodings/named.js'
export { VisionEncoding, type VisionEncodingInit, visionEncodingFromConfig } from './encodings/vision.js'
export * from './errors.js'
export { layouts } from './layouts/index.js'
export type { Layout } from './layouts/layout.js'
export { Positions } from './layouts/positions.js'
export type { Pairing, RotaryTable } from './rotary/table.js'
export type { ProcessorOutput } from './sequence/processor/output.js'
export type {
  AudioSegment,
  AudioVideoSegment,
  CanvasSegment,
  Grid,
  ImageSegment,
  Segment,
  SegmentKind,
  TextSegment,
  VideoSegment,
} from './sequence/segment.js'
export { type Block, Sequence, type SequenceOptions } from './sequence/sequence.js'
export { type FrameTime, frameTimes } from './sequence/timestamps.js'
export { spectra } from './spectra/index.js'
export type { Spectrum } from './spectra/spectrum.js'
