import { z } from 'zod'
import { batchLogLineSchema } from '../../ledger/batch-logs.ts'
import { FORMATS } from '../../model/item.ts'
import { ROLES } from '../roles.ts'

/**
 * What the dashboard's JSON API answers and takes. The pages use these types, and `openapi.ts` describes them. Times are ISO 8601 in
 * UTC, sizes bytes; null is what is not known or not set.
 */

/** Of a mirror or a schedule: it never reads as a flag. */
const NAME = /^[a-z0-9][a-z0-9._-]{0,63}$/

const count = z.number().int().nonnegative()
const time = z.iso.datetime()

export const refusalSchema = z.object({
  error: z.object({
    code: z.string().describe('stable; those of docs/errors.md among them'),
    message: z.string(),
    advice: z.string().optional(),
  }),
})

export const sessionSchema = z.object({
  role: z.enum(ROLES),
  version: z.string(),
  /** Where new batches may go, as the operator allowed; none: new batches are begun on the command line. */
  destinations: z.array(z.string()),
  servers: z.array(z.string()),
})
export type Session = z.infer<typeof sessionSchema>

export const signInSchema = z.object({ token: z.string().min(1).max(200) })

const holdSchema = z.object({
  by: z.enum(['person', 'throttle', 'outage']),
  reason: z.string(),
  since: time,
  nextLook: time.nullable().describe('null: until a person continues it'),
})

const BATCH_STATES = ['open', 'waiting', 'paused', 'parked', 'cancelled', 'finished'] as const

const batchSchema = z.object({
  id: z.string(),
  state: z
    .enum(BATCH_STATES)
    .describe('parked: it waits for its own command; waiting: all that is left waits for access'),
  reason: z.string().nullable(),
  destination: z.string(),
  servers: z.array(z.string()),
  createdAt: z.string(),
  owner: z.string().nullable().describe('the process whose command works on it'),
  command: z.string().nullable().describe('what it waits for, where workers leave it alone'),
  planned: count,
  planComplete: z.boolean(),
  plannedBytes: count,
  done: count,
  kept: count.describe('were there already'),
  failed: count,
  waiting: count.describe('for access, or for the end of an embargo'),
  nextLook: time.nullable().describe('when it is looked next whether what waits may continue'),
  open: count,
  active: count,
  bytes: count.describe('of items done, and of those in progress so far'),
  keptBytes: count,
  fraction: z.number().describe('0 to 1'),
  bytesPerSecond: z.number().nullable(),
  filesPerSecond: z.number().nullable(),
  secondsLeft: z.number().nullable(),
})
export type BatchView = z.infer<typeof batchSchema>

export const serverSchema = z.object({
  server: z.string(),
  hold: holdSchema.nullable(),
  looks: count.describe('in a row without a success'),
  concurrency: count.nullable().describe('streams at a time over all workers; null: the default'),
  limit: count.describe('the same with the default in its place'),
  bandwidth: z.number().nullable().describe('bytes a second over all workers'),
  waiting: count,
  active: count,
  delayed: count.describe('waiting for another attempt'),
  streams: z.object({ granted: count, wanted: count }),
})
export type ServerView = z.infer<typeof serverSchema>

export const workerSchema = z.object({
  id: z.string(),
  host: z.string(),
  pid: count,
  since: z.string(),
  silentSeconds: z.number(),
  alive: z.enum(['alive', 'dead', 'unknown']),
  scopes: z.array(z.string()),
  holds: z.array(
    z.object({
      batch: z.string(),
      n: count,
      path: z.string(),
      bytes: count,
      size: count.nullable(),
      waits: z.boolean().describe('for a stream of its server'),
    }),
  ),
  destinations: z.array(z.object({ destination: z.string(), reason: z.string(), since: z.string() })),
})
export type WorkerView = z.infer<typeof workerSchema>
export type LiveFile = WorkerView['holds'][number]

const destinationSchema = z.object({
  destination: z.string(),
  free: z.number().nullable(),
  problem: z.string().nullable().describe('why it cannot be used, from here or from where a worker is'),
  wrong: count.describe('files that the last verifications found missing or changed'),
})
export type DestinationView = z.infer<typeof destinationSchema>

const attentionSchema = z.object({
  urgency: z.enum(['person', 'waiting', 'failures']).describe('person: nothing goes on without somebody'),
  kind: z.enum(['redis', 'batch', 'server', 'destination', 'token', 'worker']),
  subject: z.string(),
  text: z.string(),
  advice: z.string().nullable(),
  since: time.nullable(),
  nextLook: time.nullable(),
})
export type Attention = z.infer<typeof attentionSchema>

