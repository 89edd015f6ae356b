export type { Allocation } from './allocations/allocation.js'
export { allocations } from './allocations/index.js'
export { type AliasingOptions, type AxisAliasing, aliasing } from './analysis/aliasing.js'
export { type Needs, type Reason, type Recommendation, recommend } from './analysis/chooser.js'
export { coherence, coherenceOf } from './analysis/coherence.js'
export {
  type CompareOptions,
  type Comparison,
  compareSchemes,
  type LayoutResult,
  type LayoutRow,
  type PairRow,
} from './analysis/compare.js'
export type { AllocationRow } from './analysis/compare-allocations.js'
export { type Decay, type DecayCurve, type DecayOptions, decay, decayBound } from './analysis/decay.js'
export type { Finding, FindingRules } from './analysis/findings.js'
export { type MemoryOptions, type MemoryPlan, memoryPlan } from './analysis/memory.js'
export type { CoherenceOptions, PositionsCoherenceOptions } from './analysis/options.js'
export type { BlockCoherence, Coherence, Predicate, Structure } from './analysis/report.js'
export { type FrequencyRange, type SearchOptions, searchFrequencies } from './analysis/search.js'
export {
  judgeMap,
  type MapOptions,
  type SimilarityMap,
  type SimilarityOptions,
  similarityMap,
} from './analysis/similarity.js'
export { attend, attendSync } from './attention/attend.js'
export type { Mask, MaskOptions } from './attention/mask.js'
export type { AttendRequest } from './attention/request.js'
export {
  type Llama4Options,
  type SoftmaxScaleOptions,
  type SoftmaxScaleRule,
  type SoftmaxScaleRuleName,
  softmaxScale,
  softmaxScaleRules,
} from './attention/scale.js'
export type { Backend, BackendRotateOptions } from './backends/backend.js'
export type { BackendCache, CacheOptions, CacheStep } from './backends/cache.js'
export type { GpuInfo } from './backends/metal/addon.js'
export type { MetalCache } from './backends/metal/cache.js'
export { type DeviceResult, DeviceTensor } from './backends/metal/device-tensor.js'
export type { MemoryEstimate } from './backends/metal/estimate.js'
export { MetalBackend } from './backends/metal/metal.js'
export type { MetalAttendRequest } from './backends/metal/operands.js'
export type { MetalCacheStep } from './backends/metal/step.js'
export type { MetalStepShape } from './backends/metal/step-shape.js'
export type { MetalRotateOptions, MetalRotation } from './backends/metal/work.js'
export { type BackendName, backendNames } from './backends/names.js'
export { type BackendStatus, listBackends, openBackend } from './backends/open.js'
export { BackendResult } from './backends/result.js'
export type { AttentionBias, BiasData, BiasDescription, BiasFunction, BiasRequest } from './biases/bias.js'
export { type BiasTensorOptions, biasTensor } from './biases/data.js'
export { biases } from './biases/index.js'
export { t5Bucket } from './biases/t5.js'
export type { AbsoluteEmbedding } from './embeddings/embedding.js'
export { embeddings } from './embeddings/index.js'
export { resizeRules } from './embeddings/interpolate.js'
export { LearnedEmbedding } from './embeddings/learned.js'
export { type Compat, compatNames } from './encodings/compat.js'
export { Encoding, type EncodingDescription, type EncodingInit, type Verified } from './encodings/encoding.js'
export { type ConfigOptions, encodingFromConfig } from './encodings/from-config.js'
export { type Coordinate, type CoordinateRule, gridPositions } from './encodings/grids/coordinates.js'
export { visionEncodings } from './encodings/grids/index.js'
export { encodings, type NamedOptions } from './encodings/named.js'
export type { PublishedOptions } from './encodings/published.js'
export {
  type AlternatingStrategy,
  alternateLayers,
  deepStack,
  type Injection,
  type LayerEncodings,
} from './encodings/published-layers.js'
export { trainingStrides } from './encodings/published-parts.js'
export {
  type VisionConfigOptions,
  VisionEncoding,
  type VisionEncodingInit,
  visionEncodingFromConfig,
} from './encodings/vision.js'
export * from './errors.js'
export {
  encodeSafetensors,
  parseSafetensors,
  readSafetensors,
  type SafetensorsFile,
  type StorableTensor,
  type StoredTensor,
  writeSafetensors,
} from './io/safetensors.js'
export type { CircleRadius } from './layouts/circle.js'
export type { Drawn, Stride } from './layouts/draw.js'
export { layouts } from './layouts/index.js'
export type { Layout } from './layouts/layout.js'
export { Positions } from './layouts/positions.js'
export * from './relevance/index.js'
export { RotaryAngles, type RotaryAnglesInit } from './rotary/angles.js'
export type { HeadNorm } from './rotary/norm.js'
export { type PermuteOptions, pairingPermutation, permutePairing, type RotateOptions, rotate } from './rotary/rotate.js'
export type { Pairing, RotaryTable } from './rotary/table.js'
export type { ProcessorOutput } from './sequence/processor/output.js'
export type { PromptOptions } from './sequence/processor/rules.js'
export type {
  AudioSegment,
  AudioVideoSegment,
  CanvasSegment,
  Grid,
  ImageSegment,
  QueriesSegment,
  Segment,
  SegmentKind,
  SlicesSegment,
  TextSegment,
  VideoSegment,
} from './sequence/segment.js'
export { type Block, Sequence, type SequenceOptions } from './sequence/sequence.js'
export { type FrameTime, frameTimes } from './sequence/timestamps.js'
export { openSession, Session, type SessionAttendOptions, type SessionOptions } from './session/session.js'
export { spectra } from './spectra/index.js'
export type { Spectrum } from './spectra/spectrum.js'
export { Tensor, type TensorData, type TensorType } from './tensors/tensor.js'
