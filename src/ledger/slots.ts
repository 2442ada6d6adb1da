import type { RedisClient } from './redis/client.ts'
import { changeMessage } from './change.ts'
import { DEFAULT_PREFIX, eventsChannel, serverKey, slotsKey, suspectsKey } from './redis/keys.ts'
import { run } from './redis/script.ts'
import { CLAIM, RELEASE } from './redis/slot-scripts.ts'

/** How many streams of a server a process could use now. */
export interface Claim {
  readonly wanted: number
  /** Of these, how many it cannot do without: the others are for streams that nobody else wants. Default all. */
  readonly needed?: number
  /** Streams that are open; never more than `wanted`. */
  readonly inUse: number
}

/** What a process may do until its next claim. */
export interface Grant {
  /** Streams that it may have open. Never fewer than are in use: the process itself gives up those above `share`. */
  readonly granted: number
  /** Its fair part of the budget, at most what it can use. */
  readonly share: number
  /** Streams of all processes together: 0 while the server is paused or on hold, 1 while it is probed. */
  readonly budget: number
  /** Something failed since the last success, so the next success must be reported. */
  readonly troubled: boolean
}

/** One process's part in the streams of a server. */
export interface SlotsOfProcess {
  readonly process: string
  readonly granted: number
  readonly wanted: number
}

export interface SlotsOptions {
  /** Streams per server without a limit of its own. */
  readonly usualLimit: number
  /** A process that has not renewed its claim for this long loses its slots. */
  readonly leaseMs?: number
  readonly prefix?: string
}

/** Claims are renewed every two seconds. */
const LEASE_MS = 30_000
/** How long a remainder that cannot be divided stays with one process. */
const TURN_MS = 30_000

/**
 * How many streams each process may have open at each server, over all machines of one Redis. Times are measured by the
 * clock of Redis. A lost Redis loses only the division, which the next claims restore.
 */
export class Slots {
  readonly #client: RedisClient
  readonly #options: SlotsOptions
  readonly #prefix: string

  constructor(client: RedisClient, options: SlotsOptions) {
    this.#client = client
    this.#options = options
    this.#prefix = options.prefix ?? DEFAULT_PREFIX
  }

  /** Renews the lease of `process`, and returns what it may have. Others are told when it concerns them. */
  async claim(server: string, process: string, { wanted, needed = wanted, inUse }: Claim): Promise<Grant> {
    const { usualLimit, leaseMs = LEASE_MS } = this.#options
    const reply = await run(
      this.#client,
      CLAIM,
      [serverKey(this.#prefix, server), slotsKey(this.#prefix, server), suspectsKey(this.#prefix, server)],
      [process, wanted, inUse, usualLimit, leaseMs, TURN_MS, ...this.#telling(server), needed],
    )
    const [granted = 0, share = 0, budget = 0, troubles = 0] = Array.isArray(reply) ? reply.map(Number) : []
    return { granted, share, budget, troubled: troubles > 0 }
  }

  /** Gives up everything that `process` has at a server: it ends, or is proven dead. */
  async release(server: string, process: string): Promise<void> {
    await run(this.#client, RELEASE, [slotsKey(this.#prefix, server)], [process, ...this.#telling(server)])
  }

  /** What each process that renewed its lease may have and wants now, by the id of the process. */
  async list(server: string): Promise<readonly SlotsOfProcess[]> {
    const [records, [seconds]] = await Promise.all([
      this.#client.hgetall(slotsKey(this.#prefix, server)),
      this.#client.time(),
    ])
    const leaseMs = this.#options.leaseMs ?? LEASE_MS
    return Object.entries(records).flatMap(([process, text]) => {
      const [granted, wanted, seen] = /^(\d+) (\d+) (\d+) \d+$/.exec(text)?.slice(1).map(Number) ?? []
      if (granted === undefined || wanted === undefined || seen === undefined) return []
      return Number(seconds) * 1_000 - seen > leaseMs ? [] : [{ process, granted, wanted }]
    })
  }

  #telling(server: string): [channel: string, message: string] {
    return [eventsChannel(this.#prefix), changeMessage({ kind: 'server', server })]
  }
}
