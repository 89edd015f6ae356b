import assert from 'node:assert/strict'
import { join } from 'node:path'
import type { Backend } from '../lib/backends/backend.js'
import { listBackends, openBackend } from '../lib/backends/open.js'
import { captureTolerance, equalsCapture, listCaptures, runCapture } from '../lib/cli/captures.js'
import { root } from './support/cli.js'

const folders = [join(root, 'test/golden'), ...(process.env.MROPE_CAPTURES ? [process.env.MROPE_CAPTURES] : [])]
const available = listBackends().filter((backend) => backend.available)

/** Positions, rotation and attention of every capture, on every backend of this machine. Ids alone: golden.test.ts. */
for (const { name } of available) {
  describe(`captures on ${name}: rotated ≤ ${captureTolerance.rotated}, output ≤ ${captureTolerance.out}`, () => {
    let backend: Backend
    before(async () => {
      backend = await openBackend(name)
    })
    for (const folder of folders) {
      it(`all of ${folder.slice(-24)}`, async () => {
        let compared = 0
        for (const { family, name: capture } of await listCaptures(folder)) {
          for (const row of await runCapture(join(folder, family, capture), family, capture, backend)) {
            const place = `${family}/${capture} ${row.part}: ${JSON.stringify(row.errors)}`
            assert.equal(row.backend, name)
            if (row.differs === undefined) assert.ok(equalsCapture(row), place)
            // Text is turned alike under both rules, so the queries and keys of generated tokens agree all the same.
            else assert.ok(!equalsCapture(row), `${place} does not differ any more`)
            if (row.part !== 'ids') compared++
          }
        }
        assert.ok(compared >= 30, `${compared} comparisons`)
      })
    }
  })
}
