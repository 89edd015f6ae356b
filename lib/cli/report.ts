import { performance } from 'node:perf_hooks'
import { writeFileAtomic } from '../io/files.js'
import { collect } from '../report/collect.js'
import { renderPage } from '../report/html.js'
import { pageScript } from '../report/script.js'
import { memoryRows } from '../report/tables.js'
import { bytes, otherReleases, planMemory } from './compare.js'
import { modelDims } from './dims.js'
import { loadConfig } from './inputs.js'
import type { Report } from './output.js'
import { loadRow, type RowFlags } from './row.js'
import { version } from './version.js'

export interface ReportFlags extends RowFlags {
  readonly generated: number
  readonly out: string
}

/** `mrope report`: one self-contained HTML page about one prompt. */
export async function reportCommand(flags: ReportFlags): Promise<Report> {
  const { config, encoding } = await loadConfig(flags)
  const sequence = await loadRow(flags, config)
  const script = await pageScript()
  const start = performance.now()
  const { kvHeads } = modelDims(config)
  const { comparison, data } = collect(encoding, sequence, {
    generated: flags.generated,
    releases: otherReleases(config, encoding, flags),
    ...(kvHeads === null ? {} : { kvHeads }),
  })
  const memory = memoryRows(planMemory(config, encoding, sequence, flags.generated), bytes)
  const page = renderPage({ encoding: encoding.describe(), sequence, comparison, memory, data, script, version })
  const html = new TextEncoder().encode(page)
  await writeFileAtomic('report', flags.out, [html])
  const ms = performance.now() - start
  const rows = comparison.layouts.map(({ name, result, refused }) => ({
    name,
    coherent: result?.coherent ?? null,
    overlap: result?.overlap ?? null,
    refused: refused?.message ?? null,
  }))
  const inside = rows.filter(({ overlap }) => (overlap ?? 0) > 0)
  const found = inside.map(({ name, overlap }) => `${name} (${overlap})`).join(', ')
  return {
    json: { out: flags.out, bytes: html.length, ms, tokens: sequence.length, schemes: rows },
    text: [
      `${flags.out}: ${bytes(html.length)}, ${sequence.length} tokens, ${rows.length} layouts, ${Math.round(ms)} ms`,
      inside.length === 0 ? 'no layout puts text inside of a picture' : `text inside of a picture: ${found}`,
    ].join('\n'),
  }
}
