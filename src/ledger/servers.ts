import type { RedisClient } from './redis/client.ts'
import { changeMessage } from './change.ts'
import { DEFAULT_PREFIX, eventsChannel, serverKey, serversKey } from './redis/keys.ts'
import { parseServer, type ServerState } from './server-state.ts'
import { READ_SERVER, SUCCEEDED, THROTTLED, WRITE_SERVER } from './redis/server-scripts.ts'
import { run } from './redis/script.ts'

export interface BackoffLimits {
  /** Length of the first back-off period; each further one is twice as long. */
  readonly firstMs: number
  readonly maxMs: number
}

/** What a report of throttling led to. */
export interface Backoff {
  /** How long all workers wait from now on. */
  readonly waitMs: number
  readonly throttles: number
  /** This report began the period; others that come during it only learn of it. */
  readonly began: boolean
}

/** Fields that people set. `null` takes a value back to its default. */
export interface ServerSettings {
  readonly concurrency?: number | null
  /** Bytes a second. */
  readonly bandwidth?: number | null
  /** A reason for people. */
  readonly paused?: string | null
}

/**
 * The one place where all workers agree on how hard a server may be asked. Times are measured by the clock of Redis,
 * so machines whose clocks differ agree too.
 */
export class Servers {
  readonly #client: RedisClient
  readonly #prefix: string

  constructor(client: RedisClient, prefix = DEFAULT_PREFIX) {
    this.#client = client
    this.#prefix = prefix
  }

  async get(server: string): Promise<ServerState> {
    return parseServer(server, await run(this.#client, READ_SERVER, [serverKey(this.#prefix, server)], []))
  }

  /** Every server that ever had a state, in alphabetical order. */
  async list(): Promise<readonly ServerState[]> {
    const servers = await this.#client.smembers(serversKey(this.#prefix))
    return Promise.all(servers.sort().map((server) => this.get(server)))
  }

  /** Writes what is named and leaves the rest, and tells every process. */
  async set(server: string, { concurrency, bandwidth, paused }: ServerSettings): Promise<void> {
    const fields = [
      ...(concurrency === undefined ? [] : ['concurrency', concurrency ?? '']),
      ...(bandwidth === undefined ? [] : ['bandwidth', bandwidth ?? '']),
      ...(paused === undefined ? [] : ['paused', paused ?? '']),
    ]
    await run(this.#client, WRITE_SERVER, this.#keys(server), [...this.#change(server), ...fields])
  }

  /**
   * Reports that the server asked for fewer requests. However many workers do so during a period, it counts once;
   * the first report after its end doubles the next one. `retryAfterMs`, what the server asked for, is never undercut.
   */
  async throttled(server: string, { firstMs, maxMs }: BackoffLimits, retryAfterMs = 0): Promise<Backoff> {
    // Up to a quarter less, so that several fleets do not come back in the same moment.
    const jitter = 1 - Math.random() / 4
    const args = [...this.#change(server), firstMs, maxMs, Math.ceil(retryAfterMs), jitter]
    const [waitMs, throttles, began] = parseNumbers(await run(this.#client, THROTTLED, this.#keys(server), args))
    return { waitMs, throttles, began: began === 1 }
  }

  /** Reports an answer that was not throttled: ends the series, unless a period runs and the answer was older than it. */
  async succeeded(server: string): Promise<void> {
    await run(this.#client, SUCCEEDED, [serverKey(this.#prefix, server)], [])
  }

  #keys(server: string): string[] {
    return [serversKey(this.#prefix), serverKey(this.#prefix, server)]
  }

  #change(server: string): string[] {
    return [server, eventsChannel(this.#prefix), changeMessage({ kind: 'server', server })]
  }
}

function parseNumbers(reply: unknown): [number, number, number] {
  const [a, b, c] = Array.isArray(reply) ? reply.map(Number) : []
  return [a ?? 0, b ?? 0, c ?? 0]
}
