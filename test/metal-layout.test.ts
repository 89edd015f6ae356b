import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gpuCachePlaces, gpuDropPlaces, gpuReadPlaces, gpuReportPlaces } from '../lib/backends/metal/addon.js'
import { root } from './support/cli.js'

const header = readFileSync(join(root, 'native/binding/gpu-layout.h'), 'utf8').replaceAll(
  /\/\*[\s\S]*?\*\/|\/\/.*/g,
  '',
)

describe('the Metal part of the addon and its description in TypeScript', () => {
  const blocks = {
    gpuCacheAt: gpuCachePlaces,
    gpuDropAt: gpuDropPlaces,
    gpuReadAt: gpuReadPlaces,
    gpuReportAt: gpuReportPlaces,
  }
  for (const [name, places] of Object.entries(blocks)) {
    it(`${name}: the same places`, () => {
      const body = new RegExp(`namespace ${name} \\{\\s*enum : int \\{([^}]*)\\}`).exec(header)?.[1]
      assert.deepEqual(
        body?.split(',').map((entry) => entry.trim()),
        [...places, 'count'],
      )
    })
  }

  it('no other block', () => {
    const found = [...header.matchAll(/namespace (gpu\w+At) \{/g)].map(([, name]) => name)
    assert.deepEqual(found, Object.keys(blocks))
  })

  it('every function that TypeScript knows is registered, and no other', () => {
    const described = readFileSync(join(root, 'lib/backends/metal/addon.ts'), 'utf8')
    const registered = readFileSync(join(root, 'native/binding/register.cc'), 'utf8')
    const names = (text: string, pattern: RegExp): string[] =>
      [...text.matchAll(pattern)].map(([, name]) => name).sort()
    assert.deepEqual(names(described, /^ {2}(gpu\w+)\(/gm), names(registered, /MROPE_EXPORT\((gpu\w+)\)/g))
  })
})
