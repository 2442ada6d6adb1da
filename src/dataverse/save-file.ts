import { randomUUID } from 'node:crypto'
import { open, rename, rm, type FileHandle } from 'node:fs/promises'
import { DataferryError, messageOf, systemCode, type ErrorCode } from '../errors.ts'

const CODES: Readonly<Record<string, ErrorCode>> = {
  ENOSPC: 'SINK_FULL',
  EDQUOT: 'SINK_FULL',
  EACCES: 'SINK_DENIED',
  EPERM: 'SINK_DENIED',
  EROFS: 'SINK_DENIED',
}

/**
 * Writes chunks to a file beside `path`, and renames it to `path` when all are on disk. A chunk may be reused by its
 * owner once the next one is requested. Resolves to the count of bytes; if it rejects, nothing is left behind.
 */
export async function saveFile(path: string, chunks: AsyncIterable<Uint8Array>): Promise<number> {
  const part = `${path}.${randomUUID()}.part`
  try {
    const size = await fill(part, chunks)
    await rename(part, path).catch((error: unknown) => Promise.reject(writeError(path, error)))
    return size
  } catch (error) {
    await rm(part, { force: true })
    throw error
  }
}

async function fill(part: string, chunks: AsyncIterable<Uint8Array>): Promise<number> {
  const file = await open(part, 'wx').catch((error: unknown) => Promise.reject(writeError(part, error)))
  try {
    let size = 0
    for await (const chunk of chunks) {
      await writeAll(file, chunk).catch((error: unknown) => Promise.reject(writeError(part, error)))
      size += chunk.length
    }
    await file.sync().catch((error: unknown) => Promise.reject(writeError(part, error)))
    return size
  } finally {
    await file.close()
  }
}

/** One write may take less than it is given, e.g. on a nearly full disk. */
async function writeAll(file: FileHandle, chunk: Uint8Array): Promise<void> {
  for (let done = 0; done < chunk.length;) done += (await file.write(chunk, done)).bytesWritten
}

function writeError(path: string, cause: unknown): DataferryError {
  const code = CODES[systemCode(cause) ?? ''] ?? 'SINK_FAILED'
  return new DataferryError(code, `${path} cannot be written: ${messageOf(cause)}.`, { cause })
}
