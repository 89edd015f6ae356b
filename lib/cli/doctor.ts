import { arch, availableParallelism, cpus, platform, release, totalmem } from 'node:os'
import { listBackends, openBackend } from '../backends/open.js'
import { compatNames } from '../encodings/compat.js'
import { familyNames } from '../encodings/families.js'
import { metalReport, metalText } from './metal-report.js'
import { type Report, table } from './output.js'
import { version } from './version.js'

/** `mrope doctor`: what this machine can run, and why. */
export async function doctorCommand(): Promise<Report> {
  const backends = listBackends()
  const metal = await metalReport()
  const opened = await openBackend('auto')
  const json = {
    mrope: version,
    node: process.version,
    electron: process.versions.electron ?? null,
    platform: `${platform()}-${arch()}`,
    os: release(),
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memoryBytes: totalmem(),
    float16Array: 'Float16Array' in globalThis,
    backends,
    metal,
    auto: { backend: opened.name, why: opened.why, device: opened.device },
    families: familyNames,
    compat: compatNames,
    environment: {
      MROPE_BACKEND: process.env.MROPE_BACKEND ?? null,
      MROPE_ADDON: process.env.MROPE_ADDON ?? null,
    },
  }
  await opened.dispose()
  const text = [
    `mrope ${version}, Node ${process.version}${json.electron ? `, Electron ${json.electron}` : ''}, ${json.platform}`,
    `${json.cpu}, ${json.cores} cores, ${(json.memoryBytes / 2 ** 30).toFixed(1)} GiB`,
    `auto opens ${json.auto.backend}: ${json.auto.why}`,
    '',
    table(
      ['backend', 'available', 'why'],
      backends.map(({ name, available, why }) => [name, available ? 'yes' : 'no', why]),
    ),
    '',
    ...(metal === null ? [] : [metalText(metal), '']),
    `families: ${familyNames.join(', ')}`,
    `compat: ${compatNames.join(', ')}`,
  ]
  return { json, text: text.join('\n') }
}
