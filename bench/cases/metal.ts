import { contestCase } from '../contest/contest.js'
import type { Contest } from '../contest/entrants.js'
import type { Problem } from '../contest/problem.js'
import type { BenchCase } from '../harness.js'
import { qwen3VL, qwen25VL, tower } from './contests.js'

type Case = readonly [name: string, problem: Problem, bar: number]

/** A token goes through all layers before a program waits; of what is large, small machines hold fewer. */
const layers = 28

/** 37 × 37 merged patches in windows of 4 × 4 (Qwen2.5-VL), those at two edges smaller: 74 = 9 · 8 + 2 patches. */
const sides = [...new Array<number>(9).fill(8), 2]
const pictureWindows = {
  ...tower,
  headDim: 80,
  tokens: 74 * 74,
  segments: sides.flatMap((height) => sides.map((width) => height * width)),
}

/**
 * Bars are what the design has to reach over MLX, and are held against the best of all peers: 1.1 for a short prefill,
 * where dispatches count; 1.2 for decode, where MLX reads K and V once for each query head; 2 for windows; otherwise no
 * slower. No Mac has measured any of them yet: a bar that turns out wrong is changed here, with the figures that show it.
 */
const cases: readonly Case[] = [
  ['prefill 512, 28/4 × 128', { work: 'attend', tokens: 512, queue: 8, ...qwen25VL }, 1.1],
  ['prefill 2048, 28/4 × 128', { work: 'attend', tokens: 2048, queue: 4, ...qwen25VL }, 1],
  ['prefill 4096, 28/4 × 128', { work: 'attend', tokens: 4096, queue: 2, ...qwen25VL }, 1],
  ['prefill 2048, 16/8 × 128', { work: 'attend', tokens: 2048, queue: 4, ...qwen3VL }, 1],
  ['decode at 2048, 28/4 × 128', { work: 'decode', tokens: 2048, queue: layers, ...qwen25VL }, 1.2],
  ['decode at 8192, 28/4 × 128', { work: 'decode', tokens: 8192, queue: 12, ...qwen25VL }, 1.2],
  ['vision tower 1024, 16 × 80', { work: 'attend', headDim: 80, queue: 8, ...tower }, 1],
  ['vision tower 1024, 16 × 72', { work: 'attend', headDim: 72, queue: 8, ...tower }, 1],
  ['vision tower 1024, 16 × 80, windows of 64', { work: 'attend', headDim: 80, segment: 64, queue: 8, ...tower }, 2],
  ['vision tower, 16 × 80, windows of a picture of 1036 × 1036', { work: 'attend', queue: 4, ...pictureWindows }, 2],
  ['rotation of q and k, 4096 tokens, 28/4 × 128', { work: 'rotate', tokens: 4096, queue: 4, ...qwen25VL }, 1],
]

/** mrope's `metal` backend against what else runs on the GPU of a Mac; left out where there is none. */
export const metalContests: readonly BenchCase[] = (['float16', 'float32'] as const).flatMap((type) =>
  cases.map(([name, problem, bar]) => contestCase(contestOf(`metal: ${name}, ${type}`, { ...problem, type }, bar))),
)

function contestOf(name: string, problem: Problem, bar: number): Contest {
  return { name, backend: 'metal', problem, threads: 1, bar }
}
