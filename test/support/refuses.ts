import { strict as assert } from 'node:assert'
import { MropeError } from '../../lib/index.js'

/** What is called; `Range GRID` for a RangeError of code ERR_MROPE_GRID; the error's value; what its message says. */
export type Bad = readonly [name: string, call: () => unknown, verdict: string, value: unknown, message: RegExp]

/** A list with nothing in it. */
export const holes: number[] = new Array(2)

/** Every case raises its error: class, code, the value that came, and a message that names it. */
export function refuses(title: string, cases: readonly Bad[]): void {
  describe(`refuses: ${title}`, () => {
    for (const [name, call, verdict, value, message] of cases) {
      it(name, () => {
        const [kind, code] = verdict.split(' ')
        assert.throws(call, (error: unknown) => {
          assert.ok(error instanceof MropeError, String(error))
          assert.ok(error instanceof (kind === 'Type' ? TypeError : RangeError), `${error.name} is no ${kind}Error`)
          assert.equal(error.code, `ERR_MROPE_${code}`)
          assert.deepEqual((error as MropeError & { value: unknown }).value, value)
          assert.match(error.message, message)
          return true
        })
      })
    }
  })
}

/** Rejects with an error of mrope that has the code, and whose message says the words. */
export async function refusesAsync(call: () => Promise<unknown>, code: string, ...words: string[]): Promise<void> {
  await assert.rejects(call, (error: unknown) => {
    assert.ok(error instanceof MropeError, String(error))
    assert.equal(error.code, code, String(error))
    for (const word of words) assert.ok(error.message.includes(word), `${error.message} should say ${word}`)
    return true
  })
}
