import { strict as assert } from 'node:assert'
import fc from 'fast-check'
import { type Grid, MropeError, VisionEncoding, visionEncodingFromConfig } from '../lib/index.js'
import { vectors } from './support/ids.js'

const tower = (init: Partial<ConstructorParameters<typeof VisionEncoding>[0]> = {}): VisionEncoding =>
  new VisionEncoding({ name: 'test', headDim: 80, base: 1e4, merge: 2, ...init })
const windowed = tower({ windowSide: 4 })

/** Rows and columns of every patch from their definition: sort all patches by merge block, then by place in the block. */
function orderedPatches([, h, w]: Grid, merge: number): number[][] {
  const patches = Array.from({ length: h * w }, (_, i) => [Math.floor(i / w), i % w])
  const key = ([row, column]: number[]): number[] => [
    Math.floor(row / merge),
    Math.floor(column / merge),
    row % merge,
    column % merge,
  ]
  return patches.sort((a, b) => {
    const [ka, kb] = [key(a), key(b)]
    const differs = ka.findIndex((value, i) => value !== kb[i])
    return differs < 0 ? 0 : ka[differs] - kb[differs]
  })
}

/**
 * Window order as the reference makes it: pad to whole windows (a whole extra one where the side divides), fill with −100,
 * cut, drop −100, and drop repeated borders.
 */
function referenceWindows(grids: readonly Grid[], merge: number, side: number): { index: number[]; cu: number[] } {
  const index: number[] = []
  const cu = [0]
  let offset = 0
  for (const [t, h, w] of grids) {
    const [rows, columns] = [h / merge, w / merge]
    const [padRows, padColumns] = [rows + side - (rows % side), columns + side - (columns % side)]
    for (let frame = 0; frame < t; frame++) {
      const cell = (row: number, column: number): number =>
        row < rows && column < columns ? offset + (frame * rows + row) * columns + column : -100
      for (let top = 0; top < padRows; top += side) {
        for (let left = 0; left < padColumns; left += side) {
          const cells = Array.from({ length: side * side }, (_, i) =>
            cell(top + Math.floor(i / side), left + (i % side)),
          )
          const kept = cells.filter((id) => id !== -100)
          index.push(...kept)
          cu.push(cu[cu.length - 1] + kept.length * merge * merge)
        }
      }
    }
    offset += t * rows * columns
  }
  return { index, cu: cu.filter((border, i) => border !== cu[i - 1]) }
}

const grid = (merge: number): fc.Arbitrary<Grid> =>
  fc
    .tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 13 }), fc.integer({ min: 1, max: 13 }))
    .map(([t, rows, columns]) => [t, rows * merge, columns * merge] as const)

describe('vision: order of the patches', () => {
  it('raw grid 1×4×6, merge 2', () => {
    const expected = '00 01 10 11 02 03 12 13 04 05 14 15 20 21 30 31 22 23 32 33 24 25 34 35'
    const got = vectors(tower().positions([[1, 4, 6]])).map((hw) => hw.join(''))
    assert.equal(got.join(' '), expected)
  })
  it('every frame anew, images behind one another', () => {
    const ids = vectors(
      tower().positions([
        [2, 2, 2],
        [1, 2, 4],
      ]),
    ).map((hw) => hw.join(''))
    assert.equal(ids.join(' '), '00 01 10 11 00 01 10 11 00 01 10 11 02 03 12 13')
  })
  it('merge 1 is raster order', () => {
    assert.deepEqual(vectors(tower({ merge: 1 }).positions([[1, 2, 3]])), [
      [0, 0],
      [0, 1],
      [0, 2],
      [1, 0],
      [1, 1],
      [1, 2],
    ])
  })
  it('any grids, merge 1 to 3 (fast-check)', () => {
    const merges = fc.integer({ min: 1, max: 3 })
    fc.assert(
      fc.property(
        merges.chain((merge) => fc.tuple(fc.constant(merge), fc.array(grid(merge), { maxLength: 3 }))),
        ([merge, grids]) => {
          const expected = grids.flatMap((g) => Array.from({ length: g[0] }, () => orderedPatches(g, merge)).flat())
          assert.deepEqual(vectors(tower({ merge }).positions(grids)), expected)
        },
      ),
    )
  })
  it('axes, and no grids', () => {
    const none = tower().positions([])
    assert.deepEqual([none.axes, none.length], [['h', 'w'], 0])
  })
})

