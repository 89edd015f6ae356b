import { allocations } from '../allocations/index.js'
import type { CircleRadius } from '../layouts/circle.js'
import type { Stride } from '../layouts/draw.js'
import { layouts } from '../layouts/index.js'
import { published } from './published.js'
import { chunked, interleaved, mropeOrReset, perAxis, single, spatial, v2peMode } from './published-parts.js'

const port = 'JJJYmmm/Multimodal-RoPEs'

/** Language models whose base a scheme inherits. */
const qwen2 = { headDim: 128, base: 1e6, host: 'Qwen2 and Qwen2.5', pairing: 'half-split' } as const

/** Papers, each a row: layout, allocation, pairing, numbers and how sure they are. */
export const publishedEncodings = {
  /** Bagel: plain RoPE, all tokens of a picture share one id. */
  bagel: published('bagel', {
    ...qwen2,
    own: {},
    layout: () => layouts.oneId(),
    allocation: single,
    source: 'ByteDance-Seed/Bagel 056b5fd',
    verified: 'source',
  }),
  /** CircleRoPE: pictures are rings. Alternating layers take plain M-RoPE, see `alternateLayers`. */
  circleRope: published('circleRope', {
    ...qwen2,
    sections: [16, 24, 24],
    own: {
      radius: 10 as CircleRadius,
      alpha: 0.5,
      mix: 0,
      moveToOrigin: true,
      moveToPositive: undefined as number | undefined,
      frameStride: 0,
    },
    layout: (own) => layouts.circle(own),
    allocation: chunked,
    source: 'lose4578/CircleRoPE circle_rope.py: get_circle_rope_index',
    verified: 'run',
    warnings: ['the authors do not define videos: every frame has the same ring, `frameStride` ids apart'],
  }),
  /** HoPE: VideoRoPE's layout, and its temporal pairs do not turn. */
  hope: published('hope', {
    ...qwen2,
    sections: [16, 24, 24],
    own: { temporalStride: 0.75 as Stride },
    layout: ({ temporalStride }) => layouts.diagonal(temporalStride),
    allocation: spatial('spatialOnly'),
    source: 'hrlics/HoPE modeling_hope.py: get_dynamic_rope_index, apply_hybrid_multimodal_rotary_pos_emb',
    verified: 'run',
    warnings: ['generated tokens go on behind the prompt; the authors’ code restarts them at the plain index'],
  }),
  /** HoPE as the port has it: the highest frequency does not turn either. */
  hopePort: published('hopePort', {
    ...qwen2,
    sections: [16, 24, 24],
    own: { temporalStride: 2 as Stride },
    layout: ({ temporalStride }) => layouts.diagonal(temporalStride),
    allocation: spatial('spatialOnlyPort'),
    source: `${port} freq_allocation/hope.py`,
    verified: 'run',
    warnings: ['not the allocation of published HoPE checkpoints: see `hope`'],
  }),
  /** IL-RoPE of Mogao, as the port reconstructs it. */
  ilRope: published('ilRope', {
    ...qwen2,
    sections: [24, 20, 20],
    own: { temporalStride: 1 as Stride },
    layout: ({ temporalStride }) => layouts.spatialReset(temporalStride),
    allocation: interleaved,
    source: `${port} pos_design/ilrope.py`,
    verified: 'unverified',
    warnings: ['UNVERIFIED: the code of Mogao was not found; these are the ids of Omni-RoPE, interleaved'],
  }),
  /** LLaVA, InternVL and others: plain RoPE over one line of tokens. */
  llava: published('llava', {
    headDim: 128,
    base: 1e4,
    host: 'Llama 2',
    pairing: 'half-split',
    own: {},
    layout: () => layouts.lateFusion(),
    allocation: single,
    source: 'haotian-liu/LLaVA: positions of the language model',
    verified: 'source',
  }),
  /** Lumina-2: text (i, 0, 0), then the picture. */
  lumina2: published('lumina2', {
    headDim: 96,
    base: 1e4,
    pairing: 'adjacent',
    sections: [16, 16, 16],
    own: {},
    layout: () => layouts.textFirstAxis(),
    allocation: chunked,
    spectrum: perAxis,
    source: 'huggingface/diffusers transformer_lumina2.py',
    verified: 'source',
    warnings: [
      'scores have the softmax scale `entropy-invariant`',
      'text behind a picture is not defined by the authors',
    ],
  }),
  /** MHRoPE: every KV head has one axis and all frequencies. Sections count KV heads. */
  mhRope: published('mhRope', {
    ...qwen2,
    sections: [2, 3, 3],
    own: { kvHeads: 8, spatialReset: true, temporalStride: 1 as Stride },
    layout: mropeOrReset,
    allocation: ({ sections, pairs, own }) => allocations.perHead(sections, pairs, own.kvHeads),
    source: `${port} pos_design/mrope_i.py, freq_allocation/mhrope.py; arXiv 2510.23095`,
    verified: 'run',
  }),
  /** MM-RoPE of Lumos-1: ids in steps of the pixels behind them. */
  mmRope: published('mmRope', {
    headDim: 128,
    base: 1e4,
    host: 'the port',
    pairing: 'half-split',
    own: { scale: [4, 8, 8] as readonly [t: number, h: number, w: number], temporalStride: 1 as Stride },
    layout: ({ scale, temporalStride }) => layouts.scaled(scale, temporalStride),
    allocation: ({ pairs }) => allocations.repeated([0, 0, 1, 2, 1, 2, 1, 2], pairs),
    source: `${port} pos_design/mmrope.py, freq_allocation/mmrope.py`,
    verified: 'run',
  }),
  /** MRoPE-Interleave. `sections` are the interleave ratio t:h:w, `temporalStride` a number or numbers to draw from. */
  mropeI: published('mropeI', {
    ...qwen2,
    sections: [24, 20, 20],
    own: { spatialReset: true, temporalStride: 1 as Stride },
    layout: mropeOrReset,
    allocation: interleaved,
    source: `${port} pos_design/mrope_i.py, freq_allocation/mrope_i.py; arXiv 2510.23095`,
    verified: 'run',
  }),
  /** OmniGen2: pictures count rows and columns from 0; frequencies start anew on every axis. */
  omniGen2: published('omniGen2', {
    headDim: 120,
    base: 1e4,
    pairing: 'adjacent',
    sections: [20, 20, 20],
    own: {},
    layout: () => layouts.spatialReset(),
    allocation: chunked,
    spectrum: perAxis,
    source: 'VectorSpaceLab/OmniGen2 repo.py: OmniGen2RotaryPosEmbed',
    verified: 'source',
    warnings: ['scores have the softmax scale `entropy-invariant`'],
  }),
  /** Omni-RoPE in a language model. */
  omniRope: published('omniRope', {
    ...qwen2,
    sections: [16, 24, 24],
    own: { temporalStride: 1 as Stride },
    layout: ({ temporalStride }) => layouts.spatialReset(temporalStride),
    allocation: chunked,
    source: `${port} pos_design/omnirope.py`,
    verified: 'run',
  }),
  /** V2PE: `default` has an id a token, `fixed` a stride for a tile, `random` one drawn for every block. */
  v2pe: published('v2pe', {
    headDim: 128,
    base: 1e6,
    host: 'InternLM2',
    pairing: 'half-split',
    own: {
      mode: 'fixed' as 'default' | 'fixed' | 'random',
      stride: 64,
      tokensPerTile: 256 as number | 'block',
      seed: 0,
    },
    layout: v2peMode,
    allocation: single,
    source: 'OpenGVLab/V2PE modeling_internvl_chat.py: get_rope_pos_id',
    verified: 'source',
  }),
  /** VideoRoPE: frames on the diagonal, time on the lowest frequencies. Text behind a block overlaps with it. */
  videoRope: published('videoRope', {
    ...qwen2,
    sections: [16, 24, 24],
    own: { temporalStride: 2 as Stride },
    layout: ({ temporalStride }) => layouts.diagonal(temporalStride),
    allocation: spatial('spatialFirst'),
    source:
      'Wiselnn570/VideoRoPE modeling_videorope.py: get_t_scale_rope_index, apply_m_modify_multimodal_rotary_pos_emb',
    verified: 'run',
  }),
  /** VideoRoPE as the port has it: the highest frequency turns with time. */
  videoRopePort: published('videoRopePort', {
    ...qwen2,
    sections: [16, 24, 24],
    own: { temporalStride: 2 as Stride },
    layout: ({ temporalStride }) => layouts.diagonal(temporalStride),
    allocation: spatial('spatialFirstPort'),
    source: `${port} freq_allocation/videorope.py`,
    verified: 'run',
    warnings: ['not the allocation of published VideoRoPE checkpoints: see `videoRope`'],
  }),
  /** VRoPE: four axes, the distances from the corners of a frame, in turn over the pairs. */
  vRope: published('vRope', {
    ...qwen2,
    own: {},
    layout: () => layouts.corners(),
    allocation: ({ pairs }) => allocations.repeated([0, 1, 2, 3], pairs),
    source: 'johncaged/VRoPE vrope.py: generate_nd_positions',
    verified: 'run',
    warnings: ['the source does not say the pairing; it is that of the language model'],
  }),
} as const
