import { readFileSync } from 'node:fs'
import type { SinusoidalGridOrder, SinusoidalOrder } from '../../lib/embeddings/angles.js'
import type { AbsoluteEmbedding } from '../../lib/embeddings/embedding.js'
import type { Verified } from '../../lib/encodings/encoding.js'
import { type Family, familyNames, familyOf } from '../../lib/encodings/families.js'
import { embeddings, encodings, layouts, resizeRules, softmaxScaleRules } from '../../lib/index.js'
import { textureChannelTable } from '../../lib/relevance/channels.js'
import { textFamilyNames } from '../../lib/sequence/family-names.js'
import { biasExamples } from './biases.js'
import { gridExamples } from './grids.js'
import { randomTensor } from './tensors.js'

// docs/systems.md, from the registries and the lists of golden files: nothing in it is written by hand but the words
// between the tables.

const golden = new URL('../golden/', import.meta.url)
const read = <T>(path: string): T => JSON.parse(readFileSync(new URL(path, golden), 'utf8'))

const sure: Readonly<Record<Verified, string>> = { run: 'executed', source: 'read', unverified: '**UNVERIFIED**' }

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}

const code = (text: string): string => `\`${text}\``
const distinct = (list: readonly string[]): string => [...new Set(list)].join('; ')

/** Releases whose captures a family is held to: attention layers, or ids only. */
function captures(): (family: string) => string {
  const cases = read<{ family: string; kind: string; compat: string }[]>('manifest.json')
  return (family) => {
    const own = cases.filter((one) => one.family === family || one.family.startsWith(`${family}_yarn`))
    const releases = [...new Set(own.map(({ compat }) => compat.replace('transformers@', '')))].sort()
    const layer = own.some(({ kind }) => kind === 'attend') ? 'ids and attention' : 'ids'
    return own.length === 0 ? '–' : `transformers ${releases.join(', ')}: ${layer}, ${own.length} cases`
  }
}

const base = (family: Family): string => {
  const { base: own } = family
  return typeof own === 'number'
    ? String(own)
    : Object.entries(own)
        .map(([type, value]) => `${value} (${type})`)
        .join(', ')
}

function familyTable(names: readonly string[], heldTo: (family: string) => string): string {
  const rows = names.flatMap((name) => {
    const family = familyOf(name)
    if (!family) return []
    const { layout, allocation, sections, pairing, verified, source } = family
    const turned = sections ? `${allocation} [${sections.join(', ')}]` : allocation
    return [[code(name), layout, turned, pairing, base(family), sure[verified], heldTo(name), source]]
  })
  const head = ['model_type', 'layout', 'allocation', 'pairing', 'base', 'source was', 'held to captures of', 'source']
  return table(head, rows)
}

function publishedTable(): string {
  const families = new Set<string>(familyNames)
  const rows = Object.entries(encodings).flatMap(([key, make]) => {
    const { name, layout, allocation, pairing, verified, source, warnings } = make().describe()
    if (families.has(name) || name === 'llama') return []
    const turned = `${allocation.name} [${allocation.sections.join(', ')}]`
    return [[code(key), layout.name, turned, pairing, sure[verified], source, warnings.join('; ') || '–']]
  })
  return table(['encodings.', 'layout', 'allocation', 'pairing', 'source was', 'source', 'know'], rows)
}

/** A case of the golden files of single encodings. */
interface Case {
  readonly scheme: string
  readonly source: string
}

/** Published code whose numbers an entry is held to, by the name of the entry. */
function goldens(): (entry: string) => string {
  const cases = Object.values(read<Record<string, Case[]>>('encodings/index.json')).flat()
  const plain = (name: string): string => name.replaceAll('-', '').toLowerCase()
  return (entry) => {
    const own = cases.filter(({ scheme }) => [plain(entry), `${plain(entry)}bucket`].includes(plain(scheme)))
    return own.length === 0 ? '–' : `${distinct(own.map(({ source }) => source))} (${own.length})`
  }
}

function visionTable(heldTo: (entry: string) => string): string {
  const rows = Object.entries(gridExamples).map(([key, [make]]) => {
    const { axes, pairing, verified, source, warnings } = make().describe()
    return [code(key), axes.join(' '), pairing, sure[verified], heldTo(key), source, warnings.join('; ') || '–']
  })
  return table(
    ['visionEncodings.', 'axes', 'pairing', 'source was', 'held to numbers of (cases)', 'source', 'know'],
    rows,
  )
}

function biasTable(heldTo: (entry: string) => string): string {
  const rows = Object.entries(biasExamples).map(([key, [make]]) => {
    const { formula, evaluated, readsKeys, verified, source } = make({ heads: 2, headDim: 8, tokens: 5 }).describe()
    const how = readsKeys ? `${evaluated}, reads keys` : evaluated
    return [code(key), formula, how, sure[verified], heldTo(key), source]
  })
  return table(
    ['biases.', 'added to the score', 'evaluated as', 'source was', 'held to numbers of (cases)', 'source'],
    rows,
  )
}

