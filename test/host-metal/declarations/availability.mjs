// From which version on a declaration exists. The objc2 crates do not say; the declarations that NativeScript generates
// from the SDK of iOS do (`@since`), and iOS and macOS get new API of Metal in step. Compared are the versions above the
// oldest macOS that the package runs on: below it they make no difference.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { preprocessed } from './ours.mjs'

export const packages = { '@nativescript/types-ios': '9.1.2' }
const oldest = 14

/** macOS by iOS of the same year. */
const years = { 17: 14, 18: 15, 26: 26 }

function macosOf(ios) {
  const [major, minor] = ios.split('.')
  if (Number(major) < 17) return oldest
  if (!(major in years)) throw new Error(`which macOS came with iOS ${ios}?`)
  return Number(`${years[major]}.${minor}`)
}

/** Versions of types and members in our headers, by `Type` and `Type member`. */
function readOurs() {
  const since = new Map()
  const text = preprocessed().replaceAll(/\s+/g, ' ')
  const types = /(availability\(macos, ?introduced=[\d.]+\)\)\) )?@(?:interface|protocol) (\w+)\b(?!\s*[;,])(.*?)@end/g
  for (const [, ahead, type, body] of text.matchAll(types)) {
    if (!since.has(type)) since.set(type, versionIn(ahead))
    for (const declaration of body.split(';')) {
      const member = /@property/.test(declaration)
        ? /(\w+)\s*(?:__attribute__.*)?$/.exec(declaration)?.[1]
        : joined(declaration.replace(/__attribute__.*$/, ''))
      if (member) since.set(`${type} ${member}`, versionIn(declaration))
    }
  }
  for (const [, name, after] of text.matchAll(/enum (\w+) : \w+ \{[^}]*\}([^;]*);/g)) since.set(name, versionIn(after))
  return since
}

const versionIn = (text = '') => Math.max(oldest, Number(/introduced=([\d.]+)/.exec(text)?.[1] ?? 0))

/** `newLibraryWithSource:options:` is newLibraryWithSourceOptions in JavaScript. */
function joined(declaration) {
  const head = /[-+] \(.*?\)\s*(\w.*)$/.exec(declaration)?.[1]
  if (head === undefined) return undefined
  const parts = [...head.replaceAll(/\((?:[^()]|\([^()]*\))*\)/g, '()').matchAll(/(\w+)\s*:/g)].map(([, part]) => part)
  if (parts.length === 0) return /^\w+/.exec(head)?.[0]
  return parts.map((part, i) => (i === 0 ? part : part[0].toUpperCase() + part.slice(1))).join('')
}

function fetchTheirs() {
  const folder = mkdtempSync(join(tmpdir(), 'mrope-types-'))
  try {
    const [[name, version]] = Object.entries(packages)
    const pack = spawnSync('npm', ['pack', '--silent', `${name}@${version}`], { cwd: folder, encoding: 'utf8' })
    if (pack.status !== 0) throw new Error(pack.stderr)
    spawnSync('tar', ['xzf', pack.stdout.trim()], { cwd: folder })
    const at = join(folder, 'package/lib/ios/objc-x86_64')
    return ['Foundation', 'Metal']
      .map((framework) => readFileSync(join(at, `objc!${framework}.d.ts`), 'utf8'))
      .join('\n')
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Only what says a version. */
function readTheirs() {
  const since = new Map()
  let type = ''
  let version
  for (const line of fetchTheirs().split('\n')) {
    const named = /^(?:declare )?(?:interface|class|const enum) (\w+)/.exec(line)?.[1]
    const member = /^\t(?:static |readonly )*(\w+)[(:?]/.exec(line)?.[1]
    version = macosAt(line) ?? version
    if (named !== undefined) type = named
    const name = named ?? (member && `${type} ${member}`)
    if (name === undefined) continue
    if (version !== undefined) since.set(name, version)
    version = undefined
  }
  return since
}

function macosAt(line) {
  const ios = /@since ([\d.]+)/.exec(line)?.[1]
  return ios === undefined ? undefined : macosOf(ios)
}

/** What differs, and every version above the oldest that both sides agree on. */
export function availabilityProblems() {
  const theirs = readTheirs()
  const problems = []
  const checked = []
  for (const [name, version] of readOurs()) {
    const there = theirs.get(name)
    if (there === undefined) continue // not known, or as old as its type
    const least = Math.max(there, theirs.get(name.split(' ')[0]) ?? oldest)
    if (version !== least) problems.push(`${name}: from macOS ${version} here, ${least} there`)
    else if (version > oldest) checked.push(`${name}: macOS ${version}`)
  }
  return { problems, checked: checked.sort() }
}
