// Tests by name, built and run in a copy of the package:
//   kernels/NAME ARGUMENTS…   a program of test/host-metal/kernels
//   mocha FILE [GREP]         a mocha test on the addon with the fakes
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'

const buildMinutes = 30
/** Tests are named so narrowly that they take seconds; a first run compiles its kernels. */
const testMinutes = 8
/** Exit code of timeout(1). */
const timedOut = 124

/** @typedef {{ kind: 'passed' | 'failed' | 'built not' | 'took too long', why: string }} Outcome */

export class Tests {
  #folder

  constructor(folder) {
    this.#folder = folder
  }

  /** @returns {Outcome} */
  run(test) {
    const [, kind, rest] = /^(kernels|mocha)[/ ](.+)$/.exec(test)
    const [name, ...words] = rest.split(' ')
    return kind === 'kernels' ? this.#kernels(name, words) : this.#mocha(name, words.join(' '))
  }

  /** Runs until the first failure is printed: a bug shows in one of the first cases, the others would take minutes. */
  #kernels(name, words) {
    const build = join(this.#folder, 'build/kernels')
    const source = join(this.#folder, 'test/host-metal/kernels')
    if (!existsSync(join(build, 'CMakeCache.txt'))) {
      const configured = this.#spawn('cmake', ['-S', source, '-B', build, '-DCMAKE_CXX_COMPILER=clang++-19'])
      if (configured.status !== 0) throw new Error(configured.stderr)
    }
    const built = this.#spawn('cmake', ['--build', build, '--target', name, '-j2'])
    if (built.status !== 0) return { kind: 'built not', why: firstError(built.stdout + built.stderr) }
    const program = [join(build, name), ...words].map((word) => `'${word}'`).join(' ')
    // What the executor says stands in the lines that follow.
    const script = `stdbuf -oL ${program} | sed '/FAILED.*:$/{N;q};/FAILED/q'; exit \${PIPESTATUS[0]}`
    const { status, stdout, stderr } = this.#spawn('bash', ['-c', script], { minutes: testMinutes })
    if (status === timedOut) return tooLong
    const line = /.*FAILED.*(?:\n.*){0,2}/.exec(stdout)?.[0]
    if (line === undefined && status === 0) return { kind: 'passed', why: '' }
    if (/error: |CompileError|does not compile/.test(line ?? '')) return { kind: 'built not', why: line }
    return { kind: 'failed', why: line ?? `${program} ended with ${status}: ${stderr}` }
  }

  #mocha(file, grep) {
    const addons = ['mrope_host_metal', 'host_control', 'foreign_metal']
    const built = this.#spawn('node', ['test/host-metal/build.mjs', ...addons])
    if (built.status !== 0) return { kind: 'built not', why: firstError(built.stderr) }
    const args = ['node_modules/mocha/bin/mocha.js', file, '--bail', ...(grep === '' ? [] : ['-g', grep])]
    const addon = join(this.#folder, 'test/host-metal/build/mrope_host_metal.node')
    const limits = { minutes: testMinutes, env: { MROPE_ADDON: addon } }
    const { status, signal, stdout, stderr } = this.#spawn('node', args, limits)
    if (status === timedOut) return tooLong
    const closing = /^(\d+) passed, (\d+) failed.*$/m.exec(stdout)
    if (closing === null) {
      const last = stdout.trim().split('\n').at(-1).trim()
      return { kind: 'failed', why: `the process died (${signal ?? status}) after “${last}” ${stderr.slice(-300)}` }
    }
    if (status === 0 && closing[1] !== '0' && closing[0].endsWith(' 0 failed')) return { kind: 'passed', why: '' }
    const why = /^\s*(\S*Error.*)$/m.exec(stdout)?.[1]
    return { kind: 'failed', why: why ?? `${closing[0]} ${stderr.slice(-300)}` }
  }

  /** Ends the program and what it started when its time is over. */
  #spawn(program, words, { minutes = buildMinutes, env = {} } = {}) {
    const options = { cwd: this.#folder, encoding: 'utf8', maxBuffer: 2 ** 27, env: { ...process.env, ...env } }
    return spawnSync('timeout', ['--kill-after=10s', `${minutes}m`, 'nice', program, ...words], options)
  }
}

const tooLong = { kind: 'took too long', why: `more than ${testMinutes} minutes` }

const firstError = (text) => /.*error:.*/.exec(text)?.[0] ?? text.slice(-300)
