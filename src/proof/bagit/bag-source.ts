import { stat } from 'node:fs/promises'
import { basename } from 'node:path'
import { ByteReader } from '../../archive/byte-reader.ts'
import { readDirectory, type CentralEntry } from '../../archive/central-directory.ts'
import { proveContent, readContent, takeDescriptor } from '../../archive/content.ts'
import { takeLocalHeader } from '../../archive/headers.ts'
import { Budget, DEFAULT_LIMITS, type ArchiveLimits } from '../../archive/limits.ts'
import { openFileAccess, streamOf, type RandomAccess } from '../../archive/random-access.ts'
import { DataferryError, messageOf, systemCode } from '../../errors.ts'
import type { Sink } from '../../sinks/sink.ts'
import type { Serialization } from '../pack/pack-entry.ts'
import { diskTree, storedTree } from '../tree.ts'
import { tarEntries, type TarEntry } from '../pack/tar.ts'

/** What is in a bag, wherever it is. */
interface BagFile {
  /** Relative to the bag; not checked. */
  readonly path: string
  readonly size: number
  /** Why it may not be in a bag, such as that it is a link. */
  readonly refused?: string
}

/** A bag to read from. Disposing closes it. */
export interface BagSource extends AsyncDisposable {
  readonly serialization: Serialization
  /** Of its folder: the name of the bag. */
  readonly name: string
  list(): AsyncIterable<BagFile>
  /** The bytes of a file that is listed; of one that is not, undefined. */
  read(path: string): Promise<AsyncIterable<Uint8Array> | undefined>
}

/** Opens a folder, a ZIP or a tar file of this machine. Rejects with `ARGUMENT_INVALID`, `BAG_INVALID` and `ZIP_…` codes. */
export async function openBag(path: string): Promise<BagSource> {
  const found = await stat(path).catch((error: unknown) => {
    const why = systemCode(error) === 'ENOENT' ? 'there is nothing' : messageOf(error)
    throw new DataferryError('ARGUMENT_INVALID', `${path} cannot be read as a bag: ${why}.`)
  })
  if (found.isDirectory()) return folderBag(path)
  const access = await openFileAccess(path)
  try {
    const start = Buffer.from(await access.read(0, Math.min(access.size, 265)))
    if (start.toString('latin1', 0, 2) === 'PK') return await zipBag(path, access)
    if (start.toString('latin1', 257, 262) === 'ustar') return await tarBag(path, access)
    throw new DataferryError('ARGUMENT_INVALID', `${path} is no bag: give its folder, or a ZIP or tar file of it.`)
  } catch (error) {
    await access[Symbol.asyncDispose]()
    throw error
  }
}

const REFUSED = {
  link: 'it is a link',
  other: 'it is no file',
  unreadable: 'it cannot be read, or its name is not UTF-8',
} as const

/** A bag in a folder of this machine. */
export function folderBag(root: string): BagSource {
  const tree = diskTree(root)
  return {
    serialization: 'folder',
    name: basename(root),
    list: async function* () {
      for await (const { path, size, kind } of tree.list()) {
        if (kind === 'empty') continue
        yield { path, size, ...(kind !== 'file' && { refused: REFUSED[kind] }) }
      }
    },
    read: (path) => tree.read(path),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  }
}

/** A bag whose files are objects of a store. */
export function storedBag(sink: Sink, signal: AbortSignal): BagSource {
  return {
    serialization: 'folder',
    name: basename(sink.url),
    ...storedTree(sink, 'bag-0', signal),
    [Symbol.asyncDispose]: () => sink.close(),
  }
}

/** A bag may have many files; what is held of each is its name and place. */
const BAG_LIMITS: ArchiveLimits = { ...DEFAULT_LIMITS, entries: 5_000_000, directoryBytes: 1 << 30 }

async function zipBag(path: string, access: RandomAccess & AsyncDisposable): Promise<BagSource> {
  const { entries, directory } = await readDirectory(access, BAG_LIMITS)
  const files = entries.filter(({ name }) => !name.endsWith('/'))
  return packedBag(path, 'zip', access, files, {
    nameOf: ({ name }) => name,
    sizeOf: ({ size }) => size,
    whyNot: () => undefined,
    read: (entry) => unpacked(access, entry, directory.offset),
  })
}

async function* unpacked(source: RandomAccess, entry: CentralEntry, end: number): AsyncGenerator<Uint8Array> {
  const reader = new ByteReader(streamOf(source, entry.offset, end), entry.offset)
  try {
    const local = await takeLocalHeader(reader)
    yield* readContent(reader, entry, new Budget(BAG_LIMITS), async (measured) => {
      proveContent(entry.name, measured, entry)
      if (local.descriptor) await takeDescriptor(reader, entry.name, measured)
    })
  } finally {
    await reader.close()
  }
}

async function tarBag(path: string, access: RandomAccess & AsyncDisposable): Promise<BagSource> {
  const files: TarEntry[] = []
  for await (const entry of tarEntries(access)) if (entry.kind !== 'folder') files.push(entry)
  return packedBag(path, 'tar', access, files, {
    nameOf: (entry) => entry.path,
    sizeOf: ({ size }) => size,
    whyNot: ({ kind }) => (kind === 'file' ? undefined : 'it is a link or a device'),
    read: ({ offset, size }) => streamOf(access, offset, offset + size),
  })
}

interface Packing<E> {
  readonly nameOf: (entry: E) => string
  readonly sizeOf: (entry: E) => number
  readonly whyNot: (entry: E) => string | undefined
  readonly read: (entry: E) => AsyncIterable<Uint8Array>
}

/** One file that holds a folder that holds the bag. @see RFC 8493 §4 */
function packedBag<E>(
  path: string,
  serialization: Serialization,
  access: AsyncDisposable,
  entries: readonly E[],
  { nameOf, sizeOf, whyNot, read }: Packing<E>,
): BagSource {
  const plain = (entry: E): string => nameOf(entry).replace(/^(?:\.\/)+/, '')
  const tops = new Set(entries.map((entry) => plain(entry).split('/', 1)[0] ?? ''))
  const [top = ''] = tops
  const isInFolder = tops.size === 1 && entries.every((entry) => plain(entry).includes('/'))
  if (!isInFolder) {
    throw new DataferryError('BAG_INVALID', `${path} is no bag: not everything in it is in one folder.`)
  }
  const found = new Map(entries.map((entry) => [plain(entry).slice(top.length + 1), entry]))
  return {
    serialization,
    name: top,
    // eslint-disable-next-line @typescript-eslint/require-await -- folders are listed with awaits
    list: async function* () {
      for (const entry of entries) {
        const refused = whyNot(entry)
        yield {
          path: plain(entry).slice(top.length + 1),
          size: sizeOf(entry),
          ...(refused !== undefined && { refused }),
        }
      }
    },
    read: (name) => {
      const entry = found.get(name)
      return Promise.resolve(entry === undefined || whyNot(entry) !== undefined ? undefined : read(entry))
    },
    [Symbol.asyncDispose]: () => access[Symbol.asyncDispose](),
  }
}
