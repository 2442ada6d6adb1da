import { z } from 'zod'
import { batchIdSchema } from '../src/model/batch.ts'
import type { Scope } from './scope.ts'

/** The queue of a scope. */
export function controlQueue(scope: Scope): string {
  return `control.${scope}`
}

/** Writes the report of a batch whose every line has ended. */
export const controlJobSchema = z.object({ v: z.literal(1), task: z.literal('report'), batch: batchIdSchema })
export type ControlJob = Readonly<z.infer<typeof controlJobSchema>>
