import { createHash } from 'node:crypto'
import { z } from 'zod'
import { parseJson } from '../json/parse-json.ts'
import type { RedisClient } from './redis/client.ts'
import { DEFAULT_PREFIX } from './redis/keys.ts'

/** A run that found something changed. */
const changedRunSchema = z.object({
  run: z.string().max(200),
  endedAt: z.iso.datetime(),
  complete: z.boolean(),
  changed: z.number().int().nonnegative(),
  fetched: z.number().int().nonnegative(),
})

/** So many are kept for whoever has not told of them yet. */
const MOST_RECENT = 50

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
  /** The newest runs that found something changed, oldest first. */
  recent: z.array(changedRunSchema).max(MOST_RECENT).default([]),
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

  async ended(run: Omit<MirrorRun, 'successAt' | 'knownSince' | 'recent'>): Promise<void> {
    const field = createHash('sha256').update(`${run.mirror} ${run.destination}`).digest('hex').slice(0, 32)
    const before = mirrorRunSchema.safeParse(parseJson((await this.#client.hget(this.#key, field)) ?? '')).data
    const successAt = run.complete ? run.endedAt : before?.successAt
    const knownSince = before?.knownSince ?? run.endedAt
    const { run: name, endedAt, complete, changed, fetched } = run
    const newest = changed > 0 ? [{ run: name, endedAt, complete, changed, fetched }] : []
    const recent = [...(before?.recent ?? []), ...newest].slice(-MOST_RECENT)
    const record = { ...run, knownSince, recent, ...(successAt && { successAt }) }
    await this.#client.hset(this.#key, field, JSON.stringify(record))
  }

  async list(): Promise<readonly MirrorRun[]> {
    const texts = Object.values(await this.#client.hgetall(this.#key))
    return texts.flatMap((text) => mirrorRunSchema.safeParse(parseJson(text)).data ?? [])
  }
}
