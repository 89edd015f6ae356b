import { allocations } from '../allocations/index.js'
import { MropeRangeError, show } from '../errors.js'
import { defineLayout } from '../layouts/layout.js'
import { checkSide, frameCuSeqlens, type PatchGrids, patchPositions, windowOrder } from '../layouts/patches.js'
import { Positions } from '../layouts/positions.js'
import type { RotaryTable } from '../rotary/table.js'
import { familyName } from '../sequence/family-names.js'
import { spectra } from '../spectra/index.js'
import { checkOptions } from '../tensors/check.js'
import { Encoding, type EncodingDescription } from './encoding.js'
import { asObject, countAt, isObject, type Json, numberAt, perHead } from './json.js'

export interface VisionEncodingInit {
  readonly name: string
  readonly headDim: number
  readonly base: number
  /** Patches of a merge block along each side; 1 lists patches in plain raster order. */
  readonly merge: number
  /** Rows and columns of an attention window in merged cells; missing: no windows. */
  readonly windowSide?: number
  readonly source?: string
  readonly warnings?: readonly string[]
}

/**
 * Rotary positions of a vision tower: rows turn the first half of the pairs, columns the second, half-split.
 * Grids are raw, `[t, h, w]` in patches.
 */
export class VisionEncoding {
  readonly encoding: Encoding
  readonly merge: number
  readonly windowSide?: number

  constructor(init: VisionEncodingInit) {
    const { name, headDim, base, merge, windowSide } = init
    checkSide(merge, 'merge')
    if (windowSide !== undefined) checkSide(windowSide, 'windowSide')
    this.merge = merge
    this.windowSide = windowSide
    this.encoding = new Encoding({
      name,
      headDim,
      layout: defineLayout({
        name: 'patches',
        axes: ['h', 'w'],
        rules: { merge, ...(windowSide === undefined ? {} : { windowSide }) },
        place: {},
      }),
      spectrum: spectra.axial({ base, headDim }),
      allocation: allocations.axial(Math.trunc(headDim / 2)),
      pairing: 'half-split',
      source: init.source,
      verified: 'run',
      warnings: init.warnings,
    })
  }

  /** Row and column of every patch in merge-block order, before any window order. Axes h, w. */
  positions(grids: PatchGrids): Positions {
    return patchPositions(grids, this.merge)
  }

  /** Which patch stands at each place when the windows are laid one behind the other; undefined without windows. */
  order(grids: PatchGrids): Int32Array | undefined {
    const windows = this.windows(grids)
    if (!windows) return undefined
    const cell = this.merge * this.merge
    return Int32Array.from({ length: windows.index.length * cell }, (_, i) => {
      return windows.index[Math.floor(i / cell)] * cell + (i % cell)
    })
  }

  /** Window order of the merged cells and the borders of the windows in patches; undefined without windows. */
  windows(grids: PatchGrids): { readonly index: Int32Array; readonly cuSeqlens: Int32Array } | undefined {
    return this.windowSide === undefined ? undefined : windowOrder(grids, this.merge, this.windowSide)
  }

  /** Borders of the frames, in patches: full attention stays inside a frame. */
  cuSeqlens(grids: PatchGrids): Int32Array {
    return frameCuSeqlens(grids)
  }

  /** Table of every patch, in window order where there are windows (as the tower keeps its patches in all layers). */
  table(grids: PatchGrids): RotaryTable {
    const positions = this.positions(grids)
    const order = this.order(grids)
    if (!order) return this.encoding.table(positions)
    const ids = new Float64Array(positions.ids.length)
    for (let a = 0; a < 2; a++) {
      const axis = positions.axis(a)
      for (let i = 0; i < order.length; i++) ids[a * order.length + i] = axis[order[i]]
    }
    return this.encoding.table(new Positions({ axes: positions.axes, ids, next: 0, delta: 0 }))
  }

  describe(): EncodingDescription {
    return this.encoding.describe()
  }
}