describe('vision: windows of Qwen2.5-VL', () => {
  it('merged grid 5×6, side 4', () => {
    const { index, cuSeqlens } = windowed.windows([[1, 10, 12]])!
    const rows = ['0 1 2 3 6 7 8 9 12 13 14 15 18 19 20 21', '4 5 10 11 16 17 22 23', '24 25 26 27', '28 29']
    assert.equal([...index].join(' '), rows.join(' '))
    assert.deepEqual([...cuSeqlens], [0, 64, 96, 112, 120])
  })
  it('merged grid 4×4: one whole window, in order', () => {
    const { index, cuSeqlens } = windowed.windows([[1, 8, 8]])!
    assert.deepEqual(
      [...index],
      Array.from({ length: 16 }, (_, i) => i),
    )
    assert.deepEqual([...cuSeqlens], [0, 64])
  })
  it('frames and images go on where the last ended', () => {
    const { index, cuSeqlens } = windowed.windows([
      [2, 2, 10],
      [1, 2, 2],
    ])!
    assert.deepEqual([...index], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
    assert.deepEqual([...cuSeqlens], [0, 16, 20, 36, 40, 44])
  })
  it('any grids and sides equal the reference with its padding (fast-check)', () => {
    const merges = fc.integer({ min: 1, max: 3 })
    const sides = fc.integer({ min: 1, max: 6 })
    fc.assert(
      fc.property(
        merges.chain((merge) => fc.tuple(fc.constant(merge), fc.array(grid(merge), { maxLength: 3 }))),
        sides,
        ([merge, grids], side) => {
          const { index, cuSeqlens } = tower({ merge, windowSide: side }).windows(grids)!
          const expected = referenceWindows(grids, merge, side)
          assert.deepEqual([...index], expected.index)
          assert.deepEqual([...cuSeqlens], expected.cu)
        },
      ),
    )
  })
  it('order of the patches keeps the four patches of a cell together', () => {
    const grids: Grid[] = [[1, 10, 12]]
    const { index } = windowed.windows(grids)!
    const order = windowed.order(grids)!
    assert.deepEqual([...order].slice(16, 24), [24, 25, 26, 27, 28, 29, 30, 31])
    index.forEach((cell, i) => {
      assert.deepEqual(
        [...order.subarray(4 * i, 4 * i + 4)],
        [0, 1, 2, 3].map((k) => 4 * cell + k),
      )
    })
  })
  it('a tower without windows has neither', () => {
    assert.deepEqual([tower().windows([[1, 4, 4]]), tower().order([[1, 4, 4]])], [undefined, undefined])
  })
})

describe('vision: borders of the frames, and tables', () => {
  it('cu_seqlens: one border a frame, in patches', () => {
    assert.deepEqual(
      [
        ...tower().cuSeqlens([
          [1, 4, 6],
          [3, 2, 2],
        ]),
      ],
      [0, 24, 28, 32, 36],
    )
    assert.deepEqual([...tower().cuSeqlens([])], [0])
  })
  it('rows turn the first half of the pairs and columns the second, by the same frequencies', () => {
    const { axisOf, invFreq, pairing, rotaryDim } = tower().describe()
    assert.equal(axisOf, 'H'.repeat(20) + 'W'.repeat(20))
    assert.deepEqual([pairing, rotaryDim, invFreq.length], ['half-split', 80, 40])
    assert.deepEqual(invFreq.slice(0, 20), invFreq.slice(20))
  })
  it('the table is in window order where there are windows', () => {
    const grids: Grid[] = [[2, 10, 12]]
    const plain = tower().table(grids)
    const ordered = windowed.table(grids)
    const order = windowed.order(grids)!
    order.forEach((patch, i) => {
      assert.deepEqual(ordered.cos.slice(i * 40, i * 40 + 40), plain.cos.slice(patch * 40, patch * 40 + 40))
      assert.deepEqual(ordered.sin.slice(i * 40, i * 40 + 40), plain.sin.slice(patch * 40, patch * 40 + 40))
    })
  })
})

describe('visionEncodingFromConfig', () => {
  const vision = { hidden_size: 1280, num_heads: 16, patch_size: 14, spatial_merge_size: 2, window_size: 112 }
  const cases: [string, object, { headDim: number; merge: number; windowSide?: number }][] = [
    [
      'qwen2_vl: embed_dim is the width',
      { model_type: 'qwen2_vl', vision_config: { ...vision, embed_dim: 1280, hidden_size: 3584 } },
      { headDim: 80, merge: 2 },
    ],
    [
      'qwen2_5_vl: windows of 112 pixels are 4 cells',
      { model_type: 'qwen2_5_vl', vision_config: vision },
      { headDim: 80, merge: 2, windowSide: 4 },
    ],
    [
      'qwen2_5_vl: windows of 224 pixels, patch 16, are 7',
      { model_type: 'qwen2_5_vl', vision_config: { ...vision, window_size: 224, patch_size: 16 } },
      { headDim: 80, merge: 2, windowSide: 7 },
    ],
    [
      'qwen2_5_omni inside thinker_config',
      { model_type: 'qwen2_5_omni', thinker_config: { model_type: 'qwen2_5_omni_thinker', vision_config: vision } },
      { headDim: 80, merge: 2, windowSide: 4 },
    ],
    [
      'qwen3_vl',
      { model_type: 'qwen3_vl', vision_config: { ...vision, hidden_size: 1152, patch_size: 16 } },
      { headDim: 72, merge: 2 },
    ],
    ['qwen3_5', { model_type: 'qwen3_5', vision_config: { ...vision, hidden_size: 1152 } }, { headDim: 72, merge: 2 }],
    [
      'qwen3_omni_moe',
      {
        model_type: 'qwen3_omni_moe',
        thinker_config: { model_type: 'qwen3_omni_moe_thinker', vision_config: { ...vision, hidden_size: 1152 } },
      },
      { headDim: 72, merge: 2 },
    ],
    [
      'glm4v',
      { model_type: 'glm4v', vision_config: { ...vision, hidden_size: 1536, num_heads: 12 } },
      { headDim: 128, merge: 2 },
    ],
    ['ernie4_5_moe_vl', { model_type: 'ernie4_5_moe_vl', vision_config: vision }, { headDim: 80, merge: 2 }],
    [
      'paddleocr_vl: raster order',
      {
        model_type: 'paddleocr_vl',
        vision_config: { ...vision, hidden_size: 1152, num_heads: undefined, num_attention_heads: 16 },
      },
      { headDim: 72, merge: 1 },
    ],
  ]
  for (const [name, config, expected] of cases) {
    it(name, () => {
      const { encoding, merge, windowSide } = visionEncodingFromConfig(JSON.parse(JSON.stringify(config)))
      assert.deepEqual({ headDim: encoding.headDim, merge, windowSide }, { windowSide: undefined, ...expected })
      const inv = Array.from({ length: expected.headDim / 4 }, (_, i) => 1e4 ** ((-4 * i) / expected.headDim))
      assert.deepEqual([...encoding.invFreq], [...inv, ...inv])
    })
  }
  it('family: the tower of that family, whatever the model_type', () => {
    const config = { model_type: 'my_finetune', vision_config: vision }
    for (const family of ['qwen2_5_vl', 'qwen2_5_omni_thinker']) {
      const { windowSide, encoding } = visionEncodingFromConfig(config, { family })
      assert.deepEqual([windowSide, encoding.headDim], [4, 80])
    }
    const plain = visionEncodingFromConfig({ ...config, model_type: 'qwen2_5_vl' }, { family: 'ernie4_5_moe_vl' })
    assert.deepEqual([plain.windowSide, plain.encoding.name], [undefined, 'ernie4_5_vl_moe vision'])
  })
  it('names under which a family is published: one tower', () => {
    const names = [
      ['qwen2_5_omni_thinker', 'qwen2_5_omni'],
      ['qwen3_omni_moe_thinker', 'qwen3_omni_moe'],
      ['ernie4_5_moe_vl', 'ernie4_5_vl_moe'],
      ['glm4_6v', 'glm46v'],
    ]
    for (const [alias, family] of names) {
      const [given, expected] = [alias, family].map((model_type) => {
        return visionEncodingFromConfig({ model_type, vision_config: vision })
      })
      assert.deepEqual([given.describe(), given.windowSide], [expected.describe(), expected.windowSide], alias)
    }
  })
  it('rope_parameters of the tower: another base, and a warning for a key that is not used', () => {
    const rope = { rope_type: 'axial', rope_theta: 100, factor: 2 }
    const { encoding } = visionEncodingFromConfig({
      model_type: 'qwen2_5_vl',
      vision_config: { ...vision, rope_parameters: rope },
    })
    assert.equal(encoding.invFreq[1], 100 ** (-1 / 20))
    assert.deepEqual(encoding.warnings, ['vision_config rope key factor is not used'])
  })

  const bad: [string, () => unknown, string, RegExp][] = [
    [
      'no such tower',
      () => visionEncodingFromConfig({ model_type: 'llava', vision_config: vision }),
      'ERR_MROPE_FAMILY',
      /"llava"/,
    ],
    [
      'an unknown family',
      () => visionEncodingFromConfig({ model_type: 'qwen2_vl', vision_config: vision }, { family: 'llava' }),
      'ERR_MROPE_FAMILY',
      /family is one of qwen2_vl, .*paddleocr_vl; got "llava"/,
    ],
    [
      'family null',
      () => visionEncodingFromConfig({ model_type: 'qwen2_vl', vision_config: vision }, { family: null as never }),
      'ERR_MROPE_FAMILY',
      /got null/,
    ],
    [
      'an unknown option',
      () => visionEncodingFromConfig({ model_type: 'qwen2_vl', vision_config: vision }, { compat: 'vllm' } as never),
      'ERR_MROPE_ARGUMENT',
      /unknown option "compat"; known are family/,
    ],
    [
      'options null',
      () => visionEncodingFromConfig({ model_type: 'qwen2_vl', vision_config: vision }, null as never),
      'ERR_MROPE_ARGUMENT',
      /expected an object, got null/,
    ],
    ['no vision_config', () => visionEncodingFromConfig({ model_type: 'qwen2_vl' }), 'ERR_MROPE_FAMILY', /"qwen2_vl"/],
    [
      'not an object',
      () => visionEncodingFromConfig('qwen2_vl'),
      'ERR_MROPE_CONFIG',
      /expected an object, got "qwen2_vl"/,
    ],
    [
      'heads that do not divide',
      () => visionEncodingFromConfig({ model_type: 'qwen2_5_vl', vision_config: { ...vision, num_heads: 15 } }),
      'ERR_MROPE_HEADS',
      /hidden_size 1280 does not divide by num_heads 15/,
    ],
    ['head dimension 10', () => tower({ headDim: 10 }), 'ERR_MROPE_CONFIG', /divides by 4, got 10/],
    [
      'a window below a merge block',
      () => visionEncodingFromConfig({ model_type: 'qwen2_5_vl', vision_config: { ...vision, window_size: 27 } }),
      'ERR_MROPE_CONFIG',
      /window_size 27 is less than a merge block/,
    ],
    [
      'rope type',
      () =>
        visionEncodingFromConfig({
          model_type: 'qwen2_vl',
          vision_config: { ...vision, rope_parameters: { rope_type: 'yarn' } },
        }),
      'ERR_MROPE_ROPE_TYPE',
      /"yarn"/,
    ],
    ['merge 0', () => tower({ merge: 0 }), 'ERR_MROPE_CONFIG', /merge is a positive integer, got 0/],
    ['merge −2', () => tower({ merge: -2 }), 'ERR_MROPE_CONFIG', /merge is a positive integer, got -2/],
    ['window side 0', () => tower({ windowSide: 0 }), 'ERR_MROPE_CONFIG', /windowSide is a positive integer, got 0/],
    [
      'a grid that does not divide',
      () => tower().positions([[1, 4, 5]]),
      'ERR_MROPE_GRID',
      /vision grid 0: \[1,4,5\] does not divide by merge size 2/,
    ],
    [
      'a grid of zeros',
      () =>
        tower().cuSeqlens([
          [1, 2, 2],
          [0, 4, 4],
        ]),
      'ERR_MROPE_GRID',
      /vision grid 1: .*got \[0, 4, 4\]/,
    ],
    ['no list', () => windowed.windows(null as never), 'ERR_MROPE_GRID', /list of \[t, h, w\], got null/],
    [
      '2^36 patches',
      () => tower().positions([[16, 65536, 65536]]),
      'ERR_MROPE_GRID',
      /\[16,65536,65536\] makes 68719476736 patches/,
    ],
  ]
  for (const [name, make, code, message] of bad) {
    it(`refuses: ${name}`, () => {
      assert.throws(
        make,
        (error: unknown) => error instanceof MropeError && error.code === code && message.test(error.message),
      )
    })
  }
})
