import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { build } from './host-metal/build.mjs'

// The kernels of metal/ through the plans of native/gpu, executed on this machine: results against float64, races,
// uninitialised reads, bounds, divergence, schedules, fast-math, traffic. What each program checks stands in its source,
// test/host-metal/kernels; here every part is one test.

const programs: Readonly<Record<string, readonly (readonly string[])[]>> = {
  angles: [[]],
  rotate: [[]],
  cache: [[]],
  decode: [[]],
  attention: [
    ...['dims', 'sizes', 'shapes', 'doubt', 'masks', 'biases', 'angles', 'others', 'fallback', 'lanes'].map((part) => [
      'strict',
      part,
    ]),
    ['strict', 'alignment'],
    ['strict', 'refusals'],
    ['strict', 'traffic'],
    ...['masks', 'biases', 'angles', 'others', 'fallback', 'lanes'].map((part) => ['fast-math', part]),
  ],
}

const minutes = 60_000
const run = promisify(execFile)

describe('Metal kernels on the host executor', function () {
  this.timeout(15 * minutes)
  let folder: string
  before(async () => {
    folder = join(await build(Object.keys(programs)), 'kernels')
  })

  for (const [program, parts] of Object.entries(programs)) {
    for (const part of parts) {
      it([program, ...part].join(' '), async () => {
        // A program that fails says which checks on stdout.
        const { stdout } = await run(join(folder, program), part, { maxBuffer: 2 ** 26 }).catch((error) => error)
        const counts = /^(\d+) passed, (\d+) failed$/m.exec(stdout)
        assert.ok(counts, `no counts in: ${stdout.slice(-2000)}`)
        assert.ok(Number(counts[1]) > 0, 'it checked nothing')
        assert.equal(counts[2], '0', stdout.slice(-4000))
      })
    }
  }
})
