#!/usr/bin/env node
// Injects the bugs of list/ one by one into a copy of the package and sees whether the named test notices:
//
//   node test/host-metal/mutations/run.mjs [--only TEXT]... [--changed] [--list] [--keep DIR] [--no-baseline]
//
// --only     mutations whose name, file or test contains the text
// --changed  mutations of files that git shows as changed since HEAD
// --keep     works in DIR and leaves it there, so that the next run finds its build and compiled kernels
//
// Every test must pass on the copy before it is used; --no-baseline takes that as known. A mutation is caught when its
// test fails by what it measures: one that does not compile, or whose test does not end, proves nothing and is
// reported. A mutation with `equivalent` must pass; the reason is printed. Exit code 1 where one is not as it should be.

import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { copyTree } from './copy.mjs'
import { mutations } from './list/index.mjs'
import { Tests } from './tests.mjs'

const root = fileURLToPath(new URL('../../..', import.meta.url))
const { values } = parseArgs({
  options: {
    only: { type: 'string', multiple: true, default: [] },
    changed: { type: 'boolean', default: false },
    list: { type: 'boolean', default: false },
    keep: { type: 'string' },
    'no-baseline': { type: 'boolean', default: false },
  },
})

function changedFiles() {
  const { status, stdout, stderr } = spawnSync('git', ['status', '--porcelain', '-uall'], {
    cwd: root,
    encoding: 'utf8',
  })
  if (status !== 0) throw new Error(stderr)
  return stdout.split('\n').map((line) => line.slice(3))
}

function selected() {
  const changed = values.changed ? new Set(changedFiles()) : undefined
  const wanted = (mutation) => [mutation.name, mutation.file, mutation.test].join(' ')
  return mutations.filter(
    (mutation) =>
      (changed === undefined || changed.has(mutation.file)) &&
      (values.only.length === 0 || values.only.some((text) => wanted(mutation).includes(text))),
  )
}

/** The file with the bug; the text must be there exactly once. */
function mutated(text, { file, from, to, name }) {
  const parts = text.split(from)
  if (parts.length !== 2) throw new Error(`${name}: ${parts.length - 1} places in ${file} read ${JSON.stringify(from)}`)
  return parts.join(to)
}

function attempt(folder, tests, mutation) {
  const file = join(folder, mutation.file)
  const original = readFileSync(file, 'utf8')
  try {
    writeFileSync(file, mutated(original, mutation))
    return tests.run(mutation.test)
  } finally {
    writeFileSync(file, original)
  }
}

/** What a mutation came to: [whether that is as it should be, a word, a line of explanation]. */
function verdict(mutation, outcome) {
  if (outcome.kind === 'built not' || outcome.kind === 'took too long') return [false, 'INVALID', outcome.why]
  const survived = outcome.kind === 'passed'
  if (mutation.equivalent !== undefined)
    return [survived, survived ? 'equivalent' : 'NOT EQUIVALENT', mutation.equivalent]
  return [!survived, survived ? 'SURVIVED' : 'caught', survived ? `by no failure of ${mutation.test}` : outcome.why]
}

/** What `work` gives, and the seconds that it took. */
function timed(work) {
  const start = performance.now()
  const result = work()
  return [result, `${((performance.now() - start) / 1000).toFixed(0)} s`]
}

const brief = (text) =>
  text
    .trim()
    .replace(/\s*\n\s*/g, ' ')
    .slice(0, 200)
const print = (line) => process.stdout.write(`${line}\n`)

/** Runs every test that the mutations name as the sources are. */
function baselines(tests, chosen) {
  for (const test of new Set(chosen.map((mutation) => mutation.test))) {
    const [outcome, time] = timed(() => tests.run(test))
    if (outcome.kind !== 'passed') throw new Error(`${test} fails without a mutation: ${outcome.why}`)
    print(`passes: ${test} (${time})`)
  }
}

/** Tries the mutations in the copy; true where each came out as it should. */
function tryAll(folder, tests, chosen) {
  const counts = new Map()
  let fine = true
  for (const mutation of chosen) {
    const [outcome, time] = timed(() => attempt(folder, tests, mutation))
    const [asItShould, word, why] = verdict(mutation, outcome)
    fine &&= asItShould
    counts.set(word, (counts.get(word) ?? 0) + 1)
    print(`${word}: ${mutation.file}: ${mutation.name} (${time})\n    ${brief(why)}`)
  }
  print([`${chosen.length} mutations`, ...[...counts].map(([word, count]) => `${count} ${word}`)].join(', '))
  return fine
}

function main() {
  const chosen = selected()
  if (values.list) {
    for (const { name, file, test } of chosen) print(`${file}: ${name} (${test})`)
    print(`${chosen.length} mutations`)
    return
  }
  for (const mutation of chosen) mutated(readFileSync(join(root, mutation.file), 'utf8'), mutation)

  const folder = values.keep ?? mkdtempSync(join(tmpdir(), 'mrope-mutations-'))
  try {
    copyTree(root, folder)
    const tests = new Tests(folder)
    if (!values['no-baseline']) baselines(tests, chosen)
    if (!tryAll(folder, tests, chosen)) process.exitCode = 1
  } finally {
    if (values.keep === undefined) rmSync(folder, { recursive: true, force: true })
  }
}

main()