export const overviewSchema = z.object({
  at: time,
  attention: z.array(attentionSchema),
  batches: z.array(batchSchema).describe('those that have not ended, the most urgent first; at most 50'),
  unfinished: count,
  finished: count,
  bytesPerSecond: z.number(),
  filesPerSecond: z.number(),
  servers: z.array(serverSchema),
  destinations: z.array(destinationSchema),
  workers: z.object({ alive: count, silent: count, items: count, wanted: count }),
})
export type Overview = z.infer<typeof overviewSchema>

export const seriesSchema = z.object({
  stepSeconds: z.number(),
  times: z.array(z.number()).describe('seconds since 1970'),
  bytes: z.array(z.number().nullable()).describe('a second'),
  files: z.array(z.number().nullable()).describe('a second'),
})

export type SeriesView = z.infer<typeof seriesSchema>

export const batchListSchema = z.object({ batches: z.array(batchSchema), next: z.string().nullable() })

export type BatchList = z.infer<typeof batchListSchema>

const failureGroupSchema = z.object({
  code: z.string(),
  count,
  meaning: z.string(),
  advice: z.string(),
  retries: z.boolean().describe('whether another attempt may bring them as things are'),
  examples: z.array(z.object({ n: count, path: z.string(), message: z.string() })),
})
export type FailureGroup = z.infer<typeof failureGroupSchema>

export const batchLiveSchema = z.object({
  batch: batchSchema,
  live: z.array(workerSchema.shape.holds.element.extend({ worker: z.string() })),
  failures: z.array(failureGroupSchema),
  failuresCounted: count.describe('of the failures: so many were looked at so far'),
})
export type BatchLive = z.infer<typeof batchLiveSchema>

export const batchDetailSchema = batchLiveSchema.extend({
  record: z
    .object({
      manifest: z.string(),
      entries: count,
      format: z.enum(FORMATS),
      existing: z.string(),
      totals: z.record(z.string(), count),
      report: z.record(z.string(), z.unknown()).nullable().describe('report.json, once it has ended'),
    })
    .nullable()
    .describe('from its folder at the destination; null: see recordProblem'),
  recordProblem: z.string().nullable(),
})
export type BatchDetail = z.infer<typeof batchDetailSchema>

export const batchLogSchema = z.object({ lines: z.array(batchLogLineSchema) })
export type BatchLogView = z.infer<typeof batchLogSchema>

const ITEM_STATES = ['open', 'active', 'there', 'failed', 'waiting'] as const
const itemSchema = z.object({
  n: count,
  path: z.string(),
  server: z.string(),
  size: count.nullable(),
  checksum: z.string().nullable(),
  dataset: z.string().nullable(),
  state: z.enum(ITEM_STATES),
  code: z.string().nullable(),
  message: z.string().nullable(),
})
export type ItemView = z.infer<typeof itemSchema>

/** A line of the answer to a search, in the order in which they come. */
export const itemLineSchema = z.union([
  z.object({ item: itemSchema }),
  z.object({ scanned: count.describe('lines looked at so far'), of: count }),
  z.object({ next: count.nullable().describe('where to go on; null: that was the end') }),
  refusalSchema,
])
export type ItemLine = z.infer<typeof itemLineSchema>

export const itemQuerySchema = z.object({
  q: z.string().max(500).default('').describe('part of the path, in any case; empty: every item'),
  state: z.enum(['any', ...ITEM_STATES]).default('any'),
  from: z.coerce
    .number()
    .int()
    .min(0)
    .max(2 ** 32)
    .default(0)
    .describe('the first line of the plan to look at'),
})

export const codesSchema = z.object({
  codes: z
    .array(z.string().regex(/^[A-Z_]{1,60}$/))
    .max(100)
    .default([])
    .describe('empty: every failure'),
})

export const outcomeSchema = z.object({ text: z.string().describe('what was done, for people') })
export type Outcome = z.infer<typeof outcomeSchema>

export const limitSchema = z.object({
  server: z.string().max(2_000),
  concurrency: z.number().int().min(1).max(64).nullable().optional().describe('null: the default'),
  bandwidth: z
    .number()
    .int()
    .min(1)
    .max(2 ** 50)
    .nullable()
    .optional()
    .describe('bytes a second; null: no limit'),
  paused: z.boolean().optional(),
})
export type LimitRequest = z.infer<typeof limitSchema>

