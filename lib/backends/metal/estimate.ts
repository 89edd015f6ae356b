import { gpuReportPlaces, type WorkEnd } from './addon.js'

/** What an operation will take besides its tensors; nothing was run for it. */
export interface MemoryEstimate {
  /** Device memory for the time of the work. */
  readonly scratchBytes: number
  /** Host tensors that the device reads or writes: shared without a copy where their memory allows it. */
  readonly hostBytes: number
  readonly dispatches: number
  /** What the device recommends as the upper bound of all its memory. */
  readonly workingSetBytes: number
  /** Whether scratch memory and host tensors fit the working set. */
  readonly fits: boolean
}

/** Plans one call of the addon, which then fills the report that it is given instead of running. */
export async function estimate(
  workingSetBytes: number,
  plan: (...end: WorkEnd) => Promise<boolean>,
): Promise<MemoryEstimate> {
  const report = new Float64Array(gpuReportPlaces.length)
  await plan(undefined, report)
  const [scratchBytes, hostBytes, dispatches] = report
  return { scratchBytes, hostBytes, dispatches, workingSetBytes, fits: scratchBytes + hostBytes <= workingSetBytes }
}
