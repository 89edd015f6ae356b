import assert from 'node:assert/strict'
import { type SoftmaxScaleOptions, softmaxScale, softmaxScaleRules } from '../lib/attention/scale.js'

const headDim = 64
const counts = { headDim, keys: 576, trainedKeys: 196 }

describe('softmaxScale', () => {
  // A vision tower of patch 16 that goes from 224 to 384 pixels: 196 and 576 patches.
  const ratio = Math.log(576) / Math.log(196)
  const numbers: readonly [string, SoftmaxScaleOptions, number][] = [
    ['standard', { rule: 'standard', headDim }, 1],
    ['log-n', { rule: 'log-n', ...counts }, 1.2042],
    ['entropy-invariant', { rule: 'entropy-invariant', ...counts }, 1.0974],
    ['log-ratio, sharpen', { rule: 'log-ratio', ...counts, direction: 'sharpen' }, 1.2042],
    ['log-ratio, flatten', { rule: 'log-ratio', ...counts, direction: 'flatten' }, 1 / ratio],
    ['log-n with as many keys as in training', { rule: 'log-n', headDim, keys: 196, trainedKeys: 196 }, 1],
    ['log-n with one key', { rule: 'log-n', headDim, keys: 1, trainedKeys: 196 }, 0],
    ['yarn-mscale, factor 40', { rule: 'yarn-mscale', headDim, factor: 40, mscaleAllDim: 1 }, 1.3688879 ** 2],
    ['yarn-mscale, factor 40, 0.5', { rule: 'yarn-mscale', headDim, factor: 40, mscaleAllDim: 0.5 }, 1.184444 ** 2],
    ['yarn-mscale, factor 1', { rule: 'yarn-mscale', headDim, factor: 1, mscaleAllDim: 1 }, 1],
  ]
  for (const [what, options, factor] of numbers) {
    it(`${what}: ${factor} / √64`, () => {
      const scale = softmaxScale(options)
      assert.ok(typeof scale === 'number' && Math.abs(scale * 8 - factor) < 5e-5, String(scale))
    })
  }

  it('llama-4 gives one scale per query, a step at every multiple of floorScale minus one', () => {
    const positions = [0, 8190, 8191, 16382, 16383, 1e6]
    const scales = softmaxScale({ rule: 'llama-4', headDim, positions, attnScale: 0.1, floorScale: 8192 })
    const steps = [0, 0, 1, 1, 2, 122].map((step) => (1 + 0.1 * Math.log(1 + step)) / 8)
    assert.deepEqual([...scales], steps)
  })

  it('describes every rule, and marks those without a published code', () => {
    const unverified = Object.entries(softmaxScaleRules).filter(([, rule]) => !rule.verified)
    assert.deepEqual(unverified.map(([name]) => name).sort(), ['log-n', 'log-ratio'])
    for (const { formula, source } of Object.values(softmaxScaleRules))
      assert.ok(formula.length > 0 && source.length > 0)
  })

  const positions = [0, 1]
  const llama = { rule: 'llama-4', headDim, positions, attnScale: 0.1, floorScale: 8192 }
  const wrong: readonly [string, object | undefined, 'TypeError' | 'RangeError', RegExp][] = [
    ['no options', undefined, 'TypeError', /rule must be one of standard, .*, got undefined/],
    ['an unknown rule', { rule: 'toString', headDim }, 'TypeError', /rule must be one of .*, got "toString"/],
    ['an option of another rule', { rule: 'standard', ...counts }, 'TypeError', /unknown option "keys"/],
    ['no direction', { rule: 'log-ratio', ...counts }, 'TypeError', /'sharpen' or 'flatten', got undefined/],
    ['another direction', { rule: 'log-ratio', ...counts, direction: 'up' }, 'TypeError', /got "up"/],
    [
      'flattening one key',
      { rule: 'log-ratio', ...counts, keys: 1, direction: 'flatten' },
      'RangeError',
      /at least 2, got 1/,
    ],
    [
      'a headDim of 0',
      { rule: 'standard', headDim: 0 },
      'RangeError',
      /headDim must be a finite number of at least 1, got 0/,
    ],
    ['no keys', { rule: 'log-n', headDim, trainedKeys: 196 }, 'TypeError', /keys must be a number, got undefined/],
    ['one trained key', { rule: 'log-n', ...counts, trainedKeys: 1 }, 'RangeError', /trainedKeys .* at least 2, got 1/],
    [
      'a factor of NaN',
      { rule: 'yarn-mscale', headDim, factor: NaN, mscaleAllDim: 1 },
      'RangeError',
      /factor .* got NaN/,
    ],
    ['positions as a number', { ...llama, positions: 3 }, 'TypeError', /positions must be an array of numbers, got 3/],
    ['a negative position', { ...llama, positions: [0, -1] }, 'RangeError', /positions\[1\] .* got -1/],
    ['a floorScale of 0', { ...llama, floorScale: 0 }, 'RangeError', /floorScale must be above 0/],
  ]
  for (const [what, options, kind, message] of wrong) {
    it(`refuses ${what}: ${kind}`, () => {
      const call = () => softmaxScale(options as SoftmaxScaleOptions)
      assert.throws(call, { name: `Mrope${kind}`, code: 'ERR_MROPE_ARGUMENT', message })
    })
  }
})
