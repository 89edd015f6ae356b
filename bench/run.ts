import { mkdirSync, writeFileSync } from 'node:fs'
import { arch, cpus, loadavg, platform } from 'node:os'
import { fileURLToPath } from 'node:url'
import { table } from '../lib/cli/output.js'
import { cases } from './cases/index.js'
import { type BenchCase, reaches } from './harness.js'
import { columns, leftOut, type Machine, markdown, type Result, rows } from './report.js'

// npm run bench [-- word …]: measures the cases whose name has one of the words, or all. Progress goes to stderr, the
// table to stdout, everything to bench/results as JSON and Markdown. Exit code 1 when a case fails or misses its bar, 2
// when nothing can be run here.

async function measure(benchCase: BenchCase): Promise<Result> {
  const { name, bar } = benchCase
  const why = benchCase.absent?.()
  if (why !== undefined) return { name, bar, leftOut: why, reached: false }
  try {
    const outcome = await benchCase.run((progress) => show(`${name}: ${progress}`))
    return { name, bar, outcome, reached: reaches(outcome, bar) }
  } catch (error) {
    return { name, bar, error: error instanceof Error ? (error.stack ?? error.message) : String(error), reached: false }
  }
}

let shown = 0

/** One line that changes on a terminal; elsewhere a line every few seconds. */
function show(progress: string): void {
  if (process.stderr.isTTY) {
    process.stderr.write(`\r\x1b[K${progress.slice(0, (process.stderr.columns ?? 80) - 1)}`)
  } else if (performance.now() - shown > 5000) {
    shown = performance.now()
    process.stderr.write(`${progress}\n`)
  }
}

const words = process.argv.slice(2)
const chosen = cases.filter(({ name }) => words.length === 0 || words.some((word) => name.includes(word)))
if (chosen.length === 0) {
  process.stderr.write(
    `no case has ${words.join(' or ')} in its name; there are:\n${cases.map((c) => `  ${c.name}\n`).join('')}`,
  )
  process.exit(2)
}

const machine: Machine = {
  platform: platform(),
  arch: arch(),
  cpu: cpus()[0]?.model,
  cores: cpus().length,
  load: loadavg()[0],
  node: process.version,
}
const date = new Date().toISOString()
const folder = fileURLToPath(new URL('./results/', import.meta.url))
const file = `${folder}${date.replaceAll(':', '-')}`
const results: Result[] = []
for (const benchCase of chosen) {
  results.push(await measure(benchCase))
  save()
}
if (process.stderr.isTTY) process.stderr.write('\r\x1b[K')
for (const text of leftOut(results)) process.stderr.write(`${text}\n`)
if (rows(results).length === 0) {
  process.stderr.write('nothing was measured\n')
  process.exit(2)
}

/** After every case, so that a run that is cut off keeps what it has. */
function save(): void {
  if (rows(results).length === 0) return
  mkdirSync(folder, { recursive: true })
  writeFileSync(`${file}.json`, `${JSON.stringify({ date, machine, results }, null, 2)}\n`)
  writeFileSync(`${file}.md`, markdown(date, machine, results))
}

for (const { name, error, outcome } of results) {
  if (error !== undefined) process.stderr.write(`${name}: ${error}\n`)
  for (const missing of outcome?.missing ?? []) process.stderr.write(`${name}: missing: ${missing}\n`)
}
process.stdout.write(`${table(columns, rows(results))}\n`)
process.exitCode = results.every(({ leftOut: why, reached }) => why !== undefined || reached) ? 0 : 1
