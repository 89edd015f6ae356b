// The compiler of the host lanes: where it is, its flags, and the precompiled shim.

import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { access, mkdir, readdir, readFile, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const here = dirname(fileURLToPath(import.meta.url))
export const shim = join(here, 'shim')
export const cxx = 'clang++-19'

export class ToolError extends Error {
  name = 'ToolError'
}

/** What a lane adds to the flags. */
const lanes = {
  plain: ['-ffp-contract=off'],
  'fast-math': ['-ffast-math', '-ffp-contract=fast'],
  strict: [
    '-ffp-contract=off',
    // Clang reports every access to hooks with ThreadSanitizer's names (shim/track.h), the real one is not linked.
    '-fsanitize=thread',
    ...['func-entry-exit=0', 'atomics=0', 'read-before-write'].flatMap((flag) => [
      '-mllvm',
      `-tsan-instrument-${flag}`,
    ]),
  ],
}
export const laneNames = Object.keys(lanes)

const processor = { x64: ['-mf16c', '-mfma'], arm64: [] }[process.arch] ?? []
const language = [
  '-std=c++20',
  '-O1',
  '-g1', // lines, for messages
  '-fPIC',
  '-fvisibility=hidden',
  '-fno-exceptions',
  '-fno-rtti',
  '-fno-strict-aliasing',
  '-fsigned-char', // as in MSL, on every processor
  '-fno-math-errno',
  '-fno-vectorize',
  '-fno-slp-vectorize',
  '-ftrivial-auto-var-init=pattern', // variables that were never set are NaN
  '-Xclang',
  '-cl-single-precision-constant',
  '-Wno-everything',
  '-fno-caret-diagnostics',
  '-ferror-limit=20',
  '-fpch-validate-input-files-content', // and not their dates, which a checkout changes
  ...(process.arch === 'x64'
    ? ['-Xclang', '-ffloat16-excess-precision=none', '-Xclang', '-fbfloat16-excess-precision=none']
    : []),
  ...processor,
]
const link = ['-shared', '-fuse-ld=lld', '--rtlib=compiler-rt', '-nostdlib++']

export const flags = (lane) => [...language, ...lanes[lane], `-DMSL_LANE="${lane}"`]
export const linkFlags = link

/** Runs a program; resolves to its output, rejects with a ToolError that holds its messages. */
export function run(program, args, input) {
  return new Promise((resolve, reject) => {
    const child = execFile(program, args, { maxBuffer: 1 << 28 }, (error, stdout, stderr) => {
      if (!error) return resolve(stdout)
      if (error.code === 'ENOENT') {
        return reject(
          new ToolError(`${program} is not installed: apt-get install clang-19 lld-19 libclang-rt-19-dev cmake`, {
            cause: error,
          }),
        )
      }
      reject(new ToolError(stderr || error.message, { cause: error }))
    })
    child.stdin.on('error', () => {}) // the program ended early; its exit code says why
    child.stdin.end(input ?? '')
  })
}

export const digest = (...texts) =>
  texts
    .reduce((hash, text) => hash.update(`${text.length}:${text}`), createHash('sha256'))
    .digest('hex')
    .slice(0, 16)

/** Preprocesses MSL text that claims to be `name`; quotes in it are looked up in `include`. */
export function preprocess(text, { name, include, defines }) {
  return run(
    cxx,
    [
      ...['-E', '-x', 'c++', '-std=c++20', '-nostdinc', '-undef', '-Wno-everything', '-fno-caret-diagnostics'],
      ...['-D__METAL__=1', '-D__METAL_VERSION__=310', '-D__METAL_MACOS__=1', '-D__cplusplus=201703L'],
      ...['-isystem', join(shim, 'include')],
      ...include.flatMap((directory) => ['-iquote', directory]),
      ...Object.entries(defines).map(([macro, value]) => `-D${macro}=${value}`),
      '-',
    ],
    `#line 1 "${name}"\n${text}`,
  )
}

async function filesOf(directory) {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()
}

const versions = new Map()
/** What the result of a compilation depends on besides the source: compiler, flags, shim and rewriter. */
export function toolVersion(lane) {
  if (!versions.has(lane)) {
    versions.set(
      lane,
      (async () => {
        const files = [
          ...(await filesOf(shim)),
          ...(await filesOf(join(here, 'rewrite'))),
          join(here, 'executor', 'abi.h'),
        ]
        const texts = await Promise.all(files.map((file) => readFile(file, 'utf8')))
        return digest(await run(cxx, ['--version']), flags(lane).join(' '), linkFlags.join(' '), here, ...texts)
      })(),
    )
  }
  return versions.get(lane)
}

export const exists = (file) =>
  access(file).then(
    () => true,
    () => false,
  )

/** Lets `make` write a file under another name and gives it its own when it is complete. */
export async function publish(file, make) {
  const partial = `${file}.${process.pid}.${Math.random().toString(36).slice(2)}.tmp`
  try {
    await make(partial)
    await rename(partial, file)
  } finally {
    await rm(partial, { force: true })
  }
}

/** The shim precompiled for a lane, in `directory`. */
export async function precompiledShim(lane, directory) {
  const file = join(directory, `shim-${lane}.${await toolVersion(lane)}.pch`)
  if (await exists(file)) return file
  await mkdir(directory, { recursive: true })
  await publish(file, (partial) =>
    run(cxx, [...flags(lane), '-x', 'c++-header', '-fpch-instantiate-templates', join(shim, 'shim.h'), '-o', partial]),
  )
  return file
}
