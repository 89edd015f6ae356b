import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readSafetensors } from '../lib/io/safetensors.js'
import { type CliResult, mrope, run } from './support/cli.js'

const golden = 'test/golden/qwen2_5_vl/image_video'
const capture = ['--config', `${golden}/config.json`, '--sequence', `${golden}/sequence.json`]
const tensors = ['--tensors', `${golden}/tensors.safetensors`]
const release = ['--compat', 'transformers@5.18']

/** stdout must be one JSON document and nothing else. */
function json(result: CliResult) {
  const document = JSON.parse(result.stdout)
  assert.equal(result.stdout, `${JSON.stringify(document)}\n`)
  return document
}

describe('command line', () => {
  let folder: string
  const file = async (name: string, content: unknown): Promise<string> => {
    const path = join(folder, name)
    await writeFile(path, typeof content === 'string' ? content : JSON.stringify(content))
    return path
  }
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'mrope-cli-'))
  })
  after(() => rm(folder, { recursive: true }))

  it('positions: the example of the documentation (text 3, image 1×2×3, text 2)', async () => {
    const config = await file('qwen2_vl.json', {
      model_type: 'qwen2_vl',
      head_dim: 128,
      rope_theta: 1e6,
      rope_scaling: { type: 'mrope', mrope_section: [16, 24, 24] },
    })
    const segments = [
      { kind: 'text', length: 3 },
      { kind: 'image', grid: [1, 2, 3] },
      { kind: 'text', length: 2 },
    ]
    const sequence = await file('a.json', { segments })
    const result = await mrope('positions', '--config', config, '--sequence', sequence, '--decode', '3', '--json')
    assert.equal(result.code, 0)
    assert.equal(result.stderr, '')
    const { rows, encoding } = json(result)
    assert.deepEqual(rows, [
      {
        axes: ['t', 'h', 'w'],
        length: 11,
        padding: 0,
        ids: [
          [0, 1, 2, 3, 3, 3, 3, 3, 3, 6, 7],
          [0, 1, 2, 3, 3, 3, 4, 4, 4, 6, 7],
          [0, 1, 2, 3, 4, 5, 3, 4, 5, 6, 7],
        ],
        next: 8,
        delta: -3,
        decode: [
          [8, 8, 8],
          [9, 9, 9],
          [10, 10, 10],
        ],
      },
    ])
    assert.equal(encoding.axisOf, 'T'.repeat(16) + 'H'.repeat(24) + 'W'.repeat(24))
    const text = await mrope('positions', '--config', config, '--sequence', sequence)
    assert.match(text.stdout, /3–8 +image 1×2×3 +3 +3 … 4 +3 … 5/)
    assert.match(text.stdout, /next id 8, delta -3/)
    const batch = await file('batch.json', [{ segments, padding: 2 }, { segments }])
    const both = json(await mrope('positions', '--config', config, '--sequence', batch, '--json'))
    assert.deepEqual(
      both.rows.map(({ padding, length, delta }: { padding: number; length: number; delta: number }) => [
        padding,
        length,
        delta,
      ]),
      [
        [2, 13, -3],
        [0, 11, -3],
      ],
    )
  })

  it('table: writes cos and sin to safetensors', async () => {
    const out = join(folder, 'table.safetensors')
    const result = await mrope('table', ...capture, '--out', out, '--json')
    assert.equal(result.code, 0, result.stdout)
    const { shape, pairing } = json(result)
    const { tensors: written, metadata } = await readSafetensors(out)
    assert.deepEqual([...written.keys()].sort(), ['cos', 'sin'])
    assert.deepEqual([...(written.get('cos')?.dims ?? [])], shape)
    assert.equal(metadata.pairing, pairing)
  })

  it('rotate: equals the capture, and turns back', async () => {
    const out = join(folder, 'rotated.safetensors')
    const there = json(await mrope('rotate', ...capture, ...tensors, ...release, '--out', out, '--json'))
    assert.ok(there.errors.q_rot < 2e-5 && there.errors.k_rot < 2e-5)
    const names = [...(await readSafetensors(out)).tensors.keys()].sort()
    assert.deepEqual(names, ['lm.k_rot', 'lm.q_rot'])
    const back = await mrope('rotate', ...capture, ...tensors, ...release, '--inverse', '--json')
    assert.deepEqual(json(back).errors, {})
  })

  it('attend: says which backend ran, why, and how far it is from the capture', async () => {
    const out = join(folder, 'attended.safetensors')
    const result = await mrope(
      'attend',
      ...capture,
      ...tensors,
      ...release,
      '--backend',
      'reference',
      '--out',
      out,
      '--json',
    )
    assert.equal(result.code, 0, result.stdout)
    const { backend, why, tokens, ms, errors } = json(result)
    assert.equal(backend, 'reference')
    assert.ok(why.length > 0 && tokens > 0 && ms > 0)
    assert.ok(errors.q_rot <= 2e-5 && errors.k_rot <= 2e-5 && errors.out <= 1e-5, JSON.stringify(errors))
    assert.deepEqual([...(await readSafetensors(out)).tensors.keys()].sort(), ['lm.k_rot', 'lm.out', 'lm.q_rot'])
  })

  for (const prefix of ['vision.full', 'vision.window']) {
    it(`attend --prefix ${prefix}`, async () => {
      const at = 'test/golden/qwen2_5_vl/image'
      const args = [
        '--config',
        `${at}/config.json`,
        '--sequence',
        `${at}/sequence.json`,
        '--tensors',
        `${at}/tensors.safetensors`,
      ]
      const { errors } = json(await mrope('attend', ...args, '--prefix', prefix, '--json'))
      assert.ok(errors.q_rot <= 2e-5 && errors.k_rot <= 2e-5 && errors.out <= 1e-5, JSON.stringify(errors))
    })
  }

  it('coherence: finds what 5.18 does to long videos, in words and as exit code 0', async () => {
    const config = await file('v.json', {
      model_type: 'qwen2_vl',
      head_dim: 128,
      rope_parameters: { rope_theta: 1e6, mrope_section: [16, 24, 24] },
    })
    const sequence = await file('video.json', {
      segments: [
        { kind: 'text', length: 10 },
        { kind: 'video', grid: [64, 6, 8] },
        { kind: 'text', length: 5 },
      ],
    })
    const args = ['coherence', '--config', config, '--sequence', sequence]
    const bad = await mrope(...args, ...release)
    assert.equal(bad.code, 0, bad.stderr)
    assert.match(bad.stdout, /56/)
    assert.equal((await mrope(...args, '--json')).code, 0)
  })

  it('doctor: names every backend and why', async () => {
    const { backends, auto, node } = json(await mrope('doctor', '--json'))
    assert.equal(node, process.version)
    assert.ok(backends.length >= 5)
    for (const { name, why } of backends) assert.ok(name && why)
    assert.ok(auto.backend && auto.why)
    assert.deepEqual(json(await mrope('--json', 'doctor')).node, node)
  })

  it('a reader that closes the pipe early is no error', async () => {
    const { stdout, stderr } = await run('sh', ['-c', `"${process.execPath}" dist/cli.mjs doctor --help | head -c 5`])
    assert.deepEqual([stdout, stderr], ['Usage', ''])
    const many = `positions ${capture.join(' ')} --decode 100000 --json`
    assert.equal((await run('sh', ['-c', `"${process.execPath}" dist/cli.mjs ${many} | head -c 1`])).stderr, '')
  })

  it('--help everywhere, with exit code 0', async () => {
    for (const command of [[], ['doctor'], ['positions'], ['table'], ['rotate'], ['attend'], ['coherence']]) {
      const result = await mrope(...command, '--help')
      assert.equal(result.code, 0)
      assert.match(result.stdout, /^Usage: mrope/)
    }
  })

  describe('errors', () => {
    const usage: [string, string[]][] = [
      ['no command', []],
      ['unknown command', ['fly']],
      ['unknown option', ['doctor', '--fast']],
      ['missing option', ['positions', '--config', 'x']],
      ['not a count', ['positions', '--config', 'x', '--sequence', 'y', '--decode', '-1']],
      ['unknown prefix', ['rotate', '--config', 'x', '--sequence', 'y', '--tensors', 'z', '--prefix', 'tail']],
      ['attend without anything', ['attend']],
      ['unknown compat', ['positions', ...capture, '--compat', 'torch']],
      ['unknown backend', ['attend', ...capture, ...tensors, '--backend', 'cuda']],
      ['captures beside one layer', ['attend', '--captures', 'test/golden', ...capture]],
    ]
    for (const [name, args] of usage) {
      it(`${name}: exit code 2`, async () => {
        for (const flagged of [
          [...args, '--json'],
          ['--json', ...args],
        ]) {
          const result = await mrope(...flagged)
          assert.equal(result.code, 2, result.stdout)
          assert.equal(json(result).error.code, 'ERR_MROPE_USAGE')
          assert.doesNotMatch(json(result).error.message, /--json/)
        }
        const plain = await mrope(...args)
        assert.equal(plain.code, 2)
        assert.equal(plain.stdout, '')
        assert.match(plain.stderr, /^mrope: .*\[ERR_MROPE_USAGE\]\n$/)
      })
    }

    const failing: [string, () => Promise<string[]>, string, RegExp][] = [
      [
        'a missing file',
        async () => ['positions', '--config', 'no.json', '--sequence', 'no.json'],
        'ERR_MROPE_FILE',
        /no\.json/,
      ],
      [
        'a directory',
        async () => ['positions', '--config', folder, '--sequence', folder],
        'ERR_MROPE_FILE',
        /mrope-cli/,
      ],
      [
        'malformed JSON',
        async () => ['positions', '--config', await file('bad.json', '{"a":'), '--sequence', 'x'],
        'ERR_MROPE_JSON',
        /bad\.json/,
      ],
      [
        'a damaged tensor file',
        async () => ['attend', ...capture, '--tensors', await file('t.safetensors', 'abc')],
        'ERR_MROPE_SAFETENSORS',
        /t\.safetensors/,
      ],
      [
        'an empty batch',
        async () => ['positions', ...capture.slice(0, 2), '--sequence', await file('e.json', [])],
        'ERR_MROPE_SEGMENT',
        /empty/,
      ],
      [
        'two rows for one tensor file',
        async () => {
          const row = { segments: [{ kind: 'text', length: 3 }] }
          return ['attend', ...capture.slice(0, 2), ...tensors, '--sequence', await file('two.json', [row, row])]
        },
        'ERR_MROPE_SEGMENT',
        /has 2 rows/,
      ],
      [
        'a segment form with more beside',
        async () => [
          ...['positions', ...capture.slice(0, 2), '--sequence'],
          await file('m.json', { segments: [], input_ids: [1] }),
        ],
        'ERR_MROPE_SEGMENT',
        /"input_ids" does not fit a sequence of segments/,
      ],
      [
        'a misspelt segment',
        async () => [
          'positions',
          ...capture.slice(0, 2),
          '--sequence',
          await file('s.json', { segments: [{ kind: 'text', lenght: 3 }] }),
        ],
        'ERR_MROPE_SEGMENT',
        /lenght/,
      ],
      [
        'a grid that does not match',
        async () => [
          'positions',
          ...capture.slice(0, 2),
          '--sequence',
          await file('g.json', { input_ids: [1, 2, 3], image_grid_thw: [[1, 4, 6]] }),
        ],
        'ERR_MROPE_GRID_COUNT',
        /image_grid_thw/,
      ],
      ['no captures', async () => ['attend', '--captures', folder], 'ERR_MROPE_FILE', /no captures/],
    ]
    for (const [name, args, code, message] of failing) {
      it(`${name}: exit code 1, ${code}`, async () => {
        const result = await mrope(...(await args()), '--json')
        assert.equal(result.code, 1, result.stdout)
        const { error } = json(result)
        assert.equal(error.code, code)
        assert.match(error.message, message)
        assert.equal(result.stderr, '')
      })
    }
  })
})
