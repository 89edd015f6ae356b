import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Clocks, type Contestant, serve } from '../contest/contestant.js'
import { type Inputs, type Problem, textBase } from '../contest/problem.js'
import { Remote } from '../contest/remote.js'
import { inFolder, readNpy, writeNpy } from './npy.js'

const worker = fileURLToPath(new URL('./mlx-worker.py', import.meta.url))
/** Made by install.mjs on a Mac. */
const ownPython = fileURLToPath(new URL('./node_modules/.python/bin/python3', import.meta.url))

/**
 * MLX as it is today: that of npm is years behind. Python does the work and takes the time, so that the pipe to it does
 * not count. MROPE_BENCH_PYTHON names another interpreter that has MLX.
 */
class MlxPython implements Contestant {
  readonly #python: Remote
  #wallMs = 0

  constructor() {
    const python = process.env.MROPE_BENCH_PYTHON ?? (existsSync(ownPython) ? ownPython : 'python3')
    this.#python = new Remote(python, [worker])
  }

  load(problem: Problem, inputs: Inputs): Promise<string> {
    const { work, tokens, heads, kvHeads, headDim, positions } = problem
    const rows = work === 'decode' ? 1 : tokens
    const last = (tokens - rows) * kvHeads * headDim
    return inFolder(async (folder) => {
      const write = (name: string, values: Float32Array, shape: readonly number[]) =>
        writeNpy(join(folder, `${name}.npy`), values, shape)
      write('q', inputs.q, [rows, heads, headDim])
      write('k', inputs.k.subarray(last), [rows, kvHeads, headDim])
      write('v', inputs.v.subarray(last), [rows, kvHeads, headDim])
      if (work === 'decode') {
        write('keys', inputs.k, [tokens, kvHeads, headDim])
        write('values', inputs.v, [tokens, kvHeads, headDim])
      }
      if (positions === 'grid') {
        write('cos', inputs.cos, [tokens, 1, headDim / 2])
        write('sin', inputs.sin, [tokens, 1, headDim / 2])
      }
      const request = { ask: 'load', problem: { ...problem, textBase }, folder }
      return (await this.#ask<{ what: string }>(request)).what
    })
  }

  async run(): Promise<void> {
    this.#wallMs = (await this.#ask<{ ms: number }>({ ask: 'run' })).ms
  }

  clocks(): Clocks {
    return { wallMs: this.#wallMs }
  }

  result(): Promise<readonly Float32Array[]> {
    return inFolder(async (folder) => {
      const { count } = await this.#ask<{ count: number }>({ ask: 'result', folder })
      return Array.from({ length: count }, (_, i) => readNpy(join(folder, `result${i}.npy`)))
    })
  }

  async #ask<T extends object>(request: object): Promise<T> {
    const answer = await this.#python.ask<T | { readonly failed: string }>(JSON.stringify(request))
    if ('failed' in answer) throw new Error(answer.failed)
    return answer
  }
}

await serve(new MlxPython())
