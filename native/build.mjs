// Builds the addon where a compiler is present; says why not where none is. Never fails the installation: without the
// addon the TypeScript backend does the work, and `mrope doctor` says so.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const strict = process.argv.includes('--strict')

/** Headers beside the running Node, as Debian and the official archives have them; otherwise node-gyp fetches them. */
function headers() {
  const prefix = dirname(dirname(process.execPath))
  return existsSync(join(prefix, 'include', 'node', 'node_api.h')) ? [`--nodedir=${prefix}`] : []
}

function skip(why) {
  process.stderr.write(`mrope: the addon is not built: ${why}. The TypeScript backend works without it.\n`)
  process.exit(strict ? 1 : 0)
}

let nodeGyp
try {
  nodeGyp = createRequire(import.meta.url).resolve('node-gyp/bin/node-gyp.js')
} catch {
  skip('node-gyp is not installed')
}
const compiler = process.env.CXX ?? (process.platform === 'darwin' ? 'clang++' : 'g++')
if (process.platform !== 'win32' && spawnSync(compiler, ['--version']).error) skip(`no C++ compiler (${compiler})`)
const jobs = process.env.JOBS ?? 'max'
const args = [nodeGyp, 'rebuild', `--jobs=${jobs}`, '--loglevel=error', ...headers()]
const { status, stdout, stderr } = spawnSync(process.execPath, args, {
  cwd: root,
  encoding: 'utf8',
  maxBuffer: 2 ** 26,
})
if (status !== 0) {
  process.stderr.write(`${stdout}\n${stderr}\n`)
  skip(`node-gyp ended with ${status}`)
}
