import { z } from 'zod'
import { batchSchema, planTotalsSchema } from '../model/batch.ts'
import { ALGORITHMS, digestsSchema } from '../model/checksum.ts'
import { VERIFIED } from '../model/receipt.ts'

const count = z.number().int().nonnegative()
/** Everything that was asked for, as `batch.json` has it, which holds no secrets. */
export const askedSchema = batchSchema.pick({
  servers: true,
  format: true,
  existing: true,
  bundle: true,
  bundleUnverified: true,
  complete: true,
  acceptTerms: true,
  recursive: true,
  filters: true,
  access: true,
  manifest: true,
})
export const listedSchema = planTotalsSchema.pick({
  unknownSize: true,
  noChecksum: true,
  restricted: true,
  embargoed: true,
  retentionExpired: true,
  problems: true,
})
const lastVerifiedSchema = z.object({
  endedAt: z.string(),
  /** Version of dataferry. */
  by: z.string(),
  /** Files of the whole destination that were read. */
  read: count,
  /** Findings about this batch or mirror that are open; absent: not counted. */
  open: z.object({ missing: count, changed: count }).optional(),
})
/** The last verification of the destination, as far as it is known when a statement is made. */
export type LastVerified = Readonly<z.infer<typeof lastVerifiedSchema>>
const fieldsSchema = z.object({
  v: z.literal(1),
  batch: z.string(),
  destination: z.string(),
  /** As the user named it. */
  manifest: z.string(),
  createdAt: z.string(),
  finishedAt: z.string(),
  planned: count,
  plannedBytes: count,
  /** Items of the plan without any outcome. Never hidden: a batch is whole only at 0. */
  missing: count,
  renamed: count,
  duplicates: count,
  /** Files that the manifest names and the filters left out. */
  filtered: count.default(0),
  /** Every planned item is there, and nothing that was left out of an archive is still to be fetched. */
  complete: z.boolean(),
  done: count,
  kept: count,
  failed: count,
  /** Files that can perhaps be fetched later: with any, the batch has not ended. Named in `waiting.csv`. */
  waiting: count.default(0),
  waitingFor: z.object({ access: count, embargo: count }).default({ access: 0, embargo: 0 }),
  bytes: count,
  keptBytes: count,
  resumed: count,
  /** Files that archives lack; named in `left-out.csv`. */
  leftOut: count.default(0),
  /** They were added to the plan, and are counted there. */
  leftOutPlanned: z.boolean().default(false),
  /** Servers that got no more requests for bundles, since those kept failing. */
  bundlesOff: z.array(z.string()).optional(),
  /** The same in reports of older versions. */
  archivesOff: z.array(z.string()).optional(),
  verified: z.record(z.enum(VERIFIED), count),
  /** The digests that were asked for. */
  digests: digestsSchema.default([]),
  /** Of how many items the receipts hold a checksum in each algorithm. */
  checksums: z.partialRecord(z.enum(ALGORITHMS), count).default({}),
  /** How many failed with each code. */
  failures: z.record(z.string(), count),
  /** The version of dataferry that wrote this; like everything below, reports of older versions lack it. */
  software: z.string().optional(),
  asked: askedSchema.optional(),
  /** What the server's listings said when it was planned. */
  listed: listedSchema.optional(),
  /** Of the files that were compared with a published checksum: how many, by its algorithm. */
  published: z.record(z.string(), count).optional(),
  lastVerified: lastVerifiedSchema.optional(),
  /** Versions of datasets; each is a line of `datasets.csv`. */
  datasetVersions: count.optional(),
  /** Of a batch that has ended: its records, of many the first ones; all are in `records.sha256`. */
  records: z.array(z.object({ name: z.string(), size: count, sha256: z.string() })).optional(),
  recordCount: count.optional(),
})
export const reportSchema = fieldsSchema.transform(({ archivesOff = [], bundlesOff = archivesOff, ...report }) => ({
  ...report,
  bundlesOff,
}))
/** `report.json`. */
export type Report = Readonly<z.infer<typeof reportSchema>>
