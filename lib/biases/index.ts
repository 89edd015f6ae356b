import { kerpleWeight, shaw, transformerXL } from './content.js'
import { fire } from './fire.js'
import { cable, kerpleLog, kerplePower } from './kernels.js'
import { alibi, bloom, mpt } from './slopes.js'
import { t5 } from './t5.js'
import { beit, swin, swinV2 } from './windows.js'

/** Every relative encoding by name: what `attend` takes as `bias`. */
export const biases = {
  alibi,
  bloom,
  mpt,
  t5,
  kerpleLog,
  kerplePower,
  kerpleWeight,
  cable,
  fire,
  swin,
  swinV2,
  beit,
  shaw,
  transformerXL,
} as const
