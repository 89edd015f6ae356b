import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { sdks, sources, typeCheck } from './host-metal/type-check.mjs'

/** Code with one mistake that only the arm64-apple-macos14 lane can tell, and what clang says of it. */
const mistakes: Record<string, readonly [code: string, says: RegExp]> = {
  'a newer API without @available': [
    'void f(MTLCompileOptions *o) { o.mathMode = MTLMathModeSafe; }',
    /'setMathMode:' is only available on macOS 15\.0 or newer/,
  ],
  'an unknown selector': [
    'void f(id<MTLDevice> d) { [d newBufferWithLength:1]; }',
    /no known instance method for selector 'newBufferWithLength:'/,
  ],
  'a wrong type': [
    'void f(id<MTLComputeCommandEncoder> e, id<MTLLibrary> l) { [e setBuffer:l offset:0 atIndex:0]; }',
    /cannot initialize a parameter of type 'id<MTLBuffer>/,
  ],
  'a pointer bridged without ownership': ['void *f(id<MTLBuffer> b) { return (void *)b; }', /bridged cast/],
  'an object for a number': ['int f(id<MTLDevice> d) { return d.name; }', /cannot initialize return object/],
}

describe('native/apple for arm64-apple-macos14', function () {
  this.timeout(120_000)

  it('has sources', () => assert.ok(sources().length > 0))
  for (const file of sources()) {
    // The older SDK makes a difference only where the source asks for it.
    const asks = readFileSync(file, 'utf8').includes('__MAC_OS_X_VERSION_MAX_ALLOWED')
    for (const sdk of asks ? sdks : sdks.slice(-1)) {
      it(`${basename(file)}, SDK ${sdk / 10000}`, () => {
        for (const messages of typeCheck([file], sdk).values()) assert.equal(messages, '')
      })
    }
  }

  describe('refuses', () => {
    let folder = ''
    before(() => {
      folder = mkdtempSync(join(tmpdir(), 'mrope-types-'))
    })
    after(() => rmSync(folder, { recursive: true, force: true }))
    for (const [name, [code, says]] of Object.entries(mistakes)) {
      it(name, () => {
        const file = join(folder, 'mistake.mm')
        writeFileSync(file, `#import <Metal/Metal.h>\n${code}\n`)
        for (const messages of typeCheck([file]).values()) assert.match(messages, says)
      })
    }
  })
})
