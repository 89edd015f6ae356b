import { randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import { type FileHandle, open, realpath, rename, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { MropeRangeError, MropeTypeError, show } from '../errors.js'

/** One system call moves at most this much, so that an abort is noticed and the 2 GiB limit of the system is not met. */
const maxTransfer = 64 * 2 ** 20

const reasons: Record<string, string> = {
  ENOENT: 'no such file or folder',
  EISDIR: 'it is a directory',
  ENOTDIR: 'a part of the path is not a directory',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  ENOSPC: 'no space left on the disk',
}

/** An open regular file of known size. */
export interface InputFile {
  readonly path: string
  readonly size: number
  /** Exactly `length` bytes from `position` on, in memory of their own. */
  read(position: number, length: number, signal?: AbortSignal): Promise<Uint8Array<ArrayBuffer>>
}

/**
 * Opens a regular file, lends it to `use` and closes it.
 * @throws MropeRangeError ERR_MROPE_FILE when it is missing, not a regular file, not readable, or shrinks meanwhile
 */
export async function withInputFile<T>(caller: string, path: string | URL, use: (file: InputFile) => Promise<T>) {
  const name = pathOf(caller, path)
  const fail = (error: unknown) => fileError(`${caller}: cannot read`, name, error)
  const handle = await openInput(name).catch((error) => {
    throw fail(error)
  })
  try {
    const { size } = await handle.stat().catch((error) => {
      throw fail(error)
    })
    const read: InputFile['read'] = async (position, length, signal) => {
      try {
        return await readExactly(handle, position, length, signal)
      } catch (error) {
        throw signal?.aborted ? signal.reason : fail(error)
      }
    }
    return await use({ path: name, size, read })
  } finally {
    await handle.close()
  }
}

/**
 * Writes the chunks, one after the other, to a new file beside `path` and renames it: readers see the old file or the whole
 * new one. On failure or abort the new file is removed. The permissions of a replaced file are kept; a link is followed.
 * @throws MropeRangeError ERR_MROPE_FILE
 */
export async function writeFileAtomic(
  caller: string,
  path: string | URL,
  chunks: readonly Uint8Array[],
  signal?: AbortSignal,
): Promise<void> {
  const name = pathOf(caller, path)
  signal?.throwIfAborted()
  let temporary: string | undefined
  try {
    const { target, mode } = await checkTarget(name)
    const fresh = join(dirname(target), `.mrope-${randomBytes(8).toString('hex')}.tmp`)
    const handle = await open(fresh, 'wx')
    temporary = fresh
    try {
      for (const chunk of chunks) await writeFully(handle, chunk, signal)
      if (mode !== undefined) await handle.chmod(mode)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(fresh, target)
  } catch (error) {
    if (temporary !== undefined) await rm(temporary, { force: true }).catch(() => {})
    throw signal?.aborted ? signal.reason : fileError(`${caller}: cannot write`, name, error)
  }
}

/** A path in quotes for a message: whole, unlike other values, because a cut path is of no use. */
export function quotePath(path: string): string {
  return path.length > 4096 ? show(path) : JSON.stringify(path)
}

function pathOf(caller: string, path: unknown): string {
  if (typeof path === 'string') return path
  if (path instanceof URL && path.protocol === 'file:') return fileURLToPath(path)
  throw new MropeTypeError(
    'ERR_MROPE_ARGUMENT',
    `${caller}: path must be a string or a file: URL, got ${show(path)}`,
    path,
  )
}

function fileError(what: string, path: string, error: unknown): MropeRangeError {
  const { code, message } = error instanceof Error ? (error as NodeJS.ErrnoException) : { message: String(error) }
  const reason = code !== undefined && code in reasons ? `${reasons[code]} (${code})` : message
  return new MropeRangeError('ERR_MROPE_FILE', `${what} ${quotePath(path)}: ${reason}`, path, { cause: error })
}

async function openInput(path: string): Promise<FileHandle> {
  // Looked at before it is opened: to open a pipe that nobody writes to would wait for ever.
  const info = await stat(path)
  if (!info.isFile()) throw new Error(info.isDirectory() ? 'it is a directory' : 'it is not a regular file')
  return open(path, 'r')
}

async function readExactly(handle: FileHandle, position: number, length: number, signal?: AbortSignal) {
  const bytes = new Uint8Array(length)
  let done = 0
  while (done < length) {
    signal?.throwIfAborted()
    const { bytesRead } = await handle.read(bytes, done, Math.min(length - done, maxTransfer), position + done)
    if (bytesRead === 0) throw new Error(`it ended at byte ${position + done} while it was read`)
    done += bytesRead
  }
  return bytes
}

async function writeFully(handle: FileHandle, chunk: Uint8Array, signal?: AbortSignal): Promise<void> {
  let done = 0
  while (done < chunk.length) {
    signal?.throwIfAborted()
    const { bytesWritten } = await handle.write(chunk, done, Math.min(chunk.length - done, maxTransfer))
    done += bytesWritten
  }
}

// A rename would silently replace what a plain write refuses or passes on: a device, a read-only file, a link.
async function checkTarget(path: string): Promise<{ target: string; mode?: number }> {
  const info = await stat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  if (info === undefined) return { target: path }
  if (!info.isFile()) throw new Error(info.isDirectory() ? 'it is a directory' : 'it is not a regular file')
  await (await open(path, constants.O_WRONLY)).close()
  return { target: await realpath(path), mode: info.mode & 0o777 }
}
