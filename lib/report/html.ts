import type { Comparison } from '../analysis/compare.js'
import type { EncodingDescription } from '../encodings/encoding.js'
import { tokensOf } from '../sequence/segment.js'
import type { Sequence } from '../sequence/sequence.js'
import type { ReportData } from './data.js'
import { inScript, safe } from './escape.js'
import { style } from './style.js'
import { answer, memoryTable, ownVerdict, schemeTable, verdicts } from './tables.js'

export interface Page {
  readonly encoding: EncodingDescription
  readonly sequence: Sequence
  readonly comparison: Comparison
  readonly memory: readonly (readonly [what: string, bytes: string])[]
  readonly data: ReportData
  /** The program of the page, drawings included. */
  readonly script: string
  readonly version: string
}

/** The whole document. Words and tables are in it as they are; drawings are made from the data when it is opened. */
export function renderPage(page: Page): string {
  const { encoding, comparison, data, script } = page
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:">
<title>${safe(encoding.name)}: positions of a prompt of ${comparison.tokens} tokens</title>
<style>${style}</style>
</head>
<body>
${header(page)}
<main>
${answer(comparison)}
${ownVerdict(comparison)}
${schemeTable(comparison)}
${drawings(data)}
${verdicts(comparison)}
${memoryTable(page.memory)}
</main>
<script type="application/json" id="data">${inScript(JSON.stringify(data))}</script>
<script>${script.replaceAll('</script', '<\\/script')}</script>
</body>
</html>
`
}

const parts = [
  ['answer', 'Overlap'],
  ['verdict', 'Verdict'],
  ['schemes', 'Schemes'],
  ['strips-title', 'Tokens'],
  ['traces-title', 'Ids'],
  ['frequencies-title', 'Frequencies'],
  ['decay-title', 'Decay'],
  ['maps-title', 'Similarity'],
  ['words-title', 'Words'],
] as const

function header({ encoding, sequence, version }: Page): string {
  const { name, compat, layout, allocation, spectrum, headDim, rotaryDim, source, verified, warnings } = encoding
  const rule = compat === 'coherent' ? 'the coherent rule' : `the rule of ${compat}`
  const checked = { run: 'source executed', source: 'source read', unverified: 'not verified' }[verified]
  return `<header>
<h1>${safe(name)}: where the tokens of this prompt stand</h1>
<p>${safe(promptWords(sequence))}</p>
<p class="soft">Layout ${safe(layout.name)} by ${safe(rule)}, allocation ${safe(allocation.name)}, frequencies ${safe(spectrum.name)}, head dimension ${headDim}${rotaryDim === headDim ? '' : `, ${rotaryDim} of it rotated`}. Source: ${safe(source)} (${checked}). Written by mrope ${safe(version)}.</p>
${warnings.map((warning) => `<p class="soft">Note: ${safe(warning)}.</p>`).join('\n')}
<nav aria-label="Parts of the page">${parts.map(([id, name]) => `<a href="#${id}">${name}</a>`).join(' ')}</nav>
</header>`
}

function promptWords(sequence: Sequence): string {
  const blocks = sequence.blocks()
  const shown = sequence.segments.filter((segment) => tokensOf(segment) > 0)
  const names = shown.slice(0, 9).map((segment) => {
    const grid = 'grid' in segment ? ` ${segment.grid.join('×')}` : ''
    return `${segment.kind}${grid} (${tokensOf(segment)})`
  })
  const rest = shown.length > names.length ? `, and ${shown.length - names.length} more segments` : ''
  const total = `${sequence.length} tokens, ${blocks.length === 1 ? 'one block' : `${blocks.length} blocks`} that ${blocks.length === 1 ? 'is' : 'are'} not text`
  return names.length === 0 ? 'The prompt is empty.' : `${total}: ${names.join(', ')}${rest}.`
}

/** Places of the drawings, with what they show in words. */
function drawings({ block, schemes }: ReportData): string {
  const similarity = block
    ? `<p>How alike the token under the mark and every other cell of its frame are by their positions alone, in ${safe(block.title)}: one bright place that fades is what a picture needs. Drag the mark, use the arrow keys on the first map, or the sliders.</p>
<div id="map-controls" class="controls"></div>
<output class="line" id="map-readout" aria-live="polite"></output>
<div id="maps" class="grid"></div>`
    : '<p>The prompt has no picture.</p>'
  return `<noscript><p>The drawings need JavaScript; the words and tables are complete without it.</p></noscript>
<section aria-labelledby="strips-title">
<h2 id="strips-title">Tokens by position</h2>
<p>One row for each axis, coloured from the scheme’s smallest id to its largest; short text is drawn wider than it is. The lowest row shows what the tokens are, and in red the text that stands inside of a picture. Left and right arrow keys move the cursor.</p>
<div id="strip-legend" class="legend"></div>
<output class="line" id="strip-readout" aria-live="polite"></output>
<div id="strips"></div>
</section>
<section aria-labelledby="traces-title">
<h2 id="traces-title">Ids along the prompt, two schemes beside each other</h2>
<p>Bands are blocks, from the smallest to the largest id of a column; dots are text. Text that is not above every band in front of it overlaps, and is red.</p>
<div id="trace-controls" class="controls"></div>
<div id="traces" class="pair"></div>
</section>
<section aria-labelledby="frequencies-title">
<h2 id="frequencies-title">Which axis turns which frequency</h2>
<p>One line for each allocation, from the fastest pair of channels on the left to the slowest on the right. An axis with fast pairs only loses what is far, one with slow pairs only cannot tell what is near.</p>
<div id="frequencies" class="scroll" role="region" aria-labelledby="frequencies-title" tabindex="0"></div>
</section>
<section aria-labelledby="decay-title">
<h2 id="decay-title">Decay with distance, by axis</h2>
<p>An upper bound of attention between two tokens so many ids apart on one axis, 1 for the same place. Compare shapes: axes of one picture should fall alike.</p>
<div id="decay-legend" class="legend"></div>
<div id="decay" class="wide"></div>
</section>
<section aria-labelledby="maps-title">
<h2 id="maps-title">Similarity to one cell</h2>
${similarity}
</section>
${schemes.length === 0 ? '<p>No layout places this prompt.</p>' : ''}`
}
