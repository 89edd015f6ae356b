import { strict as assert } from 'node:assert'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { familyNames, familyOf } from '../lib/encodings/families.js'
import {
  allocations,
  type Encoding,
  encodingFromConfig,
  type ProcessorOutput,
  Sequence,
  visionEncodingFromConfig,
} from '../lib/index.js'
import { readSafetensors } from '../lib/io/safetensors.js'
import { textFamilyNames } from '../lib/sequence/family-names.js'
import { planes, vectors } from './support/ids.js'

/** What the model code computed for one row; see test/golden/generator/README.md. */
interface Row {
  readonly position_ids: readonly (readonly number[])[]
  readonly rope_deltas: number | null
  readonly padding?: number
  readonly decode_position_ids?: readonly (readonly number[])[]
  readonly decode_position_ids_forward?: readonly (readonly number[])[]
  readonly decode_table?: readonly (readonly number[])[]
  readonly next_turn?: {
    readonly input_ids: readonly number[]
    readonly index: number
    readonly position_ids: readonly (readonly number[])[]
  }
}

interface Expected extends Row {
  readonly transformers_version: string
  /** Why mrope does not follow the model code here. */
  readonly differs?: string
  readonly batch?: readonly Row[]
  readonly head_dim?: number
  readonly rotary_dim?: number
  readonly pairing?: string
  readonly allocation?: string
  readonly mrope_section?: readonly number[] | null
  readonly inv_freq?: readonly number[]
  readonly attention_factor?: number
  readonly vision?: { readonly inv_freq: readonly number[]; readonly grid_thw: readonly [number, number, number][] }
}

interface Case {
  readonly family: string
  readonly name: string
  readonly folder: string
}

