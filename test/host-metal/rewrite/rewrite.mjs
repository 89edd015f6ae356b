// Preprocessed MSL to C++ for this processor: what the shim cannot express by types and macros.

import { rewriteConstants } from './constants.mjs'
import { countCalls } from './count.mjs'
import { readEnumerators } from './enumerators.mjs'
import { entryPoints, readKernels } from './kernels.mjs'
import { Source } from './source.mjs'
import { rewriteThreadgroup } from './threadgroup.mjs'

export { RewriteError } from './source.mjs'

/**
 * @param {string} text output of the preprocessor with line markers: they survive, so that errors name .metal lines
 * @param {string[]} count names of functions whose calls are counted
 * @returns {{ code: string, reflection: { kernels: object[], constants: object[], threadgroup: object[] } }}
 */
export function rewrite(text, count = []) {
  // Loops are unrolled for registers' sake, of which this processor has none to gain; it only costs compile time.
  const source = new Source(text.replace(/^#\s*pragma\s+(unroll|clang\s+loop).*$/gm, ''))
  const counters = countCalls(source, count)
  const enumerators = readEnumerators(source)
  const constants = rewriteConstants(source, enumerators)
  const found = readKernels(source, enumerators)
  const threadgroup = rewriteThreadgroup(source, found.kernels)
  const entries = entryPoints(found)
  return {
    code: `${counters}${source}\n# 1 "entry points"\n${entries.code}\n`,
    reflection: { kernels: entries.reflection, constants, threadgroup },
  }
}
