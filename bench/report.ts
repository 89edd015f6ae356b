import { type Bar, median, type Outcome } from './harness.js'

export interface Result {
  readonly name: string
  readonly bar: Bar
  readonly outcome?: Outcome
  readonly error?: string
  /** Why it was not run; its bar is then neither reached nor missed. */
  readonly leftOut?: string
  readonly reached: boolean
}

export interface Machine {
  readonly platform: string
  readonly arch: string
  readonly cpu: string | undefined
  readonly cores: number
  /** Of the last minute before the run: what others did to the figures. */
  readonly load: number
  readonly node: string
}

export const columns = ['case', 'value', 'bar', 'reached', 'figures'] as const

export function rows(results: readonly Result[]): string[][] {
  return results.filter(({ leftOut }) => leftOut === undefined).map(row)
}

/** Why cases were left out, each reason once. */
export function leftOut(results: readonly Result[]): string[] {
  const whys = new Set(results.flatMap(({ leftOut: why }) => why ?? []))
  return [...whys].map((why) => {
    const names = results.filter(({ leftOut: other }) => other === why).map(({ name }) => name)
    return `${names.length} left out (${why}): ${names[0]}${names.length > 1 ? ' …' : ''}`
  })
}

function row({ name, bar, outcome, error, reached }: Result): string[] {
  const limit = 'least' in bar ? `≥ ${bar.least}` : `≤ ${bar.most}`
  if (outcome === undefined) return [name, 'failed', `${limit} ${bar.unit}`, 'no', error?.split('\n')[0] ?? '']
  const figures = Object.entries(outcome.figures).filter(([, figure]) => typeof figure === 'number')
  const text = figures.map(([key, figure]) => `${key} ${(figure as number).toFixed(key.endsWith('ms') ? 2 : 1)}`)
  const missing = outcome.missing?.map((peer) => peer.split(':')[0]).join(', ')
  const verdict = reached ? 'yes' : missing ? `no: ${missing} missing` : 'no'
  return [name, outcome.value.toFixed(2), `${limit} ${bar.unit}`, verdict, text.join(', ')]
}

/** The table, what took part in each case, and the spread of the pairs. */
export function markdown(date: string, machine: Machine, results: readonly Result[]): string {
  const { platform, arch, cpu, cores, load, node } = machine
  const run = results.filter(({ leftOut: why }) => why === undefined)
  const reached = run.filter((result) => result.reached).length
  const lines = [
    `# Benchmark of ${date}`,
    '',
    `${platform} ${arch}, ${cpu}, ${cores} cores, Node ${node}, load ${load.toFixed(2)} before the run.`,
    `Only ratios inside a pair mean anything. ${reached} of ${run.length} bars reached.`,
    ...leftOut(results).map((text) => `${text}.`),
    '',
    line(columns),
    line(columns.map(() => '---')),
    ...rows(results).map(line),
    '',
  ]
  for (const { name, outcome, error } of results) {
    const missing = outcome?.missing?.map((peer) => `missing: ${peer}`) ?? []
    const failure = error === undefined ? [] : [error.split('\n')[0]]
    const details = [...missing, ...(outcome?.notes ?? []), ...spreads(outcome), ...failure]
    if (details.length > 0) lines.push(`## ${name}`, '', ...details.map((detail) => `- ${detail}`), '')
  }
  return lines.join('\n')
}

/** Lists of ratios as smallest, median, largest. */
function spreads(outcome: Outcome | undefined): string[] {
  return Object.entries(outcome?.figures ?? {}).flatMap(([key, figure]) => {
    if (typeof figure === 'number' || !key.startsWith('ratios')) return []
    const parts = [Math.min(...figure), median(figure), Math.max(...figure)].map((ratio) => ratio.toFixed(2))
    return [`${key}, ${figure.length} pairs: ${parts.join(' … ')}`]
  })
}

function line(cells: readonly string[]): string {
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
}
