import { serve } from '../contest/contestant.js'
import { GgmlContestant } from './ggml-contestant.js'

await serve(new GgmlContestant('metal'))
