import { randomUUID } from 'node:crypto'
import { open, rm, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import type { Algorithm, Checksum } from '../model/checksum.ts'
import { DataferryError, messageOf, systemCode } from '../errors.ts'
import { Hashes } from './algorithms.ts'

const LINE_FEED = 10

/** An entry's bytes, held until it is known which item they are. Disposing frees them. */
export interface HeldEntry extends AsyncDisposable {
  readonly size: number
  /** One per requested algorithm. */
  readonly checksums: readonly Checksum[]
  /** Bytes up to and including the first line feed; undefined: there is none. */
  readonly firstLine: number | undefined
  /** The same bytes if all are in memory; undefined: they are in a file. */
  readonly chunks: readonly Uint8Array[] | undefined
  /** The bytes from the beginning; may be called again. Rejects with `SINK_FAILED`. */
  bytes(): AsyncIterable<Uint8Array>
}

export interface HoldOptions {
  readonly algorithms: readonly Algorithm[]
  /** Most bytes held in memory: a longer entry goes to a file. */
  readonly memory: number
  /** An existing folder for that file, which is removed when the entry is disposed. The owner removes what a crash leaves. */
  readonly scratch: string
}

/**
 * Reads an entry to its end, hashing it on the way, so that it can be matched by its content before it is committed.
 * Rejects with what `content` rejects with, `SINK_FULL` or `SINK_FAILED` for the scratch file; holds nothing then.
 */
export async function holdEntry(content: AsyncIterable<Uint8Array>, options: HoldOptions): Promise<HeldEntry> {
  const hashes = new Hashes(options.algorithms)
  const path = join(options.scratch, `entry-${randomUUID()}`)
  const inMemory: Uint8Array[] = []
  let size = 0
  let firstLine: number | undefined
  let file: FileHandle | undefined
  try {
    for await (const chunk of content) {
      hashes.update(chunk)
      if (firstLine === undefined) {
        const at = chunk.indexOf(LINE_FEED)
        if (at !== -1) firstLine = size + at + 1
      }
      size += chunk.length
      if (size > options.memory && !file) {
        file = await onDisk(open(path, 'wx+'))
        for (const earlier of inMemory.splice(0)) await onDisk(writeAll(file, earlier))
      }
      if (file) await onDisk(writeAll(file, chunk))
      else inMemory.push(Uint8Array.from(chunk))
    }
  } catch (error) {
    if (file) await drop(file, path)
    throw error
  }
  const checksums = hashes.digest()
  const about = { size, checksums, firstLine }
  const held = file
  if (!held) {
    const nothing = (): Promise<void> => Promise.resolve()
    return { ...about, chunks: inMemory, bytes: () => inSteps(inMemory), [Symbol.asyncDispose]: nothing }
  }
  const bytes = (): AsyncIterable<Uint8Array> => readAll(held, size)
  return { ...about, chunks: undefined, bytes, [Symbol.asyncDispose]: () => drop(held, path) }
}

async function writeAll(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += (await file.write(bytes, at)).bytesWritten
}

async function* readAll(file: FileHandle, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < size;) {
    const block = Buffer.allocUnsafe(Math.min(size - at, 256 * 1024))
    const { bytesRead } = await onDisk(file.read(block, 0, block.length, at))
    if (bytesRead === 0) throw new DataferryError('SINK_FAILED', 'A scratch file became shorter while it was read.')
    at += bytesRead
    yield block.subarray(0, bytesRead)
  }
}

async function* inSteps(chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  for (const chunk of chunks) yield await Promise.resolve(chunk)
}

async function drop(file: FileHandle, path: string): Promise<void> {
  await file.close()
  await rm(path, { force: true })
}

async function onDisk<T>(step: Promise<T>): Promise<T> {
  try {
    return await step
  } catch (error) {
    const code = systemCode(error) === 'ENOSPC' || systemCode(error) === 'EDQUOT' ? 'SINK_FULL' : 'SINK_FAILED'
    throw new DataferryError(code, `A scratch file for an archive’s entry failed: ${messageOf(error)}`, {
      cause: error,
    })
  }
}
