import * as v from 'valibot'
import type { Encoding } from '../encodings/encoding.js'
import { encodingFromConfig } from '../encodings/from-config.js'
import { MropeRangeError, MropeTypeError, show } from '../errors.js'
import { readJson } from '../io/json.js'
import { readSafetensors } from '../io/safetensors.js'
import type { ProcessorOutput } from '../sequence/processor/output.js'
import type { Segment } from '../sequence/segment.js'
import { Sequence } from '../sequence/sequence.js'
import { Tensor } from '../tensors/tensor.js'

/** Options of every command that reads a model configuration. */
export interface ConfigFlags {
  readonly config: string
  readonly compat?: string
  readonly family?: string
  readonly layerType?: string
}

export interface LoadedConfig {
  readonly config: unknown
  readonly encoding: Encoding
}

export async function loadConfig(flags: ConfigFlags): Promise<LoadedConfig> {
  const config = await readJson(flags.config)
  const { compat, family, layerType } = flags
  return { config, encoding: encodingFromConfig(config, { compat, family, layerType }) }
}

const segmentsForm = v.strictObject({
  segments: v.array(v.unknown()),
  padding: v.optional(v.number()),
  upcoming: v.optional(v.array(v.array(v.number()))),
})

const processorForm = v.looseObject({ input_ids: v.unknown() })

/** Reads a sequence file: segments, one processor row, or a list of either (a batch). */
export async function loadSequences(path: string, config: unknown, family?: string): Promise<Sequence[]> {
  const document = await readJson(path)
  const rows = Array.isArray(document) ? document : [document]
  if (rows.length === 0)
    throw new MropeRangeError('ERR_MROPE_SEGMENT', `${path}: an empty list has no sequence`, document)
  return rows.flatMap((row, i) => toSequences(row, { config, family }, rows.length > 1 ? `${path}[${i}]` : path))
}

function toSequences(row: unknown, { config, family }: { config: unknown; family?: string }, name: string): Sequence[] {
  if (typeof row === 'object' && row !== null && 'segments' in row) {
    const parsed = v.safeParse(segmentsForm, row)
    if (!parsed.success) {
      const [issue] = parsed.issues
      throw new MropeTypeError(
        'ERR_MROPE_SEGMENT',
        `${name}: ${show(v.getDotPath(issue) ?? 'sequence')} does not fit a sequence of segments, which has segments, padding and upcoming`,
        row,
      )
    }
    const { segments, padding, upcoming } = parsed.output
    return [Sequence.of(segments as Segment[], { padding, upcoming: upcoming as never })]
  }
  if (v.is(processorForm, row))
    return Sequence.batchFromProcessor(row as unknown as ProcessorOutput, config, { family })
  const message = `${name}: expected an object with segments or with input_ids, got ${show(row)}`
  throw new MropeTypeError('ERR_MROPE_SEGMENT', message, row)
}

/** The one sequence of a file, for commands whose tensors are one row. */
export async function loadSequence(path: string, config: unknown, family?: string): Promise<Sequence> {
  const sequences = await loadSequences(path, config, family)
  if (sequences.length === 1) return sequences[0]
  const message = `${path} has ${sequences.length} rows; this command takes one`
  throw new MropeRangeError('ERR_MROPE_SEGMENT', message, sequences.length)
}

export type TensorFile = ReadonlyMap<string, Tensor>

/** Floating-point tensors of a file whose names pass the filter; others are left out. */
export async function loadTensors(path: string, filter: (name: string) => boolean): Promise<TensorFile> {
  const { tensors } = await readSafetensors(path, { filter })
  const loaded = new Map<string, Tensor>()
  for (const [name, { type, data, dims }] of tensors) {
    if (type === 'float32') loaded.set(name, new Tensor(type, data as Float32Array, dims))
    else if (type === 'float16' || type === 'bfloat16') loaded.set(name, new Tensor(type, data as Uint16Array, dims))
  }
  return loaded
}

/** @throws MropeRangeError ERR_MROPE_ARGUMENT when the file has no such tensor */
export function needTensor(tensors: TensorFile, name: string, path: string): Tensor {
  const tensor = tensors.get(name)
  if (tensor) return tensor
  const message = `${path} has no floating-point tensor ${show(name)}`
  throw new MropeRangeError('ERR_MROPE_ARGUMENT', message, name)
}

/** Largest absolute difference of two tensors of the same dims. NaN counts as infinite. */
export function largestError(actual: Tensor, expected: Tensor, name: string): number {
  if (actual.dims.join() !== expected.dims.join()) {
    const message = `${name}: computed (${actual.dims.join(', ')}), the file has (${expected.dims.join(', ')})`
    throw new MropeRangeError('ERR_MROPE_SHAPE', message, expected.dims)
  }
  const [a, b] = [actual.toFloat32(), expected.toFloat32()]
  let largest = 0
  for (let i = 0; i < a.length; i++) {
    const error = Math.abs(a[i] - b[i])
    if (!(error <= largest)) largest = Number.isNaN(error) ? Number.POSITIVE_INFINITY : error
  }
  return largest
}
