import { randomFourier, sinusoidal, sinusoidalGrid } from './angles.js'
import { LearnedEmbedding } from './learned.js'

/** Every absolute encoding by name. */
export const embeddings = { sinusoidal, sinusoidalGrid, randomFourier, learned: LearnedEmbedding.of } as const
