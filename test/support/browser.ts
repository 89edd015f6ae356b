import { existsSync } from 'node:fs'
import { type Browser, chromium } from 'playwright-core'

const places = [
  ...['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome', '/opt/google/chrome/chrome'],
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
]

/** Where Chromium is: what MROPE_CHROMIUM names, or where systems install it. */
export function chromiumPath(): string | undefined {
  return process.env.MROPE_CHROMIUM ?? places.find((path) => existsSync(path))
}

/** Sandboxes of the kernel are not to be had in containers that run as root. */
export function launch(executablePath: string): Promise<Browser> {
  return chromium.launch({ executablePath, args: process.getuid?.() === 0 ? ['--no-sandbox'] : [] })
}
