import { messageOf, type DataferryError } from '../src/errors.ts'
import type { Hold, Servers, BackoffLimits, HoldCause } from '../src/ledger/servers.ts'
import { waitOf, type ServerHold } from '../src/ledger/server-state.ts'
import type { Grant, Slots } from '../src/ledger/slots.ts'
import type { Workers } from '../src/ledger/workers.ts'
import type { Logger } from '../src/log.ts'
import type { Notices } from './notices.ts'
import type { Running } from './running.ts'
import { StreamSlots } from './stream-slots.ts'

export interface ServerLimitsDeps {
  readonly servers: Pick<Servers, 'get' | 'hold' | 'suspect' | 'succeeded'>
  readonly slots: Pick<Slots, 'claim' | 'release'>
  readonly workers: Pick<Workers, 'list'>
  readonly running: Pick<Running, 'stopWhere'>
  readonly notices: Pick<Notices, 'set'>
  /** Id of this process. */
  readonly id: string
  /** Jobs of a server at the same time in this process. */
  readonly setConcurrency: (server: string, jobs: number) => void
  /** Sets how fast this process may read from one server; undefined: as fast as it can. */
  readonly limitBandwidth: (server: string, bytesPerSecond: number | undefined) => void
  /** Whether a server answers at all; never rejects. */
  readonly isUp: (server: string) => Promise<boolean>
  readonly throttle: BackoffLimits
  readonly outage: BackoffLimits
  /** Called once when a server has been away for longer than this process waits. */
  readonly onGiveUp: (server: string, hold: ServerHold) => void
  readonly giveUpAfterMs: number
  readonly log: Logger
}

/** Jobs prepared beside those that have a stream, so that the next request goes out the moment one ends. */
const AHEAD = 4
const MOST_JOBS = 64
/** This many items in a row that fail as if the server were down count as an outage, even while it answers other requests. */
const SUSPECTS = 3
/** How long a server's answer about itself counts as its present state. */
const UP_MS = 1_000

/**
 * This process's view of the limits that all processes share for a server: its share of the streams, and whether the server is on
 * hold.
 */
export class ServerLimits {
  readonly #deps: ServerLimitsDeps
  readonly #streams = new Map<string, StreamSlots>()
  /** Servers whose next success must be reported. */
  readonly #troubled = new Set<string>()
  readonly #paused = new Set<string>()
  /** Holds, by their beginning, during which a server answered. */
  readonly #upDuring = new Map<string, number>()
  /** When this process first found a server away, by a monotonic clock. */
  readonly #awaySince = new Map<string, number>()
  readonly #asking = new Map<string, Promise<boolean>>()

  constructor(deps: ServerLimitsDeps) {
    this.#deps = deps
  }

  /** This process's streams of a server. */
  streams(server: string): StreamSlots {
    const known = this.#streams.get(server)
    if (known) return known
    const { slots, id, log } = this.#deps
    const streams = new StreamSlots({
      slots,
      server,
      process: id,
      onGrant: (grant) => this.#granted(server, grant),
      onError: (error) =>
        log.debug({ server, problem: messageOf(error) }, 'the slots of a server could not be renewed'),
    })
    this.#streams.set(server, streams)
    return streams
  }

