// Bugs to inject. `from` stands exactly once in `file` and becomes `to`; `test` has to notice, or `equivalent` says why
// nothing can.
import { apple } from './apple.mjs'
import { attention } from './attention.mjs'
import { attentionPlan } from './attention-plan.mjs'
import { decode } from './decode.mjs'
import { dispatch } from './dispatch.mjs'
import { rotate } from './rotate.mjs'

/** @typedef {{ name: string, file: string, from: string, to: string, test: string, equivalent?: string }} Mutation */

/** @type {readonly Mutation[]} */
export const mutations = [...rotate, ...decode, ...attention, ...attentionPlan, ...dispatch, ...apple]
