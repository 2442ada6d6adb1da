import { z } from 'zod'

/** What people can be told of. */
export const EVENT_KINDS = [
  'batch-finished',
  'batch-failed',
  'batch-waits',
  'mirror-changed',
  'mirror-stale',
  'schedule-skipped',
  'schedule-failed',
  'test',
] as const
export type EventKind = (typeof EVENT_KINDS)[number]

/** Something that people are told of once. Holds no secret. */
export const notifyEventSchema = z.object({
  /** The same for the same thing, on every machine and after every restart. */
  id: z.string().max(500),
  kind: z.enum(EVENT_KINDS),
  at: z.iso.datetime(),
  /** One sentence. */
  text: z.string().max(2_000),
  /** What it is about: `batch`, `mirror`, `schedule`, `destination`, counts. */
  facts: z.record(z.string().max(50), z.union([z.string().max(4_000), z.number(), z.boolean()])),
})
export type NotifyEvent = Readonly<z.infer<typeof notifyEventSchema>>
