// The binding against a small oracle in JavaScript, and against misuse.
//
//   node native/test/binding.mjs [build/Release/mrope.node] [quick]

import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { isMainThread, Worker, workerData } from 'node:worker_threads'

const require = createRequire(import.meta.url)
const path =
  workerData?.path ??
  (process.argv[2] && resolve(process.argv[2])) ??
  fileURLToPath(new URL('../../build/Release/mrope.node', import.meta.url))
const addon = require(path)
const quick = process.argv.includes('quick')

/** The places of binding/layout.h. */
export const attendAt = [
  ...[
    'qType',
    'kType',
    'vType',
    'outType',
    'queries',
    'keys',
    'heads',
    'kvHeads',
    'headDim',
    'valueDim',
    'queryOffset',
  ],
  ...['flags', 'window', 'padding', 'tableHeads', 'tableTokens', 'pairs', 'tableOffset', 'scale', 'qEps', 'kEps'],
  ...['biasKind', 'biasType', 'biasHeads', 'biasSpan', 'biasOrigin', 'biasRows', 'biasColumns'],
]
const block = (names, values) => Float64Array.from(names, (name) => values[name] ?? 0)

let state = 7
const noise = () => {
  state = (Math.imul(state, 1664525) + 1013904223) | 0
  return state / 2 ** 31
}
const random = (length) => Float32Array.from({ length }, noise)

function makeCase(tokens, heads, kvHeads, dim, queries = tokens) {
  const pairs = dim / 2
  const angles = random(tokens * pairs).map((x) => 9 * x)
  const values = { queries, keys: tokens, heads, kvHeads, headDim: dim, valueDim: dim, queryOffset: tokens - queries }
  Object.assign(values, { flags: 7, tableHeads: 1, tableTokens: tokens, pairs, tableOffset: tokens - queries })
  values.scale = 1 / Math.sqrt(dim)
  return {
    values,
    params: block(attendAt, values),
    q: random(queries * heads * dim),
    k: random(tokens * kvHeads * dim),
    v: random(tokens * kvHeads * dim),
    out: new Float32Array(queries * heads * dim),
    cos: angles.map(Math.cos),
    sin: angles.map(Math.sin),
  }
}
const argsOf = (c) => [c.params, c.q, c.k, c.v, c.out, c.cos, c.sin]

function rotated(x, at, dim, cos, sin, row) {
  const pairs = dim / 2
  const line = Float64Array.from(x.subarray(at, at + dim))
  for (let f = 0; f < pairs; f++) {
    const [c, s, a, b] = [cos[row * pairs + f], sin[row * pairs + f], line[f], line[f + pairs]]
    line[f] = a * c - b * s
    line[f + pairs] = b * c + a * s
  }
  return line
}

function oracle({ values, q, k, v, cos, sin }) {
  const { queries, heads, kvHeads, headDim: dim, queryOffset, scale } = values
  const out = new Float64Array(queries * heads * dim)
  for (let i = 0; i < queries; i++) {
    for (let h = 0; h < heads; h++) {
      const kv = Math.floor((h * kvHeads) / heads)
      const query = rotated(q, (i * heads + h) * dim, dim, cos, sin, queryOffset + i)
      const weights = []
      for (let j = 0; j <= queryOffset + i; j++) {
        const key = rotated(k, (j * kvHeads + kv) * dim, dim, cos, sin, j)
        weights.push(Math.exp(scale * key.reduce((sum, x, c) => sum + x * query[c], 0)))
      }
      const total = weights.reduce((a, b) => a + b)
      for (let c = 0; c < dim; c++) {
        let sum = 0
        for (let j = 0; j < weights.length; j++) sum += weights[j] * v[(j * kvHeads + kv) * dim + c]
        out[(i * heads + h) * dim + c] = sum / total
      }
    }
  }
  return out
}

function close(got, want, bound) {
  for (let i = 0; i < want.length; i++) assert.ok(Math.abs(got[i] - want[i]) <= bound, `${i}: ${got[i]} ${want[i]}`)
}

