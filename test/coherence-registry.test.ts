import { strict as assert } from 'node:assert'
import fc from 'fast-check'
import { coherence, Sequence } from '../lib/index.js'
import { prompts, registry } from './support/registry.js'

// XD-RoPE's columns, rows and ordinals are small numbers that early text has too.
const entries = registry.filter(({ encoding }) => {
  return encoding.compat === 'coherent' && encoding.layout.name !== 'plain-index'
})

describe('every encoding of the registry can be judged', () => {
  for (const { name, encoding } of entries) {
    const diagonal = encoding.layout.rules.next === 'first' && encoding.layout.textAxes === encoding.axes.length
    const apart = encoding.layout.ownSequences === true
    it(diagonal ? `${name}: text behind a picture overlaps with half of its longer side` : name, () => {
      fc.assert(
        fc.property(prompts(encoding), (segments) => {
          const sequence = Sequence.of(segments)
          const found = coherence(encoding, sequence, { generated: 60 })
          assert.equal(found.monotoneDecode, true)
          assert.equal(found.blocks.length, sequence.blocks().filter(({ length }) => length > 0).length)
          for (const { overlap, sharedVectors, interval, growth, kind } of found.blocks) {
            assert.equal(sharedVectors, 0)
            assert.ok(growth !== null && growth >= 0, `growth ${growth} of ${kind}`)
            if (diagonal) continue
            assert.equal(overlap, 0)
            // Fractional ids: largest id + 1 is a rounded sum.
            assert.ok(apart ? interval.after === null : interval.after! >= 1 - 2 ** -40, `${interval.after}`)
          }
          if (diagonal && segments.length === 1 && segments[0].kind === 'image') {
            const [, h, w] = segments[0].grid
            assert.equal(found.blocks[0].overlap, Math.ceil((Math.max(h, w) - 1) / 2))
          }
          assert.deepEqual(JSON.parse(JSON.stringify(found)), found)
        }),
        { numRuns: 40 },
      )
    })
  }
})
