import { MropeRangeError, MropeTypeError, show } from '../errors.js'
import type { Backend } from './backend.js'
import { CpuBackend } from './cpu/cpu.js'
import { findMetal } from './metal/find.js'
import type { MetalBackend } from './metal/metal.js'
import { type BackendName, backendNames } from './names.js'
import { loadNative } from './native/load.js'
import { ReferenceBackend } from './reference/reference.js'

/** Whether a backend can be opened here, and why. */
export interface BackendStatus {
  readonly name: BackendName
  readonly available: boolean
  readonly why: string
}

/** A backend that can be opened, or why it cannot. */
type Opener = { readonly why: string; readonly open?: (why: string) => Backend | Promise<Backend> }

const later: () => Opener = () => ({ why: 'not part of this release' })

/** Whether a backend can be opened is found out when it is asked for, not at import. */
const finders: { readonly [Name in BackendName]: () => Opener } = {
  metal: findMetal,
  mpsgraph: later,
  coreml: later,
  cpu: findCpu,
  reference: () => ({ why: 'JavaScript, runs everywhere', open: (why) => new ReferenceBackend(why) }),
}

function findCpu(): Opener {
  const { addon, why } = loadNative()
  return addon === undefined ? { why } : { why, open: (reason) => new CpuBackend(addon, reason) }
}

/** All backends that mrope knows, best first. */
export function listBackends(): BackendStatus[] {
  return backendNames.map((name) => {
    const { why, open } = finders[name]()
    return { name, available: open !== undefined, why }
  })
}

/**
 * Opens a backend. A name gives that backend or an error, never another one. `'auto'` takes the name in the environment
 * variable `MROPE_BACKEND` if there is one, otherwise the best available backend; `why` of the backend tells which.
 *
 * @throws MropeTypeError ERR_MROPE_ARGUMENT, MropeRangeError ERR_MROPE_BACKEND, as rejections
 */
export async function openBackend(name: 'metal'): Promise<MetalBackend>
export async function openBackend(name?: BackendName | 'auto'): Promise<Backend>
export async function openBackend(name: BackendName | 'auto' = 'auto'): Promise<Backend> {
  if (typeof name !== 'string') {
    throw new MropeTypeError('ERR_MROPE_ARGUMENT', `openBackend: expected a name, got ${show(name)}`, name)
  }
  const forced = name === 'auto' ? process.env.MROPE_BACKEND : undefined
  const origin = forced ? `MROPE_BACKEND=${forced}` : `openBackend(${show(name)})`
  const wanted = forced || name
  if (wanted === 'auto') return openBest(origin)
  const known = backendNames.find((candidate) => candidate === wanted)
  if (known === undefined) {
    const names = backendNames.join(', ')
    throw new MropeRangeError('ERR_MROPE_BACKEND', `${origin}: no such backend; known are auto, ${names}`, wanted)
  }
  const { why, open } = finders[known]()
  if (open === undefined) {
    throw new MropeRangeError('ERR_MROPE_BACKEND', `${origin}: the backend is not available: ${why}`, wanted)
  }
  return open(`asked for by ${origin}`)
}

async function openBest(origin: string): Promise<Backend> {
  const passed: string[] = []
  for (const name of backendNames) {
    const { why, open } = finders[name]()
    if (open === undefined) {
      passed.push(`${name}: ${why}`)
      continue
    }
    try {
      return await open(`${origin}: the best backend available here (${passed.join('; ')})`)
    } catch (error) {
      passed.push(`${name}: ${error instanceof Error ? error.message : String(error)}`)
    }
  }
  throw new MropeRangeError('ERR_MROPE_BACKEND', `${origin}: no backend is available`, passed)
}
