import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { type Comparison, compareAll, compareSchemes, type LayoutRow, overlappedText } from '../lib/analysis/compare.js'
import { decay } from '../lib/analysis/decay.js'
import { encodingFromConfig } from '../lib/encodings/from-config.js'
import { encodings } from '../lib/encodings/named.js'
import { layouts } from '../lib/layouts/index.js'
import type { Grid, Segment } from '../lib/sequence/segment.js'
import { Sequence } from '../lib/sequence/sequence.js'
import { image, long, named, prompt, size, wide } from './coherence-schemes.js'
import { mrope } from './support/cli.js'
import { refuses } from './support/refuses.js'

/** The row under one of its names. */
function rowOf({ layouts: rows }: Comparison, name: string): LayoutRow {
  const found = rows.find((row) => row.name === name || row.sameAs.includes(name))
  assert.ok(found, `no row ${name} in ${rows.map((row) => row.name)}`)
  return found
}

describe('comparison of schemes', () => {
  // 10 text tokens, one block, 110 text ids behind it: ids of the block, overlap, interval.
  type Row = readonly [span: number, overlap: number, after: number]
  const table: readonly [string, ...(readonly [Grid, Row])[]][] = [
    ['sequential', [image, [600, 0, 1]], [wide, [2560, 0, 1]], [long, [3072, 0, 1]]],
    ['mrope', [image, [30, 0, 1]], [wide, [16, 0, 1]], [long, [64, 0, 1]]],
    ['mrope under transformers@5.18', [image, [30, 0, 1]], [wide, [16, 0, 1]], [long, [8, 56, -55]]],
    ['videoRope', [image, [1, 15, -14]], [wide, [31, 8, -7]], [long, [127, 4, -3]]],
    ['hope', [image, [1, 15, -14]], [wide, [12.25, 8, -7]], [long, [48.25, 4, -3]]],
    ['vRope', [image, [49, 0, 1]], [wide, [400, 0, 1]], [long, [832, 0, 1]]],
    ['spatialReset', [image, [30, 0, 11]], [wide, [16, 0, 1]], [long, [64, 0, 1]]],
    ['circle', [image, [9.16, 0, 1]], [wide, [9.16, 0, 1]], [long, [9.16, 0, 1]]],
    ['bagel', [image, [1, 0, 1]]],
  ]
  const compared = new Map<Grid, Comparison>()
  const of = (grid: Grid): Comparison => {
    const known = compared.get(grid) ?? compareSchemes(encodings.qwen3VL(), prompt(grid, 33), { generated: 77 })
    compared.set(grid, known)
    return known
  }
  for (const [name, ...cases] of table) {
    for (const [grid, [span, overlap, after]] of cases) {
      it(`${name}, ${named(grid)}: ${span} ids, ${overlap} overlap, interval ${after}`, () => {
        const { result } = rowOf(of(grid), name)
        assert.ok(result)
        assert.ok(Math.abs((result.growth as number) * size(grid) - span) < 0.006, String(result.growth))
        assert.equal(result.overlap, overlap)
        // CircleRoPE keeps its ids in float32.
        assert.ok(Math.abs((result.interval as number) - after) < 1e-6, String(result.interval))
        assert.equal(result.coherence.failed.includes('noOverlap'), overlap > 0)
      })
    }
  }

  it('the model by the rule of a release is a row of its own where the ids differ', () => {
    const releases = (['transformers@4.57', 'transformers@5.18', 'vllm'] as const).map((compat) =>
      encodings.qwen2VL({ compat }),
    )
    const comparison = compareSchemes(encodings.qwen2VL(), prompt(long, 5), { releases })
    assert.equal(comparison.layouts[0].kind, 'model')
    assert.deepEqual(comparison.layouts[0].sameAs.slice(0, 2), [
      'qwen2_vl under transformers@4.57',
      'qwen2_vl under vllm',
    ])
    const released = rowOf(comparison, 'qwen2_vl under transformers@5.18')
    assert.deepEqual([released.kind, released.result?.overlap], ['release', 56])
  })

  it('every encoding and every layout of the registries is in it, placed or refused, once', () => {
    for (const grid of [image, long]) {
      const names = of(grid).layouts.flatMap((row) => [row.name, ...row.sameAs])
      assert.equal(new Set(names).size, names.length)
      for (const name of [...Object.keys(encodings), ...Object.keys(layouts)]) assert.ok(names.includes(name), name)
    }
  })

  it('a layout that refuses the prompt says why', () => {
    const { refused, result } = rowOf(of(long), 'plainIndex')
    assert.equal(result, null)
    assert.equal(refused?.code, 'ERR_MROPE_SEGMENT')
    assert.match(String(refused?.message), /does not place video/)
  })

  it('allocations: coverage, decay and memory are those of the parts', () => {
    const { allocations, tokens } = compareSchemes(encodings.qwen2VL(), prompt(image, 5), { distances: [1, 64] })
    const [own, ...others] = allocations
    assert.deepEqual([own.own, own.name, own.tableBytes], [true, 'chunked', 64 * 2 * 4 * tokens])
    assert.deepEqual(own.decay, decay(encodings.qwen2VL(), { distances: [1, 64] }))
    assert.deepEqual(
      own.spectrum.map(({ full, ranks }) => [full, ranks]),
      [
        [false, [0, 15]],
        [false, [16, 39]],
        [false, [40, 63]],
      ],
    )
    assert.ok(others.every((row) => !row.own && row.axisOf !== own.axisOf))
    const interleaved = others.find(({ name, axes }) => name === 'interleaved' && axes.length === 3)!
    assert.ok(interleaved.spectrum.every(({ full }) => full))
    const split = others.find(({ name }) => name === 'split-spatial')!
    const first = others.find(({ name }) => name === 'spatial-first')!
    assert.equal(split.byFrequency, first.axisOf)
    assert.notEqual(split.axisOf, first.axisOf)
    assert.equal(own.byFrequency, own.axisOf)
    const heads = others.find(({ name, axes }) => name === 'per-head' && axes.length === 3)!
    assert.equal(heads.tableBytes, heads.heads * own.tableBytes)
  })

  it('frequencies that depend on the length are those of the prompt and its answer', () => {
    const rope_parameters = { rope_type: 'dynamic', factor: 4, rope_theta: 1e4 }
    const model = encodingFromConfig({
      model_type: 'llama',
      head_dim: 128,
      max_position_embeddings: 512,
      rope_parameters,
    })
    const { allocations } = compareSchemes(model, Sequence.of([{ kind: 'text', length: 777 }]), { generated: 223 })
    assert.deepEqual(allocations[0].decay, decay(model.atLength(1000)))
    assert.notDeepEqual(allocations[0].decay, decay(model))
  })

  it('pairs: what fails is what fails of the layout and what fails of the allocation', () => {
    const { pairs } = of(image)
    const failed = (layout: string, allocation: string): readonly string[] | undefined =>
      pairs.find((pair) => pair.layout === layout && pair.allocation === allocation)?.failed
    const reset = rowOf(of(image), 'spatialReset').name
    assert.deepEqual(failed(reset, 'interleaved'), [])
    assert.deepEqual(failed(reset, 'chunked'), ['fullSpectrum'])
    assert.deepEqual(failed(rowOf(of(image), 'hope').name, 'spatial-only'), [
      'noOverlap',
      'modalityInterval',
      'textCompatible',
      'fullSpectrum',
    ])
  })

  const segment = fc.oneof(
    fc.record({ kind: fc.constant('text' as const), length: fc.nat(9) }),
    fc.record({
      kind: fc.constant('video' as const),
      grid: fc.tuple(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 5 })),
    }),
  )

  it('overlap is counted as it is defined: text ids not above a block in front', () => {
    fc.assert(
      fc.property(fc.array(segment, { maxLength: 6 }), fc.nat(9), (segments, generated) => {
        const sequence = Sequence.of(segments as Segment[])
        const { placed } = compareAll(encodings.qwen2VL(), sequence, { generated, distances: [1] })
        for (const { prompt: read, result, encoding } of placed) {
          if (encoding.layout.ownSequences) continue
          const { blocks } = result.coherence
          const expected = Array.from(read.textIds, (id, i) =>
            Number(read.blocks.some(({ textBefore }, b) => textBefore <= i && id <= blocks[b].largest)),
          )
          assert.deepEqual([...overlappedText(read, result.coherence)], expected)
          const found = expected.filter((inside) => inside === 1).length
          assert.equal(result.overlap, found)
          if (blocks.length === 1) assert.equal(found, blocks[0].overlap)
        }
      }),
      { numRuns: 25 },
    )
  })

  it('prompts of text alone, of nothing, and of a block alone', () => {
    for (const segments of [[{ kind: 'text', length: 33 }], [], [{ kind: 'image', grid: [1, 3, 1] }]] as Segment[][]) {
      const comparison = compareSchemes(encodings.qwen2VL(), Sequence.of(segments), { generated: 0 })
      assert.equal(comparison.layouts[0].result?.coherent, true)
      assert.ok(JSON.parse(JSON.stringify(comparison)))
    }
  })

  const some = Sequence.of([{ kind: 'text', length: 3 }])
  const model = encodings.llama()
  const compare = (options: unknown) => () => compareSchemes(model, some, options as never)
  refuses('compareSchemes', [
    ['no encoding', () => compareSchemes({} as never, some), 'Type ARGUMENT', {}, /must be an Encoding/],
    ['no sequence', () => compareSchemes(model, [] as never), 'Type ARGUMENT', [], /expected a Sequence/],
    ['an unknown option', compare({ layouts: [] }), 'Type ARGUMENT', 'layouts', /unknown option/],
    ['generated below 0', compare({ generated: -1 }), 'Range ARGUMENT', -1, /generated/],
    ['no distances', compare({ distances: [] }), 'Type ARGUMENT', [], /distances/],
    ['no KV heads', compare({ kvHeads: 0 }), 'Range ARGUMENT', 0, /kvHeads/],
    ['a release that is none', compare({ releases: [1] }), 'Type ARGUMENT', 1, /a release must be an Encoding/],
  ])
})

