import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

// The .npy format, version 1.0, little-endian float32 in C order: how arrays get into MLX and out of it quickly.

const magic = '\x93NUMPY\x01\x00'
/** Magic and the length of the header. */
const preamble = magic.length + 2

export function writeNpy(path: string, values: Float32Array, shape: readonly number[]): void {
  const fields = `{'descr': '<f4', 'fortran_order': False, 'shape': (${shape.join(', ')},), }`
  const padding = 63 - ((preamble + fields.length) % 64)
  const header = `${fields}${' '.repeat(padding)}\n`
  const head = Buffer.from(`${magic}  ${header}`, 'latin1')
  head.writeUInt16LE(header.length, magic.length)
  const bytes = Buffer.from(values.buffer, values.byteOffset, values.byteLength)
  writeFileSync(path, Buffer.concat([head, bytes]))
}

/** The elements of a file of the same kind. */
export function readNpy(path: string): Float32Array {
  const file = readFileSync(path)
  const start = preamble + file.readUInt16LE(magic.length)
  const header = file.toString('latin1', preamble, start)
  if (!header.includes("'<f4'") || header.includes("'fortran_order': True")) throw new Error(`${path} is ${header}`)
  return new Float32Array(Uint8Array.from(file.subarray(start)).buffer)
}

/** A folder for as long as the work takes: contestants are ended without notice, so nothing may lie there after it. */
export async function inFolder<T>(work: (folder: string) => T | Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'mrope-bench-'))
  try {
    return await work(folder)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
