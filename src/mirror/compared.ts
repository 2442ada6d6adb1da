import { z } from 'zod'
import { HAPPENED } from './report.ts'
import { datasetSchema } from './state.ts'

/** A line of `pending/datasets.ndjson`: what a run found out about a dataset. */
export const comparedSchema = z.object({
  dataset: datasetSchema,
  happened: z.enum(HAPPENED),
  /** Its files are in `pending/files/`. */
  touched: z.boolean(),
  problem: z.object({ code: z.string(), message: z.string() }).optional(),
})
export type Compared = Readonly<z.infer<typeof comparedSchema>>
