import { z } from 'zod'
import { checksumSchema } from './checksum.ts'

/** Which bytes of a file: the uploaded original (the only form with a published checksum) or the archival one (`.tab`). */
export const FORMATS = ['original', 'archival'] as const
/**
 * One of `FORMATS`.
 * @useDeclaredType
 */
export type Format = (typeof FORMATS)[number]

const refSchema = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('file'),
    /** Database id, or a file PID. */
    file: z.union([z.number().int().nonnegative(), z.string()]),
    format: z.enum(FORMATS),
    /** An ingested tabular file: it has several forms, and its checksum is that of the original. */
    tabular: z.literal(true).optional(),
  }),
  z.object({ kind: z.literal('zip'), files: z.array(z.number().int().nonnegative()), format: z.enum(FORMATS) }),
  z.object({
    kind: z.literal('dataset-zip'),
    dataset: z.string(),
    version: z.string(),
    format: z.enum(FORMATS),
  }),
  z.object({ kind: z.literal('all-forms'), file: z.union([z.number().int().nonnegative(), z.string()]) }),
  // Its older name, which manifests still use.
  z
    .object({ kind: z.literal('bundle'), file: z.union([z.number().int().nonnegative(), z.string()]) })
    .transform(({ file }) => ({ kind: 'all-forms' as const, file })),
])
/**
 * What to request from a server.
 * @useDeclaredType
 */
export type Ref = Readonly<z.infer<typeof refSchema>>

/** Used where it is unknown what to request; such an item has a problem, and no file has this id. */
export const NO_REF: Ref = { kind: 'file', file: 0, format: 'original' }

/** Why a listing says that the bytes may be withheld. A hint for totals and messages: only a real request decides. */
export const WITHHELD = ['restricted', 'embargoed', 'retention-expired'] as const
/**
 * One of `WITHHELD`.
 * @useDeclaredType
 */
export type Withheld = (typeof WITHHELD)[number]

/**
 * One thing to fetch, complete: nothing downstream asks the server for metadata again or fills in fields.
 * One line of `items.ndjson`; line number `n` (from 0) is its identity in the ledger.
 */
export const itemSchema = z.object({
  n: z.number().int().nonnegative(),
  /** Base URL of the installation, no trailing slash; a sub-path is kept. */
  server: z.string(),
  ref: refSchema,
  /** Relative path in the sink: safe, unique in the batch, `/` between segments. */
  path: z.string(),
  /** Size and checksum of the bytes *as they will arrive*. */
  expect: z.object({
    size: z.number().int().nonnegative().optional(),
    checksum: checksumSchema.optional(),
    /** Those that only the manifest gives, not the server. */
    own: z.array(z.enum(['size', 'checksum'])).optional(),
  }),
  /**
   * What is listed of a form that arrives with more than that: the rows of an archival form, which comes with a header line
   * where the server does not store one. No promise, but a file that is as long as these rows and its first line is whole.
   */
  listedSize: z.number().int().nonnegative().optional(),
  /** Where it comes from, for receipts and object metadata. */
  origin: z
    .object({ dataset: z.string().optional(), version: z.string().optional(), pid: z.string().optional() })
    .optional(),
  contentType: z.string().optional(),
  /** The guestbook of its dataset, which the server may want answered. */
  guestbook: z.number().int().nonnegative().optional(),
  withheld: z.enum(WITHHELD).optional(),
  /** First day of an embargoed file, last day of one with a retention period, as they were listed: `2027-01-01`, UTC. */
  withheldDay: z.string().optional(),
  /** The server's own path, if `path` had to differ. */
  renamedFrom: z.string().optional(),
  /** Line of the manifest that requested it, from 1. */
  line: z.number().int().positive().optional(),
  /** Which of several manifests. */
  manifest: z.string().optional(),
  /** Planning found that it cannot be fetched: settled as failed without a request. */
  problem: z
    .object({
      code: z.string(),
      message: z.string(),
      /** What the manifest requested, in the words of `failures.csv`, since `ref` and `path` are then only placeholders. */
      asked: z
        .object({ kind: z.string(), id: z.string(), version: z.string().optional(), path: z.string().optional() })
        .optional(),
    })
    .optional(),
})
export type Item = Readonly<z.infer<typeof itemSchema>>
export type Expectation = Item['expect']
