import { constants } from 'node:fs'
import { open, type FileHandle } from 'node:fs/promises'
import { LONGEST_RECORD } from '../sink.ts'

/** Bytes read or passed on at a time. */
export const CHUNK_SIZE = 1024 * 1024

/** Opens a file without following a link in its place, which fails with `ELOOP`. @param flags of open(2) */
export function openPlain(path: string, flags: number): Promise<FileHandle> {
  return open(path, flags | constants.O_NOFOLLOW)
}

/** Reads a record, as {@link openPlain} opens it; of one that is too long, enough to tell. */
export async function readPlain(path: string): Promise<Uint8Array> {
  const handle = await openPlain(path, constants.O_RDONLY)
  try {
    const { size } = await handle.stat()
    return await readAt(handle, 0, Math.min(size, LONGEST_RECORD + 1))
  } finally {
    await handle.close()
  }
}

/** Writes all of `data` at `position`, however few bytes each call writes. */
export async function writeAt(handle: FileHandle, data: Uint8Array, position: number): Promise<void> {
  let done = 0
  while (done < data.length) {
    const { bytesWritten } = await handle.write(data, done, data.length - done, position + done)
    done += bytesWritten
  }
}

/** Reads up to `length` bytes at `position`; fewer only at the end of the file. */
export async function readAt(handle: FileHandle, position: number, length: number): Promise<Uint8Array> {
  const buffer = Buffer.allocUnsafe(length)
  let done = 0
  while (done < length) {
    const { bytesRead } = await handle.read(buffer, done, length - done, position + done)
    if (bytesRead === 0) break
    done += bytesRead
  }
  return buffer.subarray(0, done)
}

/**
 * Reads the first `length` bytes of a file, or fewer when it is shorter, one chunk ahead of the caller.
 * A chunk is valid until the next one is asked for. Rejects with the signal's reason. The caller closes the handle.
 */
export async function* readAhead(handle: FileHandle, length: number, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  const size = Math.min(CHUNK_SIZE, length)
  let [next, spare] = [Buffer.allocUnsafe(size), Buffer.allocUnsafe(size)]
  let position = 0
  let reading = handle.read(next, 0, size, 0)
  try {
    while (position < length) {
      const { bytesRead, buffer } = await reading
      signal.throwIfAborted()
      if (bytesRead === 0) return
      position += bytesRead
      ;[next, spare] = [spare, next]
      // At the end this reads nothing, and only the `finally` below waits for it.
      reading = handle.read(next, 0, Math.min(size, length - position), position)
      yield buffer.subarray(0, bytesRead)
    }
  } finally {
    // A caller that leaves early closes the handle: the read-ahead must have ended by then, and its failure no longer matters.
    await reading.catch(() => undefined)
  }
}
