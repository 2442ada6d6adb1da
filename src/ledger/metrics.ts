import { z } from 'zod'
import { parseJson } from '../json/parse-json.ts'
import { COUNTED, type Counted } from '../model/counts.ts'
import type { RedisClient } from './redis/client.ts'
import { DEFAULT_PREFIX } from './redis/keys.ts'
import { NOW, run, script } from './redis/script.ts'

/** Numbers by the values of their labels. */
export type Totals = Readonly<Record<Counted, readonly Total[]>>

export interface Total {
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

/** Labels are few: servers, codes, outcomes. More than this is damage. */
const MOST = 5_000
const LONGEST_KEY = 2_000
/** Nobody looked for longer: then it is not known whether a hold lasted. */
const GAP_MS = 10_000

const keySchema = z.tuple([z.enum(['settled', 'received', 'answers', 'duration', 'held'])]).rest(z.string())

/** KEYS: totals, looks. ARGV: server, key of its total or '' while it is not on hold, longest gap in ms. */
const HELD = script(`${NOW}
local last = tonumber(redis.call('HGET', KEYS[2], ARGV[1])) or now
if ARGV[2] == '' then redis.call('HDEL', KEYS[2], ARGV[1]) return end
redis.call('HSET', KEYS[2], ARGV[1], string.format('%.0f', now))
local passed = now - last
if passed > 0 and passed <= tonumber(ARGV[3]) then redis.call('HINCRBY', KEYS[1], ARGV[2], string.format('%.0f', passed)) end
`)

/**
 * What all processes of one Redis have counted, together: it outlives each of them, so that a counter falls only when Redis is lost.
 * Whoever is asked for metrics tells the same.
 */
export class Metrics {
  readonly #client: RedisClient
  readonly #prefix: string

  constructor(client: RedisClient, prefix = DEFAULT_PREFIX) {
    this.#client = client
    this.#prefix = prefix
  }

  /** Adds what a process has counted. */
  async add(counts: ReadonlyMap<string, number>): Promise<void> {
    if (counts.size === 0) return
    const all = this.#client.multi()
    for (const [key, by] of counts) all.hincrby(this.#key, key, by)
    await all.exec()
  }

  /**
   * Counts how long a server is on hold, from look to look of any process.
   * @param key of its total; undefined: it is not on hold now
   */
  async held(server: string, key: string | undefined): Promise<void> {
    await run(this.#client, HELD, [this.#key, `${this.#key}:held`], [server, key ?? '', GAP_MS])
  }

  async read(): Promise<Totals> {
    const totals: Record<Counted, Total[]> = { settled: [], received: [], answers: [], duration: [], held: [] }
    const fields = Object.entries(await this.#client.hgetall(this.#key)).slice(0, MOST)
    for (const [field, text] of fields) {
      const key = field.length > LONGEST_KEY ? undefined : keySchema.safeParse(parseJson(field)).data
      const value = Number(text)
      if (!key || !Number.isFinite(value)) continue
      const [name, ...values] = key
      const labels = Object.fromEntries(COUNTED[name].map((label, i) => [label, values[i] ?? '']))
      totals[name].push({ labels, value })
    }
    return totals
  }

  get #key(): string {
    return `${this.#prefix}:M`
  }
}
