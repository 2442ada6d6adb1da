import { every, type Repeated } from '../src/async/every.ts'
import type { Changes } from '../src/ledger/change.ts'
import type { Slots } from '../src/ledger/slots.ts'
import type { TakeSlot } from '../src/model/take-slot.ts'
import { StreamSlots } from './stream-slots.ts'

export interface QuestionSlotsDeps {
  readonly slots: Pick<Slots, 'claim' | 'release' | 'list'>
  readonly changes: Pick<Changes, 'onChange'>
  /** Names this process; made anew for each start. */
  readonly id: string
  /** Whether another process that holds slots is proven dead; never rejects for one that cannot be told. */
  readonly isDead: (process: string) => Promise<boolean>
}

const RENEW_MS = 2_000

/** Slots for the questions of a process that has no workers: one that searches or plans. Disposing gives all of them back. */
export class QuestionSlots implements AsyncDisposable {
  readonly #deps: QuestionSlotsDeps
  readonly #streams = new Map<string, StreamSlots>()
  readonly #freed = new Map<string, Promise<void>>()
  readonly #failed = new AbortController()
  readonly #renewing: Repeated
  readonly #stopListening: () => void

  constructor(deps: QuestionSlotsDeps) {
    this.#deps = deps
    this.#renewing = every(RENEW_MS, () => this.#renew(), this.#fail)
    this.#stopListening = deps.changes.onChange((change) => {
      const streams = change.kind === 'server' ? this.#streams.get(change.server) : undefined
      streams?.renew().catch(this.#fail)
    })
  }

  /** Rejects with Redis's error, too: nobody would be told that it is waited for. */
  readonly takeSlot: TakeSlot = async (server, signal) => {
    await this.#freeDead(server)
    return this.#of(server).acquire(false, AbortSignal.any([signal, this.#failed.signal]))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopListening()
    await this.#renewing.stop()
    await Promise.allSettled([...this.#streams.values()].map((streams) => streams.close()))
  }

  /** Once for each server: what a killed run held would otherwise be waited for until its lease ends. */
  #freeDead(server: string): Promise<void> {
    const known = this.#freed.get(server) ?? this.#freeDeadNow(server)
    this.#freed.set(server, known)
    return known
  }

  async #freeDeadNow(server: string): Promise<void> {
    const { slots, isDead } = this.#deps
    for (const { process } of await slots.list(server)) {
      if (await isDead(process)) await slots.release(server, process)
    }
  }

  #of(server: string): StreamSlots {
    const known = this.#streams.get(server)
    if (known) return known
    const { slots, id } = this.#deps
    const streams = new StreamSlots({ slots, server, process: id, onGrant: () => undefined, onError: this.#fail })
    this.#streams.set(server, streams)
    return streams
  }

  async #renew(): Promise<void> {
    await Promise.all([...this.#streams.values()].map((streams) => streams.renew()))
  }

  readonly #fail = (error: unknown): void => this.#failed.abort(error)
}
