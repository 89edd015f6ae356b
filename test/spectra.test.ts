import { strict as assert } from 'node:assert'
import fc from 'fast-check'
import { MropeError, type Spectrum, spectra } from '../lib/index.js'
import { yarnRange } from '../lib/spectra/scaling.js'

const d16 = { base: 1e4, dim: 16 }
const plain16 = [1, 0.31622777, 0.1, 0.031622777, 0.01, 0.0031622777, 0.001, 0.00031622777]
const linear4 = [0.25, 0.079056941, 0.025, 0.0079056947, 0.0025, 0.00079056947, 0.00025, 7.9056947e-5]
const deepseek = [1, 0.31622776, 0.1, 0.023914725, 0.005125, 0.00084986218, 2.5e-5, 7.9056945e-6]
const dynamic = spectra.dynamic({ ...d16, factor: 2, maxPositions: 2048 })
const yarn = { ...d16, factor: 4, originalMaxPositions: 512 }
const allDim = 707 / 1000
const yarn40 = { ...d16, factor: 40, originalMaxPositions: 4096 }
const long16 = Array<number>(8).fill(1.5)
const long = {
  ...d16,
  shortFactor: Array<number>(8).fill(1),
  longFactor: long16,
  originalMaxPositions: 4096,
  factor: 32,
}
const llama3 = { base: 5e5, dim: 16, factor: 8, lowFreqFactor: 1, highFreqFactor: 4, originalMaxPositions: 8192 }

/** Printed by transformers 5.18 in float32 with eight digits. */
const golden: [string, Spectrum, number, number[]][] = [
  ['default, base 1e4', spectra.default(d16), 1, plain16],
  ['linear, factor 4', spectra.linear({ ...d16, factor: 4 }), 1, linear4],
  ['dynamic, factor 2, 2048, not yet reached', dynamic, 1, plain16],
  ['dynamic at 2048', dynamic.atLength!(2048), 1, plain16],
  [
    'dynamic at 4096',
    dynamic.atLength!(4096),
    1,
    [1, 0.27029613, 0.07306, 0.019747833, 0.0053377626, 0.0014427766, 0.00038997692, 0.00010540926],
  ],
  [
    'dynamic at 8192',
    dynamic.atLength!(8192),
    1,
    [1, 0.23948137, 0.057351321, 0.013734572, 0.0032891738, 0.00078769587, 0.00018863847, 4.5175395e-5],
  ],
  [
    'yarn, factor 4, 512',
    spectra.yarn(yarn),
    1.13862944,
    [1, 0.25693506, 0.0625, 0.013834965, 0.0025, 0.00079056947, 0.00025, 7.9056947e-5],
  ],
  [
    'yarn, truncate false',
    spectra.yarn({ ...yarn, truncate: false }),
    1.13862944,
    [1, 0.30140647, 0.070398636, 0.014383359, 0.0025, 0.00079056947, 0.00025, 7.9056947e-5],
  ],
  [
    'yarn 40, 4096, mscale 1, all dim .707',
    spectra.yarn({ ...yarn40, mscale: 1, mscaleAllDim: allDim }),
    1.0857264,
    deepseek,
  ],
  [
    'yarn 40, 4096, mscale .707, all dim .707',
    spectra.yarn({ ...yarn40, mscale: allDim, mscaleAllDim: allDim }),
    1,
    deepseek,
  ],
  [
    'llama3, factor 8, base 5e5, 1, 4, 8192',
    spectra.llama3(llama3),
    1,
    [1, 0.19392276, 0.037606031, 0.0072926651, 0.00052484602, 3.4281024e-5, 6.6478697e-6, 1.2891732e-6],
  ],
  [
    'longrope, factor 32, 4096, long, at 4097',
    spectra.longrope(long).atLength!(4097),
    1.19023807,
    plain16.map((f) => f / 1.5),
  ],
  ['longrope at 4096: the short list, the same factor', spectra.longrope(long).atLength!(4096), 1.19023807, plain16],
  [
    'proportional .25, base 1e6',
    spectra.proportional({ base: 1e6, headDim: 16, partialRotaryFactor: 0.25 }),
    1,
    [1, 0.17782794, 0, 0, 0, 0, 0, 0],
  ],
  [
    'proportional .5, factor 2, base 1e6',
    spectra.proportional({ base: 1e6, headDim: 16, partialRotaryFactor: 0.5, factor: 2 }),
    1,
    [0.5, 0.08891397, 0.015811389, 0.0028117066, 0, 0, 0, 0],
  ],
]

