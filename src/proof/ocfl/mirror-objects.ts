import type { MirrorOrder } from '../../mirror/order.ts'
import { placeOf, type HeldFile, type MirroredDataset } from '../../mirror/state.ts'
import type { DatasetStore } from '../../mirror/store.ts'
import type { Algorithm } from '../../model/checksum.ts'
import { checksumsOf } from '../../model/receipt.ts'
import type { Sink } from '../../sinks/sink.ts'
import type { HoldingFile } from '../holding.ts'
import { versionHoldings } from '../mirror-holdings.ts'
import { heldIn, verifiedBytes, type ReadHeld } from '../verified-bytes.ts'
import { Contents } from './contents.ts'
import { byPath, type Addressing, type Inventory } from './inventory.ts'
import { openObject } from './open-object.ts'
import { openStorageRoot, tidyStorageRoot, type StorageRoot } from './storage-root.ts'
import { writeVersion, type OcflOptions } from './write-version.ts'

/** The storage root of a mirror, relative to its destination. */
export function rootOf({ name }: Pick<MirrorOrder, 'name'>): string {
  return `ocfl/${name}`
}

export interface MirrorObjectsOptions {
  readonly sink: Sink
  readonly order: MirrorOrder
  readonly user: OcflOptions['user']
  readonly now: () => Date
  readonly signal: AbortSignal
}

/** The datasets of a mirror as objects of a storage root beside its records. */
export function mirrorObjects(options: MirrorObjectsOptions): DatasetStore {
  const { sink, order, signal } = options
  let opened: Promise<StorageRoot> | undefined
  // A mirror in which nothing changed needs none.
  const place = { sink, folder: rootOf(order), signal }
  const open = (): Promise<StorageRoot> => (opened ??= openStorageRoot(place))
  return {
    tidy: () => tidyStorageRoot(place),
    add: async (dataset, files) => addVersions(await open(), options, dataset, files),
    remove: async (pid) => {
      const { objects, layout } = await open()
      await objects.remove(layout.pathOf(pid))
    },
  }
}

/** New objects are addressed by it. */
const ALGORITHM: Addressing = 'sha512'

async function addVersions(
  root: StorageRoot,
  { sink, order, user, now, signal }: MirrorObjectsOptions,
  dataset: MirroredDataset,
  files: readonly HeldFile[],
): Promise<readonly HeldFile[]> {
  const path = root.layout.pathOf(dataset.pid)
  const opened = await openObject(root.objects, path, dataset.pid)
  const before = opened?.inventory
  const contents = before && (await Contents.of(root.objects, path, before, opened.unfinished))
  const algorithm = before?.digestAlgorithm ?? ALGORITHM
  const top = `${rootOf(order)}/${path}/`
  const read = heldIn(sink, signal)
  const known = new KnownDigests(algorithm, read, contentsOf(before, top))
  const holdings = versionHoldings({ records: sink.records, order, fetchedAt: undefined }, dataset, files)
  const last = holdings.length - 1
  for (const [at, holding] of holdings.entries()) {
    const metadata = await holding.metadata()
    const digestsOf = (file: HoldingFile): Promise<ReadonlyMap<Algorithm, string>> => known.of(file)
    const late = at === last ? 'head' : 'appended'
    const subject = { holding, metadata, read, onFile: () => undefined, digestsOf, contents }
    await writeVersion(root, subject, { algorithm, user, now: now(), signal, late })
  }
  const after = (await openObject(root.objects, path, dataset.pid))?.inventory
  return files.map((file) => {
    const [content] = after?.manifest[known.found(placeOf(file)) ?? ''] ?? []
    return content === undefined ? file : { ...file, content: top + content }
  })
}

/** Digests of what an object has, by place. */
function contentsOf(inventory: Inventory | undefined, top: string): ReadonlyMap<string, string> {
  return new Map([...byPath(inventory?.manifest ?? {})].map(([path, digest]) => [top + path, digest]))
}

/** Digests of files by the place of their bytes, each read once at most: what is in the object already is not. */
class KnownDigests {
  readonly #algorithm: Addressing
  readonly #read: ReadHeld
  readonly #contents: ReadonlyMap<string, string>
  /** Of files that are not in the object yet. */
  readonly #digests = new Map<string, ReadonlyMap<Algorithm, string>>()

  constructor(algorithm: Addressing, read: ReadHeld, contents: ReadonlyMap<string, string>) {
    this.#algorithm = algorithm
    this.#read = read
    this.#contents = contents
  }

  async of(file: HoldingFile): Promise<ReadonlyMap<Algorithm, string>> {
    const held = this.#contents.get(file.place)
    if (held !== undefined) return new Map([[this.#algorithm, held]])
    const known = this.#digests.get(file.place)
    if (known) return known
    const taken = new Map(checksumsOf(file).map(({ algorithm, hex }) => [algorithm, hex]))
    const isTaken = taken.has(this.#algorithm)
    const digests = isTaken ? taken : await verifiedBytes(file, [this.#algorithm, 'md5'], this.#read).digests()
    this.#digests.set(file.place, digests)
    return digests
  }

  /** The digest by which the object has what is at a place, where that was asked for. */
  found(place: string): string | undefined {
    return this.#contents.get(place) ?? this.#digests.get(place)?.get(this.#algorithm)
  }
}
