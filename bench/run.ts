import { mkdirSync, writeFileSync } from 'node:fs'
import { arch, cpus, platform } from 'node:os'
import { fileURLToPath } from 'node:url'
import { table } from '../lib/cli/output.js'
import { cases } from './cases/index.js'
import { type Bar, type BenchCase, type Outcome, reaches } from './harness.js'

// npm run bench [-- word …]: measures the cases whose name has one of the words, or all. Progress goes to stderr, the table
// to stdout, everything to bench/results as JSON. Exit code 1 when a case fails or misses its bar.

interface Result {
  readonly name: string
  readonly bar: Bar
  readonly outcome?: Outcome
  readonly error?: string
  readonly reached: boolean
}

async function measure(benchCase: BenchCase): Promise<Result> {
  const { name, bar } = benchCase
  try {
    const outcome = await benchCase.run((progress) => process.stderr.write(`${name}: ${progress}\n`))
    return { name, bar, outcome, reached: reaches(outcome.value, bar) }
  } catch (error) {
    return { name, bar, error: error instanceof Error ? (error.stack ?? error.message) : String(error), reached: false }
  }
}

function row({ name, bar, outcome, error, reached }: Result): string[] {
  const limit = 'least' in bar ? `≥ ${bar.least}` : `≤ ${bar.most}`
  if (outcome === undefined) return [name, 'failed', `${limit} ${bar.unit}`, 'no', error?.split('\n')[0] ?? '']
  const figures = Object.entries(outcome.figures).filter(([, figure]) => typeof figure === 'number')
  const text = figures.map(([key, figure]) => `${key} ${(figure as number).toFixed(1)}`).join(', ')
  return [name, outcome.value.toFixed(2), `${limit} ${bar.unit}`, reached ? 'yes' : 'no', text]
}

const words = process.argv.slice(2)
const chosen = cases.filter(({ name }) => words.length === 0 || words.some((word) => name.includes(word)))
if (chosen.length === 0) {
  process.stderr.write(
    `no case has ${words.join(' or ')} in its name; there are:\n${cases.map((c) => `  ${c.name}\n`).join('')}`,
  )
  process.exit(2)
}

const results: Result[] = []
for (const benchCase of chosen) results.push(await measure(benchCase))

const date = new Date().toISOString()
const machine = {
  platform: platform(),
  arch: arch(),
  cpu: cpus()[0]?.model,
  cores: cpus().length,
  node: process.version,
}
const folder = fileURLToPath(new URL('./results/', import.meta.url))
mkdirSync(folder, { recursive: true })
const file = `${folder}${date.replaceAll(':', '-')}.json`
writeFileSync(file, `${JSON.stringify({ date, machine, results }, null, 2)}\n`)

for (const { name, error } of results) {
  if (error !== undefined) process.stderr.write(`${name}: ${error}\n`)
}
process.stdout.write(`${table(['case', 'value', 'bar', 'reached', 'figures'], results.map(row))}\n`)
process.exitCode = results.every(({ reached }) => reached) ? 0 : 1
