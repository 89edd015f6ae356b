import { strict as assert } from 'node:assert'
import fc from 'fast-check'
import { encodings, type Positions, type Segment, Sequence } from '../lib/index.js'
import { circle } from './coherence-schemes.js'
import { image, text } from './support/examples.js'
import { A, B, numbers, planes, vectors } from './support/ids.js'

type Options = NonNullable<Parameters<typeof encodings.circleRope>[0]>

const positions = (segments: readonly Segment[], options: Options = {}): Positions =>
  encodings.circleRope(options).positions(Sequence.of(segments))

/** Ids as printed, to the third decimal. */
function assertNear(actual: ArrayLike<number>, printed: string): void {
  const expected = numbers(printed)
  assert.equal(actual.length, expected.length)
  expected.forEach((id, i) => {
    assert.ok(Math.abs(actual[i] - id) <= 6e-4, `${i}: ${actual[i]}, expected ${id}`)
  })
}

describe('CircleRoPE: A, whose picture starts at 3', () => {
  it('radius 10, alpha 0.5: ids of the six tokens, and the text behind', () => {
    const found = positions(A)
    const block = planes(found).map((axis) => axis.slice(3, 9))
    assertNear(block[0], '3 10.527 8.832 -5.165 -5.1 -4.908')
    assertNear(block[1], '10.071 1.975 -4.865 7.082 6.163 5.193')
    assertNear(block[2], '-4.071 -3.503 5.033 7.082 7.938 8.715')
    for (const axis of planes(found)) {
      assert.deepEqual(axis.slice(0, 3), [0, 1, 2])
      assertNear(axis.slice(9), '11.527 12.527')
    }
    assertNear([found.next, found.delta], '13.527 2.527')
    assertNear(found.decode(2).axis('h'), '13.527 14.527')
  })
  it('alpha 0: the ordinal of a cell is its angle', () => {
    const found = positions(A, { alpha: 0 })
    assertNear(found.axis('t').slice(3), '3 10.071 10.071 3 -4.071 -4.071 11.071 12.071')
  })
  it('radius auto-2: twice the largest coordinate, 1; text goes on at 5.505', () => {
    assertNear(positions(A, { radius: 'auto-2' }).axis('w').slice(9), '5.505 6.505')
    assert.deepEqual(planes(positions(A, { radius: 'auto-2' })), planes(positions(A, { radius: 2 })))
    assert.deepEqual(planes(positions(A, { radius: 'auto' })), planes(positions(A, { radius: 'auto-1' })))
    assert.deepEqual(planes(positions(A, { radius: 'auto-0.5' })), planes(positions(A, { radius: 0.5 })))
    // From the corner the largest coordinate is the last column, 2.
    assert.deepEqual(
      planes(positions(A, { radius: 'auto', moveToOrigin: false })),
      planes(positions(A, { radius: 2, moveToOrigin: false })),
    )
  })
  it('mix 1: the places of the cells themselves, in the plane across the diagonal', () => {
    const found = positions(A, { mix: 1 })
    const [x, y] = [numbers('-1 0 1 -1 0 1'), numbers('-0.5 -0.5 -0.5 0.5 0.5 0.5')]
    vectors(found)
      .slice(3, 9)
      .forEach(([t, h, w], k) => {
        assert.ok(Math.abs(t - (3 + (2 * y[k]) / 6 ** 0.5)) < 1e-12)
        assert.ok(Math.abs(h - w - 2 ** 0.5 * x[k]) < 1e-12)
        assert.ok(Math.abs(t + h + w - 9) < 1e-12)
      })
  })
  it('mix 0.25: a quarter of the way from the ring to the places', () => {
    const [ring, cells, mixed] = [0, 1, 0.25].map((mix) => planes(positions(A, { mix })))
    mixed.forEach((axis, a) => {
      axis.slice(3, 9).forEach((id, i) => {
        assert.ok(Math.abs(id - (0.75 * ring[a][3 + i] + 0.25 * cells[a][3 + i])) < 1e-12)
      })
    })
  })
  it('moved to positive ids: the smallest id of the picture is its start, or as far above as asked', () => {
    for (const moveToPositive of [0, 1.5]) {
      const found = positions(A, { moveToPositive })
      const plain = positions(A)
      const least = Math.min(...planes(found).flatMap((axis) => axis.slice(3, 9)))
      assert.ok(Math.abs(least - (3 + moveToPositive)) < 1e-12, `${least}`)
      const shift = found.axis('t')[3] - plain.axis('t')[3]
      vectors(found)
        .slice(3, 9)
        .forEach((ids, k) => {
          ids.forEach((id, a) => {
            assert.ok(Math.abs(id - plain.at(3 + k)[a] - shift) < 1e-12)
          })
        })
    }
  })
})

describe('CircleRoPE: any picture', () => {
  it('lies in the plane t + h + w = 3p at the radius from (p, p, p), and text starts at the largest id + 1', () => {
    const side = fc.integer({ min: 1, max: 9 })
    const share = fc.double({ min: 0, max: 1, noNaN: true })
    fc.assert(
      fc.property(fc.nat(50), side, side, share, fc.constantFrom(0.5, 3, 10, 33), (p, h, w, alpha, radius) => {
        const found = positions([text(p), image(1, h, w)], { alpha, radius })
        const cells = vectors(found).slice(p)
        for (const ids of cells) {
          assert.ok(Math.abs(ids[0] + ids[1] + ids[2] - 3 * p) < 1e-9)
          assert.ok(Math.abs(Math.hypot(...ids.map((id) => id - p)) - radius) < 1e-9)
        }
        // Rounded up, so that whole numbers are added to it exactly.
        const above = found.next - Math.max(...cells.flat()) - 1
        assert.ok(above >= 0 && above <= 2 ** -24, `${above}`)
      }),
      { numRuns: 200 },
    )
  })
  it('1×1, 1×7, 20×30 and 33×3 are those of the scheme written down independently', () => {
    for (const [h, w] of [
      [1, 7],
      [20, 30],
      [33, 3],
    ]) {
      const expected = circle([1, h, w], 3)
      const found = positions([text(3), image(1, h, w), text(1)])
      planes(found).forEach((axis, a) => {
        axis.slice(3, -1).forEach((id, i) => {
          assert.ok(Math.abs(id - expected.ids[a][i]) < 1e-12, `${h}×${w}, axis ${a}, ${i}`)
        })
      })
      assert.ok(Math.abs(found.axis('t')[3 + h * w] - expected.next) <= 2 ** -24)
    }
    // One cell has angle 0: the ring is one point at the radius.
    assertNear(positions([image(1, 1, 1)]).at(0), `0 ${10 / Math.SQRT2} ${-10 / Math.SQRT2}`)
  })
  it('frames of a video share one ring, or are `frameStride` apart on all axes', () => {
    const size = 4
    const shared = vectors(positions(B)).slice(3, 19)
    for (const [i, ids] of shared.entries()) assert.deepEqual(ids, shared[i % size])
    const apart = positions(B, { frameStride: 2 })
    vectors(apart)
      .slice(3, 19)
      .forEach((ids, i) => {
        ids.forEach((id, a) => {
          assert.ok(Math.abs(id - shared[i % size][a] - 2 * Math.floor(i / size)) < 1e-12)
        })
      })
    assert.ok(Math.abs(apart.next - positions(B).next - 6) <= 2 ** -24)
  })
})
