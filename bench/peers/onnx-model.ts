// The few messages of onnx.proto3 that a graph of operators needs, written by hand: no weights, no shapes of values inside.

export type Attribute = readonly [name: string, value: number | readonly number[]]

export interface Node {
  readonly op: string
  /** com.microsoft by default; '' is ONNX itself. */
  readonly domain?: string
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  /** Integers and lists of them, or a float where the value is not whole. */
  readonly attributes?: readonly Attribute[]
}

/** TensorProto.DataType */
export const onnxTypes = { float32: 1, int32: 6, int64: 7, float16: 10 } as const

export interface Value {
  readonly name: string
  readonly type: keyof typeof onnxTypes
  readonly rank: number
  /** Where a shape never changes and a provider wants to know it. */
  readonly dims?: readonly number[]
}

/** A ModelProto of operators of opset 23 and of the domain com.microsoft. */
export function onnxModel(nodes: readonly Node[], inputs: readonly Value[], outputs: readonly Value[]): Uint8Array {
  const graph = [
    ...nodes.map((node) => bytes(1, nodeProto(node))),
    text(2, 'graph'),
    ...inputs.map((value) => bytes(11, valueInfo(value))),
    ...outputs.map((value) => bytes(12, valueInfo(value))),
  ]
  const irVersion = integer(1, 11)
  const opsets = [bytes(8, integer(2, 23)), bytes(8, [...text(1, 'com.microsoft'), ...integer(2, 1)])]
  return Uint8Array.from([...irVersion, ...bytes(7, graph.flat()), ...opsets.flat()])
}

function nodeProto({ op, domain = 'com.microsoft', inputs, outputs, attributes = [] }: Node): number[] {
  return [
    ...inputs.flatMap((name) => text(1, name)),
    ...outputs.flatMap((name) => text(2, name)),
    ...text(3, outputs[0]),
    ...text(4, op),
    ...attributes.flatMap((attribute) => bytes(5, attributeProto(attribute))),
    ...text(7, domain),
  ]
}

function attributeProto([name, value]: Attribute): number[] {
  if (typeof value !== 'number') {
    return [...text(1, name), ...value.flatMap((one) => integer(8, one)), ...integer(20, 7)]
  }
  if (Number.isInteger(value)) return [...text(1, name), ...integer(3, value), ...integer(20, 2)]
  const float = new Uint8Array(Float32Array.of(value).buffer)
  return [...text(1, name), ...varint(2 * 8 + 5), ...float, ...integer(20, 1)]
}

function valueInfo({ name, type, rank, dims: sizes }: Value): number[] {
  const dims = Array.from({ length: rank }, (_, axis) =>
    bytes(1, sizes === undefined ? text(2, `${name}_${axis}`) : integer(1, sizes[axis])),
  )
  const tensor = [...integer(1, onnxTypes[type]), ...bytes(2, dims.flat())]
  return [...text(1, name), ...bytes(2, bytes(1, tensor))]
}

function text(field: number, value: string): number[] {
  return bytes(field, [...new TextEncoder().encode(value)])
}

function bytes(field: number, payload: readonly number[]): number[] {
  return [...varint(field * 8 + 2), ...varint(payload.length), ...payload]
}

function integer(field: number, value: number): number[] {
  return [...varint(field * 8), ...varint(value)]
}

function varint(value: number): number[] {
  const out: number[] = []
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return [...out, rest]
    out.push((rest % 128) + 128)
  }
}
