import { DataferryError } from '../src/errors.ts'
import type { Grant, Slots } from '../src/ledger/slots.ts'

/** The right to have one stream of a server open. */
export interface Slot {
  /** Aborts when the stream must be closed to make way for others. */
  readonly revoked: AbortSignal
  /** Gives it back; repeatable. */
  release(): void
}

export interface StreamSlotsDeps {
  readonly slots: Pick<Slots, 'claim' | 'release'>
  readonly server: string
  /** Id of this process. */
  readonly process: string
  /** Is told each grant. */
  readonly onGrant: (grant: Grant) => void
  readonly onError: (error: unknown) => void
}

/** A process that could not renew its lease for this long closes its streams, before others may take its slots (30 s). */
const STALE_MS = 20_000
/** Between two files a slot is free for a moment: only slots that were free for this long are given back. */
const QUIET_MS = 1_000
const NOTHING: Grant = { granted: 0, share: 0, budget: 0, troubled: false }

interface Held {
  readonly continuable: boolean
  readonly spare: boolean
  readonly controller: AbortController
}

interface Waiter {
  readonly continuable: boolean
  readonly spare: boolean
  readonly admit: (slot: Slot) => void
  readonly refuse: (reason: Error) => void
}

/**
 * This process's slots at one server. Streams are admitted in the order in which they asked, as many as are granted, spare ones
 * last. When a grant shrinks, spare streams are revoked, then the newest that can go on elsewhere in the file; when somebody
 * else has to wait, one that is spare.
 * The owner calls `renew` every two seconds and whenever something changes at the server.
 */
export class StreamSlots {
  readonly #deps: StreamSlotsDeps
  readonly #held = new Set<Held>()
  readonly #waiters = new Set<Waiter>()
  #grant: Grant = NOTHING
  /** What others know of this process. */
  #claimed = { wanted: 0, needed: 0 }
  #renewedAt = Number.NEGATIVE_INFINITY
  #claiming: Promise<void> | undefined
  #again = false
  #asking = false
  /** When all slots were wanted last. */
  #fullAt = Number.NEGATIVE_INFINITY
  #giveBack: NodeJS.Timeout | undefined
  #closed = false

  constructor(deps: StreamSlotsDeps) {
    this.#deps = deps
  }

  /** The grant in force. */
  get grant(): Grant {
    return this.#isStale() ? NOTHING : this.#grant
  }

