import { createRequire } from 'node:module'
import { build } from './build.mjs'

/** Parts of the fake Metal that can be made to fail: see objc/metal/host-metal.h. */
export type HostFailure =
  | 'device'
  | 'compile'
  | 'function'
  | 'pipeline'
  | 'queue'
  | 'memory'
  | 'no-copy'
  | 'submit'
  | 'archive'
  | 'archive-write'

/** One launch of a kernel; the counters of `stats` are those of executor/executor.h. */
export interface HostDispatch {
  readonly kernel: string
  readonly threadgroups: readonly [number, number, number]
  readonly threads: readonly [number, number, number]
  readonly stats: HostStats
}

export interface HostTraffic {
  readonly loaded: number
  readonly stored: number
  readonly uniqueLoaded: number
  readonly uniqueStored: number
  readonly uniquePerGroupLoaded: number
  readonly uniquePerGroupStored: number
}

export interface HostStats {
  readonly barriers: number
  readonly mmas: number
  readonly threadgroupBytes: number
  /** Counted in the strict lane (MROPE_HOST_LANE=strict) only, as `buffers`. */
  readonly device: HostTraffic
  readonly buffers: Readonly<Record<string, HostTraffic>>
  readonly math: Readonly<Record<'sin' | 'cos' | 'exp' | 'log' | 'pow' | 'sqrt', number>>
  readonly errors: number
  readonly messages: readonly string[]
}

/** What happened since the last `reset`. */
export interface HostReport {
  readonly libraries: number
  readonly pipelines: number
  readonly archiveHits: number
  readonly buffers: number
  readonly commandBuffers: number
  /** Bytes of the buffers that exist, and the most that existed at once. */
  readonly allocated: number
  readonly peakAllocated: number
  /** Rules of Metal's validation layer that were broken. */
  readonly violations: readonly string[]
  readonly dispatches: readonly HostDispatch[]
}

interface HostAddon {
  live(): Record<string, number>
  fail(what: HostFailure, after: number, times: number): void
  schedule(name: 'in-order' | 'reverse' | 'random' | 'lockstep', seed: number): void
  report(): string
  delay(milliseconds: number): void
  memory(bytes: number): void
  reset(): void
  drain(): void
}

/** The fakes that the addon of this process runs on. */
export class HostMetal {
  readonly #addon: HostAddon

  constructor(addon: HostAddon) {
    this.#addon = addon
  }

  /** Objective-C objects that exist, by class. */
  live(): Record<string, number> {
    return this.#addon.live()
  }

  /** Lets the occurrences after the first `after` fail, `times` of them (-1: all). */
  fail(what: HostFailure, after = 0, times = 1): void {
    this.#addon.fail(what, after, times)
  }

  schedule(name: 'in-order' | 'reverse' | 'random' | 'lockstep', seed = 1): void {
    this.#addon.schedule(name, seed)
  }

  report(): HostReport {
    return JSON.parse(this.#addon.report()) as HostReport
  }

  /** Command buffers take at least so long. */
  delay(milliseconds: number): void {
    this.#addon.delay(milliseconds)
  }

  /** Bytes of all buffers together after which an allocation fails; 0: no limit. */
  memory(bytes: number): void {
    this.#addon.memory(bytes)
  }

  reset(): void {
    this.#addon.reset()
  }

  /** Waits for every command buffer and compilation. Blocks this thread. */
  drain(): void {
    this.#addon.drain()
  }
}

/** Builds both addons. `MROPE_ADDON` set to `addon` before mrope loads its own makes mrope use it. */
export async function buildHostMetal(): Promise<{ readonly addon: string; readonly control: string }> {
  const directory = await build(['mrope_host_metal', 'host_control'])
  return { addon: `${directory}/mrope_host_metal.node`, control: `${directory}/host_control.node` }
}

/** The fakes of this process. */
export function loadHostMetal(control: string): HostMetal {
  return new HostMetal(createRequire(import.meta.url)(control) as HostAddon)
}
