import assert from 'node:assert/strict'
import { run } from './support/cli.js'

const list = 'console.log(JSON.stringify(Object.keys(m).sort()))'

async function keysOf(args: string[]): Promise<string[]> {
  const { code, stdout, stderr } = await run(process.execPath, args)
  assert.equal(code, 0, stderr)
  return JSON.parse(stdout)
}

describe('entry points', () => {
  it('import and require give the same names, by the name of the package', async () => {
    const esm = await keysOf(['--input-type=module', '-e', `import * as m from 'mrope'; ${list}`])
    const cjs = await keysOf(['--input-type=commonjs', '-e', `const m = require('mrope'); ${list}`])
    assert.deepEqual(
      esm.filter((name) => name !== 'default'),
      cjs,
    )
    for (const name of [
      ...['Sequence', 'Positions', 'encodings', 'encodingFromConfig', 'visionEncodingFromConfig', 'layouts', 'spectra'],
      ...[
        'allocations',
        'openBackend',
        'listBackends',
        'openSession',
        'coherence',
        'readSafetensors',
        'writeSafetensors',
      ],
    ]) {
      assert.ok(esm.includes(name), name)
    }
  })

  it('an error of one copy is a MropeError of the other', async () => {
    const script = `
      import * as esm from 'mrope'
      import { createRequire } from 'node:module'
      const cjs = createRequire(import.meta.url)('mrope')
      try { cjs.Sequence.of([{ kind: 'fog' }]) } catch (error) {
        console.log(JSON.stringify([error instanceof esm.MropeError, error instanceof TypeError, error.code, cjs !== esm]))
      }`
    const { stdout, stderr } = await run(process.execPath, ['--input-type=module', '-e', script])
    assert.equal(stderr, '')
    assert.deepEqual(JSON.parse(stdout), [true, true, 'ERR_MROPE_SEGMENT', true])
  })

  it('the package is small and carries no test, bench or generator file', async () => {
    const { code, stdout } = await run('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'])
    assert.equal(code, 0)
    const [{ files, unpackedSize }] = JSON.parse(stdout.slice(stdout.indexOf('[')))
    const paths: string[] = files.map(({ path }: { path: string }) => path)
    assert.deepEqual(
      paths.filter((path) => !/^(dist\/|docs\/|prebuilds\/|README\.md$|LICENSE$|package\.json$)/.test(path)),
      [],
    )
    assert.ok(unpackedSize < 5e6, `${unpackedSize} bytes`)
  })
})
