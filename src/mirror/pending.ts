import { z } from 'zod'
import { eachConcurrently } from '../async/each-concurrently.ts'
import { removeFolder } from '../batch/folder.ts'
import { parseRecord, recordText } from '../batch/record.ts'
import { DataferryError } from '../errors.ts'
import type { Records } from '../sinks/sink.ts'
import { comparedSchema } from './compared.ts'
import { names } from './order.ts'
import { readLines } from './state.ts'

/**
 * What a run does next.
 * - `sweep`: find every dataset · `compare`: find what became of each · `clear`: take files away from where they were
 * - `place`: put them where they are now · `fetch`: a batch · `link`: further paths · `store`: where datasets are objects, versions of these
 * - `publish`: the new state and the report
 * - `done`: it has ended: what it left is dropped
 */
const PHASES = ['sweep', 'compare', 'clear', 'place', 'fetch', 'link', 'store', 'publish', 'done'] as const
export type Phase = (typeof PHASES)[number]

/** Logs of a run; each line counts once the run says so. */
export const LOGS = ['datasets', 'changes', 'moves', 'links', 'manifest'] as const
export type LogName = (typeof LOGS)[number]

const count = z.number().int().nonnegative()
const progressSchema = z.object({
  /** Id of the last dataset that was compared. */
  after: count,
  /** Bytes of each log that count. */
  lengths: z.object({ datasets: count, changes: count, moves: count, links: count, manifest: count }),
  /** Lines of `manifest` and `moves`. */
  items: count,
  moves: count,
  touched: count,
  /** Datasets that were found, and have left all the same; and those that may not, as too many would. */
  hidden: count,
  refused: count,
})
export type Progress = Readonly<z.infer<typeof progressSchema>>

export const NO_PROGRESS: Progress = {
  after: 0,
  lengths: { datasets: 0, changes: 0, moves: 0, links: 0, manifest: 0 },
  items: 0,
  moves: 0,
  touched: 0,
  hidden: 0,
  refused: 0,
}

/** `pending/run.json`: a run that has not ended. The same command goes on with it. */
const pendingSchema = z.object({
  v: z.literal(1),
  /** Its name: when it began. */
  run: z.string(),
  startedAt: z.string(),
  sweep: z.enum(['quick', 'full']),
  /** Why a sweep is in full that was not asked for so. */
  why: z.string().optional(),
  /** Somebody asked for a full sweep: what was withheld is asked for again, too. */
  full: z.boolean().default(false),
  /** Remainders of ids whose datasets are looked at in full. */
  parts: z.array(count),
  /** The index was away when datasets were looked for: what only that could find does not leave. */
  noIndex: z.literal(true).optional(),
  /** It only looked at what would change: nothing of it is ever carried out. */
  preview: z.literal(true).optional(),
  phase: z.enum(PHASES),
  progress: progressSchema,
  /** Datasets that would have left, where those are too many: then none did. */
  refused: count.optional(),
  /** What was planned to be fetched. */
  batch: z.string().optional(),
  /** Places that held nothing where a file was to be taken from. */
  lost: z.array(z.string()),
  /** What was where further paths are to be has been moved aside: whatever is there from now on is a link of this run. */
  wayMade: z.literal(true).optional(),
  /** Paths that could not be linked. */
  unlinked: z.array(z.string()),
  /** Datasets whose objects could not be written, and why. */
  unstored: z.array(z.object({ dataset: z.string(), code: z.string(), message: z.string() })).default([]),
  arranged: z.object({ moved: count, superseded: count }),
  /** PIDs of a list that the server does not know. */
  unknown: z.array(z.string()),
  /** Files of somebody else that were where the mirror's belong: moved aside. */
  inTheWay: z.array(z.string()),
  /** Files that got a further path: by a link, and as a copy where there are none. */
  linked: count,
  copied: count.default(0),
  /** Requests so far, by kind. */
  requests: z.record(z.string(), count),
})
export type PendingRun = Readonly<z.infer<typeof pendingSchema>>

/** The record of a run that has not ended, for `names.pending`. */
export const RECORD = 'run.json'
/** Records that are removed at the same time. */
const AT_A_TIME = 8

/** The run of a mirror that has not ended; undefined: none, or a preview that was killed. Rejects with `RECORD_UNREADABLE`. */
export async function readPending(records: Records, mirror: string): Promise<PendingRun | undefined> {
  const name = names.pending(mirror, RECORD)
  const bytes = await records.read(name)
  const run = bytes && parseRecord(pendingSchema, bytes, name)
  return run?.preview ? undefined : run
}

export async function writePending(records: Records, mirror: string, run: PendingRun): Promise<void> {
  await records.write(names.pending(mirror, RECORD), recordText(run))
}

/** What is said to a command that can do nothing before a run has ended. */
export function unfinished(mirror: string, { startedAt }: PendingRun): DataferryError {
  const message = `A run of mirror ${mirror} that began at ${startedAt} has not ended: \`mirror run ${mirror}\` brings it to its end.`
  return new DataferryError('MIRROR_BUSY', message)
}

/** Drops what a run that has ended, or never began, left. Its record goes last. */
export async function dropPending(records: Records, mirror: string): Promise<void> {
  // One by one: a first run has as many as there are datasets, and a list of them would not fit.
  const compared = readLines(records, logName(mirror, 'datasets'), comparedSchema)
  await eachConcurrently(compared, AT_A_TIME, async ({ dataset, touched }) => {
    if (touched) await records.remove(filesName(mirror, dataset.id))
  })
  await removeFolder(records, names.allPending(mirror), names.pending(mirror, RECORD))
}

/** `found.ndjson` (what the sweep found), `departures.ndjson` (what became of what it did not find), or one of `LOGS`. */
export function logName(mirror: string, log: LogName | 'found' | 'departures'): string {
  return names.pending(mirror, `${log}.ndjson`)
}

/** The files of a dataset as they will be. */
export function filesName(mirror: string, dataset: number): string {
  return names.pending(mirror, `files/${dataset}.json`)
}
