import { createHash } from 'node:crypto'
import type { Stated, Unfetched } from '../batch/known-paths.ts'
import type { Finding, KnownBy } from '../batch/verify-destination.ts'
import type { FindItem } from '../batch/wanted-rows.ts'
import type { Item } from '../model/item.ts'
import type { Records } from '../sinks/sink.ts'
import { checkRecords, hasRun, ifReadable, readableDatasets } from './check-records.ts'
import { listMirrors, mirrorFolders, names, readOrder, type MirrorOrder } from './order.ts'
import { isHeld, isShown, placeOf, readFiles, readState, type DatasetState, type HeldFile } from './state.ts'

/** What the mirrors of a destination say is there, and what they lack, under a name for each mirror. */
export async function* mirrorReceipts(
  records: Records,
): AsyncGenerator<{ readonly id: string; readonly receipts: AsyncIterable<Stated | Unfetched> }> {
  for (const mirror of await mirrorFolders(records)) {
    if (await hasRun(records, mirror)) yield { id: idOf(mirror), receipts: receiptsOf(records, mirror) }
  }
}

/** In these a dataset is asked for again; of one that has left, what never came is no longer expected. */
const WANTED: readonly DatasetState[] = ['current', 'denied']

async function* receiptsOf(records: Records, mirror: string): AsyncGenerator<Stated | Unfetched> {
  const state = await ifReadable(readState(records, mirror))
  if (!state) return
  for await (const { id, pid: dataset, state: is } of readableDatasets(records, mirror)) {
    for (const file of (await ifReadable(readFiles(records, mirror, id))) ?? []) {
      if (!isHeld(file)) {
        const { path, code: why, withheld } = file
        // What the server withholds is not owed: runs of the mirror end well without it, too.
        if (WANTED.includes(is) && !withheld)
          yield { kind: 'unfetched', n: id, path, mirror, dataset, ...(why !== undefined && { why }) }
        continue
      }
      const { size, checksum, digests } = file
      yield { n: id, path: placeOf(file), size, checksum, digests, finishedAt: state.finishedAt, mirror, dataset }
    }
  }
}

/**
 * Finds the item that brings what a finding is about again, to the same path; `aside`: the file is not where the server shows it.
 * Mirrors are listed once, and the files of a dataset are read once where its findings follow one another.
 */
export function mirroredItems(records: Records): FindItem {
  let mirrors: readonly string[] | undefined
  let last: { readonly batch: string; readonly n: number; readonly dataset: Mirrored | undefined } | undefined
  return async ({ batch, n, path }) => {
    mirrors ??= await listMirrors(records)
    if (last?.batch !== batch || last.n !== n) {
      const mirror = mirrors.find((name) => batch === idOf(name))
      last = { batch, n, dataset: mirror === undefined ? undefined : await mirrored(records, mirror, n) }
    }
    if (!last.dataset) return undefined
    const { order, files } = last.dataset
    const file = files.get(path)
    return file && isShown(file) ? itemOf(file, n, order) : 'aside'
  }
}

/** A dataset of a mirror: its files by path. */
interface Mirrored {
  readonly order: MirrorOrder
  readonly files: ReadonlyMap<string, HeldFile>
}

async function mirrored(records: Records, mirror: string, dataset: number): Promise<Mirrored | undefined> {
  const order = await ifReadable(readOrder(records, mirror))
  if (!order) return undefined
  const files = (await ifReadable(readFiles(records, order.name, dataset))) ?? []
  return { order, files: new Map(files.map((file) => [placeOf(file), file])) }
}

function itemOf(held: HeldFile, n: number, { server }: MirrorOrder): Item {
  const { file, size, checksum } = held
  return {
    n,
    server,
    ref: { kind: 'file', file, format: 'original' },
    path: placeOf(held),
    line: 0,
    expect: { ...(size !== undefined && { size }), ...(checksum && { checksum }) },
    origin: {},
  }
}

/** Under which what a mirror says is compared. */
export function idOf(mirror: string): string {
  return `mirror-${mirror}`
}

/** Looks at the records of mirrors, and compares the metadata that they keep with what was written. */
export async function* verifyMirrors(records: Records): AsyncGenerator<Finding> {
  yield* checkRecords(records)
  for (const mirror of await mirrorFolders(records)) {
    for await (const { id, pid: dataset, folder, versions } of readableDatasets(records, mirror)) {
      for (const { number, metadata = {} } of versions) {
        for (const [file, expected] of Object.entries(metadata)) {
          const name = names.metadata(mirror, folder, number, file)
          yield compare(await records.read(name), expected, {
            path: `.dataferry/${name}`,
            batch: idOf(mirror),
            n: id,
            mirror,
            dataset,
          })
        }
      }
    }
  }
}

function compare(bytes: Uint8Array | undefined, hex: string, place: { readonly path: string } & KnownBy): Finding {
  const expected = { checksum: { algorithm: 'sha256', hex } } as const
  if (!bytes) return { state: 'missing', ...place, expected }
  const checksum = { algorithm: 'sha256', hex: createHash('sha256').update(bytes).digest('hex') } as const
  const found = { size: bytes.length, checksum }
  if (checksum.hex === hex) return { state: 'ok', path: place.path, ...found }
  return { state: 'changed', kind: 'bit-rot', ...place, expected, found }
}
