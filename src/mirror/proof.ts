import { createHash } from 'node:crypto'
import type { Stated, Unfetched } from '../batch/known-paths.ts'
import type { Finding, KnownBy } from '../batch/verify-destination.ts'
import type { FindItem } from '../batch/wanted-rows.ts'
import type { Item } from '../model/item.ts'
import type { Records } from '../sinks/sink.ts'
import { listMirrors, names, readOrder, type MirrorOrder } from './order.ts'
import {
  heldDatasets,
  isHeld,
  isShown,
  placeOf,
  readFiles,
  readState,
  type DatasetState,
  type HeldFile,
} from './state.ts'

/** What the mirrors of a destination say is there, and what they lack, under a name for each mirror. */
export async function* mirrorReceipts(
  records: Records,
): AsyncGenerator<{ readonly id: string; readonly receipts: AsyncIterable<Stated | Unfetched> }> {
  for (const mirror of await listMirrors(records)) yield { id: idOf(mirror), receipts: receiptsOf(records, mirror) }
}

/** In these a dataset is asked for again; of one that has left, what never came is no longer expected. */
const WANTED: readonly DatasetState[] = ['current', 'denied']

async function* receiptsOf(records: Records, mirror: string): AsyncGenerator<Stated | Unfetched> {
  const state = await readState(records, mirror)
  if (!state) return
  for await (const { id, pid: dataset, state: is } of heldDatasets(records, mirror)) {
    for (const file of await readFiles(records, mirror, id)) {
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
  const order = await readOrder(records, mirror)
  if (!order) return undefined
  const files = await readFiles(records, order.name, dataset)
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

/** Compares the metadata that mirrors keep with what was written. */
export async function* verifyMetadata(records: Records): AsyncGenerator<Finding> {
  for (const mirror of await listMirrors(records)) {
    for await (const { id, pid: dataset, folder, versions } of heldDatasets(records, mirror)) {
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
