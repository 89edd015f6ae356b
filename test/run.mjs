// All tests: mocha on this machine's backends and, on Linux, once more the suites of the backends on the Metal backend,
// whose kernels and Objective-C++ are then executed by the host (test/host-metal). The last line adds both up.
//
//   node test/run.mjs [mocha options]

import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { build } from './host-metal/build.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const mocha = fileURLToPath(new URL('../node_modules/mocha/bin/mocha.js', import.meta.url))
const options = process.argv.slice(2)
const counts = /^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$/m

/** Runs mocha and gives its counts; an end without counts is a failure. */
function run(files, env) {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [mocha, ...options, ...files], {
      cwd: root,
      env: { ...process.env, ...env },
      stdio: ['inherit', 'pipe', 'inherit'],
    })
    let tail = ''
    child.stdout.on('data', (chunk) => {
      process.stdout.write(chunk)
      tail = (tail + chunk).slice(-2000)
    })
    child.on('close', (code) => {
      const [, passed, failed, skipped] = counts.exec(tail) ?? [0, 0, 1, 0]
      resolve({
        passed: Number(passed),
        failed: Math.max(Number(failed), code === 0 ? 0 : 1),
        skipped: Number(skipped ?? 0),
      })
    })
  })
}

const results = []
if (process.platform === 'linux') {
  process.stdout.write('building the Metal backend for this machine\n')
  const folder = await build(['all'])
  const addon = `${folder}/mrope_host_metal.node`
  const suites = ['attend', 'rotate', 'cache', 'session', 'backend', 'captures', 'metal*'].map(
    (name) => `test/${name}.test.ts`,
  )
  results.push(await run(suites, { MROPE_ADDON: addon, MROPE_TEST_BACKEND: 'metal' }))
}
results.push(await run(['test/**/*.test.ts'], {}))

const total = { passed: 0, failed: 0, skipped: 0 }
for (const result of results) for (const key of Object.keys(total)) total[key] += result[key]
const skipped = total.skipped > 0 ? `, ${total.skipped} skipped` : ''
process.stdout.write(`${total.passed} passed, ${total.failed} failed${skipped}\n`)
process.exitCode = total.failed > 0 ? 1 : 0