function assertClose(actual: ArrayLike<number>, expected: readonly number[], relative: number): void {
  assert.equal(actual.length, expected.length)
  expected.forEach((value, i) => {
    const error = Math.abs(actual[i] - value)
    assert.ok(error <= relative * Math.abs(value), `entry ${i}: ${actual[i]}, expected ${value}`)
  })
}

describe('spectra: golden vectors, 16 channels', () => {
  for (const [name, spectrum, attentionFactor, invFreq] of golden) {
    it(name, () => {
      assertClose(spectrum.invFreq, invFreq, 3e-7)
      assertClose([spectrum.attentionFactor], [attentionFactor], 1e-8)
    })
  }
})

describe('spectra: YaRN correction range', () => {
  const models = [
    {
      name: 'Qwen2.5-VL',
      dim: 128,
      base: 1e6,
      length: 32768,
      hf: [23.5959, 39.6509, 23, 40],
      vllm: [30.0179, 46.0729, 30, 47],
    },
    {
      name: 'Qwen3-VL',
      dim: 128,
      base: 5e6,
      length: 262144,
      hf: [29.7618, 44.1416, 29, 45],
      vllm: [35.5137, 49.8935, 35, 50],
    },
    {
      name: 'Qwen3.5',
      dim: 64,
      base: 1e7,
      length: 262144,
      hf: [14.241, 21.1216, 14, 22],
      vllm: [16.9932, 23.8739, 16, 24],
    },
  ]
  for (const { name, dim, base, length, hf, vllm } of models) {
    for (const [range, expected] of [
      ['original', hf],
      ['vllm', vllm],
    ] as const) {
      it(`${name}, ${range}: raw ${expected[0]} to ${expected[1]}, pairs ${expected[2]} to ${expected[3]}`, () => {
        const options = { base, dim, factor: 4, originalMaxPositions: length, range }
        const { low, high, rawLow, rawHigh } = yarnRange(options)
        assert.deepEqual([low, high], expected.slice(2))
        assert.deepEqual(
          [rawLow.toFixed(4), rawHigh.toFixed(4)],
          expected.slice(0, 2).map((x) => x.toFixed(4)),
        )
        const { parameters, invFreq } = spectra.yarn(options)
        assert.deepEqual([parameters.low, parameters.high], expected.slice(2))
        // Below the range pairs keep their frequency, above it they have a quarter of it.
        const plain = spectra.default({ base, dim }).invFreq
        assert.equal(invFreq[low], plain[low])
        assert.equal(invFreq[high], plain[high] / 4)
        assert.ok(invFreq[low + 1] < plain[low + 1] && invFreq[high - 1] > plain[high - 1] / 4)
      })
    }
  }

  it('high is clamped at dim − 1, not at dim/2 − 1; low at 0', () => {
    const pairs = (originalMaxPositions: number): number[] => {
      const { low, high } = yarnRange({ base: 1e4, dim: 16, originalMaxPositions })
      return [low, high]
    }
    assert.deepEqual(pairs(2 ** 20), [7, 11])
    assert.deepEqual(pairs(2 ** 28), [12, 15])
    assert.deepEqual(pairs(64), [0, 3])
  })

  it('a range of no width gets one of 0.001', () => {
    const { low, high } = yarnRange({ base: 1e4, dim: 16, originalMaxPositions: 2 })
    assert.deepEqual([low, high], [0, 0.001])
  })

  it('beta 0 means the default', () => {
    assert.deepEqual(spectra.yarn({ ...yarn, betaFast: 0, betaSlow: 0 }).invFreq, spectra.yarn(yarn).invFreq)
    assert.notDeepEqual(spectra.yarn({ ...yarn, betaFast: 8 }).invFreq, spectra.yarn(yarn).invFreq)
  })

  it('factor comes from the lengths where it is missing, and is 1 without them', () => {
    const { factor: _, ...rest } = yarn
    assert.deepEqual(spectra.yarn({ ...rest, maxPositions: 2048 }).invFreq, spectra.yarn(yarn).invFreq)
    const idle = spectra.yarn({ ...d16, maxPositions: 2048 })
    assert.deepEqual([idle.attentionFactor, idle.parameters.factor], [1, 1])
    assertClose(idle.invFreq, plain16, 1e-7)
  })

  it('a given attention factor wins', () => {
    assert.equal(spectra.yarn({ ...yarn, attentionFactor: 1.5, mscale: 1, mscaleAllDim: 0.5 }).attentionFactor, 1.5)
  })
})

