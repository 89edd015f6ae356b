import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

// npm run bench:peers. A peer that does not install is told here and missing in the benchmark; the others are measured.

const here = fileURLToPath(new URL('.', import.meta.url))
// npm ci empties this folder, and git does not see it; mlx-python.ts looks there.
const python = `${here}node_modules/.python`
const mac = process.platform === 'darwin' && process.arch === 'arm64'

if (!run('npm', 'ci', '--ignore-scripts')) process.exit(1)
if (mac) {
  // The script that was not run fetches the addon for this system.
  run('npm', 'rebuild', '@frost-beta/mlx')
  if (run('python3', '-m', 'venv', python)) run(`${python}/bin/pip`, 'install', '--quiet', '-r', 'requirements.txt')
}

function run(command, ...args) {
  const { status, error } = spawnSync(command, args, { cwd: here, stdio: 'inherit' })
  if (status === 0) return true
  process.stderr.write(`${[command, ...args].join(' ')}: ${error?.message ?? `ended with code ${status}`}\n`)
  return false
}
