import assert from 'node:assert/strict'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { compareAll } from '../lib/analysis/compare.js'
import { encodings } from '../lib/encodings/named.js'
import { collect } from '../lib/report/collect.js'
import { inScript, safe } from '../lib/report/escape.js'
import { stripOf } from '../lib/report/strip.js'
import { type Segment, tokensOf } from '../lib/sequence/segment.js'
import { Sequence } from '../lib/sequence/sequence.js'
import { mrope } from './support/cli.js'

const side = (max: number) => fc.integer({ min: 1, max })
const segment = fc.oneof(
  fc.record({ kind: fc.constant('text' as const), length: fc.nat(2000) }),
  fc.record({ kind: fc.constant('audio' as const), length: fc.nat(90) }),
  fc.record({ kind: fc.constant('video' as const), grid: fc.tuple(side(9), side(9), side(9)) }),
)

describe('data of the report', () => {
  it('columns hold all tokens in order, 600 at most, and none mixes kinds', () => {
    fc.assert(
      fc.property(fc.array(segment, { maxLength: 40 }), fc.nat(300), (segments, generated) => {
        const sequence = Sequence.of(segments as Segment[])
        const { kinds, starts } = stripOf(sequence, generated)
        assert.equal(starts.length, kinds.length + 1)
        assert.ok(kinds.length <= 600)
        assert.deepEqual([starts[0], starts.at(-1)], [0, sequence.length + generated])
        assert.ok(starts.every((start, c) => c === 0 || start > starts[c - 1]))
        const kindOf = [
          ...sequence.segments.flatMap((part) => Array<string>(tokensOf(part)).fill(part.kind)),
          ...Array<string>(generated).fill('generated'),
        ]
        kinds.forEach((kind, c) => {
          assert.ok(kindOf.slice(starts[c], starts[c + 1]).every((other) => other === kind))
        })
      }),
    )
  })

  it('very many segments share columns', () => {
    const frames = Array.from({ length: 777 }, (): Segment[] => [
      { kind: 'text', length: 5 },
      { kind: 'video', grid: [1, 3, 11] },
    ])
    const { kinds, starts } = stripOf(Sequence.of(frames.flat()), 110)
    assert.equal(kinds.length, 600)
    assert.equal(starts[600], 777 * 38 + 110)
  })

  it('ids of drawn cells come back from frame and place, for every scheme', () => {
    const sequence = Sequence.of([
      { kind: 'text', length: 7 },
      { kind: 'video', grid: [33, 3, 41] },
      { kind: 'text', length: 2 },
    ])
    const { data } = collect(encodings.qwen25VL(), sequence, { generated: 3 })
    const { placed } = compareAll(encodings.qwen25VL(), sequence, { generated: 3, distances: [1] })
    assert.ok(data.block)
    const { frames, rows, columns } = data.block
    assert.deepEqual([frames.length, rows.length, columns.length], [33, 3, 40])
    assert.equal(data.schemes.length, placed.length)
    data.schemes.forEach(({ name, map, axes }, s) => {
      assert.equal(name, placed[s].name)
      assert.ok(map, name)
      const { ids } = placed[s].prompt
      for (const [t, h, w] of [
        [0, 0, 0],
        [32, 2, 39],
        [17, 1, 20],
      ]) {
        const token = 7 + (frames[t] * 3 + rows[h]) * 41 + columns[w]
        axes.forEach((axis, a) => {
          const expected = ids[a][token] - ids[a][7]
          const found = map.time[a][t] + map.plane[a][h * columns.length + w]
          assert.ok(Math.abs(found - expected) < 1e-5, `${name} ${axis} ${[t, h, w]}: ${found}, expected ${expected}`)
        })
      }
    })
  })

  it('text inside of pictures is the same in the columns and in the tables', () => {
    const sequence = Sequence.of([
      { kind: 'text', length: 10 },
      { kind: 'video', grid: [64, 6, 8] },
      { kind: 'text', length: 5 },
    ])
    const releases = [encodings.qwen2VL({ compat: 'transformers@5.18' })]
    const { data, comparison } = collect(encodings.qwen2VL(), sequence, { generated: 110, releases })
    const released = data.schemes.find(({ name }) => name === 'qwen2_vl under transformers@5.18')
    assert.equal(released?.overlap, 56)
    for (const { name, overlap, inside } of data.schemes) {
      assert.equal(
        inside.reduce((sum, count) => sum + count, 0),
        overlap,
        name,
      )
      assert.equal(comparison.layouts.find((row) => row.name === name)?.result?.overlap, overlap)
    }
  })

  it('a prompt without pictures has no map', () => {
    for (const segments of [[], [{ kind: 'text', length: 3 }], [{ kind: 'audio', length: 9 }]] as Segment[][]) {
      const { data } = collect(encodings.qwen2VL(), Sequence.of(segments), { generated: 4 })
      assert.equal(data.block, null)
      assert.ok(data.schemes.every(({ map }) => map === null))
    }
  })

  it('nothing in the data can end an element or start one', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        assert.doesNotMatch(safe(text), /[<>"']/)
        const json = inScript(JSON.stringify({ text: `${text}</script><!--` }))
        assert.doesNotMatch(json, /</)
        assert.equal(JSON.parse(json).text, `${text}</script><!--`)
      }),
    )
  })
})

