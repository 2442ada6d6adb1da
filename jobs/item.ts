import { z } from 'zod'

/** The queue of one server's items. Names may not hold `:`, so the base URL is spelled with `_`. */
export function itemQueue(server: string): string {
  return `dl.${server.replaceAll(/[^A-Za-z0-9.-]+/g, '_')}`
}

/** What a job has used up of the patience that it is met with; see `workers/wait-out.ts`. Absent: nothing. */
export const patienceSchema = z.number().int().nonnegative().optional()

/** One item of a batch, by its line number. About 40 bytes: the item itself is read from the destination. */
export const itemJobSchema = z.object({
  v: z.literal(1),
  batch: z.string(),
  n: z.number().int().nonnegative(),
  /** The server has counted this download already, as part of a bundle that lacked it. */
  counted: z.literal(true).optional(),
  patience: patienceSchema,
})
export type ItemJob = Readonly<z.infer<typeof itemJobSchema>>
