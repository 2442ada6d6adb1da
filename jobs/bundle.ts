import { z } from 'zod'
import { batchIdSchema } from '../src/model/batch.ts'

/** Several small items of one dataset and server, fetched in one ZIP: by their line numbers, ascending, each once. */
export const bundleJobSchema = z.object({
  v: z.literal(1),
  batch: batchIdSchema,
  ns: z.array(z.number().int().nonnegative()).min(1).max(10_000),
  /** How often its process died with it. Absent: never. */
  crashes: z.number().int().nonnegative().optional(),
})
export type BundleJob = Readonly<z.infer<typeof bundleJobSchema>>

/** The same items give the same id, so that adding them again does nothing while the job is queued. */
export function bundleJobId({ batch, ns }: BundleJob): string {
  return `${batch}-zip-${ns[0] ?? 0}-${ns.length}`
}