describe('mrope report', () => {
  let folder: string
  const file = async (name: string, content: unknown): Promise<string> => {
    const path = join(folder, name)
    await writeFile(path, JSON.stringify(content))
    return path
  }
  const config = { model_type: 'qwen2_5_vl', head_dim: 128, rope_parameters: { rope_theta: 1e6 } }
  let args: string[]
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'mrope-report-'))
    const segments = [
      { kind: 'text', length: 100 },
      { kind: 'video', grid: [33, 30, 33] },
    ]
    args = ['--config', await file('c.json', config), '--sequence', await file('s.json', { segments })]
  })
  after(() => rm(folder, { recursive: true }))

  it('a video prompt of 32 770 tokens: one page of at most 3 MB that asks for nothing else', async () => {
    const out = join(folder, 'report.html')
    const result = await mrope('report', ...args, '--out', out, '--json')
    assert.equal(result.code, 0, result.stdout)
    const { bytes, tokens, schemes } = JSON.parse(result.stdout)
    const html = await readFile(out, 'utf8')
    assert.equal(tokens, 32_770)
    assert.equal(bytes, Buffer.byteLength(html))
    assert.ok(bytes <= 3e6, String(bytes))
    assert.ok(schemes.length > 10)
    assert.doesNotMatch(html, /<(?:link|img|iframe|script)[^>]*\b(?:src|href)=/)
    assert.doesNotMatch(html, /@import|url\((?!#)/)
    assert.match(html, /default-src 'none'/)
  })

  it('says which scheme overlaps, with its verdict, without running the page', async () => {
    const segments = [
      { kind: 'text', length: 10 },
      { kind: 'video', grid: [64, 6, 8] },
      { kind: 'text', length: 5 },
    ]
    const sequence = await file('long.json', { segments })
    const qwen2 = await file('qwen2.json', { ...config, model_type: 'qwen2_vl' })
    const out = join(folder, 'long.html')
    const { stdout } = await mrope('report', '--config', qwen2, '--sequence', sequence, '--out', out)
    assert.match(stdout, /text inside of a picture: .*qwen2_vl under transformers@5\.18 \(56\)/)
    const html = await readFile(out, 'utf8')
    assert.match(html, /<strong>qwen2_vl under transformers@5\.18<\/strong>[^(]*\(56\)/)
    assert.match(html, /id="own-verdict">\s*<p>The positions are coherent/)
    assert.match(html, /56 text tokens behind it \(5 of the prompt, 51 generated\)/)
    const released = join(folder, 'released.html')
    const compat = ['--compat', 'transformers@5.18']
    await mrope('report', '--config', qwen2, '--sequence', sequence, '--out', released, ...compat)
    assert.match(await readFile(released, 'utf8'), /id="own-verdict">\s*<p>The positions are not coherent/)
  })

  it('names of a configuration stay text', async () => {
    const evil = '</script><img src=x onerror=alert(1)>'
    const bad = await file('evil.json', { model_type: evil, head_dim: 64, rope_theta: 1e4 })
    const out = join(folder, 'evil.html')
    const { code, stderr } = await mrope('report', '--config', bad, ...args.slice(2), '--out', out)
    assert.equal(code, 0, stderr)
    const html = await readFile(out, 'utf8')
    assert.doesNotMatch(html, /<img/)
    assert.equal(html.match(/<\/script>/g)?.length, 2)
  })

  it('an empty prompt, text alone, and a thousand frames', async () => {
    const frames = Array.from({ length: 1000 }, () => [
      { kind: 'text', length: 3 },
      { kind: 'video', grid: [1, 2, 3] },
    ])
    for (const segments of [[], [{ kind: 'text', length: 33 }], frames.flat()]) {
      const sequence = await file('other.json', { segments })
      const out = join(folder, 'other.html')
      const result = await mrope('report', ...args.slice(0, 2), '--sequence', sequence, '--out', out, '--json')
      assert.equal(result.code, 0, result.stdout)
      assert.ok(JSON.parse(result.stdout).bytes <= 3e6)
    }
  })

  it('what fails leaves the old page as it was, and nothing beside it', async () => {
    const out = join(folder, 'kept.html')
    await writeFile(out, 'old')
    const batch = await file('batch.json', [{ segments: [] }, { segments: [] }])
    const broken = await file('broken.json', { segments: [{ kind: 'image', grid: [1, 0, 3] }] })
    const before = (await readdir(folder)).length
    for (const [sequence, code] of [
      [batch, 'ERR_MROPE_SEGMENT'],
      [broken, 'ERR_MROPE_GRID'],
      [join(folder, 'none.json'), 'ERR_MROPE_FILE'],
    ]) {
      const result = await mrope('report', ...args.slice(0, 2), '--sequence', sequence, '--out', out, '--json')
      assert.deepEqual([result.code, JSON.parse(result.stdout).error.code], [1, code])
    }
    const nowhere = await mrope('report', ...args, '--out', join(folder, 'no', 'where.html'), '--json')
    assert.deepEqual([nowhere.code, JSON.parse(nowhere.stdout).error.code], [1, 'ERR_MROPE_FILE'])
    const usage = await mrope('report', ...args, '--json')
    assert.deepEqual([usage.code, JSON.parse(usage.stdout).error.code], [2, 'ERR_MROPE_USAGE'])
    assert.equal(await readFile(out, 'utf8'), 'old')
    assert.equal((await readdir(folder)).length, before)
  })
})
