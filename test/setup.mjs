// Sees to it that what the tests need is there: `npm test` begins with it. On Debian and Ubuntu it installs what is
// missing with apt-get; elsewhere, and without the right to install, it says what is missing and fails. Nothing is skipped.

import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { buildForeign } from './host-metal/foreign.mjs'

const runtimes = ['x86_64', 'aarch64'].map(
  (arch) => `/usr/lib/llvm-19/lib/clang/19/lib/linux/libclang_rt.builtins-${arch}.a`,
)

/** What has to be there, and the package that brings it. */
const linux = [
  [program('g++'), 'g++'],
  [program('make'), 'make'],
  [program('python3'), 'python3'],
  // Metal sources on Linux: test/host-metal/README.md.
  [program('cmake'), 'cmake'],
  [program('clang++-19'), 'clang-19'],
  [program('ld.lld-19'), 'lld-19'],
  [anyFile(...runtimes), 'libclang-rt-19-dev'],
  [file('/usr/lib/llvm-19/include/c++/v1/vector'), 'libc++-19-dev'],
  [anyFile('/usr/include/x86_64-linux-musl', '/usr/include/aarch64-linux-musl'), 'musl-dev'],
  [file('/usr/include/Block.h'), 'libblocksruntime-dev'],
  // The report is looked at in a browser.
  [program('chromium'), 'chromium'],
]
const mac = [[program('clang++'), 'the Xcode command line tools: xcode-select --install']]

function program(name) {
  return () => (process.env.PATH ?? '').split(delimiter).some((folder) => existsSync(join(folder, name)))
}

function file(path) {
  return () => existsSync(path)
}

function anyFile(...paths) {
  return () => paths.some((path) => existsSync(path))
}

function missing(list) {
  return list.filter(([isThere]) => !isThere()).map(([, name]) => name)
}

function fail(names, how) {
  process.stderr.write(`the tests need: ${names.join(', ')}\n${how}\n`)
  process.exit(1)
}

/** apt-get with the right to install, or nothing. */
function installer() {
  if (!program('apt-get')()) return undefined
  if (process.getuid?.() === 0) return ['apt-get']
  return spawnSync('sudo', ['-n', 'true']).status === 0 ? ['sudo', '-n', 'apt-get'] : undefined
}

if (process.platform === 'darwin') {
  const names = missing(mac)
  if (names.length > 0) fail(names, 'Install them and run the tests again.')
  buildForeign()
} else if (process.platform === 'linux') {
  const names = missing(linux)
  if (names.length > 0) {
    const apt = installer()
    if (apt === undefined) fail(names, `Debian and Ubuntu: sudo apt-get install ${names.join(' ')}`)
    const [command, ...args] = apt
    process.stdout.write(`installing ${names.join(', ')}\n`)
    const quiet = { stdio: ['ignore', 'ignore', 'inherit'], env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } }
    execFileSync(command, [...args, 'update', '-qq'], quiet)
    execFileSync(command, [...args, 'install', '-y', '-qq', ...names], quiet)
    const still = missing(linux)
    if (still.length > 0) fail(still, 'apt-get has installed them, but they are not where they belong.')
  }
}
