export { allocateTokens, type TokenBudget } from './allocate.js'
export { type TextureChannel, textureChannelTable, type UnitRule } from './channels.js'
export {
  type AttentionCouplingOptions,
  attentionCoupling,
  type Box,
  type CouplingOptions,
  coupling,
  type NamedPlace,
  namedPlaces,
} from './coupling.js'
export { type RawImage, type RgbImage, rgbImage } from './image.js'
export { type ReadImageOptions, readImage } from './read-image.js'
export { type RelevanceOptions, relevance } from './relevance.js'
export {
  type RelevanceBlock,
  type RelevanceSequence,
  type RelevanceSequenceOptions,
  relevanceSequence,
} from './relevance-sequence.js'
export { type Place, type SalienceOptions, salience } from './salience.js'
export { channelOf, type Texture, type TextureOptions, textureChannels } from './texture.js'
