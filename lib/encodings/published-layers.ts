import { MropeRangeError, MropeTypeError, show } from '../errors.js'
import { Positions } from '../layouts/positions.js'
import { Sequence } from '../sequence/sequence.js'
import { checkCount } from '../tensors/check.js'
import type { Encoding } from './encoding.js'

/** Which layers take the ring of CircleRoPE: the first half, the second half, or every second one from the first on. */
export type AlternatingStrategy = 'strategy_2' | 'strategy_3' | 'strategy_4'

const takesFirst: Readonly<Record<AlternatingStrategy, (layer: number, layers: number) => boolean>> = {
  strategy_2: (layer, layers) => layer < layers / 2,
  strategy_3: (layer, layers) => layer >= layers / 2,
  strategy_4: (layer) => layer % 2 === 0,
}

/** One encoding for each layer. */
export interface LayerEncodings {
  readonly strategy: AlternatingStrategy
  /** In the order of the layers. Those that are alike are the same object, so that tables are made once. */
  readonly encodings: readonly Encoding[]
}

/**
 * Alternating geometry encoding of CircleRoPE (`AGE_mode`): some layers take one encoding, the others another. Their
 * ids differ for the text behind a picture too, so each has its own `next` and `delta`, and generated tokens go on by those
 * of their layer. (The authors' code takes the delta of the ring for all layers.)
 * Source: lose4578/CircleRoPE `AGE_index_dict`, tables of 36 layers.
 *
 * @param first the encoding of the chosen layers, `encodings.circleRope()`
 * @param second that of the others, M-RoPE
 */
export function alternateLayers(
  first: Encoding,
  second: Encoding,
  options: { readonly layers: number; readonly strategy?: AlternatingStrategy },
): LayerEncodings {
  const { layers, strategy = 'strategy_4' } = options ?? {}
  checkCount('alternateLayers', 'layers', layers, 1)
  if (!Object.hasOwn(takesFirst, strategy)) {
    const message = `alternateLayers: strategy is one of ${Object.keys(takesFirst).join(', ')}, got ${show(strategy)}`
    throw new MropeRangeError('ERR_MROPE_ARGUMENT', message, strategy)
  }
  checkEncoding('first', first)
  checkEncoding('second', second)
  if (first.headDim !== second.headDim || first.rotaryDim !== second.rotaryDim) {
    const [one, other] = [first, second].map(({ headDim, rotaryDim }) => `${headDim} (${rotaryDim} turn)`)
    const message = `alternateLayers: heads of ${one} and of ${other}`
    throw new MropeRangeError('ERR_MROPE_HEADS', message, second.headDim)
  }
  const encodings = Array.from({ length: layers }, (_, layer) => (takesFirst[strategy](layer, layers) ? first : second))
  return { strategy, encodings: Object.freeze(encodings) }
}

function checkEncoding(name: string, value: unknown): void {
  const { layout, headDim } = Object(value) as Partial<Encoding>
  if (layout && headDim !== undefined) return
  const message = `alternateLayers: ${name} must be an Encoding, got ${show(value)}`
  throw new MropeTypeError('ERR_MROPE_ARGUMENT', message, value)
}

/** Features that enter a language layer. */
export interface Injection {
  readonly layer: number
  /** Layer of the vision tower whose features are added to the hidden states of these tokens. */
  readonly visionLayer: number
  /** Visual tokens, as indices in the sequence; padding not counted. */
  readonly tokens: Int32Array
  /** Ids of these tokens: the same at every layer. */
  readonly positions: Positions
}

/**
 * DeepStack (Qwen3-VL): features of several layers of the vision tower are added to the visual tokens of the first
 * language layers. No token is added and nothing moves: every layer has the positions of the prompt.
 *
 * @param positions of the whole sequence
 * @param visionLayers `deepstack_visual_indexes`, in the order of the language layers from 0 on
 * @throws MropeTypeError, MropeRangeError ERR_MROPE_ARGUMENT, ERR_MROPE_SHAPE
 */
export function deepStack(positions: Positions, sequence: Sequence, visionLayers: readonly number[]): Injection[] {
  if (!Array.isArray(visionLayers)) {
    const message = `deepStack: visionLayers must be a list of layers, got ${show(visionLayers)}`
    throw new MropeTypeError('ERR_MROPE_ARGUMENT', message, visionLayers)
  }
  // Array.from, because map would leave the holes of a sparse list unchecked.
  const layers = Array.from(visionLayers, (layer, i) => checkCount('deepStack', `visionLayers[${i}]`, layer))
  if (!(positions instanceof Positions) || !(sequence instanceof Sequence)) {
    const [name, value] = positions instanceof Positions ? ['a Sequence', sequence] : ['Positions', positions]
    throw new MropeTypeError('ERR_MROPE_ARGUMENT', `deepStack: expected ${name}, got ${show(value)}`, value)
  }
  if (positions.length - positions.padding !== sequence.length) {
    const tokens = positions.length - positions.padding
    const message = `deepStack: positions of ${tokens} tokens, the sequence has ${sequence.length}`
    throw new MropeRangeError('ERR_MROPE_SHAPE', message, positions.length)
  }
  const visual = sequence.blocks().filter(({ kind }) => kind !== 'audio')
  const other = visual.find(({ kind }) => kind !== 'image' && kind !== 'video')
  if (other) {
    const message = `deepStack: features go to images and videos, got a block of ${other.kind} at token ${other.start}`
    throw new MropeRangeError('ERR_MROPE_SEGMENT', message, other.kind)
  }
  const tokens = new Int32Array(visual.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const { start, length } of visual) for (let i = 0; i < length; i++) tokens[at++] = start + i
  const chosen = positions.take(tokens.map((token) => token + positions.padding))
  return layers.map((visionLayer, layer) => ({ layer, visionLayer, tokens, positions: chosen }))
}
