import { z } from 'zod'
import { checksumSchema } from './checksum.ts'

/** What the received bytes were compared with. */
export const VERIFIED = ['checksum', 'size', 'structure', 'nothing'] as const
export type Verified = (typeof VERIFIED)[number]

const receiptSchema = z.object({
  /** `done`: fetched now. `kept`: was at the destination already. */
  state: z.enum(['done', 'kept']),
  n: z.number().int().nonnegative(),
  path: z.string(),
  size: z.number().int().nonnegative(),
  /** Of the committed bytes, in the promised algorithm, else sha256; absent when kept bytes were not read. */
  checksum: checksumSchema.optional(),
  verified: z.enum(VERIFIED),
  /** Bytes that an earlier attempt had kept. */
  resumedFrom: z.number().int().nonnegative(),
  finishedAt: z.string(),
  /** Anything a person should know, e.g. that a legacy checksum rule was used. */
  note: z.string().optional(),
})
const failureSchema = z.object({
  state: z.literal('failed'),
  n: z.number().int().nonnegative(),
  path: z.string(),
  code: z.string(),
  message: z.string(),
  finishedAt: z.string(),
})

/** How an item ended: one line of `receipts/*.ndjson`. Of several lines for one item a receipt beats a failure. */
export const outcomeSchema = z.union([receiptSchema, failureSchema])
export type Receipt = Readonly<z.infer<typeof receiptSchema>>
export type Failure = Readonly<z.infer<typeof failureSchema>>
export type Outcome = Receipt | Failure
