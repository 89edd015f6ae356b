import { loadNative } from '../native/load.js'
import { hasMetal } from './addon.js'
import { MetalBackend } from './metal.js'

/** Whether this process has a Metal device, and why not. */
export function findMetal(): { readonly why: string; readonly open?: (why: string) => Promise<MetalBackend> } {
  const { addon, why } = loadNative()
  if (addon !== undefined && hasMetal(addon)) {
    const { names, why: missing } = addon.gpuDevices()
    if (names.length === 0) return { why: missing }
    return { why: `${names[0]}, addon ${why}`, open: (reason) => MetalBackend.open(addon, reason) }
  }
  const here = `${process.platform} ${process.arch}`
  if (process.platform !== 'darwin' || process.arch !== 'arm64') {
    return { why: `needs macOS on Apple silicon; this is ${here}` }
  }
  return { why: addon === undefined ? why : `the addon is built without Metal: ${why}` }
}
