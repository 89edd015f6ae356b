import { strict as assert } from 'node:assert'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  allocations,
  compatNames,
  type Encoding,
  encodingFromConfig,
  frameTimes,
  layouts,
  MropeError,
  Positions,
  Sequence,
  spectra,
  visionEncodingFromConfig,
} from '../lib/index.js'
import { families, textFamilies } from './support/configs.js'
import { damage, Random } from './support/damage.js'
import { A, B, C } from './support/ids.js'
import { promptConfig, row, stack } from './support/prompts.js'

const seed = Number(process.env.MROPE_FUZZ_SEED ?? Math.floor(Math.random() * 2 ** 32))
const rounds = 10_000

interface Capture {
  readonly config: Record<string, unknown>
  readonly sequence: unknown
}

/** Real prompts with their configurations: one short case of each kind and family. */
function captures(): Capture[] {
  const golden = join(import.meta.dirname, 'golden')
  const list: { family: string; case: string }[] = JSON.parse(readFileSync(join(golden, 'manifest.json'), 'utf8'))
  return list.flatMap((entry) => {
    const folder = join(golden, entry.family, entry.case)
    if (!readdirSync(folder).includes('sequence.json')) return []
    const sequence = readFileSync(join(folder, 'sequence.json'), 'utf8')
    if (sequence.length > 2000) return []
    return [{ config: JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8')), sequence: JSON.parse(sequence) }]
  })
}

const prompts = captures()
const configs = [
  ...prompts.map(({ config }) => config),
  ...[...families, ...textFamilies].flatMap(({ published, modern }) => [published, modern]),
]
const batches = [
  stack([[3, { image: [1, 4, 6] }, 2], [5], [{ image: [1, 2, 2] }, { video: [2, 2, 2], seconds: 1 }]]),
  stack([
    [1, { frames: [2, 4, 4], between: 2 }],
    [2, { frames: [1, 2, 2], between: 1 }, 1],
  ]),
  [row([3, { image: [1, 4, 6] }, 2]), row([2], 3)],
]
const segmentLists = [
  A,
  B,
  C,
  [
    { kind: 'text', length: 2 },
    { kind: 'audio-video', grid: [2, 2, 2], secondsPerGrid: 1, audioLength: 5 },
  ],
  [{ kind: 'canvas', thumbnail: [2, 2], slices: { rows: 2, columns: 2, grid: [1, 2] }, trailing: 1 }],
  [
    { kind: 'audio', length: 4 },
    { kind: 'image', grid: [1, 2, 3], rowEnds: true },
  ],
]
const compats = [undefined, ...compatNames]

/** Videos of more frames than there are tokens, or memory, now and then in place of those of a prompt. */
function withManyFrames(random: Random, output: unknown): unknown {
  if (random.next() >= 0.05 || typeof output !== 'object' || output === null) return output
  const frames = [1e5, 1e6, 2 ** 20, 2 ** 24, 2 ** 24 + 1]
  const rows = Array.from({ length: random.pick([1, 33, 1000]) }, () => [random.pick(frames), 4, 6])
  return { ...output, video_grid_thw: random.next() < 0.5 ? rows : { data: rows.flat(), dims: [rows.length, 3] } }
}

/** Options of a prompt or a tower: mostly none. */
function familyOptions(random: Random): never {
  const odd = [null, 5, [], { familly: 'qwen2_vl' }, { family: null }, { family: { toString: 1 } }]
  const named = [{}, { family: undefined }, { family: 'qwen3_vl' }, { family: 'llama' }]
  return (random.next() < 0.9 ? undefined : random.pick([...odd, ...named])) as never
}

/** Whatever an encoding makes of a sequence must be finite numbers. */
function checkIds(positions: Positions): void {
  for (const id of positions.ids) assert.ok(Number.isFinite(id))
  assert.ok(Number.isFinite(positions.next) && Number.isFinite(positions.delta))
}

function checkEncoding(encoding: Encoding, sequence: Sequence): void {
  const positions = encoding.positions(sequence)
  assert.equal(positions.length, sequence.length + sequence.padding)
  checkIds(positions)
  checkIds(positions.decode(3))
  checkTable(encoding, positions.slice(0, Math.min(33, positions.length)))
}

function checkTable(encoding: Encoding, positions: Positions): void {
  const { cos, sin } = encoding.table(positions)
  const limit = encoding.attentionFactor * (1 + 1e-6)
  for (const x of [...cos, ...sin]) assert.ok(Math.abs(x) <= limit)
}

/** Damaged arguments for a call that is spread. */
const listOf = (value: unknown): never[] => (Array.isArray(value) ? (value as never[]) : [])

type Target = (random: Random) => void

/** One call each, with damaged arguments. What they return is checked; what they throw is judged by the caller. */
const targets: Readonly<Record<string, Target>> = {
  'processor output': (random) => {
    const { config, sequence } = random.pick(prompts)
    const row = Array.isArray(sequence) ? random.pick(sequence) : sequence
    const output = withManyFrames(random, damage(random, row))
    const parsed = Sequence.fromProcessor(output as never, config, familyOptions(random))
    checkEncoding(encodingFromConfig(config, { compat: random.pick(compats) }), parsed)
  },
  'configuration of a prompt': (random) => {
    const { config, sequence } = random.pick(prompts)
    const damaged = damage(random, config)
    const row = Array.isArray(sequence) ? random.pick(sequence) : sequence
    const parsed = Sequence.fromProcessor(row, damaged)
    assert.equal(parsed.length + parsed.padding, row.input_ids.length)
    checkEncoding(encodingFromConfig(damaged, { compat: random.pick(compats) }), parsed)
  },
  configuration: (random) => {
    const options = { compat: random.pick(compats), ...(random.next() < 0.2 ? { layerType: 'sliding_attention' } : {}) }
    const config = damage(random, random.pick(configs))
    const encoding = encodingFromConfig(config, random.next() < 0.1 ? (damage(random, options) as never) : options)
    assert.ok(JSON.stringify(encoding.describe()).length > 0)
    const ids = encoding.axes.map(() => [0, 1, 777.25])
    if (encoding.headDim <= 4096) checkTable(encoding, Positions.from({ axes: encoding.axes, ids }))
  },
  'batch of a processor': (random) => {
    const config = promptConfig(random.pick(['qwen2_vl', 'qwen2_5_vl', 'qwen3_vl', 'qwen2_5_omni', 'glm_image']))
    const output = withManyFrames(random, damage(random, random.pick(batches)))
    for (const sequence of Sequence.batchFromProcessor(output as never, config, familyOptions(random)))
      checkIds(layouts.mrope().positions(sequence))
  },
  segments: (random) => {
    const options =
      random.next() < 0.3 ? random.pick([null, damage(random, { padding: 2, upcoming: [[1, 2, 2]] })]) : {}
    const sequence = Sequence.of(damage(random, random.pick(segmentLists)) as never, options as never)
    const layout = random.pick(Object.values(layouts))()
    const positions = layout.positions(sequence)
    checkIds(positions)
    checkIds(positions.decode(5))
  },
  'vision tower': (random) => {
    const healthy = random.next() < 0.3
    const config = random.pick(configs)
    const tower = visionEncodingFromConfig(healthy ? config : damage(random, config), familyOptions(random))
    const grids = damage(random, [
      [1, 4, 6],
      [2, 8, 4],
    ]) as never
    checkIds(tower.positions(grids))
    const windows = tower.windows(grids)
    const order = tower.order(grids)
    if (windows) assert.equal(windows.cuSeqlens[windows.cuSeqlens.length - 1], order?.length)
    assert.equal(tower.cuSeqlens(grids).at(-1), tower.positions(grids).length)
  },
  positions: (random) => {
    // One of the three calls gets something damaged.
    const which = random.below(3)
    const broken = <T>(number: number, value: T): T => (which === number ? (damage(random, value) as T) : value)
    const ids = [
      [0, 1, 2],
      [0, 1.5, -3],
    ]
    const positions = Positions.from(broken(0, { axes: ['t', 'h'], ids, padding: 1 }))
    checkIds(positions)
    const [start, end] = listOf(broken(1, [0, 1]))
    const [count, from] = listOf(broken(2, [2, 3]))
    checkIds(positions.slice(start, end).decode(count, from))
  },
  spectra: (random) => {
    const numbers = {
      ...{
        base: 1e4,
        dim: 16,
        headDim: 16,
        factor: 4,
        maxPositions: 4096,
        originalMaxPositions: 1024,
        lowFreqFactor: 1,
      },
      ...{ highFreqFactor: 4, partialRotaryFactor: 0.5, shortFactor: Array(8).fill(1), longFactor: Array(8).fill(4) },
    }
    const make = random.pick(Object.values(spectra)) as (
      options: unknown,
      factor?: unknown,
    ) => ReturnType<typeof spectra.default>
    const made = make(damage(random, random.next() < 0.1 ? [1, 0.1, 0] : numbers))
    const { invFreq, attentionFactor } = made.atLength?.(damage(random, [2048]) as never) ?? made
    assert.ok(invFreq.every(Number.isFinite) && attentionFactor > 0)
  },
  allocations: (random) => {
    const make = random.pick(Object.values(allocations)) as (
      ...args: unknown[]
    ) => ReturnType<typeof allocations.single>
    const { axisOf, heads, pairs, axes } = make(...listOf(damage(random, [[24, 20, 20], 64, 8])))
    assert.equal(axisOf.length, heads * pairs)
    assert.ok(axisOf.every((axis) => axis >= -1 && axis < axes))
  },
  'frame times': (random) => {
    const args = listOf(damage(random, [[0, 10, 20], 24, 2]))
    for (const { seconds, label } of (frameTimes as (...args: never[]) => ReturnType<typeof frameTimes>)(...args)) {
      assert.ok(Number.isFinite(seconds) && label.endsWith(' seconds'))
    }
  },
}

describe(`${rounds} damaged inputs: a result or a typed error (MROPE_FUZZ_SEED=${seed})`, () => {
  const names = Object.keys(targets)
  const share = Math.ceil(rounds / names.length)
  for (const [number, name] of names.entries()) {
    it(`${share} of ${name}`, () => {
      const counts = { results: 0, errors: 0 }
      for (let i = 0; i < share; i++) {
        // Each round has a seed of its own, so that one can be run alone.
        const random = new Random(seed + number * 1_000_003 + i * 7919)
        try {
          targets[name](random)
          counts.results++
        } catch (error) {
          if (!(error instanceof MropeError) || error.message.length > 4000) {
            assert.fail(`round ${i} of ${name}, seed ${seed}: ${error instanceof Error ? error.stack : String(error)}`)
          }
          counts.errors++
        }
      }
      assert.ok(counts.results > share / 50 && counts.errors > share / 50, JSON.stringify(counts))
    })
  }
})
