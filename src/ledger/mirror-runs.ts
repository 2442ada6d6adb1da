import { createHash } from 'node:crypto'
import { z } from 'zod'
import { parseJson } from '../json/parse-json.ts'
import type { RedisClient } from './redis/client.ts'
import { DEFAULT_PREFIX } from './redis/keys.ts'

const mirrorRunSchema = z.object({
  mirror: z.string().max(100),
  /** URL. */
  destination: z.string().max(4_000),
  /** Name of the last run. */
  run: z.string().max(200),
  endedAt: z.iso.datetime(),
  complete: z.boolean(),
  /** Datasets that it found changed. */
  changed: z.number().int().nonnegative(),
  fetched: z.number().int().nonnegative(),
  /** When a run was last complete; absent: none was. */
  successAt: z.iso.datetime().optional(),
  /** The first run that is known: a mirror without any success is stale since then. */
  knownSince: z.iso.datetime(),
})
export type MirrorRun = Readonly<z.infer<typeof mirrorRunSchema>>

/** How the last run of each mirror ended, over all machines of one Redis. */
export class MirrorRuns {
  readonly #client: RedisClient
  readonly #key: string

  constructor(client: RedisClient, prefix = DEFAULT_PREFIX) {
    this.#client = client
    this.#key = `${prefix}:mirrors`
  }

  async ended(run: Omit<MirrorRun, 'successAt' | 'knownSince'>): Promise<void> {
    const field = createHash('sha256').update(`${run.mirror} ${run.destination}`).digest('hex').slice(0, 32)
    const before = mirrorRunSchema.safeParse(parseJson((await this.#client.hget(this.#key, field)) ?? '')).data
    const successAt = run.complete ? run.endedAt : before?.successAt
    const knownSince = before?.knownSince ?? run.endedAt
    await this.#client.hset(this.#key, field, JSON.stringify({ ...run, knownSince, ...(successAt && { successAt }) }))
  }

  async list(): Promise<readonly MirrorRun[]> {
    const texts = Object.values(await this.#client.hgetall(this.#key))
    return texts.flatMap((text) => mirrorRunSchema.safeParse(parseJson(text)).data ?? [])
  }
}
