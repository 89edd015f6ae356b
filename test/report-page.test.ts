import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Browser, Page } from 'playwright-core'
import { chromiumPath, launch } from './support/browser.js'
import { mrope } from './support/cli.js'

interface Opened {
  readonly page: Page
  /** Errors and warnings of the console, failures of the page, and requests for anything but the page itself. */
  readonly complaints: string[]
}

/** The page that `mrope report` writes, in a browser. Needs Chromium; MROPE_CHROMIUM names another one. */
describe('report in Chromium', () => {
  let folder: string
  let browser: Browser
  const urls = new Map<string, string>()
  const opened: Page[] = []

  const write = async (name: string, segments: unknown[]): Promise<void> => {
    const config = join(folder, 'config.json')
    const sequence = join(folder, `${name}.json`)
    const out = join(folder, `${name}.html`)
    await writeFile(
      config,
      JSON.stringify({
        model_type: 'qwen2_vl',
        head_dim: 128,
        num_hidden_layers: 28,
        num_attention_heads: 28,
        num_key_value_heads: 4,
        rope_parameters: { rope_theta: 1e6, mrope_section: [16, 24, 24] },
      }),
    )
    await writeFile(sequence, JSON.stringify({ segments }))
    const { code, stderr } = await mrope('report', '--config', config, '--sequence', sequence, '--out', out)
    assert.equal(code, 0, stderr)
    urls.set(name, pathToFileURL(out).href)
  }

  /** `strict`: with the security policy of the page, which keeps tests from waiting inside of it. */
  const open = async (
    name: string,
    { strict = false, colorScheme = 'light' as 'light' | 'dark' } = {},
  ): Promise<Opened> => {
    const page = await browser.newPage({ viewport: { width: 1280, height: 900 }, colorScheme, bypassCSP: !strict })
    opened.push(page)
    const complaints: string[] = []
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) complaints.push(message.text())
    })
    page.on('pageerror', (error) => complaints.push(error.message))
    page.on('request', (request) => {
      if (request.url() !== urls.get(name) && !/^(?:data|blob):/.test(request.url())) complaints.push(request.url())
    })
    await page.goto(urls.get(name) as string)
    await page.waitForSelector('html[data-drawn]')
    return { page, complaints }
  }

  /** The pixels of a map of the page. */
  const pixels = (page: Page, at = 0): Promise<string> =>
    page.evaluate(`document.querySelectorAll('#maps .map canvas')[${at}].toDataURL()`)

  before(async function () {
    const path = chromiumPath()
    if (path === undefined) {
      if (process.env.CI) throw new Error('no Chromium; install it or name it in MROPE_CHROMIUM')
      this.skip()
    }
    folder = await mkdtemp(join(tmpdir(), 'mrope-page-'))
    browser = await launch(path)
    const text = { kind: 'text', length: 10 }
    await write('video', [text, { kind: 'video', grid: [64, 6, 8] }, { kind: 'text', length: 5 }])
    await write('image', [
      text,
      { kind: 'image', grid: [1, 33, 100] },
      { kind: 'text', length: 3 },
      { kind: 'image', grid: [1, 1, 1] },
    ])
    await write('text', [text])
    await write('long', [
      { kind: 'text', length: 300 },
      { kind: 'video', grid: [64, 16, 32] },
    ])
    await write('empty', [])
  })
  afterEach(() => Promise.all(opened.splice(0).map((page) => page.close())))
  after(async () => {
    await browser?.close()
    if (folder) await rm(folder, { recursive: true })
  })

  for (const name of ['video', 'image', 'text', 'long', 'empty']) {
    it(`${name}, wide and narrow, light and dark: no complaint, nothing is wider than the page`, async () => {
      const { page, complaints } = await open(name, { strict: true })
      for (const width of [1280, 390]) {
        for (const colorScheme of ['light', 'dark'] as const) {
          await page.setViewportSize({ width, height: 900 })
          await page.emulateMedia({ colorScheme })
          await page.evaluate('new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))')
          assert.equal(await page.evaluate('document.documentElement.scrollWidth'), width, colorScheme)
        }
      }
      assert.deepEqual(complaints, [])
    })
  }

  it('all drawings are there, one for each scheme or allocation', async () => {
    const { page } = await open('video')
    const data = JSON.parse((await page.locator('#data').textContent()) as string)
    const schemes = data.schemes.length
    assert.ok(schemes > 10)
    assert.equal(await page.locator('#strips canvas').count(), schemes)
    assert.equal(await page.locator('#traces svg').count(), 2)
    assert.equal(await page.locator('#decay svg').count(), data.allocations.length)
    assert.ok((await page.locator('#frequencies rect').count()) >= 64 * data.allocations.length)
    assert.equal(await page.locator('#maps .map').count(), schemes)
    const painted = new Set(await Promise.all(Array.from({ length: schemes }, (_, i) => pixels(page, i))))
    // Those of the same allocation and steps are alike, and flat ones too.
    assert.ok(painted.size > 5, `${painted.size} different maps of ${schemes}`)
  })

  it('the first screen says which schemes overlap, and the verdict stands in words', async () => {
    const { page } = await open('video')
    const answer = page.locator('section[aria-labelledby=answer]')
    assert.match((await answer.textContent()) as string, /qwen2_vl under transformers@5\.18 = [^(]*\(56\)/)
    const box = await answer.boundingBox()
    assert.ok(box && box.y + box.height < 900)
    assert.match((await page.locator('#own-verdict').textContent()) as string, /The positions are coherent/)
    const row = page.locator('#scheme-table tr', { hasText: 'qwen2_vl under transformers@5.18' }).first()
    assert.match((await row.textContent()) as string, /56 inside/)
  })

  it('the query moves by arrow keys, page keys, sliders and pointer, within the grid', async () => {
    const { page } = await open('video')
    const readout = page.locator('#map-readout')
    const says = async (where: string): Promise<void> => {
      await page.waitForFunction(
        `document.querySelector('#map-readout').textContent.includes(${JSON.stringify(where)})`,
      )
    }
    await says('frame 32, row 3, column 4 of 6 × 8')
    await page.locator('#stretch').check()
    const first = await pixels(page)
    const map = page.locator('#maps .map').first()
    await map.focus()
    await page.keyboard.press('ArrowLeft')
    await says('row 3, column 3')
    await page.keyboard.press('ArrowUp')
    await page.keyboard.press('PageDown')
    await says('frame 33, row 2, column 3')
    for (let i = 0; i < 9; i++) await page.keyboard.press('ArrowRight')
    await says('row 2, column 7')
    assert.notEqual(await pixels(page), first)
    assert.equal(await page.locator('#query-w').inputValue(), '7')
    await page.locator('#query-h').fill('5')
    await says('row 5, column 7')
    const box = (await page.locator('#maps .map').nth(3).boundingBox()) as {
      x: number
      y: number
      width: number
      height: number
    }
    await page.mouse.move(box.x + box.width * 0.4, box.y + box.height * 0.4)
    await page.mouse.down()
    await says('row 2, column 3')
    await page.mouse.move(box.x - 50, box.y - 50)
    await page.mouse.up()
    await says('row 0, column 0')
    assert.match((await readout.textContent()) as string, /qwen2_vl: chunked, 0\.\d+ to 1: flat; over time/)
  })

  it('maps can have colours of their own, and then a flat one shows its shape', async () => {
    const { page } = await open('image', { colorScheme: 'dark' })
    const before = await pixels(page)
    await page.locator('#stretch').check()
    await page.waitForFunction(`document.querySelector('#maps .map canvas').toDataURL() !== ${JSON.stringify(before)}`)
  })

  it('one cursor runs over all strips, by pointer and by keys', async () => {
    const { page } = await open('video')
    const readout = page.locator('#strip-readout')
    const strip = page.locator('#strips .rows').first()
    await strip.focus()
    await page.keyboard.press('Home')
    await page.waitForFunction(`document.querySelector('#strip-readout').textContent.startsWith('Token 0 (text)')`)
    await page.keyboard.press('ArrowRight')
    await page.waitForFunction(`document.querySelector('#strip-readout').textContent.startsWith('Token 1 (text)')`)
    assert.match((await readout.textContent()) as string, /t 1, h 1, w 1/)
    await page.keyboard.press('End')
    await page.waitForFunction(`document.querySelector('#strip-readout').textContent.includes('(generated)')`)
    const lefts = await page.evaluate(
      `[...document.querySelectorAll('#strips .cursor')].map((line) => line.style.left)`,
    )
    assert.equal(new Set(lefts as string[]).size, 1)
  })

  it('another scheme can be chosen for the trace', async () => {
    const { page } = await open('video')
    assert.match((await page.locator('#traces h3').nth(1).textContent()) as string, /transformers@5\.18/)
    await page.locator('#trace-0').selectOption({ label: 'llama' })
    assert.equal(await page.locator('#traces h3').first().textContent(), 'llama')
  })

  it('a change of theme or width draws anew without complaint', async () => {
    const { page, complaints } = await open('video')
    const strip = (): Promise<string> => page.evaluate(`document.querySelector('#strips canvas').toDataURL()`)
    const light = await strip()
    await page.emulateMedia({ colorScheme: 'dark' })
    await page.waitForFunction(`document.querySelector('#strips canvas').toDataURL() !== ${JSON.stringify(light)}`)
    const svg = (): Promise<number> => page.evaluate(`document.querySelector('#decay svg').clientWidth`)
    const wide = await svg()
    await page.setViewportSize({ width: 500, height: 900 })
    await page.waitForFunction(`document.querySelector('#decay svg').clientWidth !== ${wide}`)
    assert.equal(await page.evaluate('document.documentElement.scrollWidth'), 500)
    assert.deepEqual(complaints, [])
  })

  for (const theme of ['light', 'dark'] as const) {
    it(`${theme}: text has a contrast of 4.5 or more, controls have names, ids are single`, async () => {
      const { page } = await open('video', { colorScheme: theme })
      assert.deepEqual(await page.evaluate(pale), [])
      assert.deepEqual(await page.evaluate(nameless), [])
      const ids = (await page.evaluate(`[...document.querySelectorAll('[id]')].map(({ id }) => id)`)) as string[]
      assert.equal(new Set(ids).size, ids.length)
      assert.equal(await page.locator('h1').count(), 1)
    })
  }
})

