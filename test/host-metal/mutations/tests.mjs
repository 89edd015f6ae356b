// Tests by name, built and run in a copy of the package:
//   kernels/NAME ARGUMENTS…   a program of test/host-metal/kernels
//   mocha FILE [GREP]         a mocha test on the addon with the fakes
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'

const minutes = 20

/** @typedef {{ kind: 'passed' | 'failed' | 'built not', why: string }} Outcome */

export class Tests {
  #folder

  constructor(folder) {
    this.#folder = folder
  }

  /** @returns {Outcome} */
  run(test) {
    const [kind, name, ...rest] = test.split(/[ /]/)
    return kind === 'kernels' ? this.#kernels(name, rest) : this.#mocha(test.slice('mocha '.length))
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
    const { status, stdout, stderr } = this.#spawn('bash', [
      '-c',
      `stdbuf -oL ${program} | sed '/FAILED/q'; exit \${PIPESTATUS[0]}`,
    ])
    const line = /.*FAILED.*(?:\n.*){0,2}/.exec(stdout)?.[0]
    if (line === undefined && status === 0) return { kind: 'passed', why: '' }
    if (/error: |CompileError|does not compile/.test(line ?? '')) return { kind: 'built not', why: line }
    return { kind: 'failed', why: line ?? `${program} ended with ${status}: ${stderr}` }
  }

  #mocha(words) {
    const [file, ...grep] = words.split(' ')
    const addons = ['mrope_host_metal', 'host_control', 'foreign_metal']
    const built = this.#spawn('node', ['test/host-metal/build.mjs', ...addons])
    if (built.status !== 0) return { kind: 'built not', why: firstError(built.stderr) }
    const args = ['node_modules/mocha/bin/mocha.js', file, '--bail', ...(grep.length > 0 ? ['-g', grep.join(' ')] : [])]
    const addon = join(this.#folder, 'test/host-metal/build/mrope_host_metal.node')
    const { status, stdout, stderr } = this.#spawn('node', args, { MROPE_ADDON: addon })
    const passed = /^([1-9]\d*) passed, 0 failed$/m.test(stdout)
    if (status === 0 && passed) return { kind: 'passed', why: '' }
    const why = /^\s*(\S*Error.*)$/m.exec(stdout)?.[1]
    return { kind: 'failed', why: why ?? `${stdout.slice(-300)} ${stderr.slice(-300)}` }
  }

  #spawn(program, words, env = {}) {
    const limits = { cwd: this.#folder, encoding: 'utf8', maxBuffer: 2 ** 27, timeout: minutes * 60_000 }
    return spawnSync('nice', [program, ...words], { ...limits, env: { ...process.env, ...env } })
  }
}

const firstError = (text) => /.*error:.*/.exec(text)?.[0] ?? text.slice(-300)
