import type { BenchCase } from '../harness.js'
import { attention } from './attention.js'
import { attentionMemory } from './attention-memory.js'
import { contests } from './contests.js'
import { metalContests } from './metal.js'
import { positions } from './positions.js'
import { rotaryTable } from './table.js'

/** Every case, in the order of the report. */
export const cases: readonly BenchCase[] = [
  positions,
  rotaryTable,
  attention,
  attentionMemory,
  ...contests,
  ...metalContests,
]
