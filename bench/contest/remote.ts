import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'

const patience = 180_000

/** A process that answers each line with one line. What it prints besides is ignored. */
export class Remote {
  readonly #child: ChildProcess
  #complaints = ''
  #ended: string | undefined
  #answer: ((line: string) => void) | undefined
  #fail: ((error: Error) => void) | undefined

  constructor(command: string, args: readonly string[], env: NodeJS.ProcessEnv = {}) {
    this.#child = spawn(command, args, { env: { ...process.env, ...env }, stdio: 'pipe' })
    const { stdin, stdout, stderr } = this.#child
    if (stdin === null || stdout === null || stderr === null) throw new Error(`${command} has no pipes`)
    // Its end is told by 'close'.
    stdin.on('error', () => undefined)
    stderr.on('data', (text) => {
      this.#complaints = `${this.#complaints}${text}`.slice(-2000)
    })
    createInterface({ input: stdout }).on('line', (line) => {
      if (line.startsWith('{')) this.#answer?.(line)
    })
    this.#child.on('error', (error) => this.#end(error.message))
    this.#child.on('close', (code, signal) => this.#end(`it ended with ${signal ?? `code ${code}`}`))
  }

  /**
   * Sends a line and reads the answer, parsed. Between answers the process stands still: threads of a library go on
   * spinning after their work, some for more than 100 ms, and would take processors from whoever is next.
   */
  async ask<T>(line: string): Promise<T> {
    if (this.#ended !== undefined) throw new Error(this.#ended)
    let timer: NodeJS.Timeout | undefined
    this.#signal('SIGCONT')
    try {
      const answer = await new Promise<string>((resolve, reject) => {
        this.#answer = resolve
        this.#fail = reject
        timer = setTimeout(() => reject(new Error(`no answer within ${patience / 1000} s`)), patience)
        this.#child.stdin?.write(`${line}\n`)
      })
      return JSON.parse(answer)
    } finally {
      clearTimeout(timer)
      this.#answer = this.#fail = undefined
      this.#signal('SIGSTOP')
    }
  }

  stop(): void {
    this.#child.kill('SIGKILL')
  }

  /** Windows has no such signals: there everybody goes on spinning. */
  #signal(signal: 'SIGCONT' | 'SIGSTOP'): void {
    if (process.platform !== 'win32') this.#child.kill(signal)
  }

  #end(why: string): void {
    const last = this.#complaints.trim().split('\n').slice(-4).join(' ')
    this.#ended ??= last === '' ? why : `${why}: ${last}`
    this.#fail?.(new Error(this.#ended))
  }
}
