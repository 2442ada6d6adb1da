import { parseOwner } from './redis/fields.ts'
import type { RedisClient } from './redis/client.ts'
import { DEFAULT_PREFIX } from './redis/keys.ts'
import { run, script } from './redis/script.ts'
import { OWNER_SILENT_MS, type BatchOwner } from './ledger.ts'

/** KEYS: claim. ARGV: id of the owner, owner as JSON, id of an owner that may be replaced or '', longest silence in ms. */
const CLAIM = script(`
local has = redis.call('HMGET', KEYS[1], 'ownerId', 'owner')
if has[1] and has[1] ~= ARGV[1] and has[1] ~= ARGV[3] then return has[2] end
redis.call('HSET', KEYS[1], 'ownerId', ARGV[1], 'owner', ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return ''
`)
/** KEYS: claim. ARGV: id of the owner. */
const RELEASE = script(`if redis.call('HGET', KEYS[1], 'ownerId') == ARGV[1] then redis.call('DEL', KEYS[1]) end`)

/** Things that one process at a time works on, such as a mirror. An owner that is not heard for a minute has lost its own. */
export class Claims {
  readonly #client: RedisClient
  readonly #prefix: string

  constructor(client: RedisClient, prefix = DEFAULT_PREFIX) {
    this.#client = client
    this.#prefix = prefix
  }

  /** As `Ledger#attach`. @param name letters, digits and `.:-_` */
  async attach(name: string, owner: BatchOwner, instead = ''): Promise<BatchOwner | undefined> {
    const args = [owner.id, JSON.stringify(owner), instead, OWNER_SILENT_MS]
    return parseOwner(String(await run(this.#client, CLAIM, [this.#key(name)], args)))
  }

  async disown(name: string, owner: string): Promise<void> {
    await run(this.#client, RELEASE, [this.#key(name)], [owner])
  }

  #key(name: string): string {
    return `${this.#prefix}:claim:${name}`
  }
}
