import { execFile } from 'node:child_process'
import { mkdirSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { Remote } from './remote.js'

const source = fileURLToPath(new URL('./peaks.cc', import.meta.url))
const binary = fileURLToPath(new URL('../../build/bench-peaks', import.meta.url))

interface Times {
  readonly flopPerRound: number
  readonly ms: readonly number[]
}

/** A process that does what the machine can do at most. Stop it after use. */
export async function startPeaks(): Promise<Remote> {
  if (timeOf(binary) < timeOf(source)) {
    mkdirSync(dirname(binary), { recursive: true })
    const flags = ['-std=c++20', '-O3', '-march=native', '-ffp-contract=fast', '-Wno-psabi', '-pthread']
    await promisify(execFile)(process.env.CXX ?? 'g++', [...flags, source, '-o', binary])
  }
  return new Remote(binary, [])
}

/** Times of copying that many bytes to another place. */
export async function copyTimes(peaks: Remote, threads: number, bytes: number, times: number) {
  const { ms } = await peaks.ask<Times>(`copy ${threads} ${bytes} ${times}`)
  return ms
}

const rounds = 1_000_000
const products = 100
/** The first ones may find two threads on one processor. */
const runs = 60
const known = new Map<string, number>()

/** Operations a second of multiply-adds in registers, the best of some runs; measured once per process. */
export function fmaPeak(threads: number): Promise<number> {
  return best(`fma ${threads} ${rounds} ${runs}`, ({ flopPerRound }) => flopPerRound * rounds * threads)
}

/** Operations a second of a matrix product with packed operands in a cache, the best of some runs. */
export function gemmPeak(threads: number): Promise<number> {
  return best(`gemm ${threads} ${products} ${runs}`, ({ flopPerRound }) => flopPerRound * products * threads)
}

/** Bytes a second of reading an array of that size, the best of some runs; small ones stay in a cache. */
export function readPeak(threads: number, bytes: number): Promise<number> {
  return best(`read ${threads} ${bytes} ${runs}`, () => bytes)
}

/** Bytes a second, read and written ones, of copying to another place; the best of some runs. */
export function copyPeak(threads: number, bytes: number): Promise<number> {
  return best(`copy ${threads} ${bytes} ${runs}`, () => 2 * bytes)
}

async function best(request: string, amount: (times: Times) => number): Promise<number> {
  const before = known.get(request)
  if (before !== undefined) return before
  const peaks = await startPeaks()
  try {
    const times = await peaks.ask<Times>(request)
    const rate = (1000 * amount(times)) / Math.min(...times.ms)
    known.set(request, rate)
    return rate
  } finally {
    peaks.stop()
  }
}

function timeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0
}
