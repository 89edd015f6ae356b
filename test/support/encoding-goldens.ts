import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import type { CoordinateRule } from '../../lib/encodings/grids/coordinates.js'
import { parseSafetensors } from '../../lib/io/safetensors.js'
import type { Grid } from '../../lib/sequence/segment.js'
import { Tensor } from '../../lib/tensors/tensor.js'

/** One call of published code, see test/golden/generator/encodings.py. */
export interface Case {
  readonly name: string
  readonly scheme: string
  readonly options: Record<string, unknown>
  readonly source: string
  readonly grids?: readonly Grid[]
  readonly text?: number
  readonly grid?: readonly [number, number]
  readonly coordinates?: CoordinateRule | 'index' | 'part'
  readonly to?: readonly [number, number]
  readonly queries?: number
  readonly keys?: number
  /** Position of the first token. */
  readonly offset?: number
  /** What the ids of the published code are multiplied by, and its vectors. */
  readonly stretch?: number
  readonly scale?: number
  readonly cosinesFirst?: boolean
}

type Group = 'rotary' | 'tables' | 'biases' | 'mlx'

const folder = new URL('../golden/encodings/', import.meta.url)

export const goldenCases: Readonly<Record<Group, readonly Case[]>> = JSON.parse(
  readFileSync(new URL('index.json', folder), 'utf8'),
)

/** The tensors of a group, by name. */
export function goldenTensors(group: Group): (name: string) => Tensor {
  const { tensors } = parseSafetensors(readFileSync(new URL(`${group}.safetensors`, folder)))
  return (name) => {
    const stored = tensors.get(name)
    assert.ok(stored?.type === 'float32', `${group}.safetensors has ${name}`)
    return new Tensor(stored.type, stored.data, stored.dims)
  }
}

/** Options of a case; those that are tensors are in the file. */
export function optionsOf({ name, options }: Case, tensor: (name: string) => Tensor): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(options).map(([key, value]) => [key, value === 'tensor' ? tensor(`${name}.${key}`) : value]),
  )
}
