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

/** Runs mocha and gives its counts; an end without counts is a failure. `show` takes what it prints. */
function run(files, env, show) {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [mocha, ...options, ...files], {
      cwd: root,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let tail = ''
    child.stdout.on('data', (chunk) => {
      show(chunk)
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

// On Linux the tests of a Metal device have a run of their own. Elsewhere there is no host executor to be tested: a Mac
// has the device itself.
const apart = process.platform === 'linux' ? 'test/metal*.test.ts' : 'test/host-*.test.ts'
if (process.platform !== 'linux') process.stdout.write(`for Linux only, not run: ${apart}, the host executor\n`)
const everything = ['test/**/*.test.ts', '--ignore', apart]
const lanes = [run(everything, {}, (chunk) => process.stdout.write(chunk))]
const kept = []
if (process.platform === 'linux') {
  process.stdout.write('building the Metal backend for this machine\n')
  const addon = `${await build(['all'])}/mrope_host_metal.node`
  const env = { MROPE_ADDON: addon, MROPE_TEST_BACKEND: 'metal' }
  const keep = (chunk) => kept.push(chunk)
  const suites = ['attend', 'biases', 'biases-values', 'rotate', 'cache', 'session', 'backend', 'captures'].map(
    (name) => `test/${name}.test.ts`,
  )
  // At the same time as the others; what they print waits until those are done. The tests that count what is alive and
  // let compilers fail have a process that built nothing before.
  lanes.push(run(suites, env, keep).then(async (first) => [first, await run(['test/metal*.test.ts'], env, keep)]))
}
const results = (await Promise.all(lanes)).flat()
for (const chunk of kept) process.stdout.write(chunk)

const total = { passed: 0, failed: 0, skipped: 0 }
for (const result of results) for (const key of Object.keys(total)) total[key] += result[key]
const skipped = total.skipped > 0 ? `, ${total.skipped} skipped` : ''
process.stdout.write(`${total.passed} passed, ${total.failed} failed${skipped}\n`)
process.exitCode = total.failed > 0 ? 1 : 0
