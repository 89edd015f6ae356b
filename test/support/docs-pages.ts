import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const docsFolder = fileURLToPath(new URL('../../docs/', import.meta.url))

/** With MROPE_UPDATE_DOCS=1 the tests write what they find instead of comparing it. */
export const updating = process.env.MROPE_UPDATE_DOCS === '1'

/** A fenced block of a page. */
export interface Block {
  readonly page: string
  readonly language: string
  /** Line of the page, from 1, of the first line inside the fence. */
  readonly line: number
  readonly lines: readonly string[]
}

export const pages: readonly string[] = readdirSync(docsFolder)
  .filter((name) => name.endsWith('.md'))
  .sort()

export function readPage(page: string): string {
  return readFileSync(join(docsFolder, page), 'utf8')
}

/** Names of the headings of a page, as links write them. */
export function anchorsOf(page: string): string[] {
  const headings = readPage(page).matchAll(/^#+ (.*)$/gm)
  return Array.from(headings, ([, text]) =>
    text
      .toLowerCase()
      .replace(/[^\p{L}\p{N} -]/gu, '')
      .replaceAll(' ', '-'),
  )
}

/** The parts of the pages that were written by hand, from one heading to the next. */
export function sections(): string[] {
  return pages.filter((page) => page !== 'systems.md').flatMap((page) => readPage(page).split(/^(?=#+ )/m))
}

/** The fenced blocks of a page in order. A fence that is not closed ends with the page. */
export function blocksOf(page: string): Block[] {
  const lines = readPage(page).split('\n')
  const fences = lines.flatMap((line, n) => (line.startsWith('```') ? [n] : []))
  return fences.flatMap((open, i) => {
    if (i % 2 === 1) return []
    const close = fences[i + 1] ?? lines.length
    return [{ page, language: lines[open].slice(3).trim(), line: open + 2, lines: lines.slice(open + 1, close) }]
  })
}

/** Puts other lines in the place of a block's, from the last block of a page to the first, so that lines stay true. */
export function replaceBlocks(page: string, changed: ReadonlyMap<Block, readonly string[]>): void {
  const lines = readPage(page).split('\n')
  const blocks = [...changed.keys()].sort((a, b) => b.line - a.line)
  for (const block of blocks) lines.splice(block.line - 1, block.lines.length, ...(changed.get(block) ?? []))
  writeFileSync(join(docsFolder, page), lines.join('\n'))
}
