import { z } from 'zod'
import { digestsSchema } from './checksum.ts'
import { filtersSchema } from './filters.ts'
import { EXISTING } from './existing.ts'
import { FORMATS } from './item.ts'
import { WAITS } from './receipt.ts'

/** `off`, `auto`, or the bytes up to which a file counts as small. */
const bundleSchema = z.union([z.literal('auto'), z.literal('off'), z.number().int().positive()])
export type Bundle = z.infer<typeof bundleSchema>

/** What a batch does about files that it may not download yet. */
const batchAccessSchema = z.object({
  /** Access is requested to restricted files that allow it, once each. */
  request: z.boolean(),
  /** How long an answer to a request is waited for, from the request on. */
  timeoutMs: z.number().int().positive(),
  /** What its command stays for; embargoed files wait only if it is named here. */
  waitFor: z.array(z.enum(WAITS)),
  /** The longest an embargo is waited for, from the moment it was met. */
  waitAtMostMs: z.number().int().positive(),
})
export type BatchAccess = Readonly<z.infer<typeof batchAccessSchema>>

/** A name that is safe as a folder, in a Redis key and in a job id. */
export const batchIdSchema = z.string().regex(/^(?!\d+$)[a-z0-9][a-z0-9._-]{0,199}$/)
export type BatchId = z.infer<typeof batchIdSchema>

/**
 * `batch.json`: what was asked for. Written once, before planning; never holds a secret.
 * Everything that decides the plan is in here, so that planning can continue on another machine.
 */
export const batchSchema = z.object({
  v: z.literal(1),
  id: z.string(),
  /** Hash of everything that decides the plan, by which the same command finds its unfinished batch. */
  key: z.string(),
  createdAt: z.string(),
  /** URL of the sink, without credentials. */
  destination: z.string(),
  /** Base URLs that this batch may contact, the default one first. */
  servers: z.array(z.string()),
  format: z.enum(FORMATS),
  existing: z.enum(EXISTING),
  /** Whether small files are fetched together in ZIPs, and up to how many bytes each. Absent: `off`. */
  bundle: bundleSchema.optional(),
  /** Whether files without a published checksum may be bundled as well. Absent: no. */
  bundleUnverified: z.boolean().optional(),
  /** Taken of every file besides the checksum that verifies it. Absent: none. */
  digests: digestsSchema.optional(),
  /** Files that archives leave out are fetched individually beside them. Absent: no. */
  complete: z.boolean().optional(),
  /** The user accepts the terms of use that datasets have of their own: their text is kept. Absent: no. */
  acceptTerms: z.boolean().optional(),
  /** Also fetches the datasets of collections that the manifest names. Absent: no. */
  recursive: z.boolean().optional(),
  /** Absent: everything that the manifest names is wanted. */
  filters: filtersSchema.optional(),
  /** Absent: nothing is requested, and nothing waits. */
  access: batchAccessSchema.optional(),
  manifest: z.object({
    /** As the user gave it, `-` for standard input; the copy is `manifest` in the batch folder. */
    name: z.string(),
    /** Name of the reader: `list`, `csv`, …; `several` where there are parts. */
    format: z.string(),
    sha256: z.string(),
    /** The search that produced a part of it, if any: it identifies the batch, not what was found. */
    asked: z.string().optional(),
    entries: z.number().int().nonnegative(),
    /** Several manifests: the copy holds them one after the other. */
    parts: z
      .array(z.object({ name: z.string(), format: z.string(), bytes: z.number().int().nonnegative() }))
      .optional(),
  }),
})
export type Batch = Readonly<z.infer<typeof batchSchema>>

/** Bytes that no line of a plan goes below. */
const SHORTEST_LINE = 80

/** What a plan holds, and what the listings that it was made from said. */
export const planTotalsSchema = z.object({
  /** Sum of the known sizes. */
  size: z.number().int().nonnegative(),
  unknownSize: z.number().int().nonnegative(),
  noChecksum: z.number().int().nonnegative(),
  restricted: z.number().int().nonnegative(),
  embargoed: z.number().int().nonnegative(),
  retentionExpired: z.number().int().nonnegative(),
  problems: z.number().int().nonnegative(),
  renamed: z.number().int().nonnegative(),
  duplicates: z.number().int().nonnegative(),
  datasets: z.number().int().nonnegative(),
  /** Files that a manifest names and the filters leave out. */
  filtered: z.number().int().nonnegative().default(0),
})

/** `plan.json`: how far planning is. Rewritten whole at each checkpoint; lines of `items.ndjson` beyond it do not count. */
const planFieldsSchema = z.object({
  /** Manifest entries planned so far. */
  entries: z.number().int().nonnegative(),
  /** Items written so far: lines 0 … items − 1 are fixed. */
  items: z.number().int().nonnegative(),
  /** Length of `items.ndjson` that holds them. */
  bytes: z.number().int().nonnegative(),
  complete: z.boolean(),
  /** The state was lost and rebuilt from the lines; entries from this manifest line on may be planned once more. */
  again: z.number().int().nonnegative().optional(),
  /** The first item added for files left out of archives, once they have been added. */
  leftOutFrom: z.number().int().nonnegative().optional(),
  /** The guestbooks of the lines, each with a line that is behind it. */
  guestbooks: z
    .array(z.object({ server: z.string(), id: z.number().int(), n: z.number().int().nonnegative() }))
    .optional(),
  /** Versions of datasets with terms of use of their own: at most 10,000. */
  terms: z.array(z.object({ server: z.string(), dataset: z.string(), version: z.string() })).optional(),
  totals: planTotalsSchema,
})
/** A plan that counts more lines than it has room for is damaged, and nobody goes through that many. */
export const planStateSchema = planFieldsSchema.refine(({ items, bytes }) => items * SHORTEST_LINE <= bytes)
export type PlanState = Readonly<z.infer<typeof planStateSchema>>
export type PlanTotals = PlanState['totals']
