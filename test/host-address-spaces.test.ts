import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { check } from './host-metal/address-space/check.mjs'
import { root } from './support/cli.js'

// MSL's rules for pointers and address spaces, on the shipped kernels with the macros that native/gpu gives them.

type Macros = Readonly<Record<string, string | number>>

const types = ['float', 'half', 'bfloat'] as const
const dims = [
  [64, 64],
  [72, 72],
  [80, 80],
  [128, 128],
  [256, 192],
] as const

function attention(type: string, [headDim, valueDim]: readonly [number, number], staged: 0 | 1): Macros {
  return {
    ...{ MROPE_Q: type, MROPE_K: type, MROPE_V: type, MROPE_OUT: type },
    ...{ MROPE_HEAD_DIM: headDim, MROPE_VALUE_DIM: valueDim, MROPE_ROWS: 32, MROPE_KEYS: 16, MROPE_SIMDGROUPS: 4 },
    ...{ MROPE_KEEP: headDim <= 128 ? 1 : 0, MROPE_STAGED: staged, MROPE_WIDTH: 2 },
  }
}

function decode(type: string, [headDim, valueDim]: readonly [number, number]): Macros {
  return {
    ...{ MROPE_X: type, MROPE_K: type, MROPE_V: type, MROPE_T: type, MROPE_OUT: type },
    ...{ MROPE_M: type === 'half' ? 'half' : 'float', MROPE_HEAD_DIM: headDim, MROPE_VALUE_DIM: valueDim },
    ...{ MROPE_ROW_BLOCKS: 1, MROPE_KEYS: 16, MROPE_SIMDGROUPS: headDim > 128 ? 2 : 4, MROPE_KEEP: 1, MROPE_WIDTH: 2 },
  }
}

const rotation = (type: string, width: 1 | 2): Macros => ({
  ...{ MROPE_X: type, MROPE_OUT: 'float', MROPE_K: type, MROPE_V: 'half', MROPE_T: type },
  ...{ MROPE_WIDTH: width, MROPE_ANGLES: 512 },
})

const libraries: Readonly<Record<string, readonly Macros[]>> = {
  'attention.metal': types.flatMap((type) =>
    dims.flatMap((dim) => [attention(type, dim, 0), ...(dim[0] <= 128 ? [attention(type, dim, 1)] : [])]),
  ),
  'decode.metal': types.flatMap((type) => dims.map((dim) => decode(type, dim))),
  'rotate.metal': types.flatMap((type) => [rotation(type, 1), rotation(type, 2)]),
  'lane_order.metal': [{}],
}

describe('address spaces of the Metal kernels', () => {
  it('every library is here', () => {
    const shipped = readdirSync(join(root, 'metal')).filter((file) => file.endsWith('.metal'))
    assert.deepEqual(shipped.sort(), Object.keys(libraries).sort())
  })

  for (const [file, variants] of Object.entries(libraries)) {
    for (const defines of variants) {
      it(`${file} ${Object.values(defines).join(' ')}`, async () => {
        assert.equal(await check({ source: join(root, 'metal', file), defines }), '')
      })
    }
  }
})
