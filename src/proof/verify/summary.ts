import { z } from 'zod'
import { isUnreadable, parseRecord, recordText } from '../../batch/record.ts'
import { DAY_MS } from '../../model/calendar.ts'
import type { Records } from '../../sinks/sink.ts'
import { OPEN_STATES, resultSchema, type OpenState, type Result } from './result.ts'

/** Name of the summary, relative to `.dataferry/`. */
export const SUMMARY = 'verified/summary.json'

const count = z.number().int().nonnegative()
const amountSchema = z.object({ files: count, bytes: z.number().nonnegative() })
/** Files, and their bytes. */
export type Amount = Readonly<z.infer<typeof amountSchema>>

/** A verification that has come to its end. */
export const runSchema = z.object({
  mode: z.enum(['full', 'rolling']),
  startedAt: z.iso.datetime(),
  endedAt: z.iso.datetime(),
  /** Version of dataferry. */
  by: z.string(),
  /** What was read. */
  read: amountSchema,
  /** Files that records know and that can be read and compared, whether this run has read them or not. */
  held: amountSchema,
  /** Those of them that were never read since they came. */
  neverRead: amountSchema,
  /** What was found, by the state of the finding; those that are right, too. */
  found: z.record(z.string(), count),
  rolling: z
    .object({
      /** In how much time everything is to be read. */
      periodMs: z.number().positive(),
      /** When the round began in which everything is to be read once: this one, or the next one where it has ended. */
      since: z.iso.datetime(),
      /** Bytes that the run owed. */
      owed: z.number().nonnegative(),
      /** What is still to be read in that round. */
      left: amountSchema,
      /** Files that were found wrong earlier and that the run did not look at again, as there are very many. */
      openLeft: count.optional(),
    })
    .optional(),
})
export type VerifyRun = Readonly<z.infer<typeof runSchema>>

const findingSchema = resultSchema
  .pick({ path: true, at: true, batch: true, mirror: true })
  .extend({ state: z.enum(OPEN_STATES) })
const openOfSchema = resultSchema
  .pick({ batch: true, mirror: true })
  .extend({ missing: count, changed: count, unfetched: count.default(0) })

const summarySchema = z.object({
  v: z.literal(1),
  updatedAt: z.iso.datetime(),
  /** The last run, and the last one of its kind. */
  last: runSchema.optional(),
  lastFull: runSchema.optional(),
  lastRolling: runSchema.optional(),
  /** What was last read on which day (UTC), whether it was right or not. */
  readOn: z.record(z.string(), amountSchema),
  /** What was read longest ago. */
  oldest: z.object({ path: z.string(), at: z.iso.datetime() }).optional(),
  /** Findings that are open: nothing has found the file right since. */
  open: z.object({ missing: count, changed: count, extra: count, unfetched: count.default(0) }),
  /** Files that are recorded without a checksum, so that only their size is compared. */
  sizeOnly: count,
  /** Some of the findings that are open, by path. */
  findings: z.array(findingSchema).default([]),
  /** How many are open of each batch and mirror, those with the most first, and not of all where there are very many. */
  openOf: z.array(openOfSchema).default([]),
})
/** `summary.json`: what the results of verification say, in a few lines. */
export type VerifySummary = Readonly<z.infer<typeof summarySchema>>

/** What is known of the verification of a destination; undefined: nothing on record, or nothing that can be read. */
export async function readVerifySummary(records: Records): Promise<VerifySummary | undefined> {
  const bytes = await records.read(SUMMARY)
  if (!bytes) return undefined
  try {
    return parseRecord(summarySchema, bytes, SUMMARY)
  } catch (error) {
    // It is made anew by the next verification; until then nothing is claimed.
    if (isUnreadable(error)) return undefined
    throw error
  }
}

/** What was read within so many days. */
export function readWithin({ readOn }: VerifySummary, days: number, now: Date): Amount {
  const first = dayOf(new Date(now.getTime() - days * DAY_MS).toISOString())
  const sum = { files: 0, bytes: 0 }
  for (const [day, { files, bytes }] of Object.entries(readOn)) {
    if (day < first) continue
    sum.files += files
    sum.bytes += bytes
  }
  return sum
}

/** The summary stays a small file. */
const FINDINGS = 100
const OWNERS = 100

/** Sums up results as they are written. */
export class SummaryOf {
  readonly #readOn = new Map<string, { files: number; bytes: number }>()
  readonly #open = { missing: 0, changed: 0, extra: 0, unfetched: 0 }
  #oldest: { path: string; at: string } | undefined
  #sizeOnly = 0
  readonly #findings: z.infer<typeof findingSchema>[] = []
  /** As many as there are batches and mirrors. */
  readonly #openOf = new Map<string, z.infer<typeof openOfSchema>>()

  add(result: Result): void {
    const { path, state, at, size = 0, checksum } = result
    if (state === 'size-only') this.#sizeOnly++
    else if (state !== 'ok') this.#addOpen(result, state)
    if (!checksum) return
    const day = this.#readOn.get(dayOf(at)) ?? { files: 0, bytes: 0 }
    this.#readOn.set(dayOf(at), day)
    day.files++
    day.bytes += size
    if (this.#oldest === undefined || at < this.#oldest.at) this.#oldest = { path, at }
  }

  #addOpen({ path, at, batch, mirror }: Result, state: OpenState): void {
    this.#open[state]++
    const owner = { ...(batch !== undefined && { batch }), ...(mirror !== undefined && { mirror }) }
    if (this.#findings.length < FINDINGS) this.#findings.push({ path, state, at, ...owner })
    if (state === 'extra') return
    const key = JSON.stringify(owner)
    const open = this.#openOf.get(key) ?? { ...owner, missing: 0, changed: 0, unfetched: 0 }
    this.#openOf.set(key, open)
    open[state]++
  }

  of(before: VerifySummary | undefined, run: VerifyRun | undefined, now: Date): VerifySummary {
    const lastFull = run?.mode === 'full' ? run : before?.lastFull
    const lastRolling = run?.mode === 'rolling' ? run : before?.lastRolling
    const last = run ?? before?.last
    return {
      v: 1,
      updatedAt: now.toISOString(),
      ...(last && { last }),
      ...(lastFull && { lastFull }),
      ...(lastRolling && { lastRolling }),
      readOn: Object.fromEntries([...this.#readOn].sort(([a], [b]) => (a < b ? -1 : 1))),
      ...(this.#oldest && { oldest: this.#oldest }),
      open: this.#open,
      sizeOnly: this.#sizeOnly,
      findings: this.#findings,
      openOf: [...this.#openOf.values()].sort((a, b) => openIn(b) - openIn(a)).slice(0, OWNERS),
    }
  }
}

export async function writeSummary(
  records: Records,
  sum: SummaryOf,
  run: VerifyRun | undefined,
  now: Date,
): Promise<void> {
  await records.write(SUMMARY, recordText(sum.of(await readVerifySummary(records), run, now)))
}

function openIn({ missing, changed, unfetched }: z.infer<typeof openOfSchema>): number {
  return missing + changed + unfetched
}

function dayOf(time: string): string {
  return time.slice(0, 10)
}