  /**
   * Waits for a slot; the caller releases it. Rejects with the signal's reason.
   * @param continuable whether the stream may be closed at any byte and continued later
   * @param spare it is wanted only while nobody needs its place, and is then continuable as well
   */
  async acquire(continuable: boolean, signal: AbortSignal, spare = false): Promise<Slot> {
    signal.throwIfAborted()
    if (this.#closed) throw closed()
    const isNext = spare ? this.#waiters.size === 0 : needed(this.#waiters) === 0
    if (isNext && this.#held.size < this.#allowed) return this.#admit({ continuable, spare })
    if (!spare) this.#revoke([...this.#held].filter((one) => one.spare && !one.controller.signal.aborted).slice(-1))
    return new Promise<Slot>((resolve, reject) => {
      const abandon = (): void => {
        this.#waiters.delete(waiter)
        this.#lessWanted()
        reject(signal.reason as Error)
      }
      const waiter: Waiter = {
        continuable,
        spare,
        admit: (slot) => {
          signal.removeEventListener('abort', abandon)
          resolve(slot)
        },
        refuse: (reason) => {
          signal.removeEventListener('abort', abandon)
          reject(reason)
        },
      }
      signal.addEventListener('abort', abandon, { once: true })
      this.#waiters.add(waiter)
      if (this.#wantsMoreThanClaimed || this.grant.granted === 0) this.#renewSoon()
    })
  }

  /**
   * Renews the lease. Rejects with Redis's own error; streams continue meanwhile, until the lease is nearly over. Calls during
   * a claim share the one that follows it.
   */
  renew(): Promise<void> {
    if (this.#claiming) {
      this.#again = true
      return this.#claiming
    }
    this.#claiming = this.#claim().finally(() => (this.#claiming = undefined))
    return this.#claiming
  }

  /** Closes every stream when the lease could not be renewed in time, e.g. because this process was frozen. */
  checkLease(): void {
    if (this.#held.size > 0 && this.#isStale()) for (const one of this.#held) one.controller.abort()
  }

  /** Gives everything back. Does not touch open streams: the owner has ended them before. */
  async close(): Promise<void> {
    this.#closed = true
    clearTimeout(this.#giveBack)
    for (const waiter of this.#waiters) waiter.refuse(closed())
    this.#waiters.clear()
    await this.#claiming?.catch(() => undefined)
    await this.#deps.slots.release(this.#deps.server, this.#deps.process)
  }

  async #claim(): Promise<void> {
    if (this.#closed) return
    this.#again = false
    const { slots, server, process, onGrant } = this.#deps
    const startedAt = performance.now()
    const kept = this.#isQuiet ? 0 : Math.max(0, this.#usable - this.#wanted)
    const wanted = this.#wanted + kept
    const needs = this.#needed + kept
    this.#asking = true
    try {
      this.#grant = await slots.claim(server, process, { wanted, needed: needs, inUse: this.#held.size })
    } finally {
      this.#asking = false
    }
    this.#claimed = { wanted, needed: needs }
    this.#renewedAt = startedAt
    onGrant(this.#grant)
    this.#revokeExcess()
    this.#admitWaiting()
    // A request that came meanwhile is answered by a claim that began after it.
    if (this.#askedAgain()) await this.#claim()
  }

  #askedAgain(): boolean {
    return this.#again
  }

  get #wanted(): number {
    return this.#held.size + this.#waiters.size
  }

  get #needed(): number {
    return needed(this.#held) + needed(this.#waiters)
  }

  /** Otherwise others tell when there is more to be had. */
  get #wantsMoreThanClaimed(): boolean {
    const { budget } = this.grant
    const { wanted, needed } = this.#claimed
    return wanted < Math.min(budget, this.#wanted) || needed < Math.min(budget, this.#needed)
  }

  /** A slot that was given up for others is not taken again. */
  get #usable(): number {
    return Math.min(this.grant.granted, this.grant.share)
  }

  get #allowed(): number {
    // While a claim is in flight, others may be given what this process does not use.
    return this.#asking ? 0 : this.#usable
  }

  #isStale(): boolean {
    return performance.now() - this.#renewedAt >= STALE_MS
  }

  #admit({ continuable, spare }: Pick<Held, 'continuable' | 'spare'>): Slot {
    const held: Held = { continuable: continuable || spare, spare, controller: new AbortController() }
    this.#held.add(held)
    return {
      revoked: held.controller.signal,
      release: () => {
        if (!this.#held.delete(held)) return
        this.#admitWaiting()
        if (spare && held.controller.signal.aborted) this.#renewSoon()
        else this.#lessWanted()
      },
    }
  }

  #admitWaiting(): void {
    for (const waiter of spareLast(this.#waiters)) {
      if (this.#held.size >= this.#allowed) return
      this.#waiters.delete(waiter)
      waiter.admit(this.#admit(waiter))
    }
  }

  #revokeExcess(): void {
    const excess = this.#held.size - this.#grant.share
    if (excess <= 0) return
    const continuable = spareLast(this.#held).filter((one) => one.continuable)
    this.#revoke(continuable.slice(-excess))
  }

  #revoke(streams: readonly Held[]): void {
    for (const { controller } of streams) controller.abort()
  }

  /** Whether some slots have been free for long enough to be given back. */
  get #isQuiet(): boolean {
    return this.#wanted === 0 || performance.now() - this.#fullAt >= QUIET_MS
  }

  #lessWanted(): void {
    const { granted } = this.#grant
    if (this.#closed || this.#wanted >= granted) return
    if (this.#wanted + 1 === granted) this.#fullAt = performance.now()
    this.#giveBack ??= setTimeout(() => {
      this.#giveBack = undefined
      if (this.#isQuiet && this.#wanted < this.#grant.granted) this.#renewSoon()
    }, QUIET_MS).unref()
  }

  #renewSoon(): void {
    this.renew().catch(this.#deps.onError)
  }
}

function closed(): DataferryError {
  return new DataferryError('INTERRUPTED', 'This process is stopping: no more streams are opened.')
}

function needed(streams: Iterable<{ readonly spare: boolean }>): number {
  return [...streams].filter(({ spare }) => !spare).length
}

/** In their order otherwise. */
function spareLast<T extends { readonly spare: boolean }>(streams: Iterable<T>): T[] {
  return [...streams].sort((a, b) => Number(a.spare) - Number(b.spare))
}
