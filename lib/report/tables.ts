import type { Comparison, LayoutRow } from '../analysis/compare.js'
import type { MemoryPlan } from '../analysis/memory.js'
import type { Predicate } from '../analysis/report.js'
import { safe } from './escape.js'

/** What a table says of a predicate that fails. */
const failing: Readonly<Record<Predicate, string>> = {
  structure3D: 'structure of the picture lost',
  growth: 'ids grow fast',
  trainedMaximum: 'beyond the trained range',
  noOverlap: 'text inside of a picture',
  noSharedVector: 'text and picture share ids',
  modalityInterval: 'distance to text',
  monotoneDecode: 'answer does not go on from the prompt',
  textCompatible: 'text not as in the language model',
  fullSpectrum: 'axes without part of the frequencies',
}

/** The question that people come with. */
export function answer({ layouts, generated }: Comparison): string {
  const placed = layouts.filter(({ result }) => result !== null)
  const bad = overlapping(layouts)
  const list = bad.map((row) => `<strong>${safe(row.name)}</strong>${others(row)} (${row.result?.overlap})`).join(', ')
  const words =
    bad.length === 0
      ? `<strong>No layout puts text inside of a picture here.</strong> In all ${placed.length} the ids of text behind a block are above it.`
      : `<strong>${bad.length} of ${placed.length} layouts put text inside of a picture</strong>, with so many text tokens each: ${list}. Their ids lie below the largest id of a block in front of them, so by position this text is not behind the picture but in it; models have been seen to repeat themselves there.`
  return `<section class="answer${bad.length > 0 ? ' bad' : ''}" aria-labelledby="answer">
<h2 id="answer" style="margin-top:0">Which scheme overlaps text ids?</h2>
<p>${words}</p>
<p class="soft">Counted over the text behind the blocks and ${generated} generated tokens.</p>
</section>`
}

/** Names under which people may know a scheme. */
function others({ sameAs }: LayoutRow): string {
  if (sameAs.length === 0) return ''
  const shown = sameAs.slice(0, 4).join(', ')
  return ` <span class="soft">= ${safe(shown)}${sameAs.length > 4 ? ', …' : ''}</span>`
}

export function ownVerdict({ layouts }: Comparison): string {
  const own = layouts.find(({ kind }) => kind === 'model')
  if (!own) return ''
  const words = own.result ? own.result.coherence.words : [own.refused?.message ?? '']
  const bad = own.result ? !own.result.coherent : true
  return `<section aria-labelledby="verdict">
<h2 id="verdict">Verdict on ${safe(own.name)}</h2>
<div class="answer${bad ? ' bad' : ''}" id="own-verdict">
${words.map((sentence) => `<p>${safe(sentence)}</p>`).join('\n')}
</div>
</section>`
}

export function schemeTable({ layouts }: Comparison): string {
  const placed = layouts.filter(({ result }) => result !== null)
  const refused = layouts.filter((row) => row.refused !== null)
  const head = ['Text inside', 'Ids per visual token', 'Next text − block', 'Largest id']
  return `<section aria-labelledby="schemes">
<h2 id="schemes">All schemes on this prompt</h2>
<p class="soft">The model first, then those with text inside of a picture. Schemes that give the same ids share a row. “Text inside” counts text tokens, prompt and generated, whose id lies in a block in front of them; “Next text − block” is 1 where text goes on right behind the block, and negative where it starts inside.</p>
<div class="scroll" role="region" aria-labelledby="schemes" tabindex="0">
<table id="scheme-table">
<thead><tr><th scope="col">Scheme</th>${head.map((title) => `<th scope="col" class="number">${title}</th>`).join('')}<th scope="col">Axes</th><th scope="col">Verdict</th></tr></thead>
<tbody>
${[...placed].sort(byInterest).map(schemeRow).join('\n')}
</tbody>
</table>
</div>
${
  refused.length === 0
    ? ''
    : `<details><summary>${refused.length === 1 ? 'One layout does' : `${refused.length} layouts do`} not take this prompt</summary><ul>${refused
        .map(
          ({ name, sameAs, refused }) =>
            `<li>${safe([name, ...sameAs].join(', '))}: ${safe(refused?.message ?? '')}</li>`,
        )
        .join('')}</ul></details>`
}
</section>`
}

