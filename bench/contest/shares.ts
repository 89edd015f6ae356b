import { copyPeak, fmaPeak, gemmPeak, readPeak } from './peaks.js'
import type { Player } from './player.js'
import { bytesOf, flopOf, type Problem } from './problem.js'

type Figures = Record<string, number>

/** What a run of so many milliseconds makes of the processor, against peaks that are measured now. */
export async function shareOfCpu(problem: Problem, threads: number, ms: number): Promise<Figures> {
  if (problem.work === 'attend') {
    const rate = (1000 * flopOf(problem)) / ms
    const [peak, product] = [await fmaPeak(threads), await gemmPeak(threads)]
    return {
      'GFLOP/s': rate / 1e9,
      'peak GFLOP/s': peak / 1e9,
      '% of FMA peak': (100 * rate) / peak,
      '% of a packed matrix product': (100 * rate) / product,
    }
  }
  const rate = (1000 * bytesOf(problem)) / ms
  const decode = problem.work === 'decode'
  const peak = await (decode ? readPeak(threads, bytesOf(problem)) : copyPeak(threads, bytesOf(problem) / 2))
  const name = decode ? '% of reading K and V' : '% of copying'
  return { 'GB/s': rate / 1e9, 'peak GB/s': peak / 1e9, [name]: (100 * rate) / peak }
}

/**
 * The same of a GPU, by its own time. Bytes are those that have to be moved at least, and their peak is a copy by our
 * own rotate kernel; of multiply-adds nothing here measures a peak.
 */
export async function shareOfGpu(mrope: Player, problem: Problem, ms: number): Promise<Figures> {
  const rate = (1000 * bytesOf(problem)) / ms
  const figures = { 'GB/s': rate / 1e9, 'TFLOP/s': flopOf(problem) / ms / 1e9 }
  if (problem.work === 'attend') return figures
  const peak = (1000 * bytesOf(problem)) / (await mrope.copy(bytesOf(problem) / 2))
  return { ...figures, 'copy GB/s': peak / 1e9, '% of copying': (100 * rate) / peak }
}
