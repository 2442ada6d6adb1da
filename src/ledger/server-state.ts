import { z } from 'zod'
import type { Wait } from '../model/notice.ts'

/** Why a server gets no requests, or only one at a time. */
export interface ServerHold {
  /** `person`: paused by a person; `throttle`: it asked for fewer requests; `outage`: it is down. */
  readonly by: 'person' | 'throttle' | 'outage'
  /** One sentence for people. */
  readonly reason: string
  readonly since: Date
  /** Time until the next look, in ms; undefined: until a person continues it. */
  readonly nextLookMs: number | undefined
}

/** What all workers of all machines know about one server. */
export interface ServerState {
  /** Base URL of the installation. */
  readonly server: string
  /** Undefined: not on hold. */
  readonly hold: ServerHold | undefined
  /** Looks in a row without a success in between. */
  readonly looks: number
  /** Streams at once, over all workers; undefined: the default. */
  readonly concurrency: number | undefined
  /** Bytes per second, over all workers; undefined: no limit. */
  readonly bandwidth: number | undefined
}

/** A hold by the clock of this machine. */
export function waitOf({
  reason,
  since,
  nextLookMs,
}: Pick<ServerHold, 'reason' | 'since' | 'nextLookMs'>): Omit<Wait, 'what'> {
  return { reason, since, nextLook: nextLookMs === undefined ? undefined : new Date(Date.now() + nextLookMs) }
}

/** A date may be as late. */
const LATEST = 8.64e15
/** Every process reads these, so a field that is damaged is as good as none. */
const count = z.coerce.number().min(0).max(LATEST).catch(0)
const limit = z.coerce.number().positive().optional().catch(undefined)
const fieldsSchema = z.object({
  waitMs: count,
  throttles: count,
  since: count,
  by: z.enum(['throttle', 'outage']).catch('throttle'),
  reason: z.string().catch('asked for a pause'),
  concurrency: limit,
  bandwidth: limit,
  paused: z.string().optional(),
  pausedAt: count,
})
type Fields = z.infer<typeof fieldsSchema>

/** Reads the flat list of fields and values that a script answers with. */
export function parseServer(server: string, reply: unknown): ServerState {
  const list = z.array(z.string()).parse(reply)
  const pairs = list.flatMap((field, i) => (i % 2 === 0 ? [[field, list[i + 1]]] : []))
  const fields = fieldsSchema.parse(Object.fromEntries(pairs))
  const { concurrency, bandwidth, throttles: looks } = fields
  return { server, hold: holdOf(fields), looks, concurrency, bandwidth }
}

function holdOf({ paused, pausedAt, waitMs, throttles, by, reason, since }: Fields): ServerHold | undefined {
  if (paused !== undefined) return { by: 'person', reason: paused, since: new Date(pausedAt), nextLookMs: undefined }
  // A throttle ends when its time is over; an outage ends with a success.
  if (waitMs === 0 && (by === 'throttle' || throttles === 0)) return undefined
  return { by, reason, since: new Date(since), nextLookMs: waitMs }
}