/** A page waits for its plan: longer lists are for the command line. */
const MOST_PASTED = 100_000
export const TOO_LONG =
  'This is too long to be planned from a page (100,000 characters at most): save it as a file, and give that to dataferry plan or dataferry enqueue.'

export const newBatchSchema = z.object({
  manifest: z.string().min(1).max(MOST_PASTED, TOO_LONG).describe('ids, PIDs, addresses, or a manifest in any form'),
  destination: z.string().max(2_000).describe('one of those that the operator allowed'),
  format: z.enum(FORMATS).default('original'),
})
export type NewBatch = z.infer<typeof newBatchSchema>

export const planSchema = z.object({
  batch: z.string(),
  items: count,
  bytes: count,
  unknownSize: count,
  noChecksum: count,
  withheld: count,
  guestbooks: z
    .array(z.object({ dataset: z.string(), name: z.string() }))
    .describe('those that have to be answered, and are not'),
  problems: z.array(z.object({ line: count.nullable(), code: z.string(), message: z.string() })),
  problemCount: count,
  free: z.number().nullable(),
})
export type PlanView = z.infer<typeof planSchema>

export const mirrorSchema = z.object({
  name: z.string(),
  destination: z.string(),
  server: z.string(),
  scope: z.string(),
  lastRun: z
    .object({ run: z.string(), finishedAt: z.string(), complete: z.boolean(), changes: z.record(z.string(), count) })
    .nullable(),
  lastSuccess: z.string().nullable(),
  running: z.boolean().describe('a run has begun and not ended'),
  problem: z.string().nullable(),
})
export type MirrorView = z.infer<typeof mirrorSchema>

const amountSchema = z.object({ files: count, bytes: count })
const ownerSchema = { batch: z.string().nullable(), mirror: z.string().nullable() }

export const proofSchema = z.object({
  destination: z.string(),
  problem: z.string().nullable().describe('why nothing can be told'),
  verified: z
    .object({
      last: z
        .object({
          mode: z.enum(['full', 'rolling']),
          endedAt: time,
          held: amountSchema,
          neverRead: amountSchema,
          round: z
            .object({ ends: time, left: amountSchema })
            .nullable()
            .describe('of a rolling verification: by when everything will have been read, and what is left of it'),
        })
        .nullable()
        .describe('the last run that came to its end; neverRead: since it came'),
      lastFull: time.nullable(),
      oldest: z.object({ path: z.string(), at: time }).nullable().describe('what was read longest ago'),
      readLately: amountSchema.describe('in the last 30 days'),
      sizeOnly: count.describe('recorded without a checksum'),
      open: z
        .object({ missing: count, changed: count, extra: count, unfetched: count })
        .describe('findings that stand'),
      openOf: z
        .array(z.object({ ...ownerSchema, missing: count, changed: count, unfetched: count }))
        .describe('by what they belong to, the most first; at most 100'),
      findings: z
        .array(
          z.object({
            path: z.string(),
            state: z.enum(['missing', 'changed', 'extra', 'unfetched']),
            at: time,
            ...ownerSchema,
          }),
        )
        .describe('the first 100 by path'),
    })
    .nullable()
    .describe('null: nothing is on record'),
})
export type ProofView = z.infer<typeof proofSchema>

export const scheduleSchema = z.object({
  name: z.string(),
  command: z.string(),
  cron: z.string(),
  tz: z.string(),
  between: z.string().nullable(),
  paused: z.boolean(),
  next: z.array(time).describe('when it starts next; none while it is paused'),
  runs: z.array(
    z.object({
      startedAt: time,
      endedAt: time.nullable(),
      running: z.boolean(),
      code: z.number().int().nullable().describe('exit code'),
      parked: z.string().nullable().describe('why it ended early and is to go on'),
      report: z.string().nullable(),
      said: z.string().nullable().describe('the end of what it said, where it failed'),
    }),
  ),
  lastSkipped: z.object({ due: time, reason: z.string() }).nullable(),
})
export type ScheduleView = z.infer<typeof scheduleSchema>

export const mirrorRunSchema = z.object({
  name: z.string().regex(NAME),
  destination: z.string().max(2_000),
})

export const scheduleNameParam = z.object({ name: z.string().regex(NAME) })
export const batchIdParam = z.object({ id: z.string().max(200) })
export const batchQuerySchema = z.object({
  state: z.enum(['any', ...BATCH_STATES]).default('any'),
  before: z.string().max(300).optional().describe('`next` of the page before'),
})
export const historyQuerySchema = z.object({ span: z.enum(['hour', 'day']).default('hour') })
export const eventsQuerySchema = z.object({ batch: z.string().max(200).optional() })
