import { z } from 'zod'
import { batchIdSchema } from '../src/model/batch.ts'
import type { Scope } from './scope.ts'

/** The queue of a scope. */
export function feedQueue(scope: Scope): string {
  return `feed.${scope}`
}

/** Keeps the window of one batch and server full until every line has ended. */
export const feedJobSchema = z.object({ v: z.literal(1), batch: batchIdSchema, server: z.string() })
export type FeedJob = Readonly<z.infer<typeof feedJobSchema>>
