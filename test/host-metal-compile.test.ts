import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { CompileError, compile } from './host-metal/compile.mjs'
import { kernelFile, reflectionOf } from './host-metal/self-test/launch.js'

describe('compiling Metal kernels for this processor', () => {
  it('an error has the line of the source', async () => {
    const text =
      '#include <metal_stdlib>\nusing namespace metal;\nkernel void k(device float *out [[buffer(0)]]) {\n  out[0] = nonsense;\n}\n'
    const failed = compile({ text, name: 'wrong.metal', out: join(tmpdir(), 'never-made') })
    await assert.rejects(
      failed,
      (error) => error instanceof CompileError && /^wrong\.metal:4:\d+: error: .*'nonsense'/m.test(error.message),
    )
    const misplaced = compile({
      text: text.replace('out[0] = nonsense', 'float x') + 'kernel void j(float x) {}',
      out: tmpdir(),
    })
    await assert.rejects(misplaced, /source\.metal:6: error: parameter x: no attribute that this lane knows/)
    await assert.rejects(compile({ source: 'no-such-file.metal', out: tmpdir() }), { code: 'ENOENT' })
  })

  it('processes that compile the same at once', async () => {
    const out = await mkdtemp(join(tmpdir(), 'host-metal-'))
    try {
      const command = fileURLToPath(new URL('host-metal/compile.mjs', import.meta.url))
      const one = () => promisify(execFile)(process.execPath, [command, kernelFile('matrix'), '-o', out])
      const made = await Promise.all([one(), one(), one()])
      assert.equal(new Set(made.map(({ stdout }) => stdout)).size, 1)
      const { library, cached } = await compile({ source: kernelFile('matrix'), out })
      assert.deepEqual([cached, made[0].stdout], [true, `${library}\n`])
      assert.deepEqual(
        (await readdir(out)).filter((name) => !/^(matrix\.\w+\.(so|json)|shim-plain\.\w+\.pch)$/.test(name)),
        [],
      )
      const other = await compile({ source: kernelFile('matrix'), out, defines: { TRANSPOSED: 1 } })
      assert.notEqual(other.library, library)
    } finally {
      await rm(out, { recursive: true })
    }
  })

  it('reflection: indices by enumerator, address spaces, instances', async () => {
    const { constants } = await reflectionOf('constants')
    assert.deepEqual(constants, [
      { index: 4, name: 'group', type: 'int', optional: false },
      { index: 5, name: 'half_of_it', type: 'bool', optional: false },
      { index: 6, name: 'scale', type: 'float', optional: true },
    ])
    const { kernels, threadgroup } = await reflectionOf('memory', { defines: { ROWS: 2 } })
    const places = kernels[0].parameters.map(
      ({ name, kind, index }: Record<string, unknown>) => `${name} ${kind}(${index})`,
    )
    assert.deepEqual(places, ['in buffer(0)', 'out buffer(1)', 'more threadgroup(0)'])
    assert.deepEqual(threadgroup, [
      { kernel: 'turn', name: 'rows', type: 'float[2][256]' },
      { kernel: 'turn', name: 'last', type: 'float[3]' },
    ])
    const names = (await reflectionOf('lanes')).kernels.map(({ name }: { name: string }) => name)
    assert.deepEqual(names, ['mirror', 'mirror_no_barrier', 'mirror_half_of_the_lanes'])
  })
})
