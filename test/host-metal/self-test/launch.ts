import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { directory } from '../build.mjs'
import { type Compiled, type CompileOptions, compile } from '../compile.mjs'

export type Lane = NonNullable<CompileOptions['lane']>
export const lanes: Lane[] = ['plain', 'strict', 'fast-math']
export const out = `${directory}/self-test/kernels`

export interface Traffic {
  loaded: number
  stored: number
  uniqueLoaded: number
  uniqueStored: number
  uniquePerGroupLoaded: number
  uniquePerGroupStored: number
}

/** What runner.cc prints. */
export interface Launched {
  error?: string
  threadgroupBytes: number
  buffers: Record<string, (number | null)[]>
  stats: {
    threads: number
    threadgroups: number
    barriers: number
    simdBarriers: number
    simdOps: number
    mmas: number
    threadgroupBytes: number
    threadgroupLoaded: number
    threadgroupStored: number
    device: Traffic
    buffers: Record<string, Traffic>
    constantLoaded: number
    math: Record<'sin' | 'cos' | 'exp' | 'log' | 'pow' | 'sqrt', number>
    calls: Record<string, number>
    errors: number
    messages: string[]
  }
}

export const kernelFile = (file: string) => fileURLToPath(new URL(`kernels/${file}.metal`, import.meta.url))

const compiled = new Map<string, Promise<Compiled>>()

function compileOnce(file: string, more: Partial<CompileOptions>): Promise<Compiled> {
  const key = JSON.stringify([file, more])
  if (!compiled.has(key)) compiled.set(key, compile({ source: kernelFile(file), out, ...more }))
  return compiled.get(key)!
}

/** Compiles a file of kernels/ and launches one of its kernels in a process of its own. */
export async function launch(
  file: string,
  kernel: string,
  lane: Lane,
  options: string,
  more: Partial<CompileOptions> = {},
) {
  const { library } = await compileOnce(file, { lane, ...more })
  const words = options.split(/\s+/).filter(Boolean)
  const { stdout } = await promisify(execFile)(`${directory}/host-metal-runner`, [library, kernel, ...words])
  return JSON.parse(stdout) as Launched
}

export async function reflectionOf(file: string, more: Partial<CompileOptions> = {}) {
  const { reflection } = await compileOnce(file, more)
  return JSON.parse(await readFile(reflection, 'utf8'))
}

/** The values of a buffer of a launch that went well. */
export function values(launched: Launched, buffer = 1): (number | null)[] {
  assert.equal(launched.error, undefined)
  assert.deepEqual(launched.stats.messages, [])
  return launched.buffers[buffer]
}
