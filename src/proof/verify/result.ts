import { z } from 'zod'
import { checksumSchema, checksumsSchema } from '../../model/checksum.ts'

const size = z.number().int().nonnegative().optional()

const owner = z.string().max(200).optional()

/** States of findings that are open. */
export const OPEN_STATES = ['missing', 'changed', 'extra', 'unfetched'] as const
export type OpenState = (typeof OPEN_STATES)[number]

/**
 * - `ok`: read, and as recorded; `size-only`: recorded without a checksum, so only its size was compared
 * - `missing`, `changed`, `extra`, `unfetched`: not right, and open until the file is found right or no record knows it any more
 */
export const resultSchema = z.object({
  path: z.string(),
  state: z.enum(['ok', 'size-only', ...OPEN_STATES]),
  at: z.iso.datetime(),
  /** Version of dataferry. */
  by: z.string(),
  /** Of the bytes that are there. */
  size,
  checksum: checksumSchema.optional(),
  /** Further digests of them. */
  digests: checksumsSchema.optional(),
  /** What a record says, where that is something else. */
  expected: z.object({ size, checksum: checksumSchema.optional(), digests: checksumsSchema.optional() }).optional(),
  /** Where that is so: the batch or mirror that it belongs to. */
  batch: owner,
  mirror: owner,
})
/** A line of `verified.ndjson`: what was last found at a path. */
export type Result = Readonly<z.infer<typeof resultSchema>>
