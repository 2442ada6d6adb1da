import { z } from 'zod'

export const CONTROL_QUEUE = 'control'

/** Writes the report of a batch whose every line has ended. */
export const controlJobSchema = z.object({ v: z.literal(1), task: z.literal('report'), batch: z.string() })
export type ControlJob = Readonly<z.infer<typeof controlJobSchema>>