describe('mrope compare', () => {
  let folder: string
  let args: string[]
  const file = async (name: string, content: unknown): Promise<string> => {
    const path = join(folder, name)
    await writeFile(path, JSON.stringify(content))
    return path
  }
  const config = {
    model_type: 'qwen2_vl',
    head_dim: 128,
    num_hidden_layers: 28,
    num_attention_heads: 28,
    num_key_value_heads: 4,
    rope_parameters: { rope_theta: 1e6, mrope_section: [16, 24, 24] },
  }
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'mrope-compare-'))
    const segments = prompt(long, 5).segments
    args = ['--config', await file('c.json', config), '--sequence', await file('s.json', { segments })]
  })
  after(() => rm(folder, { recursive: true }))

  it('finds the 56 overlapping ids of M-RoPE 5.x on a 64×6×8 video, in a table and in JSON', async () => {
    const result = await mrope('compare', ...args)
    assert.equal(result.code, 0, result.stderr)
    assert.match(result.stdout, /qwen2_vl under transformers@5\.18 +t h w +56 /)
    const { layouts: rows, memory, distances } = JSON.parse((await mrope('compare', ...args, '--json')).stdout)
    const released = rows.find(({ name }: { name: string }) => name === 'qwen2_vl under transformers@5.18')
    assert.deepEqual([released.result.overlap, released.result.interval], [56, -55])
    assert.equal(memory.kvCache.perToken, 28 * 4 * 2 * 128 * 2)
    assert.deepEqual(distances.slice(0, 3), [1, 4, 16])
  })

  it("finds VideoRoPE's 15 on a 20×30 image", async () => {
    const sequence = await file('i.json', { segments: prompt(image, 5).segments })
    const { stdout } = await mrope('compare', ...args.slice(0, 2), '--sequence', sequence, '--json')
    const rows: { name: string; sameAs: string[]; result: { overlap: number } | null }[] = JSON.parse(stdout).layouts
    const row = rows.find(({ name, sameAs }) => [name, ...sameAs].includes('videoRope'))
    assert.equal(row?.result?.overlap, 15)
  })

  it('--distances and --generated; without layers and heads no memory', async () => {
    const { num_hidden_layers: _, ...bare } = config
    const other = ['--config', await file('bare.json', bare), ...args.slice(2)]
    const result = await mrope('compare', ...other, '--distances', '3,777', '--generated', '0', '--json')
    const { distances, generated, memory, allocations } = JSON.parse(result.stdout)
    assert.deepEqual([distances, generated, memory], [[3, 777], 0, null])
    assert.equal(allocations[0].decay.text.values.length, 2)
  })

  it('a row of a batch, by its number', async () => {
    const batch = await file('batch.json', [{ segments: prompt(image, 1).segments }, { segments: [] }])
    const of = (...row: string[]) => mrope('compare', ...args.slice(0, 2), '--sequence', batch, '--json', ...row)
    assert.equal(JSON.parse((await of('--row', '0')).stdout).tokens, 611)
    assert.equal(JSON.parse((await of('--row', '1')).stdout).tokens, 0)
    for (const row of [[], ['--row', '2']]) {
      const { code, stdout } = await of(...row)
      assert.deepEqual([code, JSON.parse(stdout).error.code], [1, 'ERR_MROPE_SEGMENT'])
      assert.match(JSON.parse(stdout).error.message, /has 2 rows; name one with --row/)
    }
  })

  it('--help', async () => {
    for (const command of ['compare', 'report']) {
      const { code, stdout } = await mrope(command, '--help')
      assert.equal(code, 0)
      assert.match(stdout, new RegExp(`^Usage: mrope ${command}`))
    }
  })

  it('wrong distances are a wrong command line, a missing file is failed work', async () => {
    for (const distances of ['', 'far', '1,,2', '-1', 'Infinity']) {
      const { code, stdout } = await mrope('compare', ...args, '--distances', distances, '--json')
      assert.equal(code, 2, distances)
      assert.equal(JSON.parse(stdout).error.code, 'ERR_MROPE_USAGE')
    }
    const { code, stdout } = await mrope('compare', '--config', join(folder, 'none'), ...args.slice(2), '--json')
    assert.deepEqual([code, JSON.parse(stdout).error.code], [1, 'ERR_MROPE_FILE'])
  })
})
