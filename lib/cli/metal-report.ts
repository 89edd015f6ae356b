import type { BuiltPipeline, GpuInfo } from '../backends/metal/addon.js'
import { findMetal } from '../backends/metal/find.js'
import type { RotaryTable } from '../rotary/table.js'
import { Tensor } from '../tensors/tensor.js'
import { table } from './output.js'

/** What is known of the Metal device: its limits, and kernels of usual shapes as the compiler built them. */
export interface MetalReport {
  readonly device: Omit<GpuInfo, 'pipelines' | 'commandBuffers' | 'dispatches' | 'gpuSeconds'>
  readonly pipelines: readonly BuiltPipeline[]
  /** Why a kernel is missing. */
  readonly problem: string | null
}

/** A text model's prefill and a vision tower's windows, in float16. */
const usual = [
  { tokens: 512, heads: 28, kvHeads: 4, headDim: 128, mask: 'causal' as const },
  { tokens: 256, heads: 16, kvHeads: 16, headDim: 80, mask: { causal: false, cuSeqlens: [0, 64, 128, 192, 256] } },
]

/** Nothing where there is no device. */
export async function metalReport(): Promise<MetalReport | null> {
  const { open } = findMetal()
  if (open === undefined) return null
  const backend = await open('asked for by mrope doctor')
  let problem: string | null = null
  try {
    await backend.warmup(usual.map(request))
  } catch (error) {
    problem = error instanceof Error ? error.message : String(error)
  }
  const { pipelines, name, family, threadgroupBytes, maxBufferBytes, workingSetBytes } = backend.info()
  await backend.dispose()
  return { device: { name, family, threadgroupBytes, maxBufferBytes, workingSetBytes }, pipelines, problem }
}

function request({ tokens, heads, kvHeads, headDim, mask }: (typeof usual)[number]) {
  const angles = tokens * (headDim / 2)
  const turns: RotaryTable = {
    cos: new Float32Array(angles).fill(1),
    sin: new Float32Array(angles),
    shape: [1, tokens, headDim / 2],
    pairing: 'half-split',
  }
  const [q, k, v] = [heads, kvHeads, kvHeads].map((count) => Tensor.zeros('float16', [tokens, count, headDim]))
  return { q, k, v, mask, table: turns }
}

export function metalText({ device, pipelines, problem }: MetalReport): string {
  const gibibytes = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(1)} GiB`
  const rows = pipelines.map(({ library, kernel, maxThreads, threadgroupBytes }) => [
    `${library} ${kernel}`,
    String(maxThreads),
    String(threadgroupBytes),
  ])
  return [
    `Metal: ${device.name}, family ${device.family}, ${device.threadgroupBytes} bytes of threadgroup memory,`,
    `buffers of up to ${gibibytes(device.maxBufferBytes)}, working set ${gibibytes(device.workingSetBytes)}`,
    table(['kernel', 'maxTotalThreadsPerThreadgroup', 'threadgroup bytes'], rows),
    ...(problem === null ? [] : [`kernels of usual shapes: ${problem}`]),
  ].join('\n')
}
