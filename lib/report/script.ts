import { readFile } from 'node:fs/promises'
import { MropeRangeError } from '../errors.js'

/** Beside the command when it is installed, and in `dist` when it runs from source. */
const places = ['./report-page.js', '../../dist/report-page.js']

/** @throws MropeRangeError ERR_MROPE_FILE when the package was not built */
export async function pageScript(): Promise<string> {
  for (const place of places) {
    const text = await readFile(new URL(place, import.meta.url), 'utf8').catch(() => undefined)
    if (text !== undefined) return text
  }
  const message = 'report: the program of the page, report-page.js, is missing; build the package'
  throw new MropeRangeError('ERR_MROPE_FILE', message, places[0])
}
