import { once, type Patiently, type RedisClient } from './redis/client.ts'
import { changeMessage } from './change.ts'
import { DEFAULT_PREFIX, eventsChannel, serverKey, serversKey, suspectsKey } from './redis/keys.ts'
import { parseServer, type ServerState } from './server-state.ts'
import { HOLD, LONGEST_HOLD_MS, READ_SERVER, SUCCEEDED, SUSPECT, WRITE_SERVER } from './redis/server-scripts.ts'
import { run, type Script } from './redis/script.ts'

export interface BackoffLimits {
  /** Time to the first look; each further interval is twice as long. */
  readonly firstMs: number
  readonly maxMs: number
}

/** Why all work on a server waits: it asked for fewer requests, or it is down. */
export type HoldCause = 'throttle' | 'outage'

export interface HoldReport {
  readonly by: HoldCause
  /** One sentence for people, without secrets. */
  readonly reason: string
  readonly limits: BackoffLimits
  /** How long the server itself asked to wait: always respected, but at most an hour. */
  readonly leastMs?: number
}

/** A hold in force. */
export interface Hold {
  /** How long the server gets no requests. Then one stream probes it after an outage; after a throttle all continue. */
  readonly waitMs: number
  /** Looks in a row without a success. */
  readonly looks: number
  /** This report set the next look; others before it only learn of it. */
  readonly began: boolean
  /** When the series began, by the clock of Redis. */
  readonly since: Date
}

const REASON_LENGTH = 300
/** Older failures say nothing about the present. */
const SUSPECT_MS = 600_000

/** Fields that people set. `null` takes a value back to its default. */
export interface ServerSettings {
  readonly concurrency?: number | null
  /** Bytes per second. */
  readonly bandwidth?: number | null
  /** A reason for people. */
  readonly paused?: string | null
}

/**
 * The one place where all workers agree on the limits and holds of a server. Times are measured by the clock of Redis,
 * so the clocks of the machines do not matter.
 */
export class Servers {
  readonly #client: RedisClient
  readonly #prefix: string
  readonly #patiently: Patiently

  /** @param patiently runs everything that writes; default: once */
  constructor(client: RedisClient, prefix = DEFAULT_PREFIX, patiently: Patiently = once) {
    this.#client = client
    this.#prefix = prefix
    this.#patiently = patiently
  }

  async get(server: string): Promise<ServerState> {
    return parseServer(server, await run(this.#client, READ_SERVER, [serverKey(this.#prefix, server)], []))
  }

  /** Every server that ever had a state, in alphabetical order. */
  async list(): Promise<readonly ServerState[]> {
    const servers = await this.#client.smembers(serversKey(this.#prefix))
    return Promise.all(servers.sort().map((server) => this.get(server)))
  }

  /** Sets the given fields, leaves the rest, and tells every process. */
  async set(server: string, { concurrency, bandwidth, paused }: ServerSettings): Promise<void> {
    const fields = [
      ...(concurrency === undefined ? [] : ['concurrency', concurrency ?? '']),
      ...(bandwidth === undefined ? [] : ['bandwidth', bandwidth ?? '']),
      ...(paused === undefined ? [] : ['paused', paused ?? '']),
    ]
    await this.#run(WRITE_SERVER, this.#keys(server), [...this.#change(server), ...fields])
  }

  /**
   * Reports that all work on a server must wait. However many workers do so before the next look, it counts once; the first
   * report after it doubles the interval to the next.
   */
  async hold(server: string, { by, reason, limits: { firstMs, maxMs }, leastMs = 0 }: HoldReport): Promise<Hold> {
    // Up to a quarter less, so that several fleets do not come back at the same moment.
    const jitter = 1 - Math.random() / 4
    const least = Math.min(LONGEST_HOLD_MS, Math.max(0, Math.ceil(leastMs)))
    const args = [...this.#change(server), firstMs, maxMs, least, jitter, by, reason.slice(0, REASON_LENGTH)]
    const reply = await this.#run(HOLD, this.#keys(server), args)
    const [waitMs = 0, looks = 0, began = 0, since = 0] = Array.isArray(reply) ? reply.map(Number) : []
    return { waitMs, looks, began: began === 1, since: new Date(since) }
  }

  /** Reports that an item failed as if the server were down. @returns how many did so since the last success */
  async suspect(server: string, item: string): Promise<number> {
    return Number(await this.#run(SUSPECT, [suspectsKey(this.#prefix, server)], [item, SUSPECT_MS]))
  }

  /** Reports an answer that shows that the server works: ends a hold, unless the answer predates the hold. */
  async succeeded(server: string): Promise<void> {
    const [, channel, message] = this.#change(server)
    const keys = [serverKey(this.#prefix, server), suspectsKey(this.#prefix, server)]
    await this.#run(SUCCEEDED, keys, [channel, message])
  }

  #run(script: Script, keys: string[], args: readonly (string | number)[]): Promise<unknown> {
    return this.#patiently(() => run(this.#client, script, keys, args))
  }

  #keys(server: string): string[] {
    return [serversKey(this.#prefix), serverKey(this.#prefix, server)]
  }

  #change(server: string): [server: string, channel: string, message: string] {
    return [server, eventsChannel(this.#prefix), changeMessage({ kind: 'server', server })]
  }
}
