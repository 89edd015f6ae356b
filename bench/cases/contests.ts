import { contestCase, copyCase } from '../contest/contest.js'
import type { Contest } from '../contest/entrants.js'
import type { Problem } from '../contest/problem.js'
import type { BenchCase } from '../harness.js'

export const qwen25VL = { heads: 28, kvHeads: 4, headDim: 128, causal: true, positions: 'text' } as const
export const qwen3VL = { heads: 16, kvHeads: 8, headDim: 128, causal: true, positions: 'text' } as const
export const tower = { heads: 16, kvHeads: 16, tokens: 1024, causal: false, positions: 'grid' } as const

const rotation: Problem = { work: 'rotate', tokens: 4096, ...qwen25VL }

const problems: readonly Pick<Contest, 'name' | 'problem' | 'bar'>[] = [
  { name: 'prefill 512, 28/4 × 128', problem: { work: 'attend', tokens: 512, ...qwen25VL }, bar: 1.7 },
  { name: 'prefill 2048, 28/4 × 128', problem: { work: 'attend', tokens: 2048, ...qwen25VL }, bar: 1.35 },
  { name: 'prefill 2048, 16/8 × 128', problem: { work: 'attend', tokens: 2048, ...qwen3VL }, bar: 1.35 },
  { name: 'decode at 2048, 28/4 × 128', problem: { work: 'decode', tokens: 2048, ...qwen25VL }, bar: 4.5 },
  {
    name: 'decode at 2048, 28/4 × 128, float16 cache',
    problem: { work: 'decode', tokens: 2048, cache: 'float16', ...qwen25VL },
    bar: 4.5,
  },
  { name: 'decode at 8192, 28/4 × 128', problem: { work: 'decode', tokens: 8192, ...qwen25VL }, bar: 5 },
  {
    name: 'decode at 8192, 28/4 × 128, float16 cache',
    problem: { work: 'decode', tokens: 8192, cache: 'float16', ...qwen25VL },
    bar: 5,
  },
  { name: 'vision tower 1024, 16 × 80', problem: { work: 'attend', headDim: 80, ...tower }, bar: 1.1 },
  { name: 'vision tower 1024, 16 × 72', problem: { work: 'attend', headDim: 72, ...tower }, bar: 1.1 },
  {
    name: 'vision tower 1024, 16 × 80, windows of 64',
    problem: { work: 'attend', headDim: 80, segment: 64, ...tower },
    bar: 1.6,
  },
  { name: 'rotation of q and k in place, 4096 tokens, 28/4 × 128', problem: { ...rotation, inPlace: true }, bar: 4 },
  { name: 'rotation of q and k, 4096 tokens, 28/4 × 128', problem: rotation, bar: 4 },
]

/** mrope's `cpu` backend against its peers, with one thread and with two. */
export const contests: readonly BenchCase[] = [
  ...[1, 2].flatMap((threads) =>
    problems.map((problem) => contestCase({ ...problem, backend: 'cpu' as const, threads })),
  ),
  ...[1, 2].map((threads) => copyCase('rotation of q and k, 4096 tokens, 28/4 × 128: a copy', rotation, threads, 85)),
]
