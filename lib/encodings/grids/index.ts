import { flux, flux2, framePack, hunyuanVideo, lumina2, qwenImage, wan, zImage } from './diffusion.js'
import { cogVideoX, cosmos, ideogram4, mochi } from './diffusion-video.js'
import { genlip, hierarchical } from './levels.js'
import { goldenGate, nd, ropeVitMixed } from './lines.js'
import { ltx, ltx2 } from './ltx.js'
import { dinov3, ropeVitAxial, sam2, timm } from './towers.js'

/** Encodings of vision towers and diffusion transformers by name. Blocks of a sequence are raw patches, not merged. */
export const visionEncodings = {
  ropeVitAxial,
  ropeVitMixed,
  sam2,
  dinov3,
  timm,
  genlip,
  goldenGate,
  nd,
  hierarchical,
  flux,
  flux2,
  framePack,
  hunyuanVideo,
  lumina2,
  qwenImage,
  wan,
  zImage,
  cogVideoX,
  cosmos,
  ideogram4,
  mochi,
  ltx,
  ltx2,
} as const
