import type { DataferryError } from '../errors.ts'
import { batchSchema, planStateSchema, type Batch, type BatchId, type PlanState } from '../model/batch.ts'
import type { Algorithm } from '../model/checksum.ts'
import type { Records } from '../sinks/sink.ts'
import { isUnreadable, parseRecord, recordText, unreadable } from './record.ts'

/** The names in a batch folder, relative to `.dataferry/`. */
export const names = {
  batch: (id: BatchId) => `${id}/batch.json`,
  plan: (id: BatchId) => `${id}/plan.json`,
  manifest: (id: BatchId) => `${id}/manifest`,
  items: (id: BatchId) => `${id}/items.ndjson`,
  index: (id: BatchId) => `${id}/items.index`,
  hold: (id: BatchId) => `${id}/hold.json`,
  receipts: (id: BatchId) => `${id}/receipts`,
  report: (id: BatchId) => `${id}/report.json`,
  /** The report as a page for people. */
  page: (id: BatchId) => `${id}/report.html`,
  datasets: (id: BatchId) => `${id}/datasets.csv`,
  /** SHA-256 of every record, the report included: what is signed. */
  recordSums: (id: BatchId) => `${id}/records.sha256`,
  signature: (id: BatchId) => `${id}/records.sha256.sig`,
  /** Whose signature it is, as `ssh-keygen -Y verify` reads it. */
  signers: (id: BatchId) => `${id}/allowed_signers`,
  failures: (id: BatchId) => `${id}/failures.csv`,
  renamed: (id: BatchId) => `${id}/renamed.csv`,
  leftOut: (id: BatchId) => `${id}/left-out.csv`,
  waiting: (id: BatchId) => `${id}/waiting.csv`,
  /** That access was requested to the file on line `n`, and what became of it. */
  request: (id: BatchId, n: number) => `${id}/requests/${n}.json`,
  /** What the archive on line `n` should contain. */
  asked: (id: BatchId, n: number) => `${id}/asked/${n}.json`,
  /** One file for each server that gets no more requests for bundles in this batch. */
  bundlesOff: (id: BatchId) => `${id}/bundles-off`,
  /** The same in batches begun by older versions. */
  archivesOff: (id: BatchId) => `${id}/archives-off`,
  /** The terms of use that somebody accepted, a file for each version of a dataset. */
  terms: (id: BatchId, of: string) => `${id}/terms/${of}.json`,
  sums: (id: BatchId, algorithm: Algorithm) => `${id}/${algorithm}sums.txt`,
} as const

export const EMPTY_PLAN: PlanState = {
  entries: 0,
  items: 0,
  bytes: 0,
  complete: false,
  totals: {
    size: 0,
    unknownSize: 0,
    noChecksum: 0,
    restricted: 0,
    embargoed: 0,
    retentionExpired: 0,
    problems: 0,
    renamed: 0,
    duplicates: 0,
    datasets: 0,
    filtered: 0,
  },
}

/** Removes the records of a folder, the one that says what the folder is last: after a crash it is removed again. */
export async function removeFolder(records: Records, folder: string, last: string): Promise<void> {
  for (const name of await records.list(folder)) if (name !== last) await records.remove(name)
  await records.remove(last)
}

/** Writes `batch.json`: from then on the batch exists. */
export async function writeBatch(records: Records, batch: Batch): Promise<void> {
  await records.write(names.batch(batch.id), recordText(batch))
}

/** @returns undefined when there is no such batch. Rejects with `RECORD_UNREADABLE`. */
export async function readBatch(records: Records, id: BatchId): Promise<Batch | undefined> {
  const bytes = await records.read(names.batch(id))
  const batch = bytes && parseRecord(batchSchema, bytes, names.batch(id))
  if (batch && batch.id !== id) throw unreadable(`.dataferry/${names.batch(id)} is damaged: it names another batch.`)
  return batch
}

export async function writePlanState(records: Records, id: BatchId, state: PlanState): Promise<void> {
  await records.write(names.plan(id), recordText(state))
}

/** How far planning is; the empty state when it has not begun. Rejects with `RECORD_UNREADABLE`. */
export async function readPlanState(records: Records, id: BatchId): Promise<PlanState> {
  const bytes = await records.read(names.plan(id))
  return bytes ? parseRecord(planStateSchema, bytes, names.plan(id)) : EMPTY_PLAN
}

/**
 * Every batch of a destination, oldest first.
 * @param unreadable is told of each batch that cannot be read, which is skipped
 */
export async function listBatches(
  records: Records,
  unreadable: (id: BatchId, error: DataferryError) => void = () => undefined,
): Promise<Batch[]> {
  const batches: Batch[] = []
  for (const id of await records.folders()) {
    try {
      const batch = await readBatch(records, id)
      if (batch) batches.push(batch)
    } catch (error) {
      if (!isUnreadable(error)) throw error
      unreadable(id, error)
    }
  }
  return batches.sort((a, b) => a.createdAt.localeCompare(b.createdAt))
}
