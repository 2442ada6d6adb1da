import { createReadStream } from 'node:fs'
import { lstat, opendir } from 'node:fs/promises'
import { join } from 'node:path'
import { systemCode } from '../errors.ts'
import type { Sink } from '../sinks/sink.ts'

/** What is in a folder, at any depth. */
export interface TreeEntry {
  /** Relative to the folder; not checked. */
  readonly path: string
  /** Bytes. */
  readonly size: number
  /**
   * `empty`: a folder with nothing in it. `other`: a device, a pipe or a socket. `unreadable`: a file or folder that may not be read, has
   * vanished, or has a name that is not UTF-8.
   */
  readonly kind: 'file' | 'link' | 'other' | 'empty' | 'unreadable'
}

/** A folder on a disk or in a store, to read from. */
export interface Tree {
  /** In no order. */
  list(): AsyncIterable<TreeEntry>
  /** The bytes of a file; undefined: there is no such file. */
  read(path: string): Promise<AsyncIterable<Uint8Array> | undefined>
}

/** A folder of this machine; links are not followed. */
export function diskTree(root: string): Tree {
  return {
    list: () => walk(root, ''),
    read: async (path) => {
      const found = await lstat(join(root, path)).catch(() => undefined)
      return found?.isFile() ? createReadStream(join(root, path)) : undefined
    },
  }
}

/** A place in a store, where folders are only names. */
export function storedTree(sink: Sink, key: string, signal: AbortSignal): Tree {
  return {
    list: async function* () {
      for await (const file of sink.list(signal)) yield { ...file, kind: 'file' }
    },
    read: async (path) => ((await sink.stat(path, key, signal)) === undefined ? undefined : sink.read(path, signal)),
  }
}

async function* walk(root: string, folder: string): AsyncGenerator<TreeEntry> {
  const opened = await opendir(join(root, folder)).catch((error: unknown) => {
    if (folder === '' || systemCode(error) === undefined) throw error
  })
  if (!opened) {
    yield { path: folder, size: 0, kind: 'unreadable' }
    return
  }
  let isEmpty = true
  for await (const entry of opened) {
    isEmpty = false
    const path = folder === '' ? entry.name : `${folder}/${entry.name}`
    if (entry.isDirectory()) yield* walk(root, path)
    else if (entry.isFile()) {
      const found = await lstat(join(root, path)).catch(() => undefined)
      yield { path, size: found?.size ?? 0, kind: found ? 'file' : 'unreadable' }
    } else yield { path, size: 0, kind: entry.isSymbolicLink() ? 'link' : 'other' }
  }
  if (isEmpty && folder !== '') yield { path: folder, size: 0, kind: 'empty' }
}

/** All of a file that has no more bytes than that. @returns undefined where it has more */
export async function wholeFile(chunks: AsyncIterable<Uint8Array>, most = Infinity): Promise<Buffer | undefined> {
  const held: Uint8Array[] = []
  let length = 0
  for await (const chunk of chunks) {
    length += chunk.length
    if (length > most) return undefined
    held.push(Uint8Array.from(chunk))
  }
  return Buffer.concat(held)
}