  /** Applies the server's present settings, and renews this process's slots. */
  async apply(server: string): Promise<void> {
    const { servers, limitBandwidth, giveUpAfterMs, onGiveUp } = this.#deps
    const { bandwidth, hold } = await servers.get(server)
    this.#tell(server, hold)
    this.#pause(server, hold?.by === 'person')
    limitBandwidth(server, bandwidth === undefined ? undefined : bandwidth / (await this.#sharers()))
    if (hold?.by === 'outage') {
      // This process has not waited through a hold that is older than itself.
      const since = this.#awaySince.get(server) ?? performance.now()
      this.#awaySince.set(server, since)
      if (performance.now() - since > giveUpAfterMs) onGiveUp(server, hold)
    } else this.#awaySince.delete(server)
    await this.streams(server).renew()
  }

  /** Whether a person paused a server: queued jobs end without their items, which are fed again afterwards. */
  isPaused(server: string): boolean {
    return this.#paused.has(server)
  }

  /** Makes all work on a server wait as it asked; see `Servers#hold`. */
  async throttled(server: string, { message, retryAfterMs }: DataferryError): Promise<void> {
    await this.#hold(server, 'throttle', message, this.#deps.throttle, retryAfterMs)
  }

  /**
   * Whether an item failed because its server is down, so that all work on it waits: it does not answer other
   * requests either, or several items in a row failed so.
   * @returns 'alone' when it is the item's own failure; 'probe' when the server answers, but was on hold: the failure counts, and
   * the server stays on hold; 'outage' when the item is not to blame
   */
  async outage(server: string, item: string, error: DataferryError): Promise<'alone' | 'probe' | 'outage'> {
    const { servers, outage } = this.#deps
    const { hold } = await servers.get(server)
    const onHold = hold?.by === 'outage'
    // A broken connection alone is no sign, unless the server was already away.
    if (error.code === 'SHORT_BODY' && !onHold) return 'alone'
    const up = await this.#isUp(server)
    if (!onHold && up && (await servers.suspect(server, item)) < SUSPECTS) {
      this.#troubled.add(server)
      return 'alone'
    }
    await this.#hold(server, 'outage', error.message, outage, error.retryAfterMs)
    return onHold && up && this.#wasUpBefore(server, hold) ? 'probe' : 'outage'
  }

  /** Whether a server on hold has answered before: what fails at its first answer may have failed just before it came back. */
  #wasUpBefore(server: string, { since }: ServerHold): boolean {
    const known = this.#upDuring.get(server) === since.getTime()
    this.#upDuring.set(server, since.getTime())
    return known
  }

  /** An answer shows that the server works. Costs nothing unless something failed before. */
  succeeded(server: string): void {
    if (!this.#troubled.delete(server)) return
    // If Redis is away, the server is probed once more than needed.
    this.#deps.servers.succeeded(server).catch(() => undefined)
  }

  /** Gives back the slots of a process that is proven dead. */
  async releaseOf(process: string): Promise<void> {
    await Promise.all([...this.#streams.keys()].map((server) => this.#deps.slots.release(server, process)))
  }

  /** Gives all slots back. */
  async close(): Promise<void> {
    await Promise.all([...this.#streams.values()].map((streams) => streams.close()))
  }

  async #hold(
    server: string,
    by: HoldCause,
    reason: string,
    limits: BackoffLimits,
    leastMs: number | undefined,
  ): Promise<void> {
    const report = { by, reason, limits, ...(leastMs !== undefined && { leastMs }) }
    const hold: Hold = await this.#deps.servers.hold(server, report)
    this.#troubled.add(server)
    if (hold.began) this.#deps.log.info({ server, by, reason, waitMs: hold.waitMs, looks: hold.looks }, 'next look')
    this.#tell(server, { by, reason, since: hold.since, nextLookMs: hold.waitMs })
    await this.streams(server).renew()
  }

  #pause(server: string, isPaused: boolean): void {
    if (!isPaused) {
      this.#paused.delete(server)
      return
    }
    this.#paused.add(server)
    this.#deps.running.stopWhere((task) => task.item.server === server, 'held')
  }

  #granted(server: string, { budget, troubled }: Grant): void {
    if (troubled) this.#troubled.add(server)
    this.#deps.setConcurrency(server, Math.min(MOST_JOBS, Math.max(1, budget * AHEAD)))
  }

  /** Asked once, however many items fail within a second. */
  #isUp(server: string): Promise<boolean> {
    const known = this.#asking.get(server)
    if (known) return known
    const asked = this.#deps.isUp(server)
    this.#asking.set(server, asked)
    void asked.finally(() => setTimeout(() => this.#asking.delete(server), UP_MS).unref())
    return asked
  }

  /** Processes that have items now. */
  async #sharers(): Promise<number> {
    return Math.max(1, (await this.#deps.workers.list()).filter(({ holds }) => holds.length > 0).length)
  }

  #tell(server: string, hold: ServerHold | undefined): void {
    this.#deps.notices.set(`hold ${server}`, hold && { what: server, ...waitOf(hold) })
  }
}