/** Towers with two-dimensional rotation, by model family. */
const towers: Readonly<Record<string, { readonly windows?: true; readonly merge?: 1 }>> = {
  qwen2_vl: {},
  qwen2_5_vl: { windows: true },
  qwen2_5_omni: { windows: true },
  qwen3_vl: {},
  qwen3_vl_moe: {},
  qwen3_omni_moe: {},
  qwen3_5: {},
  qwen3_5_moe: {},
  qwen4_exp: {},
  glm4v: {},
  glm4v_moe: {},
  glm46v: {},
  glm_ocr: {},
  ernie4_5_vl_moe: {},
  // The tower merges behind its last layer, so its patches stand in plain raster order.
  paddleocr_vl: { merge: 1 },
}

export interface VisionConfigOptions {
  /** Read the configuration as that of this family, whatever its `model_type`. */
  readonly family?: string
}

/**
 * The encoding of a model's vision tower from its config.json.
 * @throws MropeRangeError ERR_MROPE_FAMILY for towers without two-dimensional rotation, ERR_MROPE_CONFIG;
 *   MropeTypeError ERR_MROPE_ARGUMENT for an unknown option
 */
export function visionEncodingFromConfig(config: unknown, options: VisionConfigOptions = {}): VisionEncoding {
  const whole = asObject(config, 'config')
  const model = isObject(whole.thinker_config) ? whole.thinker_config : whole
  checkOptions('visionEncodingFromConfig', options, ['family'])
  const modelType = model.model_type ?? whole.model_type
  const family = familyName(options.family === undefined ? modelType : options.family)
  const tower = Object.hasOwn(towers, family) ? towers[family] : undefined
  if (options.family !== undefined && !tower) {
    const message = `visionEncodingFromConfig: family is one of ${Object.keys(towers).join(', ')}; got ${show(options.family)}`
    throw new MropeRangeError('ERR_MROPE_FAMILY', message, options.family)
  }
  if (!tower || !isObject(model.vision_config)) {
    const message = `visionEncodingFromConfig: no rotary vision tower is known for model_type ${show(modelType)}`
    throw new MropeRangeError('ERR_MROPE_FAMILY', message, modelType)
  }
  const vision = model.vision_config
  const warnings: string[] = []
  const merge = tower.merge ?? countAt(vision, 'spatial_merge_size') ?? 2
  return new VisionEncoding({
    name: `${family} vision`,
    headDim: visionHeadDim(vision),
    base: baseOf(vision, warnings),
    merge,
    windowSide: tower.windows ? windowSideOf(vision, merge) : undefined,
    source: 'huggingface/transformers 5.18, vision_utils.py',
    warnings,
  })
}

function visionHeadDim(vision: Json): number {
  const heads = 'num_heads' in vision ? 'num_heads' : 'num_attention_heads'
  // Qwen2-VL calls the width of the tower embed_dim; its hidden_size is that of the language model.
  return perHead(vision, 'embed_dim' in vision ? 'embed_dim' : 'hidden_size', heads)
}

function baseOf(vision: Json, warnings: string[]): number {
  const rope = vision.rope_parameters ?? vision.rope_scaling
  if (!isObject(rope)) return 10000
  const ropeType = rope.rope_type ?? rope.type ?? 'axial'
  if (ropeType !== 'axial' && ropeType !== 'default') {
    const message = `config.vision_config: rope type ${show(ropeType)} is not known for a vision tower`
    throw new MropeRangeError('ERR_MROPE_ROPE_TYPE', message, ropeType)
  }
  for (const key of Object.keys(rope)) {
    if (!['rope_type', 'type', 'rope_theta'].includes(key)) warnings.push(`vision_config rope key ${key} is not used`)
  }
  return numberAt(rope, 'rope_theta', 'config.vision_config') ?? 10000
}

function windowSideOf(vision: Json, merge: number): number {
  const size = countAt(vision, 'window_size') ?? 112
  const patch = countAt(vision, 'patch_size') ?? 14
  const side = Math.floor(Math.floor(size / merge) / patch)
  if (side < 1) {
    throw new MropeRangeError(
      'ERR_MROPE_CONFIG',
      `config.vision_config: window_size ${size} is less than a merge block`,
      size,
    )
  }
  return side
}
