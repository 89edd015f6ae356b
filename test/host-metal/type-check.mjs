#!/usr/bin/env node
// Compiles every native/apple/*.mm, and addon/foreign.mm, for arm64-apple-macos14 against the declarations in headers/, -Wall -Werror and
// -Wunguarded-availability, without generating code; once as with the SDK of macOS 14 and once as with that of 15.
// As a module: `typeCheck([files])` gives the compiler's messages by file, empty where it is content.

import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { nodeFlags } from './foreign.mjs'
import { cxx } from './toolchain.mjs'

const here = dirname(fileURLToPath(import.meta.url))
const apple = join(here, '../../native/apple')

/** Versions as `__MAC_OS_X_VERSION_MAX_ALLOWED` has them. */
export const sdks = [140000, 150000]

/** C++ and C headers: libc++'s, clang's own, and musl's in place of Apple's. Packages libc++-19-dev and musl-dev. */
function systemHeaders() {
  const { stdout, error } = spawnSync(cxx, ['-print-resource-dir'], { encoding: 'utf8' })
  if (error) throw new Error(`${cxx} is not installed: apt-get install clang-19`)
  const resources = stdout.trim()
  const musl = { x64: 'x86_64', arm64: 'aarch64' }[process.arch]
  const folders = [
    join(here, 'headers/darwin'),
    join(resources, '../../../include/c++/v1'),
    join(resources, 'include'),
    `/usr/include/${musl}-linux-musl`,
  ]
  for (const folder of folders) {
    if (!existsSync(folder)) throw new Error(`${folder} is missing: apt-get install libc++-19-dev musl-dev`)
  }
  return folders.flatMap((folder) => ['-isystem', folder])
}

const flags = [
  ...['--target=arm64-apple-macos14', '-x', 'objective-c++', '-std=c++20', '-fobjc-arc', '-fblocks', '-fsyntax-only'],
  ...['-Wall', '-Wextra', '-Wno-unused-parameter', '-Werror', '-Wunguarded-availability', '-fno-caret-diagnostics'],
  ...['-nostdinc', '-nostdinc++', '-D_GNU_SOURCE', '-D_LIBCPP_PROVIDES_DEFAULT_RUNE_TABLE'],
  `-I${join(here, 'headers')}`,
]

export function sources() {
  const shipped = readdirSync(apple).filter((name) => name.endsWith('.mm'))
  return [...shipped.sort().map((name) => join(apple, name)), join(here, 'addon/foreign.mm')]
}

/** @returns {Map<string, string>} */
export function typeCheck(files = sources(), sdk = sdks.at(-1)) {
  const system = systemHeaders()
  return new Map(
    files.map((file) => {
      const words = [...flags, ...nodeFlags(), `-D__MAC_OS_X_VERSION_MAX_ALLOWED=${sdk}`, ...system, file]
      const { status, stderr } = spawnSync(cxx, words, { encoding: 'utf8' })
      return [file, status === 0 ? '' : stderr || `${cxx} ended with ${status}`]
    }),
  )
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  for (const sdk of sdks) {
    for (const [file, messages] of typeCheck(undefined, sdk)) {
      process.stdout.write(`${messages === '' ? 'ok' : 'NOT OK'} ${file} (SDK ${sdk / 10000})\n${messages}`)
      if (messages !== '') process.exitCode = 1
    }
  }
}
