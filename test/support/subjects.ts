import { attend, attendSync } from '../../lib/attention/attend.js'
import type { AttendRequest } from '../../lib/attention/request.js'
import type { BackendRotateOptions } from '../../lib/backends/backend.js'
import { CpuBackend } from '../../lib/backends/cpu/cpu.js'
import { hasMetal } from '../../lib/backends/metal/addon.js'
import { MetalBackend } from '../../lib/backends/metal/metal.js'
import { loadNative } from '../../lib/backends/native/load.js'
import { rotate } from '../../lib/rotary/rotate.js'
import type { RotaryTable } from '../../lib/rotary/table.js'
import type { Tensor } from '../../lib/tensors/tensor.js'

/** What runs the operations, so that one suite holds every backend to the same results. */
export interface Subject {
  readonly name: string
  /** Largest error of float32 results of order 1 with scores up to `score`: one rounding, or scores summed in float32. */
  toleranceAt(score: number): number
  /** The order of its tiles and what it asks of a bias function on the way are part of the suite. */
  readonly reference: boolean
  /** Calls are done in the order in which they come. */
  readonly queued?: boolean
  attend(request: AttendRequest): Promise<Tensor>
  attendSync(request: AttendRequest): Tensor
  rotate(x: Tensor, table: RotaryTable, options?: BackendRotateOptions): Tensor
}

const reference: Subject = {
  name: 'reference',
  toleranceAt: () => 2 ** -24,
  reference: true,
  attend,
  attendSync,
  rotate,
}

/** The CPU backend once for each instruction set of this machine. The addon is built by `npm ci` where a compiler is. */
function cpuSubjects(): Subject[] {
  const { addon } = loadNative()
  if (addon === undefined) return []
  const names = addon.info().available.split(/[\s,]+/)
  const fastest = addon.info().instructions
  const backend = new CpuBackend(addon, 'a test')
  return names.map((name) => {
    const on = <T>(run: () => T): T => {
      addon.useInstructions(name)
      try {
        return run()
      } finally {
        addon.useInstructions(fastest)
      }
    }
    // A call takes its instruction set when its work begins, so an async one holds the choice until it is done.
    const attend = async (request: AttendRequest): Promise<Tensor> => {
      addon.useInstructions(name)
      try {
        return (await backend.attend(request)).out
      } finally {
        addon.useInstructions(fastest)
      }
    }
    return {
      name: `cpu ${name}`,
      // An error of a score is a relative error of its weight.
      toleranceAt: (score) => 2 ** -22 * (1 + score),
      reference: false,
      attend,
      attendSync: (request) => on(() => backend.attendSync(request).out),
      rotate: (x, table, options) => on(() => backend.rotateSync(x, table, options).out),
    }
  })
}

/** The Metal backend where the addon has a device: on a Mac, or with MROPE_ADDON on the host executor. */
function metalSubjects(): Subject[] {
  const { addon } = loadNative()
  if (addon === undefined || !hasMetal(addon) || addon.gpuDevices().names.length === 0) return []
  process.env.MROPE_CACHE_DIR ??= ''
  const backend = new MetalBackend(addon, 'a test')
  return [
    {
      name: 'metal',
      // Scores are sums of float32 products, and exp2 is an approximation.
      toleranceAt: (score) => 2 ** -21 * (1 + score),
      reference: false,
      queued: true,
      attend: async (request) => (await backend.attend(request)).out,
      attendSync: (request) => backend.attendSync(request).out,
      rotate: (x, table, options) => backend.rotateSync(x, table, options).out,
    },
  ]
}

/** One backend alone, where the others have their own run. */
const only = process.env.MROPE_TEST_BACKEND ?? ''
const all = [reference, ...cpuSubjects(), ...metalSubjects()]
export const subjects: readonly Subject[] = all.filter(({ name }) => name.startsWith(only))
