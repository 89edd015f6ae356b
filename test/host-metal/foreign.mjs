// Builds addon/foreign.mm on a Mac, where CMake may not be installed: build/foreign_metal.node, as CMakeLists.txt makes it
// on Linux. As a module: `buildForeign()`.
import { spawnSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const here = dirname(fileURLToPath(import.meta.url))

/** What foreign.mm wants besides Metal: Node-API, for which nothing is linked. */
export function nodeFlags() {
  const node = join(dirname(dirname(process.execPath)), 'include/node')
  const napi = dirname(createRequire(import.meta.url).resolve('node-addon-api/package.json'))
  return ['-DNAPI_VERSION=9', '-DNAPI_DISABLE_CPP_EXCEPTIONS', '-isystem', node, '-isystem', napi]
}

export function buildForeign() {
  const folder = join(here, 'build')
  mkdirSync(folder, { recursive: true })
  const words = ['-std=c++20', '-fobjc-arc', ...nodeFlags(), '-bundle', '-undefined', 'dynamic_lookup']
  const frameworks = ['-framework', 'Foundation', '-framework', 'Metal']
  const files = ['-o', join(folder, 'foreign_metal.node'), join(here, 'addon/foreign.mm')]
  const { status, stderr, error } = spawnSync('clang++', [...words, ...frameworks, ...files], { encoding: 'utf8' })
  if (status !== 0) throw new Error(`foreign.mm does not build: ${error?.message ?? stderr}`)
}
