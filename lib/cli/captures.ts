import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Backend } from '../backends/backend.js'
import { encodingFromConfig } from '../encodings/from-config.js'
import { MropeRangeError } from '../errors.js'
import { readJson } from '../io/json.js'
import { Sequence } from '../sequence/sequence.js'
import { openSession } from '../session/session.js'
import { largestError, loadTensors, type TensorFile } from './inputs.js'
import { attendLayer, type LayerTensors } from './layer.js'
import { type Report, shortError, table } from './output.js'
import { startProgress } from './progress.js'
import { type Prefix, prefixes, rotationOf } from './tower.js'

/** Largest error that counts as the same result: rotated queries and keys, and the attention output. */
export const captureTolerance = { rotated: 2e-5, out: 1e-5 } as const

/** One attention of one capture, compared with what the model's own code computed. */
export interface CaptureRow {
  readonly family: string
  readonly case: string
  /** Which attention: a layer of the language model or the vision tower, its decode steps, or ids only. */
  readonly part: Prefix | 'decode' | 'ids'
  readonly tokens: number
  readonly axes: string
  readonly idsEqual: boolean
  readonly errors: { readonly q_rot?: number; readonly k_rot?: number; readonly out?: number }
  readonly ms: number
  readonly backend: string
  /** Why mrope does not follow the model code here. */
  readonly differs?: string
}

/** Whether a row equals the capture within the tolerance. */
export function equalsCapture({ idsEqual, errors }: CaptureRow): boolean {
  const { q_rot = 0, k_rot = 0, out = 0 } = errors
  return idsEqual && Math.max(q_rot, k_rot) <= captureTolerance.rotated && out <= captureTolerance.out
}

/** `mrope attend --captures DIR`: every capture of a folder `<family>/<case>/`, in one table. */
export async function capturesCommand(folder: string, backend: Backend, quiet: boolean): Promise<Report> {
  const cases = await listCaptures(folder)
  const progress = startProgress(cases.length, 'captures', quiet)
  const rows: CaptureRow[] = []
  for (const [i, { family, name }] of cases.entries()) {
    progress.step(i, `${family}/${name}`)
    rows.push(...(await runCapture(join(folder, family, name), family, name, backend)))
  }
  progress.stop()
  const failed = rows.filter((row) => row.differs === undefined && !equalsCapture(row))
  const text = [captureTable(rows), '', summary(rows, failed)].join('\n')
  return {
    json: { backend: backend.name, why: backend.why, tolerance: captureTolerance, rows },
    text,
    ok: failed.length === 0,
  }
}

/** The captures of a folder, by family. @throws MropeRangeError ERR_MROPE_FILE when there are none */
export async function listCaptures(folder: string): Promise<{ family: string; name: string }[]> {
  const found: { family: string; name: string }[] = []
  try {
    for (const family of (await readdir(folder, { withFileTypes: true })).filter((entry) => entry.isDirectory())) {
      for (const entry of await readdir(join(folder, family.name), { withFileTypes: true })) {
        if (!entry.isDirectory()) continue
        const files = await readdir(join(folder, family.name, entry.name))
        if (files.includes('expected.json')) found.push({ family: family.name, name: entry.name })
      }
    }
  } catch (cause) {
    throw new MropeRangeError('ERR_MROPE_FILE', `${folder}: cannot list the captures`, folder, { cause })
  }
  if (found.length > 0) return found.sort((a, b) => `${a.family}/${a.name}`.localeCompare(`${b.family}/${b.name}`))
  throw new MropeRangeError('ERR_MROPE_FILE', `${folder}: no captures (<family>/<case>/expected.json)`, folder)
}

interface Expected {
  readonly transformers_version?: string
  readonly position_ids?: number[][]
  readonly rope_deltas?: number
  readonly decode_position_ids?: number[][]
  readonly batch?: Expected[]
  readonly differs?: string
  readonly vision?: unknown
}

/** Runs all of one capture. */
export async function runCapture(path: string, family: string, name: string, backend: Backend): Promise<CaptureRow[]> {
  const config = await readJson(join(path, 'config.json'))
  const expected = (await readJson(join(path, 'expected.json'))) as Expected
  const sequencePath = join(path, 'sequence.json')
  const compat = expected.transformers_version?.startsWith('4.') ? 'transformers@4.57' : 'transformers@5.18'
  const encoding = encodingFromConfig(config, { compat })
  const sequences = Sequence.batchFromProcessor((await readJson(sequencePath)) as never, config)
  const placed = sequences.map((sequence) => encoding.positions(sequence))
  const idsEqual = (expected.batch ?? [expected]).every((row, i) => equalIds(row, placed[i]))
  const { differs } = expected
  const common = { family, case: name, axes: encoding.axes.join(''), idsEqual, backend: backend.name, differs }
  const tokens = placed.reduce((sum, { length }) => sum + length, 0)
  const files = await readdir(path)
  if (!files.includes('tensors.safetensors')) {
    return [{ ...common, part: 'ids', tokens, errors: {}, ms: 0 }]
  }
  const tensorPath = join(path, 'tensors.safetensors')
  const file = await loadTensors(tensorPath, () => true)
  const result: CaptureRow[] = []
  for (const prefix of prefixes) {
    const tensors = layerTensors(file, prefix)
    if (!tensors) continue
    const rotation = await rotationOf(prefix, encoding, config, sequencePath, tensors.q.dims[0])
    const row = { ...common, part: prefix, tokens: tensors.q.dims[0], axes: rotation.axes.join('') }
    const { tensors: actual, ms } = await attendLayer(backend, tensors, rotation, true)
    result.push({
      ...row,
      errors: compare(actual, file, prefix),
      ms,
    })
  }
  const decoded = await runDecode(file, encoding, sequences[0], backend)
  if (decoded) result.push({ ...common, part: 'decode', ...decoded })
  return result
}

