import type { Backoff, BackoffLimits, Servers } from '../src/ledger/servers.ts'
import type { Notices } from './notices.ts'

/** This process's part in the shared back-off of servers: reports it, tells people, and reports its end once. */
export class ServerPauses {
  readonly #servers: Servers
  readonly #notices: Notices
  readonly #paused = new Set<string>()

  constructor(servers: Servers, notices: Notices) {
    this.#servers = servers
    this.#notices = notices
  }

  async throttled(server: string, limits: BackoffLimits, retryAfterMs?: number): Promise<Backoff> {
    const backoff = await this.#servers.throttled(server, limits, retryAfterMs)
    this.#paused.add(server)
    const until = new Date(Date.now() + backoff.waitMs).toTimeString().slice(0, 8)
    this.#notices.set(server, `${server} asked for a pause until ${until}`)
    return backoff
  }

  /** Costs nothing unless this process heard of a pause before. */
  succeeded(server: string): void {
    if (!this.#paused.delete(server)) return
    this.#notices.set(server, undefined)
    // Should Redis be away, the next pause is a little longer than it need be.
    this.#servers.succeeded(server).catch(() => undefined)
  }
}
