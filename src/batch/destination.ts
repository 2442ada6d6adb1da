import { randomUUID } from 'node:crypto'
import { DataferryError, isAboutDestination, type DestinationError } from '../errors.ts'
import type { Batch, BatchId } from '../model/batch.ts'
import type { Records, Sink } from '../sinks/sink.ts'
import { names, readBatch, writeBatch } from './folder.ts'
import { unreadable } from './record.ts'

/** Marks that dataferry keeps records here, and identifies the destination wherever its disk is mounted. */
const NAME = 'destination.json'

/** Marks a place as a destination, once. */
export async function markDestination(records: Records): Promise<void> {
  if ((await records.read(NAME)) !== undefined) return
  const mark = { v: 1, id: randomUUID(), createdAt: new Date().toISOString() }
  await records.write(NAME, `${JSON.stringify(mark, null, 2)}\n`)
}

/** Whether anything was ever fetched here: false for a new folder, or where a disk is not mounted. */
export async function isDestination(records: Records): Promise<boolean> {
  return (await records.read(NAME)) !== undefined || (await records.folders()).length > 0
}

/**
 * Reads a batch that is known to be at a destination.
 * @returns undefined when it was removed. Rejects with `SINK_UNAVAILABLE` where there is no trace of dataferry at all.
 */
export async function readKnownBatch({ records, url }: Sink, id: BatchId): Promise<Batch | undefined> {
  const batch = await readBatch(records, id)
  if (!batch && !(await isDestination(records))) throw lost(url, id)
  if (batch && batch.id !== id) throw unreadable(`.dataferry/${names.batch(id)} is that of another batch.`)
  return batch
}

/** A batch as it goes on here: its destination may have been moved, or be known by another path on this machine. */
export async function movedHere({ records, url }: Sink, batch: Batch): Promise<Batch> {
  if (batch.destination === url) return batch
  const moved = { ...batch, destination: url }
  await writeBatch(records, moved)
  return moved
}

/**
 * Rejects with `SINK_UNAVAILABLE` where batches are known to be but there is no trace of dataferry: most likely the mount point of a
 * disk that is not mounted.
 * @param known the batches known from elsewhere to be there; called only if there is no trace
 */
export async function refuseLostRecords(
  { records, url }: Sink,
  known: () => Promise<readonly BatchId[]>,
): Promise<void> {
  if (await isDestination(records)) return
  const batches = await known()
  const last = batches.at(-1)
  if (last === undefined) return
  const others = batches.length === 1 ? '' : ` and ${batches.length - 1} more`
  throw lost(url, `${last}${others}`, ' To start over in an empty place, add --new.')
}

/** Why a destination cannot be used, for people. */
export function whyHeld({ code, message }: DestinationError): string {
  return code === 'SINK_FULL' ? 'No space is left there: free some.' : message
}

/** Between two looks at a destination that cannot be used: a look costs little. */
export const DESTINATION_LOOK_MS = 5_000
/** Room that makes it worth going on after a full disk, at least. */
const LEAST_ROOM = 1 << 20

/**
 * Looks again at a destination that could not be used.
 * @param before why it could not
 * @param neededBytes room that makes it worth going on, where none was left
 * @returns why it still cannot; undefined: work goes on
 */
export async function whyUnusable(
  sink: Pick<Sink, 'check' | 'free'>,
  before: DestinationError,
  neededBytes = 0,
): Promise<DestinationError | undefined> {
  try {
    await sink.check()
  } catch (error) {
    if (!isAboutDestination(error)) throw error
    return error
  }
  const free = before.code === 'SINK_FULL' ? await sink.free() : undefined
  return free !== undefined && free < Math.max(LEAST_ROOM, neededBytes) ? before : undefined
}

function lost(url: string, what: string, advice = ''): DataferryError {
  const message = `dataferry has no records at ${url}, where ${what} should be: is its disk mounted?${advice}`
  return new DataferryError('SINK_UNAVAILABLE', message)
}
