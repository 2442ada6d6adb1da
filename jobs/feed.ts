import { z } from 'zod'

export const FEED_QUEUE = 'feed'

/** Keeps the window of one batch and server full until every line has ended. */
export const feedJobSchema = z.object({ v: z.literal(1), batch: z.string(), server: z.string() })
export type FeedJob = Readonly<z.infer<typeof feedJobSchema>>
