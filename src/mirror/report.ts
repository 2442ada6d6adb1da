import { z } from 'zod'
import { parseRecord } from '../batch/record.ts'
import type { Records } from '../sinks/sink.ts'
import { names } from './order.ts'
import { DATASET_STATES } from './state.ts'

const count = z.number().int().nonnegative()

/** What happened to a dataset in a run. */
export const HAPPENED = [
  'added',
  'updated',
  'unchanged',
  'returned',
  'deaccessioned',
  'gone',
  'denied',
  'out-of-scope',
  'failed',
] as const

/** What a run of a mirror did. Comes last: a run without it has not ended. */
export const RUN_REPORT = 'run.json'

const runReportSchema = z.object({
  v: z.literal(1),
  mirror: z.string(),
  run: z.string(),
  startedAt: z.string(),
  finishedAt: z.string(),
  /** The mirror equals what the server releases, as far as this user may have it. */
  complete: z.boolean(),
  /** `none`: no run on the server, but files that were dropped here. */
  sweep: z.enum(['quick', 'full', 'none']),
  why: z.string().optional(),
  /** Datasets by state. */
  states: z.partialRecord(z.enum(DATASET_STATES), count),
  /** Datasets by what happened to them in this run. */
  datasets: z.partialRecord(z.enum(HAPPENED), count),
  files: z.object({
    fetched: count,
    /** Held before, and still. */
    kept: count,
    /** Got a further path by a link, or by a copy that the store made. */
    linked: count,
    /** The same, where the file system knows no links, or not one more of this file. */
    copied: count.default(0),
    moved: count,
    superseded: count,
    failed: count,
    /** Not here, in this run or before. */
    missing: count,
  }),
  bytesFetched: count,
  requests: z.record(z.string(), count),
  /** Datasets that would have left, where those were too many: then none did. */
  refused: count.optional(),
  /** Where files of somebody else lie now that were where the mirror's belong. */
  inTheWay: z.array(z.string()).default([]),
  /** Datasets that could not be looked at. */
  problems: z.array(z.object({ dataset: z.string(), code: z.string(), message: z.string() })),
  /** Files that failed in this run, by code. */
  failures: z.record(z.string(), count).optional(),
  batch: z.string().optional(),
})
export type RunReport = Readonly<z.infer<typeof runReportSchema>>

/** @returns undefined when there is no such run, or it has not ended. Rejects with `RECORD_UNREADABLE`. */
export async function readRun(records: Records, mirror: string, run: string): Promise<RunReport | undefined> {
  const name = names.run(mirror, run, RUN_REPORT)
  const bytes = await records.read(name)
  return bytes && parseRecord(runReportSchema, bytes, name)
}

/** Names of the runs of a mirror, oldest first. */
export async function listRuns(records: Records, mirror: string): Promise<readonly string[]> {
  return [...(await records.folders(names.runs(mirror)))].sort()
}
