import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import bindings from 'bindings'
import type { NativeAddon } from './addon.js'

/** The addon, or why there is none. */
export type NativeStatus =
  | { readonly addon: NativeAddon; readonly path: string; readonly why: string }
  | { readonly addon?: undefined; readonly path?: undefined; readonly why: string }

let status: NativeStatus | undefined

/**
 * Loads the addon once: from `MROPE_ADDON`, or from prebuilds/<platform>-<arch>, build/Release, build/Debug of the
 * package. Never throws; importing the package never loads it.
 */
export function loadNative(): NativeStatus {
  status ??= tryToLoad()
  return status
}

function tryToLoad(): NativeStatus {
  const named = process.env.MROPE_ADDON
  try {
    if (named) {
      const addon = createRequire(import.meta.url)(named) as NativeAddon
      return { addon, path: named, why: `loaded from MROPE_ADDON=${named}` }
    }
    const addon = bindings({
      bindings: 'mrope.node',
      module_root: bindings.getRoot(fileURLToPath(import.meta.url)),
      try: [
        ['module_root', 'prebuilds', `${process.platform}-${process.arch}`, 'bindings'],
        ['module_root', 'build', 'Release', 'bindings'],
        ['module_root', 'build', 'Debug', 'bindings'],
      ],
    }) as NativeAddon & { path: string }
    return { addon, path: addon.path, why: `loaded from ${addon.path}` }
  } catch (error) {
    return { why: reason(error, named) }
  }
}

function reason(error: unknown, named: string | undefined): string {
  const message = error instanceof Error ? error.message : String(error)
  if (named) return `MROPE_ADDON=${named} does not load: ${message.split('\n')[0]}`
  if (!message.startsWith('Could not locate the bindings file'))
    return `the addon does not load: ${message.split('\n')[0]}`
  return `no addon for ${process.platform}-${process.arch}: neither a prebuilt one nor one that was built here (npm run build:native)`
}
