import { type BenchCase, inChild } from '../harness.js'

const few = 1024
const many = 8192
const heads = [28, 4, 128] as const

/** Peak memory of a whole process: the tensors, the scratch and Node itself. It has to grow with the tokens, not their square. */
export const attentionMemory: BenchCase = {
  name: `attention, memory of the process: 28/4 × 128, ${many} tokens, causal (takes minutes)`,
  bar: { most: 1024, unit: 'MB' },
  async run(report) {
    const child = new URL('./attention-memory.child.ts', import.meta.url)
    report(`${few} tokens`)
    const small = await inChild(child, [few, ...heads])
    report(`${many} tokens`)
    const large = await inChild(child, [many, ...heads])
    return {
      value: large.peakMB,
      figures: {
        [`MB at ${few}`]: small.peakMB,
        'MB of tensors': large.tensorsMB,
        'MB beside them': large.peakMB - large.tensorsMB,
        [`MB beside them at ${few}`]: small.peakMB - small.tensorsMB,
        ms: large.ms,
      },
    }
  },
}