/** The decode steps through a session: prompt first, then one token at a time. */
async function runDecode(
  file: TensorFile,
  encoding: ReturnType<typeof encodingFromConfig>,
  sequence: Sequence,
  backend: Backend,
): Promise<Pick<CaptureRow, 'tokens' | 'errors' | 'ms'> | undefined> {
  const prompt = layerTensors(file, 'lm')
  const steps: LayerTensors[] = []
  for (let step = layerTensors(file, 'decode.0'); step; step = layerTensors(file, `decode.${steps.length}`))
    steps.push(step)
  if (!prompt || steps.length === 0) return undefined
  const [tokens, heads, headDim] = prompt.q.dims
  const session = await openSession(encoding, {
    backend,
    layers: 1,
    heads,
    kvHeads: prompt.k.dims[1],
    headDim,
    capacity: tokens + steps.length,
  })
  await session.append(sequence)
  await session.attend(0, prompt.q, prompt.k, prompt.v)
  const errors: Record<string, number> = {}
  const since = performance.now()
  for (const [s, { q, k, v }] of steps.entries()) {
    const out = await session.attend(0, q, k, v)
    const angles = encoding.table(session.positions.slice(tokens + s, tokens + s + 1))
    const actual = { q_rot: (await backend.rotate(q, angles)).out, k_rot: (await backend.rotate(k, angles)).out, out }
    for (const [name, error] of Object.entries(compare(actual, file, `decode.${s}`))) {
      errors[name] = Math.max(errors[name] ?? 0, error)
    }
  }
  return { tokens: steps.length, errors, ms: performance.now() - since }
}

function layerTensors(file: TensorFile, prefix: string): LayerTensors | undefined {
  const [q, k, v] = ['q', 'k', 'v'].map((name) => file.get(`${prefix}.${name}`))
  return q && k && v ? { q, k, v } : undefined
}

function compare(actual: Record<string, LayerTensors['q']>, file: TensorFile, prefix: string): Record<string, number> {
  const errors: Record<string, number> = {}
  for (const [name, tensor] of Object.entries(actual)) {
    const expected = file.get(`${prefix}.${name}`)
    if (expected) errors[name] = largestError(tensor, expected, `${prefix}.${name}`)
  }
  return errors
}

function equalIds(
  expected: Expected,
  positions: ReturnType<ReturnType<typeof encodingFromConfig>['positions']>,
): boolean {
  const ids = positions.axes.map((_, a) => [...positions.axis(a)])
  const decoded = expected.decode_position_ids ?? []
  const decode = positions.decode(decoded.length)
  return (
    sameNumbers(ids, expected.position_ids ?? []) &&
    (expected.rope_deltas === undefined || expected.rope_deltas === positions.delta) &&
    decoded.every((row, step) => sameNumbers([row], [decode.at(step)]))
  )
}

function sameNumbers(a: readonly number[][], b: readonly number[][]): boolean {
  return a.length === b.length && a.every((row, i) => row.length === b[i].length && row.every((x, j) => x === b[i][j]))
}

function captureTable(rows: readonly CaptureRow[]): string {
  const compared = rows.filter(({ part }) => part !== 'ids')
  const cells = compared.map((row) => [
    row.family,
    `${row.case}${row.part === 'lm' ? '' : `, ${row.part}`}${row.differs === undefined ? '' : ' *'}`,
    row.tokens,
    row.axes,
    row.idsEqual ? 'yes' : 'NO',
    shortError(row.errors.q_rot),
    shortError(row.errors.k_rot),
    shortError(row.errors.out),
    row.ms.toFixed(1),
    row.backend,
  ])
  const families = [...new Set(rows.map(({ family }) => family))]
  const ids = families.flatMap((family) => {
    const own = rows.filter((row) => row.family === family && row.part === 'ids')
    if (own.length === 0) return []
    const equal = own.filter(({ idsEqual }) => idsEqual).length
    const tokens = own.reduce((sum, row) => sum + row.tokens, 0)
    const differing = own.some(({ differs }) => differs !== undefined) ? ' *' : ''
    const verdict = equal === own.length ? 'yes' : `${equal} of ${own.length}${differing}`
    return [
      [family, `${own.length} prompts, ids only`, tokens, own[0].axes, verdict, '–', '–', '–', '–', own[0].backend],
    ]
  })
  const head = ['family', 'case', 'tokens', 'axes', 'ids equal', 'error q', 'error k', 'error out', 'ms', 'backend']
  return table(head, [...cells, ...ids])
}

function summary(rows: readonly CaptureRow[], failed: readonly CaptureRow[]): string {
  const families = new Set(rows.map(({ family }) => family)).size
  const compared = rows.filter(({ part, differs }) => part !== 'ids' && differs === undefined)
  const worst = (name: 'q_rot' | 'k_rot' | 'out'): number =>
    Math.max(0, ...compared.map(({ errors }) => errors[name] ?? 0))
  const rotated = Math.max(worst('q_rot'), worst('k_rot'))
  const followed = rows.filter(({ differs }) => differs === undefined)
  const lines = [
    `${families} model families: ${followed.length - failed.length} of ${followed.length} rows equal what the model code computed.`,
    `Largest error: rotated ${shortError(rotated)} (allowed ${captureTolerance.rotated}), output ${shortError(worst('out'))} (allowed ${captureTolerance.out}).`,
  ]
  for (const row of rows) {
    if (row.differs !== undefined && row.part !== 'decode') lines.push(`* ${row.family}/${row.case}: ${row.differs}`)
  }
  for (const row of failed) lines.push(`Different: ${row.family}/${row.case} ${row.part}`)
  return lines.join('\n')
}