describe('spectra: properties', () => {
  const base = fc.double({ min: 10, max: 1e8, noNaN: true })
  const dim = fc.integer({ min: 2, max: 128 }).map((pairs) => 2 * pairs)
  const factor = fc.double({ min: 1.01, max: 1000, noNaN: true })

  it('NTK: the highest frequency stays, the lowest is divided by the factor', () => {
    fc.assert(
      fc.property(base, dim, factor, (b, d, s) => {
        const plain = spectra.default({ base: b, dim: d }).invFreq
        const scaled = spectra.ntk({ base: b, dim: d, factor: s }).invFreq
        assert.equal(scaled[0], 1)
        assertClose([scaled[d / 2 - 1]], [plain[d / 2 - 1] / s], 1e-12)
      }),
    )
  })

  it('linear equals positions divided by the factor', () => {
    fc.assert(
      fc.property(base, dim, factor, fc.integer({ max: 1e6, min: -1e6 }), (b, d, s, id) => {
        const plain = spectra.default({ base: b, dim: d }).invFreq
        const scaled = spectra.linear({ base: b, dim: d, factor: s }).invFreq
        scaled.forEach((f, i) => {
          assertClose([f * id], [plain[i] * (id / s)], 1e-14)
        })
      }),
    )
  })

  it('dynamic NTK at k lengths equals NTK by factor·k − (factor − 1)', () => {
    fc.assert(
      fc.property(base, dim, factor, fc.integer({ min: 1, max: 64 }), (b, d, s, k) => {
        const grown = spectra.dynamic({ base: b, dim: d, factor: s, maxPositions: 1024 }).atLength!(1024 * k)
        assertClose(grown.invFreq, [...spectra.ntk({ base: b, dim: d, factor: s * k - (s - 1) }).invFreq], 1e-12)
      }),
    )
  })

  it('YaRN lies between the plain frequencies and those of linear', () => {
    fc.assert(
      fc.property(base, dim, factor, fc.integer({ min: 64, max: 2 ** 20 }), (b, d, s, length) => {
        const { invFreq } = spectra.yarn({ base: b, dim: d, factor: s, originalMaxPositions: length })
        const plain = spectra.default({ base: b, dim: d }).invFreq
        invFreq.forEach((f, i) => {
          assert.ok(f <= plain[i] * (1 + 1e-15) && f >= (plain[i] / s) * (1 - 1e-15))
        })
      }),
    )
  })

  it('axial: the same list for rows and columns, 80 channels of Qwen2-VL', () => {
    const { invFreq } = spectra.axial({ base: 1e4, headDim: 80 })
    assert.equal(invFreq.length, 40)
    assert.deepEqual(invFreq.slice(0, 20), invFreq.slice(20))
    assertClose(invFreq.slice(0, 3), [1, 1e4 ** (-2 / 40), 1e4 ** (-4 / 40)], 1e-15)
  })

  it('proportional over the whole head is the default, and is not partial', () => {
    const whole = spectra.proportional({ base: 1e6, headDim: 80, partialRotaryFactor: 1 }).invFreq
    assert.deepEqual(whole, spectra.default({ base: 1e6, dim: 80 }).invFreq)
    const quarter = spectra.proportional({ base: 1e6, headDim: 80, partialRotaryFactor: 0.25 }).invFreq
    const partial = spectra.default({ base: 1e6, dim: 20 }).invFreq
    assert.deepEqual([quarter.length, partial.length], [40, 10])
    assert.notEqual(quarter[1], partial[1])
  })

  it('proportional turns whole pairs: 0.3 of 16 channels are 2.4 pairs, so 2', () => {
    const { invFreq } = spectra.proportional({ base: 1e4, headDim: 16, partialRotaryFactor: 0.3 })
    assert.equal(invFreq.indexOf(0), 2)
  })

  it('float32 frequencies are float32, and within 3e-6 of those in float64 for bases up to 1e8', () => {
    fc.assert(
      fc.property(base, dim, (b, d) => {
        const rounded = spectra.default({ base: b, dim: d, precision: 'float32' }).invFreq
        assertClose(rounded, [...spectra.default({ base: b, dim: d }).invFreq], 3e-6)
        assert.deepEqual(rounded, rounded.map(Math.fround))
      }),
    )
  })
})