function schemeRow({ name, kind, sameAs, axes, result }: LayoutRow): string {
  if (!result) return ''
  const { overlap, growth, interval, maxId, coherent, coherence } = result
  const inside = overlap > 0 ? `<span class="badge bad">${overlap} inside</span>` : '0'
  const failed = coherence.failed.filter((predicate) => predicate !== 'fullSpectrum').map((p) => failing[p])
  const verdict = coherent
    ? `<span class="badge good">coherent</span>${failed.length > 0 ? ` but ${failed.join(', ')}` : ''}`
    : `<span class="badge bad">not coherent</span> ${failed.join(', ')}`
  const own = kind === 'model' ? ' <span class="badge model">this model</span>' : ''
  const names = sameAs.length > 0 ? `<span class="names">also ${safe(sameAs.join(', '))}</span>` : ''
  const numbers = [inside, decimal(growth), decimal(interval), decimal(maxId)]
  const cells = numbers.map((cell) => `<td class="number">${cell}</td>`).join('')
  return `<tr><th scope="row">${safe(name)}${own}${names}</th>${cells}<td class="axes">${safe(axes.join(' '))}</td><td class="verdict">${verdict}</td></tr>`
}

function byInterest(a: LayoutRow, b: LayoutRow): number {
  const rank = ({ kind, result }: LayoutRow): number =>
    kind === 'model' ? Number.POSITIVE_INFINITY : (result?.overlap ?? 0)
  return rank(a) === rank(b) ? 0 : rank(b) - rank(a)
}

function overlapping(layouts: readonly LayoutRow[]): LayoutRow[] {
  return layouts
    .filter(({ result }) => (result?.overlap ?? 0) > 0)
    .sort((a, b) => (b.result?.overlap ?? 0) - (a.result?.overlap ?? 0))
}

export function verdicts({ layouts }: Comparison): string {
  const others = layouts.filter(({ result, kind }) => result !== null && kind !== 'model')
  const items = others.map(({ name, result }) => {
    const words = result?.coherence.words ?? []
    const mark = result?.coherent
      ? '<span class="badge good">coherent</span>'
      : '<span class="badge bad">not coherent</span>'
    return `<details><summary>${safe(name)} ${mark}</summary><ul>${words.map((w) => `<li>${safe(w)}</li>`).join('')}</ul></details>`
  })
  return `<section aria-labelledby="words-title">
<h2 id="words-title">The other schemes in words</h2>
${items.join('\n')}
</section>`
}

export function memoryTable(memory: readonly (readonly [what: string, bytes: string])[]): string {
  if (memory.length === 0) return ''
  const rows = memory.map(
    ([what, size]) => `<tr><th scope="row">${safe(what)}</th><td class="number">${safe(size)}</td></tr>`,
  )
  return `<section aria-labelledby="memory-title">
<h2 id="memory-title">Memory, before anything runs</h2>
<table style="max-width:40rem"><tbody>${rows.join('')}</tbody></table>
</section>`
}

/** Rows of the table of memory. */
export function memoryRows(plan: MemoryPlan | null, bytes: (value: number) => string): [string, string][] {
  if (!plan) return []
  const { table, kvCache, attention, positions, capacity } = plan
  return [
    ['Positions', bytes(positions)],
    ['Cosines and sines of every token', bytes(table.precomputed)],
    ['the same made on the fly: frequencies only', bytes(table.dynamic)],
    [`Keys and values of ${capacity} tokens`, bytes(kvCache.bytes)],
    ['of one token', bytes(kvCache.perToken)],
    ['Scratch of attention, CPU backend', bytes(attention.cpu)],
    ['if all scores were written out', bytes(attention.scores)],
  ]
}

function decimal(value: number | null): string {
  if (value === null) return '–'
  const text = String(Math.abs(value) < 1 ? Number(value.toPrecision(3)) : Math.round(value * 100) / 100)
  return text.replace('-', '−')
}
