// A process of its own, for what one process leaves to the next and for what a process does not get over:
// metal-process.ts rotate | archive-write | lost | drop | queue. Prints JSON.
import type { MetalBackend } from '../../lib/backends/metal/metal.js'
import { openBackend } from '../../lib/backends/open.js'
import type { HostMetal } from '../host-metal/control.js'
import { here, openMetal } from './metal.js'
import { randomTable, randomTensor } from './tensors.js'

const table = randomTable([1, 33, 8], 'half-split', 1)
const x = randomTensor('float32', [33, 3, 16], 2)

/** A drop that the device does not finish, and what the cache says then. */
async function drop(backend: MetalBackend, host: HostMetal): Promise<unknown> {
  const cache = await backend.openCache({
    ...{ layers: 1, kvHeads: 3, headDim: 16, valueDim: 16, capacity: 40, dtype: 'float32' },
  })
  await cache.attend(0, { q: x, k: x, v: x, table })
  host.fail('submit')
  const errorOf = ({ code, message }: { code: string; message: string }) => ({ code, message })
  const errors = {
    drop: await cache.drop(3, 4).catch(errorOf),
    read: await cache.read(0, 0, 33).catch(errorOf),
  }
  await cache.dispose()
  await backend.dispose()
  return errors
}

async function scenario(name: string | undefined): Promise<unknown> {
  const host = here?.host
  if (host === undefined) throw new Error('needs the host executor')
  if (name === 'queue') {
    host.fail('queue', 0, 2)
    const { name: auto, why } = await openBackend('auto')
    return openMetal().catch(({ code, message }) => ({ code, message, auto, why }))
  }
  if (name === 'archive-write') host.fail('archive-write', 0, -1)
  let backend = await openMetal()
  await backend.rotate(x, table)
  if (name === 'drop') return drop(backend, host)
  if (name !== 'lost') {
    await backend.dispose()
    return { archiveHits: host.report().archiveHits }
  }
  host.fail('submit')
  const out = randomTensor('float32', x.dims, 3)
  const before = out.data.slice()
  const errors: unknown[] = []
  for (let call = 0; call < 2; call++) {
    const { commandBuffers } = backend.info()
    await backend.rotate(x, table, { out }).catch((error) => errors.push({ code: error.code, message: error.message }))
    errors.push(backend.info().commandBuffers - commandBuffers)
  }
  const kept = out.data.every((value, i) => value === before[i])
  const held = backend
  backend = await openMetal()
  await backend.rotate(x, table)
  await Promise.all([held.dispose(), backend.dispose()])
  return { errors, kept }
}

scenario(process.argv[2]).then((result) => console.log(JSON.stringify(result)))
