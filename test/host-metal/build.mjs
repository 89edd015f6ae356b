#!/usr/bin/env node
// Configures and builds what CMakeLists.txt has with clang-19 into test/host-metal/build: build.mjs [TARGET]...
// Quick when nothing changed. As a module: `await build(['host-metal-runner'])` gives the directory.

import { mkdir, open, readFile, rm, stat } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { cxx, run } from './toolchain.mjs'

const here = dirname(fileURLToPath(import.meta.url))
export const directory = join(here, 'build')
const staleSeconds = 600

/** Builds the targets and gives the build directory. Processes that build at once wait for each other. */
export async function build(targets = ['mrope-metal-host', 'host-metal-runner']) {
  await mkdir(directory, { recursive: true })
  const unlock = await lock(join(directory, 'build.lock'))
  try {
    await configure()
    await run('cmake', ['--build', directory, '--target', ...targets])
  } finally {
    await unlock()
  }
  return directory
}

/** Once; again when the checkout has moved. Through cmake-js, which knows the headers of Node-API, where it is installed. */
async function configure() {
  const cache = join(directory, 'CMakeCache.txt')
  const configured = await readFile(cache, 'utf8').catch(() => '')
  // Again where it is configured: a target may be new.
  if (configured.includes(`CMAKE_HOME_DIRECTORY:INTERNAL=${here}\n`)) return run('cmake', [directory])
  await rm(cache, { force: true })
  await rm(join(directory, 'CMakeFiles'), { recursive: true, force: true })
  await run(cxx, ['--version']) // a clearer message than CMake's when it is missing
  const cmakeJs = await find('cmake-js/bin/cmake-js')
  if (cmakeJs === undefined) return run('cmake', ['-S', here, '-B', directory, `-DCMAKE_CXX_COMPILER=${cxx}`])
  const places = ['-d', here, '-O', directory]
  return run(process.execPath, [cmakeJs, 'configure', ...places, '--cxx', cxx, '-m', '-l', 'error'])
}

async function find(module) {
  try {
    return createRequire(import.meta.url).resolve(module)
  } catch {
    return undefined
  }
}

/** Creates `file` for as long as nobody else has it; gives the function that removes it. */
async function lock(file) {
  for (;;) {
    try {
      await (await open(file, 'wx')).close()
      return () => rm(file, { force: true })
    } catch (error) {
      if (error.code !== 'EEXIST') throw error
    }
    const age = await stat(file).then(
      ({ mtimeMs }) => (Date.now() - mtimeMs) / 1000,
      () => 0,
    )
    if (age > staleSeconds) await rm(file, { force: true }) // left by a process that was killed
    await sleep(50)
  }
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const targets = process.argv.slice(2)
  build(targets.length > 0 ? targets : undefined).then(
    (result) => process.stdout.write(`${result}\n`),
    (error) => {
      process.stderr.write(`${error.message}\n`)
      process.exitCode = 1
    },
  )
}
