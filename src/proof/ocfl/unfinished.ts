import { ifReadable } from '../../mirror/check-records.ts'
import { listMirrors, readOrder, type MirrorOrder } from '../../mirror/order.ts'
import type { Sink } from '../../sinks/sink.ts'
import { rootOf } from './mirror-objects.ts'
import { objectsAt, tidyStorageRoot } from './storage-root.ts'

/** A version of which something shows, and that is not the head of its object yet. */
export interface UnfinishedVersion {
  /** Of its object, relative to the destination. */
  readonly path: string
  /** `v3` */
  readonly version: string
}

/** Those of a storage root in a destination. */
export async function* unfinishedIn(
  sink: Sink,
  folder: string,
  signal: AbortSignal,
): AsyncGenerator<UnfinishedVersion, void> {
  const top = folder === '' ? '' : `${folder}/`
  for await (const { object, version } of objectsAt({ sink, folder, signal }).showing())
    yield { path: top + object, version }
}

/** Those of all mirrors at a destination. */
export async function* unfinishedOfMirrors(
  sink: Sink,
  signal: AbortSignal,
): AsyncGenerator<UnfinishedVersion & { readonly mirror: string }, void> {
  for await (const order of mirrorsOfObjects(sink)) {
    for await (const one of unfinishedIn(sink, rootOf(order), signal)) yield { ...one, mirror: order.name }
  }
}

/** Puts right what killed runs of mirrors left of versions. Rejects with `SINK_…` codes. */
export async function tidyMirrors(sink: Sink, signal: AbortSignal): Promise<void> {
  for await (const order of mirrorsOfObjects(sink)) await tidyStorageRoot({ sink, folder: rootOf(order), signal })
}

/** Mirrors with `--layout ocfl` whose order can be read. */
export async function* mirrorsOfObjects({ records }: Pick<Sink, 'records'>): AsyncGenerator<MirrorOrder, void> {
  for (const name of await listMirrors(records)) {
    const order = await ifReadable(readOrder(records, name))
    if (order?.layout === 'ocfl') yield order
  }
}
