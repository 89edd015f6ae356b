import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { headersHash } from './host-metal/declarations/ours.mjs'
import { root } from './support/cli.js'

describe('declaration headers of the type-check lane', () => {
  const checked = JSON.parse(readFileSync(join(root, 'test/host-metal/declarations/checked.json'), 'utf8'))

  it('are those that were compared with the SDK: otherwise run test/host-metal/declarations/check.mjs', () => {
    assert.equal(headersHash(), checked.headers)
  })

  it('the comparison covers what native/apple sends', () => {
    for (const name of [
      '-[MTLDevice newBufferWithBytesNoCopy:length:options:deallocator:]',
      '-[MTLComputeCommandEncoder dispatchThreadgroups:threadsPerThreadgroup:]',
      '-[MTLCommandBuffer addCompletedHandler:]',
      'MTLCreateSystemDefaultDevice',
      'MTLLanguageVersion3_1 = 196609',
    ]) {
      assert.ok(checked.declarations.includes(name), name)
    }
    assert.ok(checked.availability.includes('MTLCompileOptions mathMode: macOS 15'))
  })
})