/** Every `family/case` of a folder, whatever its manifest says. */
function cases(root: string): Case[] {
  return readdirSync(root, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .flatMap(({ name: family }) =>
      readdirSync(join(root, family))
        .map((name) => ({ family, name, folder: join(root, family, name) }))
        .filter(({ folder }) => existsSync(join(folder, 'expected.json'))),
    )
}

const read = <T>(folder: string, name: string): T => JSON.parse(readFileSync(join(folder, name), 'utf8'))
/** Allocations and the names that the captures give them. */
const allocationNames: Readonly<Record<string, string>> = {
  chunked: 'chunked',
  interleaved: 'interleaved',
  ernie: 'spatial-first',
  compass: 'split-spatial',
  single: 'single',
  'xdrope-5.18': 'chunked',
}

interface Loaded {
  readonly config: unknown
  readonly rows: readonly ProcessorOutput[]
  readonly encoding: Encoding
  readonly forward: Encoding
  /** Whether mrope gives other ids than the model code, on purpose, in a row of the case. */
  readonly idsDiffer: boolean
}

/** Ids of a row (unless they are known to differ), its delta, padding and continuation. */
function checkRow(row: ProcessorOutput, expected: Row, { config, encoding, forward, idsDiffer }: Loaded): boolean {
  const sequence = Sequence.fromProcessor(row, config)
  const positions = encoding.positions(sequence)
  if (!idsDiffer) assert.deepEqual(planes(positions), expected.position_ids)
  if (expected.rope_deltas !== null) assert.equal(positions.delta, expected.rope_deltas)
  if (expected.padding !== undefined) assert.equal(positions.padding, expected.padding)
  const { decode_position_ids: decode, decode_position_ids_forward: decodeForward } = expected
  if (decode) assert.deepEqual(vectors(positions.decode(decode.length)), decode)
  if (decodeForward) assert.deepEqual(vectors(forward.positions(sequence).decode(decodeForward.length)), decodeForward)
  if (expected.decode_table) {
    // Tables of a batch are filled up to one width with their last column.
    const columns = expected.decode_table[0].map((_, i) => expected.decode_table!.map((axis) => axis[i]).join())
    const steps = columns.indexOf(columns[columns.length - 1]) + 1
    const table = expected.decode_table.map((axis) => axis.slice(0, steps))
    assert.deepEqual(planes(positions.decode(steps)), table)
  }
  if (expected.next_turn) {
    const { input_ids, index, position_ids } = expected.next_turn
    const turn = forward.positions(sequence).decode(input_ids.length, index - sequence.length)
    assert.deepEqual(planes(turn), position_ids)
  }
  return JSON.stringify(planes(positions)) === JSON.stringify(expected.position_ids)
}

const lists = [
  ...(['image_grid_thw', 'video_grid_thw', 'second_per_grid_ts', 'audio_feature_lengths'] as const),
  ...(['target_sizes', 'target_sizes_videos', 'images_per_sample'] as const),
]

/** Rows as the one call that they were: stacked, all grids behind one another. */
function stacked(rows: readonly ProcessorOutput[]): ProcessorOutput {
  const all = (key: keyof ProcessorOutput): unknown[] =>
    rows.flatMap((row) => (row[key] as unknown[] | undefined) ?? [])
  const masks = rows.map((row) => row.attention_mask ?? (row.input_ids as number[]).map(() => 1))
  return {
    ...Object.fromEntries(lists.map((key) => [key, all(key)])),
    input_ids: rows.map(({ input_ids }) => input_ids) as never,
    attention_mask: masks as never,
    mm_token_type_ids: rows[0].mm_token_type_ids
      ? (rows.map(({ mm_token_type_ids }) => mm_token_type_ids) as never)
      : null,
    use_audio_in_video: rows.some(({ use_audio_in_video }) => use_audio_in_video),
  }
}

function assertFrequencies(actual: ArrayLike<number>, expected: readonly number[], relative: number): void {
  assert.equal(actual.length, expected.length)
  expected.forEach((value, i) => {
    assert.ok(Math.abs(actual[i] - value) <= relative * value, `frequency ${i}: ${actual[i]}, expected ${value}`)
  })
}

function checkConstants(encoding: Encoding, expected: Expected): void {
  const described = encoding.describe()
  const { head_dim, rotary_dim, pairing, allocation, mrope_section: sections, inv_freq, attention_factor } = expected
  if (head_dim !== undefined) {
    assert.deepEqual([described.headDim, described.rotaryDim, described.pairing], [head_dim, rotary_dim, pairing])
    assert.equal(described.allocation.name, allocationNames[allocation ?? ''])
  }
  if (sections) {
    const timeLast = allocation === 'ernie' || allocation === 'compass'
    assert.deepEqual(described.allocation.sections, timeLast ? [sections[2], sections[0], sections[1]] : sections)
  }
  if (inv_freq) {
    // Ernie keeps its buffer by axis: even frequencies, odd ones, the tail.
    const order =
      allocation === 'ernie' ? allocations.splitSpatial(sections ?? [], inv_freq.length).frequencyOf : undefined
    assertFrequencies(order ? Array.from(order, (f) => encoding.invFreq[f]) : encoding.invFreq, inv_freq, 1.2e-7)
    assert.ok(Math.abs(encoding.attentionFactor - (attention_factor ?? Number.NaN)) <= 1e-12)
  }
}

async function checkVision(folder: string, config: unknown, { vision }: Expected): Promise<void> {
  assert.ok(vision)
  const tower = visionEncodingFromConfig(config)
  const grids = vision.grid_thw
  // Rows and columns have the same frequencies; the capture lists them once.
  assertFrequencies(tower.encoding.invFreq, [...vision.inv_freq, ...vision.inv_freq], 3e-7)
  const { tensors } = await readSafetensors(join(folder, 'tensors.safetensors'), {
    filter: (name) => /position_ids|window_index|cu_seqlens/.test(name),
  })
  const list = (name: string): number[] | undefined => {
    const tensor = tensors.get(name)
    return tensor && Array.from(tensor.data as Int32Array, Number)
  }
  const ids = list('vision.position_ids')
  if (ids) assert.deepEqual(vectors(tower.positions(grids)).flat(), ids)
  const full = list('vision.full.cu_seqlens')
  assert.deepEqual([...tower.cuSeqlens(grids)], full)
  const index = list('vision.window_index')
  const windows = tower.windows(grids)
  assert.equal(windows === undefined, index === undefined)
  if (windows) {
    assert.deepEqual([...windows.index], index)
    assert.deepEqual([...windows.cuSeqlens], list('vision.window.cu_seqlens'))
  }
}

function suite(title: string, root: string): void {
  describe(title, () => {
    for (const { family, name, folder } of cases(root)) {
      const expected = read<Expected>(folder, 'expected.json')
      const compat = expected.transformers_version.startsWith('4.') ? 'transformers@4.57' : 'transformers@5.18'
      const load = (): Loaded => {
        const config = read<unknown>(folder, 'config.json')
        const sequence = read<ProcessorOutput | ProcessorOutput[]>(folder, 'sequence.json')
        const rows = Array.isArray(sequence) ? sequence : [sequence]
        const encoding = encodingFromConfig(config, { compat })
        const forward =
          compat === 'transformers@4.57' ? encoding : encodingFromConfig(config, { compat: `${compat}/forward` })
        // With tensors, it is the rotation that differs.
        const idsDiffer = expected.differs !== undefined && !existsSync(join(folder, 'tensors.safetensors'))
        return { config, rows, encoding, forward, idsDiffer }
      }
      const expectedRows = expected.batch ?? [expected]

      it(`${family}/${name}: ids by ${compat}`, () => {
        const loaded = load()
        const { config, rows, encoding, idsDiffer } = loaded
        assert.equal(rows.length, expectedRows.length)
        const same = rows.map((row, i) => checkRow(row, expectedRows[i], loaded))
        assert.equal(same.includes(false), idsDiffer, expected.differs)
        const positions = encoding.positions(Sequence.fromProcessor(rows[0], config))
        checkConstants(encoding.atLength(positions.largest + 1), expected)
      })

      if (expected.batch) {
        it(`${family}/${name}: rows of one call are the rows alone`, () => {
          const { config, rows } = load()
          const together = Sequence.batchFromProcessor(stacked(rows), config)
          assert.deepEqual(
            together,
            rows.map((row) => Sequence.fromProcessor(row, config)),
          )
        })
      }

      if (expected.vision) {
        it(`${family}/${name}: patches and windows of the vision tower`, () =>
          checkVision(folder, load().config, expected))
      }
    }
  })
}

const golden = join(import.meta.dirname, 'golden')
suite('golden captures', golden)

describe('the manifest of the golden captures', () => {
  it('lists every case, each once', () => {
    const listed = read<{ family: string; case: string }[]>(golden, 'manifest.json').map(
      (entry) => `${entry.family}/${entry.case}`,
    )
    assert.deepEqual(
      listed.sort(),
      cases(golden)
        .map(({ family, name }) => `${family}/${name}`)
        .sort(),
    )
  })

  it('a family says run where attention layers of it were captured, and nowhere else', () => {
    const listed = read<{ family: string; kind: string }[]>(golden, 'manifest.json')
    const captured = new Set(listed.filter(({ kind }) => kind === 'attend').map(({ family }) => family))
    captured.delete('qwen2_5_vl_yarn')
    const run = [...familyNames, ...textFamilyNames].filter((name) => familyOf(name)?.verified === 'run')
    assert.deepEqual(run.sort(), [...captured].sort())
  })
})

// More captures of the same form, such as those of a new release.
if (process.env.MROPE_CAPTURES) suite('captures of MROPE_CAPTURES', process.env.MROPE_CAPTURES)
