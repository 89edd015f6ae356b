import assert from 'node:assert/strict'
import { check } from './host-metal/address-space/check.mjs'
import { build } from './host-metal/build.mjs'
import { kernelFile, lanes, launch, reflectionOf, values } from './host-metal/self-test/launch.js'
import { inOut, mistakes, threads } from './host-metal/self-test/mistakes.js'

const iota = (n: number) => Array.from({ length: n }, (_, i) => i)
const schedules = ['in-order', 'reverse', 'random --seed 1', 'random --seed 2', 'lockstep']

// The executor: kernels that are right give the right values in every lane and schedule, each known mistake is named.
describe('Metal kernels on this processor', () => {
  before(async function () {
    this.timeout(300_000)
    await build() // says so when the compiler is missing
  })

  describe('right kernels', () => {
    for (const lane of lanes) {
      for (const schedule of schedules.filter((name) => lane === 'strict' || name !== 'lockstep')) {
        it(`sum and mirror, ${lane}, ${schedule}`, async () => {
          const sums = await launch('sum', 'sum', lane, `${inOut(256)} ${threads(2, 128)} --schedule ${schedule}`)
          const expected = iota(256).map((i) => (i < 128 ? (127 * 128) / 2 : (127 * 128) / 2 + 128 * 128))
          assert.deepEqual(values(sums), expected)
          const mirrored = await launch(
            'lanes',
            'mirror',
            lane,
            `${inOut(256)} ${threads(2, 128)} --schedule ${schedule}`,
          )
          assert.deepEqual(
            values(mirrored),
            iota(256).map((i) => i ^ 31),
          )
        })
      }

      it(`edges, atomics, matrices and threadgroup arguments, ${lane}`, async () => {
        const scaled = await launch(
          'groups',
          'scale',
          lane,
          `${inOut(100)} --bytes 2:uint:100,1073741824 ${threads(4, 32)}`,
        )
        assert.deepEqual(
          values(scaled),
          iota(100).map((i) => 2 * i),
        )
        const grid = await launch(
          'groups',
          'accumulate',
          lane,
          '--buffer 0:float:77 --buffer 1:float:77 --print 1 --grid 77 --threads 32',
        )
        assert.deepEqual(
          values(grid),
          iota(77).map((i) => 2 * i),
        )
        assert.deepEqual([grid.stats.threadgroups, grid.stats.threads], [3, 77])
        const counted = await launch('groups', 'count', lane, `--buffer 1:uint:1:zero --print 1 ${threads(3, 64)}`)
        assert.deepEqual(values(counted), [64])
        const turned = await launch('memory', 'turn', lane, `${inOut(64)} --threadgroup 0:256 ${threads(1, 64)}`, {
          defines: { ROWS: 2 },
        })
        assert.deepEqual(
          values(turned),
          iota(64).map(() => 65),
        )
        assert.deepEqual([turned.threadgroupBytes, turned.stats.threadgroupBytes], [2064, 2320])
        for (const transposed of [false, true]) {
          const options = `--buffer 0:half:64 --buffer 2:half:64 --buffer 1:float:64:unwritten --print 1 ${threads(1, 32)}`
          const defines: Record<string, string> = transposed ? { TRANSPOSED: '1' } : {}
          const product = await launch('matrix', 'multiply', lane, options, { defines })
          const a = (row: number, column: number) => (transposed ? column * 8 + row : row * 8 + column)
          const cell = (at: number) => iota(8).reduce((sum, k) => sum + a(at >> 3, k) * (k * 8 + (at & 7)), 1)
          assert.deepEqual(values(product), iota(64).map(cell))
          assert.equal(product.stats.mmas, 1)
        }
      })
    }
  })

  describe('mistakes', () => {
    for (const [name, { file, kernel, options, says, lane = 'strict', defines }] of Object.entries(mistakes)) {
      it(`${name} (${kernel}, ${lane})`, async () => {
        const { error, stats } = await launch(file, kernel, lane, options, { defines })
        const messages = error === undefined ? stats.messages : [error]
        assert.ok(
          messages.some((message) => says.test(message)),
          messages.join('\n') || 'nothing was said',
        )
        assert.ok(error !== undefined || stats.errors >= messages.length)
      })
    }

    it('an order of threadgroups that the result depends on (running, plain)', async () => {
      const run = (schedule: string) =>
        launch('groups', 'running', 'plain', `${inOut(8)} ${threads(8, 32)} --schedule ${schedule}`)
      assert.deepEqual(values(await run('in-order')), [0, 1, 3, 6, 10, 15, 21, 28])
      assert.deepEqual(values(await run('reverse')), [0, ...iota(7).map(() => null)])
    })

    it('a variable that was never set is NaN (unset_variable, plain)', async () => {
      const launched = await launch(
        'groups',
        'unset_variable',
        'plain',
        `--buffer 1:float:8:unwritten --print 1 ${threads(1, 8)}`,
      )
      assert.deepEqual(values(launched), [1, 1, 1, null, 1, 1, 1, null])
    })

    it('an infinite mask, which fast math may assume away (infinite_mask, fast-math)', async () => {
      const run = async (lane: 'plain' | 'fast-math') =>
        values(await launch('groups', 'infinite_mask', lane, `${inOut(8)} ${threads(1, 8)}`))
      assert.deepEqual(await run('plain'), [0, 1, 2, 3, 0, 0, 0, 0])
      assert.notDeepEqual(await run('fast-math'), await run('plain'))
    })

    it('threadgroup memory where device memory is due (spaces, address spaces)', async () => {
      assert.equal(await check({ source: kernelFile('spaces') }), '')
      const errors = await check({ source: kernelFile('spaces'), defines: { MISTAKE: 1 } })
      assert.match(errors, /spaces\.metal:\d+:\d+: error: no matching function for call to 'onlyDevice'/)
      const paired = await launch('spaces', 'pairs', 'strict', `${inOut(32)} --constant 0:bool:0 ${threads(1, 32)}`)
      assert.deepEqual(
        values(paired),
        iota(32).map((t) => (t < 31 ? 3 * t + 3 : 64)),
      )
    })
  })

  describe('vocabulary', () => {
    for (const lane of ['plain', 'strict'] as const) {
      it(`words, ${lane}`, async () => {
        const launched = await launch(
          'vocabulary',
          'words',
          lane,
          `--buffer 1:float:18:unwritten --bytes 2:float:0.1 --print 1 ${threads(1, 18)}`,
        )
        const half = 3 * 0.0999755859375 // 0.1 as half
        const expected = [
          ...[2, 1 + 10 * 6 + 100 * 8, 130, Math.fround(0.2998046875), 0.10009765625, 16, 2, 3],
          ...[15 + 8 + 3, 7, 9.7, 1.1, 9 + 5, 0x3c00 + 0x3f80, 2, -56 + 44 + 0x18, 65504, -1 + 0.25 - 1 - 3 + 1],
        ]
        assert.ok(Math.abs(half - 0.2998046875) < 2 ** -12)
        values(launched).forEach((value, i) => {
          assert.ok(
            value !== null && Math.abs(value - expected[i]) <= 1e-6 * Math.abs(expected[i]),
            `word ${i}: ${value}, not ${expected[i]}`,
          )
        })
      })
    }

    it('operations among lanes', async () => {
      const table = values(
        await launch('vocabulary', 'lanes', 'strict', `--buffer 1:float:512:unwritten --print 1 ${threads(1, 32)}`),
      )
      for (const l of iota(32)) {
        const down = l < 31 ? l + 1 : null // beyond the last lane there is nothing
        const expected = [
          496,
          31,
          0,
          (l * (l + 1)) / 2,
          (l * l - l) / 2,
          l ^ 5,
          down,
          (l + 1) % 32,
          l < 2 ? -1 : l - 2,
          7,
        ]
        expected.push((l & ~3) * 4 + 6, l ^ 1, 7, 1, 0, 0)
        assert.deepEqual(table.slice(l * 16, l * 16 + 16), expected, `lane ${l}`)
      }
    })

    it('function constants: set, derived, optional', async () => {
      const options = '--buffer 1:float:3:unwritten --print 1 --grid 3 --constant 4:int:7'
      assert.deepEqual(
        values(await launch('constants', 'describe', 'strict', `${options} --constant 5:bool:1`)),
        [56, 0.5, -1],
      )
      const scaled = await launch(
        'constants',
        'describe',
        'strict',
        `${options} --constant 5:bool:0 --constant 6:float:2.5`,
      )
      assert.deepEqual(values(scaled), [56, 2, 2.5])
    })
  })

  it('counts: traffic, threadgroup bytes, barriers, operations, functions', async () => {
    const { stats } = await launch('sum', 'sum', 'strict', `${inOut(256)} ${threads(2, 128)}`)
    const traffic = {
      loaded: 0,
      stored: 0,
      uniqueLoaded: 0,
      uniqueStored: 0,
      uniquePerGroupLoaded: 0,
      uniquePerGroupStored: 0,
    }
    assert.deepEqual(stats.buffers, {
      0: { ...traffic, loaded: 1024, uniqueLoaded: 1024, uniquePerGroupLoaded: 1024 },
      1: { ...traffic, stored: 1024, uniqueStored: 1024, uniquePerGroupStored: 1024 },
    })
    assert.deepEqual(
      [stats.barriers, stats.simdOps, stats.threadgroupStored, stats.threadgroupLoaded],
      [2, 8, 32, 4096],
    )
    const shared = await launch(
      'groups',
      'scale',
      'strict',
      `--buffer 0:float:96 --buffer 1:float:96 --bytes 2:uint:96,0 ${threads(3, 32)} --repeat 2`,
    )
    assert.equal(shared.stats.device.uniqueLoaded, 2 * 384)
    assert.ok(shared.stats.constantLoaded >= 2 * 96 * 8)
    const angles = await launch('vocabulary', 'angles', 'plain', `--buffer 1:float:64:unwritten ${threads(1, 64)}`, {
      count: ['angle'],
    })
    assert.deepEqual(angles.stats.calls, { angle: 2 })
    assert.deepEqual([angles.stats.math.sin, angles.stats.math.exp], [128, 64])
    await assert.rejects(reflectionOf('vocabulary', { count: ['nothing'] }), /no definition of nothing to count/)
  })
})
