import { open } from 'node:fs/promises'
import { DataferryError, messageOf } from '../errors.ts'

/** Bytes that can be read at any offset: a file, a buffer, an object in a store. */
export interface RandomAccess {
  /** Bytes in the whole. */
  readonly size: number
  /**
   * Bytes `from` … `to` − 1, all of them. Offsets lie within 0 … size. Rejects with a `DataferryError`: nothing else
   * counts as a fault of the medium, and any other error counts as damage in the archive.
   */
  read(from: number, to: number): Promise<Uint8Array>
}

/** A file that is open for reading. Disposing closes it. */
export interface FileAccess extends RandomAccess, AsyncDisposable {}

/** Bytes in memory. */
export function bufferAccess(bytes: Uint8Array): RandomAccess {
  return { size: bytes.length, read: (from, to) => Promise.resolve(bytes.subarray(from, to)) }
}

/** Opens a file of fixed length; the caller disposes it. Rejects with `SINK_FAILED`. */
export async function openFileAccess(path: string): Promise<FileAccess> {
  const file = await open(path, 'r').catch((error: unknown) => {
    throw readFailure(path, error)
  })
  const { size } = await file.stat()
  return {
    size,
    read: async (from, to) => {
      const bytes = Buffer.allocUnsafe(to - from)
      for (let filled = 0; filled < bytes.length;) {
        const { bytesRead } = await file
          .read(bytes, filled, bytes.length - filled, from + filled)
          .catch((error: unknown) => {
            throw readFailure(path, error)
          })
        if (bytesRead === 0) throw new DataferryError('SINK_FAILED', `${path} became shorter while it was read.`)
        filled += bytesRead
      }
      return bytes
    },
    [Symbol.asyncDispose]: () => file.close(),
  }
}

/**
 * The same bytes, read ahead: a small read fetches `ahead` bytes, and the next ones are answered from them.
 * Meant for one mostly sequential reader, over a store where each read is a request.
 */
export function readAhead(source: RandomAccess, ahead = 256 * 1024): RandomAccess {
  let start = 0
  let held: Uint8Array = new Uint8Array(0)
  return {
    size: source.size,
    read: async (from, to) => {
      if (from < start || to > start + held.length) {
        held = await source.read(from, Math.max(to, Math.min(from + ahead, source.size)))
        start = from
      }
      return held.subarray(from - start, to - start)
    },
  }
}

/** Bytes `from` … `to` − 1 as a stream, in blocks. */
export async function* streamOf(
  source: RandomAccess,
  from = 0,
  to = source.size,
  block = 1024 * 1024,
): AsyncGenerator<Uint8Array> {
  for (let at = from; at < to; at += block) yield await source.read(at, Math.min(at + block, to))
}

function readFailure(path: string, error: unknown): DataferryError {
  return new DataferryError('SINK_FAILED', `${path} cannot be read: ${messageOf(error)}`, { cause: error })
}
