import { attendSync } from '../../lib/attention/attend.js'
import { noise } from './inputs.js'

// Arguments: tokens, heads, kvHeads, headDim. Prints the peak of the resident memory and the size of the tensors.
const [tokens, heads, kvHeads, headDim] = process.argv.slice(2).map(Number)
const q = noise([tokens, heads, headDim], 1)
const k = noise([tokens, kvHeads, headDim], 2)
const v = noise([tokens, kvHeads, headDim], 3)
const since = performance.now()
const out = attendSync({ q, k, v, rotated: true })
const ms = performance.now() - since
const bytes = [q, k, v, out].reduce((sum, tensor) => sum + tensor.data.byteLength, 0)
// maxRSS is in kilobytes on every system.
const peakMB = process.resourceUsage().maxRSS / 1024
process.stdout.write(JSON.stringify({ peakMB, tensorsMB: bytes / 2 ** 20, ms }))