describe('spectra: bad numbers are typed errors', () => {
  const bad: [string, () => unknown, RegExp][] = [
    ['base 0', () => spectra.default({ base: 0, dim: 16 }), /base is a positive number, got 0/],
    ['base −1e4', () => spectra.default({ base: -1e4, dim: 16 }), /base is a positive number, got -10000/],
    ['base NaN', () => spectra.default({ base: Number.NaN, dim: 16 }), /base is a positive number, got NaN/],
    ['odd dim 15', () => spectra.default({ base: 1e4, dim: 15 }), /rotary dimension is even, .*got 15/],
    ['dim −2', () => spectra.default({ base: 1e4, dim: -2 }), /got -2/],
    ['dim 1e9', () => spectra.default({ base: 1e4, dim: 1e9 }), /got 1000000000/],
    ['linear, factor 0', () => spectra.linear({ ...d16, factor: 0 }), /factor is a positive number, got 0/],
    ['linear, factor as text', () => spectra.linear({ ...d16, factor: '4' as never }), /linear: factor cannot be "4"/],
    ['ntk without factor', () => spectra.ntk({ ...d16 } as never), /factor is a positive number, got undefined/],
    ['dynamic, maxPositions 0', () => spectra.dynamic({ ...d16, factor: 2, maxPositions: 0 }), /maxPositions .*got 0/],
    ['dynamic at NaN', () => dynamic.atLength!(Number.NaN), /length is a finite number, got NaN/],
    ['yarn without lengths', () => spectra.yarn({ ...d16, factor: 4 }), /originalMaxPositions .*got undefined/],
    ['yarn, base 1', () => spectra.yarn({ ...yarn, base: 1 }), /yarn: frequency \d+ is NaN/],
    ['yarn, beta_fast −1', () => spectra.yarn({ ...yarn, betaFast: -1 }), /yarn: frequency 0 is NaN/],
    [
      'yarn, unknown range',
      () => spectra.yarn({ ...yarn, range: 'x' as never }),
      /range is 'original' or 'vllm', got "x"/,
    ],
    [
      'yarn, attention factor 0',
      () => spectra.yarn({ ...yarn, attentionFactor: 0 }),
      /attention factor of yarn .*got 0/,
    ],
    [
      'longrope, short list',
      () => spectra.longrope({ ...long, longFactor: [1, 2] }),
      /short factors|long factors are 8 positive numbers, got \[1, 2\]/,
    ],
    [
      'longrope, a zero',
      () => spectra.longrope({ ...long, longFactor: [0, 1, 1, 1, 1, 1, 1, 1] }),
      /long factors are 8 positive/,
    ],
    [
      'longrope, original length 1',
      () => spectra.longrope({ ...long, originalMaxPositions: 1 }),
      /attention factor of longrope .*got Infinity/,
    ],
    [
      'llama3, equal factors',
      () => spectra.llama3({ ...llama3, lowFreqFactor: 4 }),
      /low and high frequency factor are both 4/,
    ],
    [
      'proportional 1.5',
      () => spectra.proportional({ base: 1e4, headDim: 16, partialRotaryFactor: 1.5 }),
      /at most 1, got 1.5/,
    ],
    [
      'proportional 0',
      () => spectra.proportional({ base: 1e4, headDim: 16, partialRotaryFactor: 0 }),
      /partialRotaryFactor .*got 0/,
    ],
    ['axial, head dimension 74', () => spectra.axial({ base: 1e4, headDim: 74 }), /divides by 4, got 74/],
    ['explicit, infinite', () => spectra.explicit([1, Number.POSITIVE_INFINITY]), /frequency 1 is Infinity/],
    ['explicit, text', () => spectra.explicit('1, 2' as never), /list of numbers, got "1, 2"/],
    [
      'an unknown precision',
      () => spectra.default({ ...d16, precision: 'float16' as never }),
      /default: precision cannot be "float16"/,
    ],
    ['no options', () => spectra.yarn(undefined as never), /yarn: expected an object of numbers, got undefined/],
  ]
  for (const [name, make, message] of bad) {
    it(name, () => {
      assert.throws(make, (error: unknown) => {
        assert.ok(error instanceof MropeError, String(error))
        assert.match(error.code, /^ERR_MROPE_(CONFIG|ARGUMENT)$/)
        assert.match(error.message, message)
        return true
      })
    })
  }
})
