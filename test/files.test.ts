import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import {
  chmod,
  mkdir,
  mkdtemp,
  open,
  readdir,
  readFile,
  realpath,
  rm,
  stat,
  symlink,
  truncate,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { withInputFile, writeFileAtomic } from '../lib/io/files.js'
import { encodeSafetensors, readSafetensors, type StorableTensor, writeSafetensors } from '../lib/io/safetensors.js'
import { Tensor } from '../lib/tensors/tensor.js'
import { file, headerEnd } from './safetensors-files.js'

const posix = process.platform !== 'win32'
const tensors = {
  'lm.q': Tensor.from('float16', Array(33 * 7 * 72).fill(0.5), [33, 7, 72]),
  'lm.ids': { type: 'int32', dims: [3, 1], data: Int32Array.of(1, 2, 3) },
  empty: Tensor.zeros('float32', [0, 80]),
} as const
const metadata = { format: 'pt' }
const bytes = encodeSafetensors(tensors, { metadata })

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(await realpath(tmpdir()), 'mrope-files-'))
})
afterEach(async () => {
  await rm(folder, { recursive: true })
})

describe('safetensors files, reading', () => {
  it('reads back what was written, by path and by URL', async () => {
    const path = join(folder, 'a b%20ü.safetensors')
    await writeSafetensors(pathToFileURL(path), new Map<string, StorableTensor>(Object.entries(tensors)), { metadata })
    assert.deepEqual(new Uint8Array(await readFile(path)), bytes)
    for (const source of [path, pathToFileURL(path), bytes]) {
      const { tensors: stored, metadata: found } = await readSafetensors(source)
      assert.deepEqual(found, metadata)
      assert.deepEqual([...stored.keys()].sort(), ['empty', 'lm.ids', 'lm.q'])
      assert.deepEqual(stored.get('lm.ids'), tensors['lm.ids'])
      assert.deepEqual(stored.get('lm.q')?.data, tensors['lm.q'].data)
      assert.deepEqual(stored.get('empty'), { type: 'float32', dims: [0, 80], data: new Float32Array(0) })
    }
  })

  it('gives each tensor memory of its own', async () => {
    const path = join(folder, 'x.safetensors')
    await writeSafetensors(path, tensors)
    const { tensors: stored } = await readSafetensors(path)
    for (const { data } of stored.values()) assert.equal(data.buffer.byteLength, data.byteLength)
  })

  it('a filter chooses tensors, and the whole file is checked nevertheless', async () => {
    const path = join(folder, 'x.safetensors')
    await writeFile(path, bytes)
    for (const source of [path, bytes]) {
      const { tensors: stored } = await readSafetensors(source, { filter: (name) => name.startsWith('lm.i') })
      assert.deepEqual([...stored.keys()], ['lm.ids'])
    }
    await writeFile(path, bytes.subarray(0, -1))
    await assert.rejects(readSafetensors(path, { filter: () => false }), { code: 'ERR_MROPE_SAFETENSORS' })
  })

  it('an error of the filter comes through as it is', async () => {
    const path = join(folder, 'x.safetensors')
    await writeFile(path, bytes)
    const error = new Error('mine')
    const filter = () => {
      throw error
    }
    await assert.rejects(readSafetensors(path, { filter }), error)
  })

  it('a signal ends it', async () => {
    const path = join(folder, 'x.safetensors')
    await writeFile(path, bytes)
    await assert.rejects(readSafetensors(path, { signal: AbortSignal.abort() }), { name: 'AbortError' })
    const controller = new AbortController()
    const filter = () => {
      controller.abort(new Error('enough'))
      return true
    }
    await assert.rejects(readSafetensors(path, { signal: controller.signal, filter }), { message: 'enough' })
  })

  const refused: [string, (path: string) => Promise<unknown>, string, string][] = [
    ['a missing file', async () => {}, 'ERR_MROPE_FILE', 'cannot read PATH: no such file or folder (ENOENT)'],
    ['a directory', mkdir, 'ERR_MROPE_FILE', 'cannot read PATH: it is a directory'],
    [
      'an empty file',
      (path) => writeFile(path, ''),
      'ERR_MROPE_SAFETENSORS',
      'PATH: the file has 0 bytes, its header length alone takes 8',
    ],
    [
      'a short file',
      (path) => writeFile(path, bytes.subarray(0, 7)),
      'ERR_MROPE_SAFETENSORS',
      'PATH: the file has 7 bytes, its header length alone takes 8',
    ],
    [
      'a cut header',
      (path) => writeFile(path, bytes.subarray(0, 100)),
      'ERR_MROPE_SAFETENSORS',
      `PATH: the header length is ${headerEnd(bytes) - 8}, but the file has only 92 bytes more`,
    ],
    [
      'a sparse file of 20 GB that claims a header of 10 GB',
      (path) => sparse(path, Buffer.from('00e40b5402000000', 'hex'), 20e9),
      'ERR_MROPE_SAFETENSORS',
      'PATH: the header length is 10000000000, the limit is 100000000 bytes',
    ],
    [
      'a sparse file of one tensor of 2^52 bytes cut to 20 GB',
      (path) => sparse(path, oneTensor(2 ** 52), 20e9),
      'ERR_MROPE_SAFETENSORS',
      `PATH: tensor "x": data_offsets [0, ${2 ** 52}] are out of range, the file has ${20e9 - oneTensor(2 ** 52).length} bytes of data`,
    ],
  ]
  for (const [name, make, code, message] of refused) {
    it(`refuses ${name}`, async () => {
      const path = join(folder, 'x.safetensors')
      await make(path)
      const expected = `readSafetensors: ${message.replace('PATH', JSON.stringify(path))}`
      await assert.rejects(readSafetensors(path), { name: 'MropeRangeError', code, message: expected })
    })
  }

  it('refuses a tensor of 8 TiB that memory cannot hold', async function () {
    const path = join(folder, 'x.safetensors')
    const header = oneTensor(2 ** 43)
    try {
      await sparse(path, header, header.length + 2 ** 43)
    } catch {
      // A file system that does not hold sparse files of this size.
      this.skip()
    }
    await assert.rejects(readSafetensors(path), { code: 'ERR_MROPE_FILE', value: path })
  })

  it('refuses a path with a zero byte, and the parts of a path that are files', async () => {
    await assert.rejects(readSafetensors('a\0b'), { code: 'ERR_MROPE_FILE', value: 'a\0b' })
    await writeFile(join(folder, 'file'), '')
    const path = join(folder, 'file', 'x')
    await assert.rejects(readSafetensors(path), { code: 'ERR_MROPE_FILE', value: path })
  })

  it('refuses a pipe instead of waiting for a writer', async function () {
    if (!posix) this.skip()
    const path = join(folder, 'pipe')
    execFileSync('mkfifo', [path])
    const reason = `${JSON.stringify(path)}: it is not a regular file`
    await assert.rejects(readSafetensors(path), {
      code: 'ERR_MROPE_FILE',
      message: `readSafetensors: cannot read ${reason}`,
    })
    await assert.rejects(writeSafetensors(path, tensors), { message: `writeSafetensors: cannot write ${reason}` })
  })

  it('refuses to read and write without permission', async function () {
    if (!posix) this.skip()
    const path = join(folder, 'x.safetensors')
    await writeFile(path, bytes)
    await chmod(folder, 0)
    await asAnyone(async () => {
      const reason = `${JSON.stringify(path)}: permission denied (EACCES)`
      const code = 'ERR_MROPE_FILE'
      await assert.rejects(readSafetensors(path), { code, message: `readSafetensors: cannot read ${reason}` })
      await assert.rejects(writeSafetensors(path, tensors), {
        code,
        message: `writeSafetensors: cannot write ${reason}`,
      })
    }).finally(() => chmod(folder, 0o700))
    assert.deepEqual(await readdir(folder), ['x.safetensors'])
  })

  it('says so when a file shrinks while it is read', async () => {
    const path = join(folder, 'x')
    await writeFile(path, new Uint8Array(100))
    const shrunk = withInputFile('read', path, async (input) => {
      await truncate(path, 40)
      return input.read(10, 90)
    })
    const message = `read: cannot read ${JSON.stringify(path)}: it ended at byte 40 while it was read`
    await assert.rejects(shrunk, { code: 'ERR_MROPE_FILE', message })
  })
})

