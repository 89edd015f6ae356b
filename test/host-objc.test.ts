import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { build } from './host-metal/build.mjs'
import { root } from './support/cli.js'

// The Objective-C runtime and the fakes of Foundation and Metal, by themselves: the cases are in test/host-metal/objc/test.
// Each runs in a process of its own and must leave no object behind.
const suites = ['runtime', 'foundation', 'metal', 'resources', 'rules']

/** Names of the cases in a source. */
function casesOf(suite: string): string[] {
  const source = readFileSync(join(root, `test/host-metal/objc/test/${suite}.mm`), 'utf8')
  return [...source.matchAll(/^CASE\("([^"]+)"\)/gm)].map((match) => match[1] ?? '')
}

describe('Objective-C on Linux', function () {
  this.timeout(600_000) // the first build
  let directory = ''
  before(async () => {
    directory = await build(suites.map((suite) => `objc-${suite}`))
  })

  for (const suite of suites) {
    describe(suite, () => {
      const cases = casesOf(suite)
      it('has cases', () => assert.ok(cases.length > 3))
      for (const name of cases) {
        it(name, () => {
          const { status, signal, stderr } = spawnSync(join(directory, `objc-${suite}`), [name], { encoding: 'utf8' })
          if (name.startsWith('aborts: ')) {
            assert.equal(signal, 'SIGABRT', stderr)
            assert.notEqual(stderr, '')
          } else if (name.startsWith('leaks: ')) {
            assert.equal(status, 1, stderr)
            assert.match(stderr, /after the case.*: 1 of \w+ are left/)
          } else {
            assert.equal(status, 0, stderr)
          }
        })
      }
    })
  }
})
