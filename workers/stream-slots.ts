import { DataferryError } from '../src/errors.ts'
import type { Grant, Slots } from '../src/ledger/slots.ts'

/** The right to have one stream of a server open. */
export interface Slot {
  /** Aborts when the stream has to be closed for the sake of others. */
  readonly revoked: AbortSignal
  /** Gives it back; repeatable. */
  release(): void
}

export interface StreamSlotsDeps {
  readonly slots: Pick<Slots, 'claim' | 'release'>
  readonly server: string
  /** Id of this process. */
  readonly process: string
  /** Told each grant. */
  readonly onGrant: (grant: Grant) => void
  readonly onError: (error: unknown) => void
}

/** A process that could not renew its lease for so long closes its streams before others may take its place (30 s). */
const STALE_MS = 20_000
/** Between two files a slot is free for a moment: only what stays free is given back. */
const SETTLE_MS = 100
const NOTHING: Grant = { granted: 0, share: 0, budget: 0, waitMs: 0, troubled: false }

interface Held {
  readonly continuable: boolean
  readonly controller: AbortController
}

interface Waiter {
  readonly continuable: boolean
  readonly admit: (slot: Slot) => void
  readonly refuse: (reason: Error) => void
}

/**
 * This process's slots at one server. Streams are admitted in the order in which they asked, as many as are granted. When a grant
 * shrinks, the newest streams that can go on elsewhere in the file are revoked.
 * The owner calls `renew` every two seconds and whenever something changed at the server.
 */
export class StreamSlots {
  readonly #deps: StreamSlotsDeps
  readonly #held = new Set<Held>()
  readonly #waiters = new Set<Waiter>()
  #grant: Grant = NOTHING
  #claimedWanted = 0
  #renewedAt = Number.NEGATIVE_INFINITY
  #claiming: Promise<void> | undefined
  #again = false
  #asking = false
  #giveBack: NodeJS.Timeout | undefined
  #closed = false

  constructor(deps: StreamSlotsDeps) {
    this.#deps = deps
  }

  /** What is in force now. */
  get grant(): Grant {
    return this.#isStale() ? NOTHING : this.#grant
  }

  /**
   * Waits for a slot; the caller releases it. Rejects with the signal's reason.
   * @param continuable whether the stream may be closed at any byte and gone on with later
   */
  async acquire(continuable: boolean, signal: AbortSignal): Promise<Slot> {
    signal.throwIfAborted()
    if (this.#closed) throw closed()
    if (this.#waiters.size === 0 && this.#held.size < this.#allowed) return this.#admit(continuable)
    return new Promise<Slot>((resolve, reject) => {
      const abandon = (): void => {
        this.#waiters.delete(waiter)
        this.#lessWanted()
        reject(signal.reason as Error)
      }
      const waiter: Waiter = {
        continuable,
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
      // Where this process has all there is, only others can change that, and tell.
      const { granted, budget } = this.grant
      if (granted < budget || granted === 0) this.#renewSoon()
    })
  }

  /**
   * Renews the lease. Rejects with Redis's own error; streams go on meanwhile, until the lease is nearly over. Calls during
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

  /** Gives everything back. Streams that are still open are not touched: the owner has ended them before. */
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
    const wanted = this.#wanted
    this.#asking = true
    try {
      this.#grant = await slots.claim(server, process, { wanted, inUse: this.#held.size })
    } finally {
      this.#asking = false
    }
    this.#claimedWanted = wanted
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

  /** A place that was given up for others is not taken again. */
  get #allowed(): number {
    // While a claim is under way others may be given what this process does not use.
    if (this.#asking) return 0
    return Math.min(this.grant.granted, this.grant.share)
  }

  #isStale(): boolean {
    return performance.now() - this.#renewedAt >= STALE_MS
  }

  #admit(continuable: boolean): Slot {
    const held: Held = { continuable, controller: new AbortController() }
    this.#held.add(held)
    return {
      revoked: held.controller.signal,
      release: () => {
        if (!this.#held.delete(held)) return
        this.#admitWaiting()
        this.#lessWanted()
      },
    }
  }

  #admitWaiting(): void {
    for (const waiter of this.#waiters) {
      if (this.#held.size >= this.#allowed) return
      this.#waiters.delete(waiter)
      waiter.admit(this.#admit(waiter.continuable))
    }
  }

  #revokeExcess(): void {
    let excess = this.#held.size - this.#grant.share
    for (const one of [...this.#held].reverse()) {
      if (excess <= 0) return
      if (!one.continuable) continue
      one.controller.abort()
      excess -= 1
    }
  }

  #lessWanted(): void {
    if (this.#closed || this.#wanted >= this.#claimedWanted) return
    this.#giveBack ??= setTimeout(() => {
      this.#giveBack = undefined
      if (this.#wanted < this.#claimedWanted) this.#renewSoon()
    }, SETTLE_MS).unref()
  }

  #renewSoon(): void {
    this.renew().catch(this.#deps.onError)
  }
}

function closed(): DataferryError {
  return new DataferryError('INTERRUPTED', 'This process stops: no stream is opened any more.')
}