describe('safetensors files, writing', () => {
  it('replaces a file, keeps its permissions and leaves nothing else', async () => {
    const path = join(folder, 'x.safetensors')
    await writeFile(path, 'old and longer than nothing')
    await chmod(path, 0o640)
    await writeSafetensors(path, tensors, { metadata })
    assert.deepEqual(new Uint8Array(await readFile(path)), bytes)
    if (posix) assert.equal((await stat(path)).mode & 0o777, 0o640)
    assert.deepEqual(await readdir(folder), ['x.safetensors'])
  })

  it('a reader that has the old file open goes on with the old file', async function () {
    if (!posix) this.skip()
    const path = join(folder, 'x')
    await writeFile(path, 'old')
    const handle = await open(path)
    try {
      await writeSafetensors(path, tensors)
      assert.equal(await handle.readFile('utf8'), 'old')
    } finally {
      await handle.close()
    }
  })

  it('follows a link to its file', async function () {
    if (!posix) this.skip()
    await mkdir(join(folder, 'real'))
    await writeFile(join(folder, 'real', 'x'), 'old')
    await symlink(join('real', 'x'), join(folder, 'link'))
    await writeSafetensors(join(folder, 'link'), tensors, { metadata })
    assert.deepEqual(new Uint8Array(await readFile(join(folder, 'real', 'x'))), bytes)
    assert.deepEqual((await readdir(folder)).sort(), ['link', 'real'])
  })

  it('writes a name of 255 bytes, the longest there is', async () => {
    const path = join(folder, 'n'.repeat(255))
    await writeSafetensors(path, tensors, { metadata })
    assert.deepEqual(new Uint8Array(await readFile(path)), bytes)
  })

  it('twenty writers at once leave one whole file', async () => {
    const path = join(folder, 'x')
    await Promise.all(
      Array.from({ length: 20 }, (_, i) => writeSafetensors(path, tensors, { metadata: { i: String(i) } })),
    )
    assert.equal((await readSafetensors(path)).tensors.size, 3)
    assert.deepEqual(await readdir(folder), ['x'])
  })

  it('touches nothing when an argument is wrong', async () => {
    const path = join(folder, 'x')
    await writeFile(path, 'old')
    const wrong = { ...tensors, z: { type: 'float32', dims: [3], data: new Float32Array(2) } } as const
    await assert.rejects(writeSafetensors(path, wrong), {
      code: 'ERR_MROPE_SHAPE',
      message: 'writeSafetensors: tensor "z": dims [3] need 3 elements, the data has 2',
    })
    await assert.rejects(writeSafetensors(7 as unknown as string, tensors), { code: 'ERR_MROPE_ARGUMENT' })
    assert.deepEqual(await readdir(folder), ['x'])
    assert.equal(await readFile(path, 'utf8'), 'old')
  })

  it('leaves the old file and no other when it is aborted halfway', async () => {
    const path = join(folder, 'x')
    await writeFile(path, 'old')
    const controller = new AbortController()
    // The second chunk is first looked at when the first one is written.
    const second = new Proxy(new Uint8Array(8), {
      get(target, key) {
        controller.abort(new Error('enough'))
        return Reflect.get(target, key)
      },
    })
    const written = writeFileAtomic('write', path, [new Uint8Array(100), second], controller.signal)
    await assert.rejects(written, { message: 'enough' })
    assert.deepEqual(await readdir(folder), ['x'])
    assert.equal(await readFile(path, 'utf8'), 'old')
    await assert.rejects(writeSafetensors(path, tensors, { signal: AbortSignal.abort() }), { name: 'AbortError' })
    assert.equal(await readFile(path, 'utf8'), 'old')
  })

  it('leaves the old file and no other when a write fails halfway', async () => {
    const path = join(folder, 'x')
    await writeFile(path, 'old')
    const chunks = [new Uint8Array(100), { length: 8 } as Uint8Array]
    await assert.rejects(writeFileAtomic('write', path, chunks), { code: 'ERR_MROPE_FILE', value: path })
    assert.deepEqual(await readdir(folder), ['x'])
    assert.equal(await readFile(path, 'utf8'), 'old')
  })

  it('refuses a directory and a missing folder', async () => {
    const write = (path: string) => writeSafetensors(path, tensors)
    await assert.rejects(write(folder), {
      code: 'ERR_MROPE_FILE',
      message: `writeSafetensors: cannot write ${JSON.stringify(folder)}: it is a directory`,
    })
    const path = join(folder, 'missing', 'x')
    await assert.rejects(write(path), {
      code: 'ERR_MROPE_FILE',
      message: `writeSafetensors: cannot write ${JSON.stringify(path)}: no such file or folder (ENOENT)`,
    })
    assert.deepEqual(await readdir(folder), [])
  })

  it('refuses a read-only file', async function () {
    if (!posix) this.skip()
    const path = join(folder, 'x')
    await writeFile(path, 'old')
    await chmod(path, 0o444)
    await chmod(folder, 0o777)
    await asAnyone(async () => {
      await assert.rejects(writeSafetensors(path, tensors), {
        code: 'ERR_MROPE_FILE',
        message: `writeSafetensors: cannot write ${JSON.stringify(path)}: permission denied (EACCES)`,
      })
    })
    assert.equal(await readFile(path, 'utf8'), 'old')
    assert.deepEqual(await readdir(folder), ['x'])
  })

  it('refuses a device', async function () {
    if (!posix) this.skip()
    const message = 'writeSafetensors: cannot write "/dev/null": it is not a regular file'
    await assert.rejects(writeSafetensors('/dev/null', tensors), { code: 'ERR_MROPE_FILE', message })
  })
})

/** The first bytes of a file with one tensor of bytes. */
function oneTensor(length: number): Uint8Array {
  return file(`{"x":{"dtype":"U8","shape":[${length}],"data_offsets":[0,${length}]}}`)
}

async function sparse(path: string, start: Uint8Array, size: number): Promise<void> {
  await writeFile(path, start)
  await truncate(path, size)
}

/** Runs without the rights of root, which permissions do not bind. */
async function asAnyone(run: () => Promise<void>): Promise<void> {
  const root = process.getuid?.() === 0
  if (root) process.seteuid?.(65534)
  try {
    await run()
  } finally {
    if (root) process.seteuid?.(0)
  }
}
