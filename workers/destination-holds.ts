import { DataferryError } from '../src/errors.ts'
import type { Logger } from '../src/log.ts'
import type { Sink } from '../src/sinks/sink.ts'

const LOOK_MS = 5_000

interface Hold {
  /** By the clock that nobody can set. */
  lookAt: number
  reason: string
  readonly since: Date
  /** Room that makes it worth going on. */
  readonly neededBytes: number
}

/** An error that is about all of a destination: the next file would meet it, too. */
type DestinationError = DataferryError & { readonly code: 'SINK_FULL' | 'SINK_UNAVAILABLE' }

export function isAboutDestination(error: unknown): error is DestinationError {
  return error instanceof DataferryError && (error.code === 'SINK_FULL' || error.code === 'SINK_UNAVAILABLE')
}

/**
 * Destinations that are full or cannot be used. They are left alone, so that no server is asked for bytes that cannot be
 * kept; people are told why and since when; and they open by themselves when a look finds that they can be written again.
 */
export class DestinationHolds {
  readonly #holds = new Map<string, Hold>()
  readonly #notice: (destination: string, message: string | undefined) => void
  readonly #log: Logger

  /** @param notice told a sentence for people while a destination is on hold, and undefined when it is no more */
  constructor(log: Logger, notice: (destination: string, message: string | undefined) => void) {
    this.#log = log
    this.#notice = notice
  }

  hold(url: string, error: DestinationError, neededBytes = 0): void {
    if (this.#holds.has(url)) return
    const hold = { lookAt: performance.now() + LOOK_MS, reason: '', since: new Date(), neededBytes }
    this.#holds.set(url, hold)
    this.#tell(url, hold, error)
  }

  /** Whether a destination may be used. Looks at one that is on hold when it is time to. */
  async isOpen(sink: Pick<Sink, 'url' | 'check' | 'free'>): Promise<boolean> {
    const hold = this.#holds.get(sink.url)
    if (!hold) return true
    if (performance.now() < hold.lookAt) return false
    hold.lookAt = performance.now() + LOOK_MS
    try {
      await sink.check()
    } catch (error) {
      if (!isAboutDestination(error)) throw error
      this.#tell(sink.url, hold, error)
      return false
    }
    const free = await sink.free()
    if (free !== undefined && free < hold.neededBytes) return false
    this.#holds.delete(sink.url)
    this.#log.info({ destination: sink.url }, 'destination can be used again')
    this.#notice(sink.url, undefined)
    return true
  }

  #tell(url: string, hold: Hold, { code, message }: DestinationError): void {
    const reason = code === 'SINK_FULL' ? `No space is left at ${url}: free some.` : message
    if (reason === hold.reason) return
    hold.reason = reason
    this.#log.warn({ destination: url, code, detail: message, since: hold.since }, 'destination on hold')
    const since = hold.since.toTimeString().slice(0, 5)
    this.#notice(url, `${reason} Waiting since ${since}; a look every ${LOOK_MS / 1000} s, then it goes on by itself.`)
  }
}
