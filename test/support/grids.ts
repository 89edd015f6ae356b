import type { Encoding } from '../../lib/encodings/encoding.js'
import { visionEncodings } from '../../lib/encodings/grids/index.js'
import { randomTensor } from './tensors.js'

/** Examples of every entry of `visionEncodings`. A new one is tested by having an example here, and a test asks for it. */
export const gridExamples: Readonly<Record<keyof typeof visionEncodings, readonly (() => Encoding)[]>> = {
  ropeVitAxial: [
    () => visionEncodings.ropeVitAxial({ headDim: 72 }),
    () => visionEncodings.ropeVitAxial({ headDim: 64, coordinates: { by: 'index', trained: [14, 14] } }),
  ],
  ropeVitMixed: [
    () => visionEncodings.ropeVitMixed({ heads: 6, headDim: 64, seed: 3 }),
    () => visionEncodings.ropeVitMixed({ heads: 2, freqs: randomTensor('float32', [2, 3, 2 * 8], 1), layer: 2 }),
  ],
  sam2: [() => visionEncodings.sam2({ headDim: 256 })],
  dinov3: [
    () => visionEncodings.dinov3({ headDim: 64 }),
    () => visionEncodings.dinov3({ headDim: 80, coordinates: 'max', periods: [0.5, 90] }),
    () => visionEncodings.dinov3({ headDim: 64, augment: { seed: 5, shift: 0.2, jitter: 1.3, rescale: 2 } }),
  ],
  timm: [
    () => visionEncodings.timm({ headDim: 72, trained: [16, 16] }),
    () => visionEncodings.timm({ headDim: 72, inPixels: true, indexing: 'xy' }),
  ],
  genlip: [() => visionEncodings.genlip({ headDim: 72 })],
  goldenGate: [
    () => visionEncodings.goldenGate({ headDim: 64, heads: 3 }),
    () => visionEncodings.goldenGate({ headDim: 64, heads: 3, zeroShare: 0.25, coordinates: 'corners' }),
  ],
  nd: [
    () => visionEncodings.nd({ headDim: 72, heads: 2, axes: ['t', 'h', 'w'] }),
    () => visionEncodings.nd({ headDim: 72, heads: 2, axes: ['h', 'w', 't', 'z', 'view'], directions: 'axial' }),
  ],
  hierarchical: [
    () => visionEncodings.hierarchical({ headDim: 72 }),
    () => visionEncodings.hierarchical({ headDim: 64, cells: [5], base: 1000 }),
  ],
  flux: [() => visionEncodings.flux()],
  flux2: [() => visionEncodings.flux2()],
  framePack: [() => visionEncodings.framePack({ frameIndices: [0, 3, 4] })],
  hunyuanVideo: [() => visionEncodings.hunyuanVideo()],
  lumina2: [() => visionEncodings.lumina2()],
  qwenImage: [() => visionEncodings.qwenImage(), () => visionEncodings.qwenImage({ centred: false })],
  wan: [() => visionEncodings.wan(), () => visionEncodings.wan({ headDim: 80 })],
  zImage: [() => visionEncodings.zImage()],
  cogVideoX: [
    () => visionEncodings.cogVideoX(),
    () =>
      visionEncodings.cogVideoX({
        crop: [
          [0, 4],
          [30, 41],
        ],
      }),
  ],
  cosmos: [() => visionEncodings.cosmos(), () => visionEncodings.cosmos({ fps: 30 })],
  ideogram4: [() => visionEncodings.ideogram4()],
  mochi: [() => visionEncodings.mochi({ frequencies: randomTensor('float32', [3, 2, 12], 2) })],
  ltx: [() => visionEncodings.ltx({ dim: 100 })],
  ltx2: [
    () => visionEncodings.ltx2({ dim: 64, heads: 4 }),
    () => visionEncodings.ltx2({ dim: 64, mode: 'interleaved' }),
  ],
}

export const gridCases: readonly { readonly name: string; make(): Encoding }[] = Object.entries(gridExamples).flatMap(
  ([name, makes]) => makes.map((make, i) => ({ name: i === 0 ? name : `${name} (${i + 1})`, make })),
)