/** Texts whose contrast with what is behind them is below 4.5 (WCAG 2, AA). */
const pale = `(() => {
  const parse = (text) => text.match(/[\\d.]+/g).map(Number)
  const light = ([r, g, b]) => [r, g, b].map((c) => c / 255).map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0)
  const behind = (node) => {
    for (let at = node; at; at = at.parentElement) {
      const color = parse(getComputedStyle(at).backgroundColor)
      if (color.length === 3 || color[3] > 0) return color
    }
    return [255, 255, 255]
  }
  const found = []
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
  for (let text = walker.nextNode(); text; text = walker.nextNode()) {
    const parent = text.parentElement
    if (!text.textContent.trim() || parent.closest('script, style, noscript, option') || !parent.getClientRects().length) continue
    const style = getComputedStyle(parent)
    const ink = parse(parent instanceof SVGElement ? style.fill : style.color)
    const [a, b] = [light(ink), light(behind(parent))].sort((x, y) => y - x)
    const contrast = (a + 0.05) / (b + 0.05)
    if (contrast < 4.5) found.push(text.textContent.trim().slice(0, 30) + ' ' + contrast.toFixed(2))
  }
  return found
})()`

/** Things that take the focus, and pictures, without a name. */
const nameless = `[...document.querySelectorAll('input, select, [tabindex="0"], [role=img], svg[class]')]
  .filter((node) => !node.getAttribute('aria-label') && !node.getAttribute('aria-labelledby') && !(node.labels && node.labels.length) && !node.closest('[aria-label]'))
  .map((node) => node.outerHTML.slice(0, 80))`
