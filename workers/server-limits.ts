import { itemQueue } from '../jobs/item.ts'
import type { Backoff, BackoffLimits, Servers } from '../src/ledger/servers.ts'
import type { Workers } from '../src/ledger/workers.ts'
import type { Queues } from '../src/queue/queues.ts'
import type { Notices } from './notices.ts'
import type { QueueWorkers } from './queue-workers.ts'
import type { Running } from './running.ts'

export interface ServerLimitsDeps {
  readonly servers: Pick<Servers, 'get' | 'throttled' | 'succeeded'>
  readonly queues: Pick<Queues, 'limit'>
  readonly queueWorkers: Pick<QueueWorkers, 'setConcurrency'>
  readonly workers: Pick<Workers, 'list'>
  readonly running: Pick<Running, 'stopWhere'>
  readonly notices: Notices
  /** Sets how fast this process may read from one server; undefined: as fast as it can. */
  readonly limitBandwidth: (server: string, bytesPerSecond: number | undefined) => void
  /** Items at the same time for a server that has no limit of its own. */
  readonly jobs: number
}

/** This process's part in what all processes keep to for a server: its limits, its pauses, its back-off. */
export class ServerLimits {
  readonly #deps: ServerLimitsDeps
  readonly #backingOff = new Set<string>()

  constructor(deps: ServerLimitsDeps) {
    this.#deps = deps
  }

  /** Does what is set for a server now. */
  async apply(server: string): Promise<void> {
    const { servers, queues, queueWorkers, limitBandwidth, running, notices } = this.#deps
    const { concurrency = this.#deps.jobs, bandwidth, paused, waitMs } = await servers.get(server)
    this.#tell(server, waitMs)
    queueWorkers.setConcurrency(itemQueue(server), concurrency)
    await queues.limit(server, concurrency)
    limitBandwidth(server, bandwidth === undefined ? undefined : bandwidth / (await this.#sharers()))
    notices.set(`paused ${server}`, paused === undefined ? undefined : `${server} is paused: ${paused}`)
    if (paused !== undefined) running.stopWhere((task) => task.item.server === server, 'shutdown')
  }

  async throttled(server: string, limits: BackoffLimits, retryAfterMs?: number): Promise<Backoff> {
    const backoff = await this.#deps.servers.throttled(server, limits, retryAfterMs)
    this.#backingOff.add(server)
    this.#tell(server, backoff.waitMs)
    return backoff
  }

  /** Costs nothing unless this process was throttled before. */
  succeeded(server: string): void {
    if (!this.#backingOff.delete(server)) return
    this.#deps.notices.set(server, undefined)
    // Should Redis be away, the next back-off is a little longer than it need be.
    this.#deps.servers.succeeded(server).catch(() => undefined)
  }

  /** Processes that have items now. */
  async #sharers(): Promise<number> {
    return Math.max(1, (await this.#deps.workers.list()).filter(({ holds }) => holds.length > 0).length)
  }

  /** Tells people about a back-off, whichever process was throttled; 0 takes it back. */
  #tell(server: string, waitMs: number): void {
    const until = new Date(Date.now() + waitMs).toTimeString().slice(0, 8)
    this.#deps.notices.set(server, waitMs > 0 ? `${server} asked for a pause until ${until}` : undefined)
  }
}