const orders: Readonly<Record<SinusoidalOrder, true>> = { interleaved: true, whisper: true, 'transformer-xl': true }
const gridOrders: Readonly<Record<SinusoidalGridOrder, true>> = { detr: true, timm: true, 'timm-interleaved': true }

function embeddingTable(heldTo: (entry: string) => string): string {
  const named = <K extends string>(list: Readonly<Record<K, true>>): K[] => Object.keys(list) as K[]
  const entries: readonly (readonly [keyof typeof embeddings, AbsoluteEmbedding])[] = [
    ...named(orders).map((order) => ['sinusoidal', embeddings.sinusoidal({ dim: 8, order })] as const),
    ...named(gridOrders).map((order) => ['sinusoidalGrid', embeddings.sinusoidalGrid({ dim: 8, order })] as const),
    ['randomFourier', embeddings.randomFourier({ dim: 8 })],
    ['learned', embeddings.learned({ table: randomTensor('float32', [4, 8], 1), grid: [2, 2] })],
  ]
  const rows = entries.map(([key, embedding]) => {
    const { name, axes, formula, verified, source } = embedding.describe()
    return [code(key), name, axes.join(' '), formula, sure[verified], heldTo(key), source]
  })
  const head = ['embeddings.', 'name', 'axes', 'vector', 'source was', 'held to numbers of (cases)', 'source']
  return table(head, rows)
}

function layoutTable(): string {
  const rows = Object.entries(layouts).map(([key, make]) => {
    const { axes, rules } = make()
    const said = Object.entries(rules).flatMap(([name, value]) => {
      if (name === 'map') return (value as string[]).join(', ')
      if (value === false || name === 'decode' || name === 'next' || value === undefined) return []
      return `${name}: ${typeof value === 'object' ? JSON.stringify(value) : value}`
    })
    return [code(key), axes.join(' '), said.join('; ') || 'one id a token']
  })
  return table(['layouts.', 'axes', 'rule'], rows)
}

function scaleTable(): string {
  const rows = Object.entries(softmaxScaleRules).map(([name, { formula, direction, source, verified }]) => {
    return [code(name), formula, direction, verified ? source : `**UNVERIFIED**: ${source}`]
  })
  return table(['rule of softmaxScale', 'factor', 'direction', 'source'], rows)
}

function resizeTable(): string {
  const rows = Object.entries(resizeRules).map(([name, rule]) => {
    const { kernel, alignCorners, antialias = false } = { antialias: false, ...rule }
    return [code(name), kernel, alignCorners ? 'corners on corners' : 'half-pixel centres', antialias ? 'yes' : 'no']
  })
  return table(['resizeRules.', 'kernel', 'places', 'antialias'], rows)
}

function textureTable(): string {
  const rows = textureChannelTable.map(({ name, formula, range, verified, source }, n) => {
    const bounds = range.map((bound) => String(Math.round(bound * 1000) / 1000)).join(' … ')
    return [String(n), name, formula, bounds, sure[verified], source]
  })
  return table(['channel', 'name', 'formula', 'range', 'source was', 'source'], rows)
}

/** The whole page. */
export function systemsPage(): string {
  const heldTo = captures()
  const numbers = goldens()
  return `# All systems, and how sure each is

This page is made from the registries of the library. \`npx mocha test/docs.test.ts\` fails when it is out of date, and
\`MROPE_UPDATE_DOCS=1 npx mocha test/docs.test.ts\` writes it anew.

**Source was** says what stands behind a row, as \`describe().verified\` does:

- *executed* (\`run\`): the authors' code was run, and its numbers are those of the tests;
- *read* (\`source\`): the authors' code was read and followed, but not run;
- **UNVERIFIED** (\`unverified\`): no code was found. The row follows a paper, a port or a digest; do not rely on it for
  a checkpoint before you compared numbers yourself.

**Held to** names the published code whose output is in \`test/golden/\`: whole attention layers of tiny random models for
the model families, single calls for the encodings. A dash means that no such file is there; worked examples of the ids
are still in the tests. A row that was *read* and is held to captures all the same agrees with the code that made them.

## Model families

\`encodingFromConfig(config)\` knows them by \`model_type\`. A configuration overrides sections, base and pairing where it
has them.

${familyTable(familyNames, heldTo)}

### Text models

One axis, one id a token.

${familyTable(textFamilyNames, heldTo)}

Any other \`model_type\` with one axis is taken for Llama-like and is **UNVERIFIED**, which \`describe()\` says.

## Published schemes and ablations

\`encodings\` by name, with the numbers of their authors. The model families above are there too (\`encodings.qwen3VL()\`).

${publishedTable()}

## Vision towers and diffusion transformers

\`visionEncodings\` by name. The towers of the model families come from \`visionEncodingFromConfig(config)\`.

${visionTable(numbers)}

## Absolute embeddings

${embeddingTable(numbers)}

How a learned table is read at another size:

${resizeTable()}

## Relative biases

${biasTable(numbers)}

## Layouts

What \`layouts\` has, with default numbers. \`start\` is the id that the next text token would have had.

${layoutTable()}

## Softmax scales

${scaleTable()}

## Texture channels

What \`relevance\` reads of a picture to give its parts more or fewer tokens.

${textureTable()}
`
}
