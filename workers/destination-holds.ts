import { DESTINATION_LOOK_MS, whyHeld, whyUnusable } from '../src/batch/destination.ts'
import { DataferryError, type DestinationError } from '../src/errors.ts'
import type { HeldDestination } from '../src/ledger/workers.ts'
import { shownUrl } from '../src/model/shown-url.ts'
import type { Sink } from '../src/sinks/sink.ts'
import type { Notices } from './notices.ts'

interface Hold {
  /** By the clock that nobody can set, as is `begun`. */
  lookAt: number
  readonly begun: number
  readonly since: Date
  error: DestinationError
  /** Free space that makes it worth continuing. */
  readonly neededBytes: number
}

/**
 * Destinations that are full or cannot be used from here. They are left alone, so that no server is asked for bytes that
 * cannot be kept; people are told why, since when and until when; and they open by themselves when a look finds that they
 * can be written again.
 */
export class DestinationHolds {
  readonly #holds = new Map<string, Hold>()
  readonly #notices: Pick<Notices, 'set'>
  readonly mayOpen: ((url: string) => boolean) | undefined

  /** @param mayOpen whether a destination is worked for; undefined: each */
  constructor(notices: Pick<Notices, 'set'>, mayOpen?: (url: string) => boolean) {
    this.#notices = notices
    this.mayOpen = mayOpen
  }

  /** Says that this process does not work for a destination, and its jobs wait for one that does. */
  leave(url: string): void {
    const text = `What is enqueued for ${shownUrl(url)} is left to other workers: --to does not name it.`
    this.#notices.set(`left ${url}`, text)
  }

  hold(url: string, error: DestinationError, neededBytes = 0): void {
    if (this.#holds.has(url)) return
    const begun = performance.now()
    const hold = { lookAt: begun + DESTINATION_LOOK_MS, begun, since: new Date(), error, neededBytes }
    this.#holds.set(url, hold)
    this.#tell(url, hold)
  }

  /** Whether a destination may be used. Looks at one on hold when the next look is due. */
  async isOpen(sink: Pick<Sink, 'url' | 'check' | 'free'>): Promise<boolean> {
    const hold = this.#holds.get(sink.url)
    if (!hold) return true
    if (performance.now() < hold.lookAt) return false
    hold.lookAt = performance.now() + DESTINATION_LOOK_MS
    const error = await whyUnusable(sink, hold.error, hold.neededBytes)
    if (error) {
      hold.error = error
      this.#tell(sink.url, hold)
      return false
    }
    this.#holds.delete(sink.url)
    this.#notices.set(`destination ${sink.url}`, undefined)
    return true
  }

  /** What is on hold now, for other processes to see. */
  list(): HeldDestination[] {
    return [...this.#holds].map(([destination, { error, since, lookAt }]) => ({
      destination,
      reason: whyHeld(error),
      since: since.toISOString(),
      nextLookMs: Math.max(0, Math.round(lookAt - performance.now())),
    }))
  }

  /** The error to end with when a destination has been on hold for longer than this. */
  overdue(afterMs: number): DataferryError | undefined {
    for (const [url, { error, begun }] of this.#holds) {
      if (performance.now() - begun <= afterMs) continue
      const message = `${shownUrl(url)} could not be used for too long: ${error.message}`
      return new DataferryError(error.code, message, { cause: error })
    }
    return undefined
  }

  #tell(url: string, { error, since, lookAt }: Hold): void {
    const nextLook = new Date(Date.now() + lookAt - performance.now())
    this.#notices.set(`destination ${url}`, { what: shownUrl(url), reason: whyHeld(error), since, nextLook })
  }
}
