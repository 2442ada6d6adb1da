import { pause } from '../async/pause.ts'
import type { DataferryError } from '../errors.ts'
import type { Patiently } from '../ledger/redis/client.ts'
import type { Wait } from '../model/notice.ts'
import { redisName, refusalOf, type RedisPlace } from './redis-error.ts'

export interface RedisHoldOptions {
  readonly place: RedisPlace
  /** Writes something small; rejects with Redis' own error. */
  readonly probe: () => Promise<unknown>
  /** Told what is waited for while Redis takes no writes, and undefined when it does again. */
  readonly tell: (wait: Wait | undefined) => void
  /** Nothing is waited for any more. */
  readonly signal: AbortSignal
}

const LOOK_MS = 2_000

/**
 * Waits out a Redis that answers and takes no writes: full, a replica, or unable to save. Whatever writes goes through
 * `patiently`; one look every two seconds finds out when it takes writes again, and then everything goes on.
 */
export class RedisHold {
  readonly #options: RedisHoldOptions
  readonly #listeners = new Set<(isHeld: boolean) => void>()
  #waiting: Promise<void> | undefined

  constructor(options: RedisHoldOptions) {
    this.#options = options
  }

  /** Resolves when Redis takes writes, or when nothing is waited for any more; at once unless it has refused one. */
  async over(): Promise<void> {
    await this.#waiting
  }

  /** Rejects with the refusal once the process was asked to stop, and with every other error at once. */
  readonly patiently: Patiently = async (work) => {
    for (;;) {
      await this.#waiting
      try {
        return await work()
      } catch (error) {
        const refusal = this.heard(error)
        if (!refusal || this.#options.signal.aborted) throw refusal ?? error
      }
    }
  }

  /** Takes note of an error that something else met. @returns the refusal that it is, or undefined */
  heard(error: unknown): DataferryError | undefined {
    const refusal = refusalOf(error, this.#options.place)
    if (refusal) this.#waiting ??= this.#untilOver(refusal).finally(() => (this.#waiting = undefined))
    return refusal
  }

  /** Finds out whether Redis takes writes, for a process that does not write by itself. */
  async check(): Promise<void> {
    await this.#options.probe().catch((error: unknown) => {
      if (!this.heard(error)) throw error
    })
  }

  /** Hears when a hold begins and ends. */
  onChange(listener: (isHeld: boolean) => void): void {
    this.#listeners.add(listener)
  }

  async #untilOver(first: DataferryError): Promise<void> {
    const { tell, signal, place } = this.#options
    const [what, since] = [redisName(place), new Date()]
    this.#listeners.forEach((listener) => listener(true))
    let refusal: DataferryError | undefined = first
    while (refusal && !signal.aborted) {
      const nextLook = new Date(Date.now() + LOOK_MS)
      tell({ what, reason: `${refusal.message} ${refusal.advice}`, since, nextLook })
      await pause(LOOK_MS, signal).catch(() => undefined)
      refusal = await this.#look()
    }
    tell(undefined)
    this.#listeners.forEach((listener) => listener(false))
  }

  async #look(): Promise<DataferryError | undefined> {
    try {
      await this.#options.probe()
      return undefined
    } catch (error) {
      return refusalOf(error, this.#options.place)
    }
  }
}
