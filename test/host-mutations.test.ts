import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { mutations } from './host-metal/mutations/list/index.mjs'
import { root } from './support/cli.js'

// Whether the injected bugs are caught is for test/host-metal/mutations/run.mjs, which takes its time.
describe('the list of mutations fits the sources', () => {
  it('has enough of every part', () => {
    const of = (folder: string) => mutations.filter(({ file }) => file.startsWith(folder)).length
    assert.ok(of('metal/') >= 30 && of('native/gpu/') >= 10 && of('native/apple/') >= 10)
  })

  for (const { name, file, from, to, test, equivalent } of mutations) {
    it(`${file}: ${name}`, () => {
      assert.equal(readFileSync(join(root, file), 'utf8').split(from).length - 1, 1, `places that read ${from}`)
      assert.notEqual(from, to)
      const [kind, program] = test.split(/[ /]/)
      const source = kind === 'mocha' ? test.split(' ')[1] : `test/host-metal/kernels/${program}.cc`
      assert.ok(existsSync(join(root, source)), `${test}: no ${source}`)
      if (equivalent !== undefined) assert.ok(equivalent.length > 20)
    })
  }
})
