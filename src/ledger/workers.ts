import { z } from 'zod'
import { parseJson } from '../json/parse-json.ts'
import { processIdentitySchema } from '../process/process-identity.ts'
import type { RedisClient } from './redis/client.ts'
import { DEFAULT_PREFIX, workerKey, workersKey } from './redis/keys.ts'
import { run } from './redis/script.ts'
import { LIST_WORKERS } from './redis/worker-scripts.ts'

/** A process that works on items, as it last described itself. Holds no secret. */
const workerSchema = processIdentitySchema.extend({
  /** New for each start of a process. */
  id: z.string(),
  /** Ids of its BullMQ workers, the prefixes of their lock tokens. */
  tokens: z.array(z.string()),
  /** Whose jobs it takes. */
  scopes: z.array(z.string()).default(['public']),
  /** The same with the servers of each. */
  serves: z.array(z.object({ scope: z.string(), servers: z.array(z.string()) })).optional(),
  /** Destinations that it works for, with what is below them; absent: all. */
  only: z.array(z.string()).optional(),
  /** When it started. */
  since: z.string(),
  /** When it last reported. */
  at: z.string(),
  /** What it works on now: at most 50 are listed. */
  holds: z.array(
    z.object({
      batch: z.string(),
      n: z.number().int().nonnegative(),
      path: z.string(),
      /** Bytes at the destination so far. */
      bytes: z.number().int().nonnegative(),
      /** Of these, bytes that this process received. */
      received: z.number().int().nonnegative().optional(),
      /** It waits for a stream of its server: nothing moves. */
      waits: z.literal(true).optional(),
      size: z.number().int().nonnegative().optional(),
      /** How many files travel together: `n` is one of them, and `bytes` and `received` are of those that have not ended. Absent: one. */
      files: z.number().int().positive().optional(),
    }),
  ),
  /** Destinations that cannot be used from where it is; another machine may well use them. */
  destinations: z
    .array(
      z.object({
        /** URL. */
        destination: z.string(),
        /** One sentence for people. */
        reason: z.string(),
        since: z.string(),
        /** How long until the next look, in ms. */
        nextLookMs: z.number().nonnegative(),
      }),
    )
    .default([]),
  /** Servers that do not accept its token any more; absent: none. */
  refused: z.array(z.object({ server: z.string(), reason: z.string(), since: z.string() })).optional(),
  /** Servers whose token expires soon, and the file that it came from; absent: none. */
  expiring: z
    .array(z.object({ server: z.string(), expires: z.iso.datetime(), place: z.string().optional() }))
    .optional(),
})
export type WorkerRecord = Readonly<z.infer<typeof workerSchema>>
export type HeldDestination = WorkerRecord['destinations'][number]
export type ExpiringToken = NonNullable<WorkerRecord['expiring']>[number]
export type RefusedToken = NonNullable<WorkerRecord['refused']>[number]

/** A process as others see it. */
export interface HeardWorker extends WorkerRecord {
  /** Since it was last heard, by the clock of Redis. */
  readonly silentMs: number
}
export type HeldItem = WorkerRecord['holds'][number]

/** Long enough for a process that starts after a crash to find out which process held the jobs. */
const KEPT_MS = 5 * 60_000
const HELD_TOLD = 50
const DESTINATIONS_TOLD = 50
const REASON_LENGTH = 300

/** The working processes: written by each every few seconds, read by `status` and by processes that take over from dead ones. */
export class Workers {
  readonly #client: RedisClient
  readonly #prefix: string

  constructor(client: RedisClient, prefix = DEFAULT_PREFIX) {
    this.#client = client
    this.#prefix = prefix
  }

  /** Writes or renews a record; it vanishes five minutes after the last call. */
  async beat(record: WorkerRecord): Promise<void> {
    const destinations = record.destinations
      .slice(0, DESTINATIONS_TOLD)
      .map((held) => ({ ...held, reason: held.reason.slice(0, REASON_LENGTH) }))
    const text = JSON.stringify({ ...record, holds: record.holds.slice(0, HELD_TOLD), destinations })
    await this.#client
      .multi()
      .sadd(workersKey(this.#prefix), record.id)
      .set(workerKey(this.#prefix, record.id), text, 'PX', KEPT_MS)
      .exec()
  }

  /** Every process heard in the last five minutes, alive or not. Records that cannot be read are none. */
  async list(): Promise<readonly HeardWorker[]> {
    const reply = await run(
      this.#client,
      LIST_WORKERS,
      [workersKey(this.#prefix)],
      [`${workersKey(this.#prefix)}:`, KEPT_MS],
    )
    const pairs = z.array(z.tuple([z.string(), z.number()])).parse(reply)
    return pairs.flatMap(([text, leftMs]): HeardWorker[] => {
      const record = workerSchema.safeParse(parseJson(text)).data
      return record ? [{ ...record, silentMs: KEPT_MS - leftMs }] : []
    })
  }

  /** Removes a record: called by a process that ends, and by one that took over from a dead one. */
  async remove(id: string): Promise<void> {
    await this.#client.multi().srem(workersKey(this.#prefix), id).del(workerKey(this.#prefix, id)).exec()
  }
}
