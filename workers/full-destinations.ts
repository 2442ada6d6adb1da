import type { Logger } from '../src/log.ts'
import type { Sink } from '../src/sinks/sink.ts'

const CHECK_MS = 5_000

/** Per full destination: when to look again, and how much room the item needed that found it full. */
interface Full {
  lookAt: number
  readonly neededBytes: number
}

/**
 * Closes when a destination is full, so that no server is asked for bytes that cannot be kept, says so once, and opens
 * by itself when there is room. Sinks that do not know their space are tried again after each wait.
 */
export class FullDestinations {
  readonly #full = new Map<Sink, Full>()
  readonly #notice: (message: string | undefined) => void
  readonly #log: Logger

  /** @param notice told a sentence for people when a destination fills up, and undefined when all have room */
  constructor(log: Logger, notice: (message: string | undefined) => void) {
    this.#log = log
    this.#notice = notice
  }

  /** @param neededBytes room that makes it worth trying again */
  full(sink: Sink, neededBytes: number): void {
    if (this.#full.has(sink)) return
    this.#full.set(sink, { lookAt: Date.now() + CHECK_MS, neededBytes })
    this.#log.warn({ destination: sink.url }, 'destination is full; waiting for space')
    this.#notice(`No space is left at ${sink.url}: waiting. Free some space and it goes on by itself.`)
  }

  async isOpen(sink: Sink): Promise<boolean> {
    const full = this.#full.get(sink)
    if (!full) return true
    if (Date.now() < full.lookAt) return false
    full.lookAt = Date.now() + CHECK_MS
    const free = await sink.free()
    if (free !== undefined && free < full.neededBytes) return false
    this.#full.delete(sink)
    if (this.#full.size === 0) this.#notice(undefined)
    return true
  }
}
