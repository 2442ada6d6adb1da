import { randomBytes } from 'node:crypto'
import { z } from 'zod'
import { parseJson } from '../json/parse-json.ts'
import { livenessOf, processIdentitySchema } from '../process/process-identity.ts'
import type { RedisClient } from '../ledger/redis/client.ts'
import { hashOf, type RedeemLink } from './sign-in.ts'
import { ROLES, type Role } from './roles.ts'

const LINK_S = 5 * 60
/** A dashboard that has not been heard for so long has ended. */
const KEPT_MS = 60_000
const LONGEST_RECORD = 1_000
/** As `randomBytes(32)` gives it. */
const TOKEN = /^[\w-]{43}$/

const dashboardSchema = z.object({
  url: z.url({ protocol: /^https?$/ }),
  host: z.string(),
  pid: z.number().int(),
  /** Absent: an earlier version wrote it. */
  process: processIdentitySchema.optional(),
})
/** Where a dashboard of this Redis is. */
export type DashboardPlace = Readonly<z.infer<typeof dashboardSchema>>

/** Single-use links to the dashboards of one Redis. Redis holds only the hashes of their tokens, and each for five minutes. */
export class Links {
  readonly #client: RedisClient
  readonly #prefix: string

  constructor(client: RedisClient, prefix: string) {
    this.#client = client
    this.#prefix = prefix
  }

  /** @returns the token, which is for the fragment of an address, as no server and no log ever sees that part */
  async make(role: Role): Promise<string> {
    const token = randomBytes(32).toString('base64url')
    await this.#client.set(this.#key(token), role, 'EX', LINK_S)
    return token
  }

  readonly redeem: RedeemLink = async (token) => {
    if (!TOKEN.test(token)) return undefined
    const role = await this.#client.getdel(this.#key(token))
    return ROLES.find((one) => one === role)
  }

  /** Tells where a dashboard is; to be repeated every few seconds. */
  async announce(place: DashboardPlace): Promise<void> {
    const now = await this.#now()
    await this.#client.zadd(this.#places, now, JSON.stringify(place))
    await this.#client.zremrangebyscore(this.#places, 0, now - KEPT_MS)
  }

  async withdraw(place: DashboardPlace): Promise<void> {
    await this.#client.zrem(this.#places, JSON.stringify(place))
  }

  /** Dashboards that are not known to have ended, the one that was heard last first. */
  async places(): Promise<readonly DashboardPlace[]> {
    const texts = await this.#client.zrange(
      this.#places,
      '+inf',
      String((await this.#now()) - KEPT_MS),
      'BYSCORE',
      'REV',
      'LIMIT',
      0,
      100,
    )
    const known = texts.filter((text) => text.length <= LONGEST_RECORD)
    const places = known.flatMap((text) => dashboardSchema.safeParse(parseJson(text)).data ?? [])
    const dead = await Promise.all(places.map(async ({ process }) => process && (await livenessOf(process)) === 'dead'))
    return places.filter((_, n) => dead[n] !== true)
  }

  /** By the clock of Redis: those of the machines may differ. */
  async #now(): Promise<number> {
    const [seconds] = await this.#client.time()
    return Number(seconds) * 1_000
  }

  get #places(): string {
    return `${this.#prefix}:dashboards`
  }

  #key(token: string): string {
    return `${this.#prefix}:link:${hashOf(token)}`
  }
}
