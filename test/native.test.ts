import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import {
  appendPlaces,
  attendPlaces,
  biasKinds,
  cachePlaces,
  dropPlaces,
  nativeFlags,
  nativeTypes,
  readPlaces,
  rotatePlaces,
  tablePlaces,
} from '../lib/backends/native/addon.js'
import { loadNative } from '../lib/backends/native/load.js'
import { listBackends } from '../lib/backends/open.js'
import { errorCodes } from '../lib/errors.js'
import { root, run } from './support/cli.js'

/** Names of an enum in a C++ header, comments taken off. */
function enumNames(file: string, pattern: RegExp): string[] {
  const source = readFileSync(join(root, file), 'utf8').replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*/g, '')
  const body = pattern.exec(source)?.[1]
  assert.ok(body, `${pattern} in ${file}`)
  return body
    .split(',')
    .map((entry) => entry.trim())
    .filter(Boolean)
}

describe('the addon and its description in TypeScript', () => {
  for (const [name, places] of Object.entries({
    attendAt: attendPlaces,
    rotateAt: rotatePlaces,
    tableAt: tablePlaces,
    cacheAt: cachePlaces,
    appendAt: appendPlaces,
    dropAt: dropPlaces,
    readAt: readPlaces,
  })) {
    it(`${name}: the same places`, () => {
      const names = enumNames(
        'native/binding/layout.h',
        new RegExp(`namespace ${name} \\{\\s*enum : int \\{([^}]*)\\}`),
      )
      assert.deepEqual(names, [...places, 'count'])
    })
  }

  it('the same flags, storage types and kinds of bias', () => {
    const flags = enumNames('native/binding/layout.h', /namespace flag \{\s*enum : int \{([^}]*)\}/)
    assert.deepEqual(
      flags,
      Object.entries(nativeFlags).map(([name, bit]) => `${name} = ${bit}`),
    )
    const types = enumNames('native/core/params.h', /enum class DType : int \{([^}]*)\}/)
    assert.deepEqual(
      types.map((type) => type.toLowerCase()),
      Object.entries(nativeTypes).map(([name, n]) => `${name} = ${n}`),
    )
    const biases = enumNames('native/core/params.h', /enum class BiasKind : int \{([^}]*)\}/)
    assert.deepEqual(
      biases.map((kind) => kind.toLowerCase()),
      Object.entries(biasKinds).map(([name, n]) => `${name} = ${n}`),
    )
  })

  it('binding.gyp lists every source', () => {
    const listed = readFileSync(join(root, 'binding.gyp'), 'utf8')
    const sources = readdirSync(join(root, 'native'), { recursive: true, encoding: 'utf8' })
      .filter((file) => /\.(cc|mm)$/.test(file) && !file.startsWith('test'))
      .map((file) => `native/${file}`)
    assert.ok(sources.length > 30)
    assert.deepEqual(
      sources.filter((file) => !listed.includes(`'${file}'`)),
      [],
    )
  })

  it('every error code of the native side is one of the package', () => {
    const source = readFileSync(join(root, 'native/core/status.h'), 'utf8')
    const codes = [...source.matchAll(/"(ERR_MROPE_\w+)"/g)].map(([, code]) => code)
    assert.ok(codes.length > 3)
    for (const code of codes) assert.ok(code in errorCodes, code)
  })
})

describe('loading the addon', () => {
  const compiler = spawnSync('g++', ['--version']).status === 0
  const { addon, why } = loadNative()

  it('it is there where a compiler is, and the list of backends says where from', () => {
    if (compiler) assert.ok(addon, why)
    const cpu = listBackends().find(({ name }) => name === 'cpu')
    assert.deepEqual(cpu, { name: 'cpu', available: addon !== undefined, why })
  })

  const status = `import { listBackends, openBackend } from 'mrope'
    const cpu = listBackends().find(({ name }) => name === 'cpu')
    console.log(JSON.stringify({ ...cpu, auto: (await openBackend()).name }))`

  it('a path that does not load leaves the reference backend, and says why', async () => {
    const env = { ...process.env, MROPE_ADDON: '/nowhere/mrope.node', MROPE_BACKEND: '' }
    const { stdout, stderr } = await run(process.execPath, ['--input-type=module', '-e', status], env)
    assert.equal(stderr, '')
    const { available, why: reason, auto } = JSON.parse(stdout)
    assert.equal(available, false)
    assert.match(reason, /^MROPE_ADDON=\/nowhere\/mrope\.node does not load/)
    assert.equal(auto, 'reference')
  })

  it('the built package loads it from its own folder', async () => {
    const { stdout } = await run(process.execPath, ['--input-type=module', '-e', status], {
      ...process.env,
      MROPE_BACKEND: '',
    })
    assert.equal(JSON.parse(stdout).auto, addon === undefined ? 'reference' : 'cpu')
  })

  if (addon !== undefined) {
    it('works in worker threads that end with work under way', async () => {
      const code = `
        const { openBackend, Tensor } = require('mrope')
        const { parentPort } = require('node:worker_threads')
        openBackend('cpu').then(async (backend) => {
          const q = Tensor.from('float32', Array.from({ length: 400 * 8 * 64 }, (_, i) => Math.sin(i)), [400, 8, 64])
          const first = await backend.attend({ q, k: q, v: q })
          for (let i = 0; i < 4; i++) backend.attend({ q, k: q, v: q }).catch(() => {})
          parentPort.postMessage([first.backend, first.data.every(Number.isFinite)])
        })`
      const results = await Promise.all(
        Array.from({ length: 8 }, async () => {
          const worker = new Worker(code, { eval: true })
          const message = await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject))
          await worker.terminate()
          return message
        }),
      )
      assert.deepEqual(results, Array(8).fill(['cpu', true]))
    })
  }
})
