import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** Copies the sources of the package (what git knows or would take) and links its modules. Writes only what differs. */
export function copyTree(from, to) {
  const { status, stdout, stderr } = spawnSync('git', ['ls-files', '-co', '--exclude-standard', '-z'], {
    cwd: from,
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
  })
  if (status !== 0) throw new Error(stderr)
  for (const name of stdout.split('\0')) {
    if (name === '' || name.startsWith('test/golden/') || !existsSync(join(from, name))) continue
    const content = readFileSync(join(from, name))
    const target = join(to, name)
    // An unchanged file keeps its time, and what was built from it stays valid.
    if (existsSync(target) && readFileSync(target).equals(content)) continue
    mkdirSync(dirname(target), { recursive: true })
    writeFileSync(target, content)
  }
  for (const name of ['node_modules', 'test/golden']) {
    rmSync(join(to, name), { force: true })
    symlinkSync(join(from, name), join(to, name))
  }
}
