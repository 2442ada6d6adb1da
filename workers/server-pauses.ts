import type { Backoff, BackoffLimits, Servers } from '../src/ledger/servers.ts'
import type { Notices } from './notices.ts'

/** This process's part in the shared back-off of servers: reports it, tells people, and reports its end once. */
export class ServerPauses {
  readonly #servers: Pick<Servers, 'throttled' | 'succeeded'>
  readonly #notices: Notices
  readonly #paused = new Set<string>()

  constructor(servers: Pick<Servers, 'throttled' | 'succeeded'>, notices: Notices) {
    this.#servers = servers
    this.#notices = notices
  }

  async throttled(server: string, limits: BackoffLimits, retryAfterMs?: number): Promise<Backoff> {
    const backoff = await this.#servers.throttled(server, limits, retryAfterMs)
    this.#paused.add(server)
    this.tell(server, backoff.waitMs)
    return backoff
  }

  /** Tells people about a pause that is in force, whoever heard of it; 0 takes it back. */
  tell(server: string, waitMs: number): void {
    const until = new Date(Date.now() + waitMs).toTimeString().slice(0, 8)
    this.#notices.set(server, waitMs > 0 ? `${server} asked for a pause until ${until}` : undefined)
  }

  /** Costs nothing unless this process heard of a pause before. */
  succeeded(server: string): void {
    if (!this.#paused.delete(server)) return
    this.#notices.set(server, undefined)
    // Should Redis be away, the next pause is a little longer than it need be.
    this.#servers.succeeded(server).catch(() => undefined)
  }
}
