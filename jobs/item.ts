import { z } from 'zod'
import { batchIdSchema } from '../src/model/batch.ts'
import type { Scope } from './scope.ts'

/** The queue of one server's items in a scope. Names may not hold `:`, so the base URL is spelled with `_`. */
export function itemQueue(server: string, scope: Scope): string {
  return `dl.${server.replaceAll(/[^A-Za-z0-9.-]+/g, '_')}.${scope}`
}

/** One item of a batch, by its line number. About 40 bytes: the item itself is read from the destination. */
export const itemJobSchema = z.object({
  v: z.literal(1),
  batch: batchIdSchema,
  n: z.number().int().nonnegative(),
  /** The server has already counted this download: in an earlier attempt, or as part of a bundle that lacked it. */
  counted: z.literal(true).optional(),
})
export type ItemJob = Readonly<z.infer<typeof itemJobSchema>>
