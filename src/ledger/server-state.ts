import { z } from 'zod'

/** What all workers of all machines know of one server. */
export interface ServerState {
  /** Base URL of the installation. */
  readonly server: string
  /** How long no request is sent to it; 0: go on. */
  readonly waitMs: number
  /** Back-off periods in a row, without a success in between. */
  readonly throttles: number
  /** Streams at once, over all workers; undefined: the default. */
  readonly concurrency: number | undefined
  /** Bytes a second, over all workers; undefined: no limit. */
  readonly bandwidth: number | undefined
  /** Why a person paused it; undefined: it is not paused. */
  readonly paused: string | undefined
}

const count = z.coerce.number()
const fieldsSchema = z.object({
  waitMs: count.default(0),
  throttles: count.default(0),
  concurrency: count.optional(),
  bandwidth: count.optional(),
  paused: z.string().optional(),
})

/** Reads the flat list of fields and values that a script answers with. */
export function parseServer(server: string, reply: unknown): ServerState {
  const list = z.array(z.string()).parse(reply)
  const pairs = list.flatMap((field, i) => (i % 2 === 0 ? [[field, list[i + 1]]] : []))
  const { waitMs, throttles, concurrency, bandwidth, paused } = fieldsSchema.parse(Object.fromEntries(pairs))
  return { server, waitMs, throttles, concurrency, bandwidth, paused }
}
