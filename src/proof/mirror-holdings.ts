import { DataferryError } from '../errors.ts'
import { names, type MirrorOrder } from '../mirror/order.ts'
import { readPending } from '../mirror/pending.ts'
import { versionFolder } from '../mirror/shown-path.ts'
import {
  heldDatasets,
  isHeld,
  isShown,
  placeOf,
  readFiles,
  readState,
  type HeldFile,
  type MirroredDataset,
} from '../mirror/state.ts'
import type { Records } from '../sinks/sink.ts'
import { holdingName, samePid, type DatasetVersion, type Holding, type HoldingFile } from './holding.ts'

/**
 * Every version that a mirror holds, those of a dataset one after the other, the oldest first. Rejects with `MIRROR_BUSY` while a run has not ended. Datasets that left are among
 * them, as long as their files are there.
 * @param pid only this dataset
 */
export async function* mirrorHoldings(
  records: Records,
  order: MirrorOrder,
  pid?: string,
): AsyncGenerator<Holding, void> {
  if (await readPending(records, order.name)) {
    const message = `A run of mirror ${order.name} has not ended: its files are between two states.`
    throw new DataferryError('MIRROR_BUSY', message)
  }
  const fetchedAt = (await readState(records, order.name))?.finishedAt
  for await (const dataset of heldDatasets(records, order.name)) {
    if (dataset.state === 'purged' || dataset.state === 'linked') continue
    if (pid !== undefined && !samePid(dataset.pid, pid)) continue
    const files = await readFiles(records, order.name, dataset.id)
    yield* versionHoldings({ records, order, fetchedAt }, dataset, files)
  }
}

/** What a mirror holds of the versions of a dataset, the oldest first. */
export function versionHoldings(
  mirror: Mirror,
  dataset: MirroredDataset,
  files: readonly HeldFile[],
): readonly (Holding & { readonly dataset: DatasetVersion })[] {
  return versionsHeld(mirror.order, dataset).map((version) => holdingOf(mirror, dataset, version, files))
}

type Version = MirroredDataset['versions'][number]

function versionsHeld({ versions }: MirrorOrder, dataset: MirroredDataset): readonly Version[] {
  if (versions === 'latest') return dataset.versions.slice(0, 1)
  return dataset.versions.filter(({ withdrawn }) => !withdrawn).toReversed()
}

interface Mirror {
  readonly records: Records
  readonly order: MirrorOrder
  /** When the state was written. */
  readonly fetchedAt: string | undefined
}

function holdingOf(
  { records, order, fetchedAt }: Mirror,
  { pid, folder, retry, state, reason }: MirroredDataset,
  { number, releaseTime, metadata = {} }: Version,
  all: readonly HeldFile[],
): Holding & { readonly dataset: DatasetVersion } {
  const top = `${versionFolder(order, folder, number)}/`
  const files = all.filter(({ path }) => path.startsWith(top))
  const inDataset = (path: string): string => path.slice(top.length)
  return {
    name: holdingName(pid, number),
    dataset: { pid, server: order.server, number, releasedAt: releaseTime },
    ...((state === 'deaccessioned' || state === 'gone') && { left: { state, reason } }),
    missing: [
      ...files
        .filter((file) => !isHeld(file))
        .map(({ path, code = 'not fetched yet' }) => ({ path: inDataset(path), why: code })),
      // No file of it failed: then its listing could not be understood, and nobody knows which files it has.
      ...(retry && !all.some((file) => !isHeld(file) && file.withheld !== true)
        ? [{ path: `a part of ${pid}`, why: 'SOURCE_MISLISTED' }]
        : []),
    ],
    files: repeatable(
      files.filter(isShown).map((one) => ({
        place: placeOf(one),
        path: inDataset(one.path),
        size: one.size ?? 0,
        checksum: one.checksum,
        digests: one.digests,
        id: `${order.server}/file.xhtml?fileId=${one.file}`,
        fetchedAt,
      })),
    ),
    metadata: async () => {
      const kept = new Map<string, Uint8Array>()
      for (const file of Object.keys(metadata)) {
        const bytes = await records.read(names.metadata(order.name, folder, number, file))
        if (bytes) kept.set(file, bytes)
      }
      return kept
    },
  }
}

/** A list, to be read like a stream, as often as somebody asks. */
function repeatable(files: readonly HoldingFile[]): AsyncIterable<HoldingFile> {
  return {
    // eslint-disable-next-line @typescript-eslint/require-await -- the files of a batch are read with awaits
    async *[Symbol.asyncIterator]() {
      yield* files
    },
  }
}
