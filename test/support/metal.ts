import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type GpuAddon, hasMetal } from '../../lib/backends/metal/addon.js'
import { findMetal } from '../../lib/backends/metal/find.js'
import type { MetalBackend } from '../../lib/backends/metal/metal.js'
import { loadNative } from '../../lib/backends/native/load.js'
import { type HostMetal, loadHostMetal } from '../host-metal/control.js'

// Tests do not read what former runs left in the archive of pipelines.
process.env.MROPE_CACHE_DIR ??= ''

/** Other Metal code in this process: test/host-metal/addon/foreign.mm. */
export interface ForeignMetal {
  buffer(bytes: number, isPrivate?: boolean): bigint
  contents(buffer: bigint): Float32Array
  fill(buffer: bigint, values: Float32Array): void
  /** Unretained: it does not keep alive what is encoded into it. */
  commandBuffer(unretained?: boolean): bigint
  /** Encodes a copy of the bytes of a buffer into another one. */
  copy(from: bigint, to: bigint, commandBuffer: bigint): void
  /** Waits; gives the text of its error, or an empty one. */
  commit(commandBuffer: bigint): string
  release(handle: bigint): void
}

/** What there is to test: a device, and on Linux its fakes. */
export interface MetalHere {
  readonly addon: GpuAddon
  readonly host: HostMetal | undefined
  readonly foreign: ForeignMetal
}

function find(): MetalHere | undefined {
  const { addon, path } = loadNative()
  if (findMetal().open === undefined || addon === undefined || !hasMetal(addon)) return undefined
  const mac = process.platform === 'darwin'
  const folder = mac ? fileURLToPath(new URL('../host-metal/build', import.meta.url)) : dirname(path ?? '')
  const foreign = createRequire(import.meta.url)(join(folder, 'foreign_metal.node')) as ForeignMetal
  return { addon, host: mac ? undefined : loadHostMetal(join(folder, 'host_control.node')), foreign }
}

export const here = find()

/** Tests that need a Metal device; without one there is a pending test that says why. */
export function describeMetal(title: string, define: (here: MetalHere) => void): void {
  describe(title, () => {
    if (here === undefined) it(`needs a Metal device: ${findMetal().why}`)
    else define(here)
  })
}

/** Tests that let the fakes fail; on a Mac there are none of these. */
export function describeHost(title: string, define: (here: MetalHere & { readonly host: HostMetal }) => void): void {
  describe(title, () => {
    if (here?.host === undefined) it('needs the host executor: MROPE_ADDON names its addon')
    else define({ ...here, host: here.host })
  })
}

/** Commits a command buffer, waits for it and gives it up. */
export function commit(foreign: ForeignMetal, commandBuffer: bigint): void {
  assert.equal(foreign.commit(commandBuffer), '')
  foreign.release(commandBuffer)
}

export async function openMetal(): Promise<MetalBackend> {
  const { open, why } = findMetal()
  if (open === undefined) throw new Error(why)
  return open('a test')
}