const tests = {
  'attend and attendSync give the definition, with every instruction set': async () => {
    const chosen = addon.info().instructions
    for (const name of addon.info().available.split(',')) {
      addon.useInstructions(name)
      for (const [tokens, heads, kvHeads, dim] of [
        [1, 1, 1, 2],
        [33, 4, 1, 64],
        [100, 7, 1, 80],
        [77, 4, 4, 72],
      ]) {
        const c = makeCase(tokens, heads, kvHeads, dim)
        const want = oracle(c)
        assert.equal(addon.attendSync(...argsOf(c)), undefined)
        close(c.out, want, 2e-6)
        c.out.fill(0)
        assert.equal(await addon.attend(...argsOf(c)), true)
        close(c.out, want, 2e-6)
      }
    }
    addon.useInstructions(chosen)
  },

  'the cache: append with rotation, decode, truncate, rerotate, read': async () => {
    const [tokens, heads, kvHeads, dim] = [45, 6, 2, 16]
    const c = makeCase(tokens, heads, kvHeads, dim, 1)
    const cache = addon.cacheCreate(Float64Array.of(0, kvHeads, dim, dim, 64))
    const size = kvHeads * dim
    const append = (from, to) => [
      cache,
      Float64Array.of(0, 0, to - from, 1, dim / 2, 0, 0),
      c.k.subarray(from * size, to * size),
      c.v.subarray(from * size, to * size),
      c.cos.subarray((from * dim) / 2, (to * dim) / 2),
      c.sin.subarray((from * dim) / 2, (to * dim) / 2),
    ]
    addon.cacheAppendSync(...append(0, 30))
    assert.equal(await addon.cacheAppend(...append(30, 45)), true)
    assert.equal(addon.cacheLength(cache), 45)
    const params = block(attendAt, { ...c.values, flags: 3 })
    addon.cacheAttendSync(cache, params, c.q, c.out, c.cos, c.sin)
    close(c.out, oracle(c), 2e-6)
    const before = [new Float32Array(45 * size), new Float32Array(45 * size)]
    addon.cacheRead(cache, Float64Array.of(0, 0, 0, 45), ...before)
    close(before[1], c.v, 0)
    close(before[0].subarray(0, dim), rotated(c.k, 0, dim, c.cos, c.sin, 0), 1e-6)
    const turn = [c.cos.subarray(0, 5 * 8), c.sin.subarray(0, 5 * 8)]
    addon.cacheRerotateSync(cache, Float64Array.of(40, 5, 1, 8, 0), ...turn)
    assert.equal(await addon.cacheRerotate(cache, Float64Array.of(40, 5, 1, 8, 64), ...turn), true)
    const after = [new Float32Array(45 * size), new Float32Array(45 * size)]
    addon.cacheRead(cache, Float64Array.of(0, 0, 0, 45), ...after)
    close(after[0], before[0], 1e-6)
    assert.throws(() => addon.cacheAppendSync(...append(0, 30)), { code: 'ERR_MROPE_CAPACITY' })
    const work = addon.cacheAttend(cache, params, c.q, c.out, c.cos, c.sin)
    assert.throws(() => addon.cacheTruncate(cache, 3), { code: 'ERR_MROPE_STATE' })
    await work
    addon.cacheTruncate(cache, 3)
    assert.equal(addon.cacheLength(cache), 3)
    addon.cacheDispose(cache)
    assert.throws(() => addon.cacheLength(cache), { code: 'ERR_MROPE_STATE' })
  },

  'a step of the cache is an append and an attention; a drop closes the gap': async () => {
    const [tokens, heads, kvHeads, dim] = [45, 6, 2, 16]
    const c = makeCase(tokens, heads, kvHeads, dim)
    const want = oracle(c)
    const cache = addon.cacheCreate(Float64Array.of(0, kvHeads, dim, dim, 64))
    for (const [from, to] of [
      [0, 30],
      [30, 30],
      [30, 44],
      [44, 45],
    ]) {
      const rows = (array, width) => array.subarray(from * width, to * width)
      const values = { ...c.values, queries: to - from, keys: to, queryOffset: from, tableOffset: 0, flags: 3 }
      const params = block(attendAt, { ...values, tableTokens: to - from })
      const out = new Float32Array((to - from) * heads * dim)
      const args = [rows(c.q, heads * dim), rows(c.k, kvHeads * dim), rows(c.v, kvHeads * dim), out]
      args.push(rows(c.cos, dim / 2), rows(c.sin, dim / 2))
      if (from === 0) assert.equal(await addon.cacheStep(cache, params, ...args), true)
      else addon.cacheStepSync(cache, params, ...args)
      assert.equal(addon.cacheLength(cache), to)
      close(out, rows(want, heads * dim), 2e-6)
    }
    const turn = [c.cos.subarray(0, 35 * 8), c.sin.subarray(0, 35 * 8)]
    assert.equal(await addon.cacheDrop(cache, Float64Array.of(3, 7, 1, 8, 0), ...turn), true)
    assert.equal(addon.cacheLength(cache), 38)
    const v = new Float32Array(38 * kvHeads * dim)
    addon.cacheRead(cache, Float64Array.of(0, 0, 0, 38), new Float32Array(v.length), v)
    close(v.subarray(3 * kvHeads * dim), c.v.subarray(10 * kvHeads * dim), 0)
    assert.throws(() => addon.cacheDropSync(cache, Float64Array.of(30, 9, 1, 8, 0)), { code: 'ERR_MROPE_SHAPE' })
    addon.cacheDropSync(cache, Float64Array.of(38, 0, 1, 0, 0))
    addon.cacheDispose(cache)
  },

  'table gives cos and sin': async () => {
    const ids = Float64Array.of(0, 1, 2.5, 70000, 3, 3, 4, 16777215)
    const inv = Float64Array.of(1, 0.1, 0.003)
    const [cos, sin] = [new Float32Array(12), new Float32Array(12)]
    addon.tableSync(Float64Array.of(2, 4, 1, 3, 2), ids, inv, Int32Array.of(0, 1, -1), undefined, cos, sin)
    for (let n = 0; n < 4; n++) {
      const angles = [ids[n], ids[4 + n] * 0.1, 0]
      close(
        cos.subarray(3 * n, 3 * n + 3),
        angles.map((a) => 2 * Math.cos(a)),
        1.3e-7,
      )
      close(
        sin.subarray(3 * n, 3 * n + 3),
        angles.map((a) => 2 * Math.sin(a)),
        1.3e-7,
      )
    }
  },

  'an abort ends the work': async () => {
    const c = makeCase(1500, 8, 1, 128)
    const handle = addon.createAbort()
    const work = addon.attend(...argsOf(c), ...Array(5), handle)
    addon.abort(handle)
    assert.equal(await work, false)
  },

  'misuse is refused with a code': () => {
    const c = makeCase(8, 2, 1, 16)
    const refuse = (code, change) => {
      const args = argsOf(c)
      change(args)
      assert.throws(() => addon.attendSync(...args), { code })
      assert.throws(() => addon.attend(...args), { code })
    }
    refuse('ERR_MROPE_ARGUMENT', (a) => (a[0] = undefined))
    refuse('ERR_MROPE_SHAPE', (a) => (a[0] = new Float64Array(3)))
    refuse('ERR_MROPE_DTYPE', (a) => (a[1] = new Uint8Array(256)))
    refuse('ERR_MROPE_SHAPE', (a) => (a[1] = new Float32Array(255)))
    refuse('ERR_MROPE_ARGUMENT', (a) => (a[4] = a[1]))
    const gone = new Float32Array(256)
    structuredClone(gone.buffer, { transfer: [gone.buffer] })
    refuse('ERR_MROPE_SHAPE', (a) => (a[1] = gone))
    if ('resizable' in ArrayBuffer.prototype) {
      const q = new Float32Array(new ArrayBuffer(1024, { maxByteLength: 4096 }))
      const args = argsOf(c)
      args[1] = q
      assert.throws(() => addon.attend(...args), { code: 'ERR_MROPE_ARGUMENT' })
    }
    for (const wrong of [
      undefined,
      null,
      1,
      'x',
      {},
      [],
      () => 1,
      Symbol('s'),
      new Proxy({}, {}),
      addon.createAbort(),
    ]) {
      assert.throws(() => addon.cacheLength(wrong), { code: 'ERR_MROPE_ARGUMENT' })
    }
    const huge = () => addon.cacheCreate(Float64Array.of(0, 8192, 8192, 8192, 900))
    try {
      addon.cacheDispose(huge())
    } catch (error) {
      assert.equal(error.code, 'ERR_MROPE_MEMORY')
    }
  },

  'random values crash nothing': async () => {
    const hostile = {
      get length() {
        throw new Error('length')
      },
    }
    const make = [
      () => undefined,
      () => null,
      () => noise() * 100,
      () => 'text',
      () => hostile,
      () => Symbol('s'),
      () => 5n,
      () => new Proxy(new Float32Array(4), {}),
      () => new Float32Array(Math.abs(noise() * 64) | 0),
      () => new Float64Array(Math.abs(noise() * 40) | 0).map(() => (noise() * 9) | 0),
      () => new Float64Array(28).map(() => [0, 1, 2, 16, -1, NaN, 1e300, 2 ** 53, 0.5][Math.abs(noise() * 9) | 0]),
      () => Int32Array.of(0, 3, (noise() * 9) | 0),
      () => new Uint16Array(new SharedArrayBuffer(64)),
      () => new DataView(new ArrayBuffer(8)),
      () => new ArrayBuffer(64),
    ]
    const names = Object.keys(addon).filter((name) => !/setThreads|useInstructions/.test(name))
    const cache = addon.cacheCreate(Float64Array.of(0, 1, 4, 4, 8))
    for (let round = 0; round < (quick ? 3000 : 30000); round++) {
      const name = names[Math.abs(noise() * names.length) | 0]
      const args = Array.from({ length: Math.abs(noise() * 16) | 0 }, () => make[Math.abs(noise() * make.length) | 0]())
      if (/^cache/.test(name) && noise() > 0) args[0] = cache
      if (name === 'cacheDispose') continue
      if (name === 'cacheCreate' && args[0] instanceof Float64Array) args[0][4] = 3
      try {
        await addon[name](...args)
      } catch (error) {
        assert.match(String(error.code), /^ERR_MROPE_/, `${name}: ${error}`)
      }
    }
    // A good call with one argument or number changed.
    for (let round = 0; round < (quick ? 3000 : 30000); round++) {
      const c = makeCase(9, 2, 1, 8)
      const args = argsOf(c)
      if (noise() > 0) args[0][Math.abs(noise() * 28) | 0] = (noise() * 20) | 0
      else args[Math.abs(noise() * 12) | 0] = make[Math.abs(noise() * make.length) | 0]()
      try {
        await addon[noise() > 0 ? 'attendSync' : 'attend'](...args)
      } catch (error) {
        assert.match(String(error.code), /^ERR_MROPE_/, `attend: ${error}`)
      }
    }
  },

  'memory stays where it is over many calls': async () => {
    const c = makeCase(64, 4, 2, 64)
    const run = async (calls) => {
      for (let i = 0; i < calls; i++) {
        addon.attendSync(...argsOf(c))
        await addon.attend(...argsOf(c))
        addon.createAbort()
      }
      globalThis.gc?.()
    }
    await run(quick ? 200 : 2000)
    const before = process.memoryUsage.rss()
    await run(quick ? 1000 : 10000)
    const grown = (process.memoryUsage.rss() - before) / 2 ** 20
    assert.ok(grown < 32, `grown by ${grown} MB`)
  },

  'workers start and end with work in flight': async () => {
    for (let round = 0; round < (quick ? 5 : 50); round++) {
      const workers = Array.from({ length: 4 }, () => new Worker(new URL(import.meta.url), { workerData: { path } }))
      await Promise.all(
        workers.map(async (worker) => {
          await new Promise((resolve, reject) => {
            worker.once('message', resolve)
            worker.once('error', reject)
          })
          await worker.terminate()
        }),
      )
    }
  },
}

if (isMainThread) {
  let [passed, failed] = [0, 0]
  for (const [name, test] of Object.entries(tests)) {
    try {
      await test()
      passed++
      console.log(`  ok ${name}`)
    } catch (error) {
      failed++
      console.log(`  FAILED ${name}\n${error.stack}`)
    }
  }
  console.log(`${passed} passed, ${failed} failed`)
  process.exitCode = failed > 0 ? 1 : 0
} else {
  const { parentPort } = await import('node:worker_threads')
  const c = makeCase(700, 8, 1, 128)
  for (let i = 0; i < 3; i++) addon.attend(...argsOf(c)).catch(() => {})
  parentPort.postMessage('working')
}
