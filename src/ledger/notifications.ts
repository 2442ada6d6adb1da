import { createHash } from 'node:crypto'
import type { RedisClient } from './redis/client.ts'
import { DEFAULT_PREFIX } from './redis/keys.ts'
import { run, script } from './redis/script.ts'

/**
 * KEYS: that it was told, what is open. ARGV: id, event as JSON, how long it is remembered in ms, most that may be open.
 * @returns whether it is new
 */
const PUBLISH = script(`
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
if redis.call('HLEN', KEYS[2]) >= tonumber(ARGV[4]) then return 0 end
redis.call('SET', KEYS[1], '1', 'PX', ARGV[3])
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
return 1
`)

const REMEMBERED_MS = 400 * 24 * 3_600_000
/** More would flood whoever is told. */
const MOST_OPEN = 1_000

/** What people are to be told of: each id once, over all machines of one Redis, and kept until it was delivered. */
export class Notifications {
  readonly #client: RedisClient
  readonly #prefix: string

  constructor(client: RedisClient, prefix = DEFAULT_PREFIX) {
    this.#client = client
    this.#prefix = prefix
  }

  /** Keeps something to be delivered, unless this id was published before. @param text JSON */
  async publish(id: string, text: string): Promise<void> {
    await run(this.#client, PUBLISH, [this.#toldKey(id), this.#openKey], [id, text, REMEMBERED_MS, MOST_OPEN])
  }

  async isKnown(id: string): Promise<boolean> {
    return (await this.#client.exists(this.#toldKey(id))) === 1
  }

  /** Everything that has not been delivered yet, by id. */
  async open(): Promise<ReadonlyMap<string, string>> {
    return new Map(Object.entries(await this.#client.hgetall(this.#openKey)))
  }

  async update(id: string, text: string): Promise<void> {
    await this.#client.hset(this.#openKey, id, text)
  }

  /** It was delivered, or given up. */
  async close(id: string): Promise<void> {
    await this.#client.hdel(this.#openKey, id)
  }

  /** When somebody first asked to be told: what was before is no news. */
  async since(now: Date): Promise<Date> {
    const key = `${this.#prefix}:notify:since`
    await this.#client.set(key, now.toISOString(), 'NX')
    const ms = Date.parse((await this.#client.get(key)) ?? '')
    return Number.isNaN(ms) ? now : new Date(ms)
  }

  get #openKey(): string {
    return `${this.#prefix}:notify:open`
  }

  #toldKey(id: string): string {
    return `${this.#prefix}:notify:told:${createHash('sha256').update(id).digest('hex').slice(0, 32)}`
  }
}
