import assert from 'node:assert/strict'
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Encoding, type Layout, type Needs, recommend } from '../lib/index.js'
import { run } from './support/cli.js'
import { choice, drawing } from './support/docs-drawings.js'
import { answered, ExampleRunner, typeErrors } from './support/docs-examples.js'
import {
  anchorsOf,
  type Block,
  blocksOf,
  docsFolder,
  pages,
  readPage,
  replaceBlocks,
  sections,
  updating,
} from './support/docs-pages.js'
import { registered } from './support/docs-registered.js'
import { systemsPage } from './support/docs-systems.js'

const blocks = pages.flatMap(blocksOf)
const of = (language: string): Block[] => blocks.filter((block) => block.language === language)
const help = async (command: string): Promise<string> => {
  const { stdout, stderr } = await run(process.execPath, ['--import', 'tsx', 'lib/cli/main.ts', command, '--help'])
  return stdout || stderr
}
const place = ({ page, line }: Block): string => `${page}:${line}`

describe('the guide', () => {
  const runner = new ExampleRunner()
  const changed = new Map<string, Map<Block, readonly string[]>>()
  /** What stands in a block against what should stand there. */
  const compare = (block: Block, lines: readonly string[]): void => {
    if (!updating) {
      assert.deepEqual(block.lines, lines)
      return
    }
    const ofPage = changed.get(block.page) ?? new Map<Block, readonly string[]>()
    changed.set(block.page, ofPage.set(block, lines))
  }

  after(() => {
    runner.close()
    for (const [page, blocksOfPage] of changed) replaceBlocks(page, blocksOfPage)
  })

  it('has only blocks that are checked here, and shell commands', () => {
    // metal.md needs a device, so its examples are `typescript`, which is not run.
    const checked = blocks.filter(({ page, language }) => page !== 'metal.md' || language !== 'typescript')
    assert.deepEqual([...new Set(checked.map(({ language }) => language))].sort(), ['choice', 'ids', 'sh', 'ts'])
  })

  it('links to pages and headings that are there', () => {
    for (const page of pages) {
      for (const [, target, anchor] of readPage(page).matchAll(/\]\(([^)#]+)(?:#([^)]*))?\)/g)) {
        if (/^https?:/.test(target)) continue
        assert.ok(existsSync(join(docsFolder, target)), `${page} links to ${target}`)
        if (anchor) assert.ok(anchorsOf(target).includes(anchor), `${page} links to ${target}#${anchor}`)
      }
    }
  })

  for (const { registry, key, verified } of registered()) {
    const unverified = verified === 'unverified'
    it(`has a section on ${registry}.${key}${unverified ? ', which says UNVERIFIED' : ''}`, () => {
      const named = new RegExp(`[.'\`]${key}['\`(]`)
      const found = sections().filter((section) => named.test(section))
      assert.ok(found.length > 0)
      if (unverified) assert.ok(found.some((section) => section.includes('UNVERIFIED')))
    })
  }

  it('shell commands have options that the command line knows', async () => {
    const commands = of('sh').flatMap(({ lines }) => lines)
    const helps = await Promise.all(commands.map((command) => help(command.split(' ')[2])))
    commands.forEach((command, i) => {
      assert.match(command, /^npx mrope [a-z]+( --[a-z-]+( [^-]\S*)?)*$/)
      for (const [flag] of command.matchAll(/--[a-z-]+/g)) {
        assert.ok(helps[i].includes(`${flag} `), `${command}: ${flag} is not in\n${helps[i]}`)
      }
    })
  })

  it('systems.md is what the registries give', () => {
    const page = systemsPage()
    if (updating) writeFileSync(join(docsFolder, 'systems.md'), page)
    else assert.equal(readPage('systems.md'), page, 'run this test with MROPE_UPDATE_DOCS=1')
  })

  it('examples have the types of the library', () => {
    assert.deepEqual(typeErrors(of('ts')), [])
  })

  for (const block of of('ts')) {
    it(`the example at ${place(block)} runs, and gives what it says`, async () => {
      compare(block, answered(block, await runner.run(block)))
    })
  }

  describe('drawings', () => {
    const drawn = of('ids')
    let made: (() => unknown)[]
    before(async () => {
      made = await runner.values(drawn.map(({ lines }) => lines[0]))
    })
    drawn.forEach((block, i) => {
      const [call, prompt] = block.lines
      it(`${place(block)} ${call}`, () => {
        const goesOn = !call.startsWith('visionEncodings')
        compare(block, [call, ...drawing(made[i]() as Layout | Encoding, prompt, goesOn)])
      })
    })
  })

  describe('recommendations', () => {
    const asked = of('choice')
    let needs: (() => unknown)[]
    before(async () => {
      needs = await runner.values(asked.map(({ lines }) => lines[0].replace(/^recommend\((.*)\)$/, '$1')))
    })
    asked.forEach((block, i) => {
      it(`${place(block)} ${block.lines[0]}`, () => {
        compare(block, [block.lines[0], ...choice(recommend(needs[i]() as Needs))])
      })
    })
  })
})
