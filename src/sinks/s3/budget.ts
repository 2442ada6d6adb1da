interface Waiter {
  readonly bytes: number
  readonly resolve: () => void
}

/** A shared count of bytes: all transfers of a sink together hold no more than its limit. First come, first served. */
export class ByteBudget {
  readonly #limit: number
  #used = 0
  #waiting: Waiter[] = []

  /** @param limit bytes; a single larger wish is granted when nothing else is held. */
  constructor(limit: number) {
    this.#limit = limit
  }

  /** Waits until the bytes are free. Rejects with the signal's reason. Whoever takes gives back, exactly once. */
  async take(bytes: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    if (this.tryTake(bytes)) return
    await new Promise<void>((resolve, reject) => {
      const abandon = () => {
        this.#waiting = this.#waiting.filter((other) => other !== waiter)
        reject(asError(signal.reason))
        this.#wake()
      }
      const waiter: Waiter = {
        bytes,
        resolve: () => {
          signal.removeEventListener('abort', abandon)
          resolve()
        },
      }
      signal.addEventListener('abort', abandon, { once: true })
      this.#waiting.push(waiter)
    })
  }

  /** Takes the bytes if they are free now and nobody waits. */
  tryTake(bytes: number): boolean {
    if (this.#waiting.length > 0 || !this.#fits(bytes)) return false
    this.#used += bytes
    return true
  }

  /** Takes the bytes even beyond the limit: for the rare buffer that must grow while it is held, which may not wait. */
  overdraw(bytes: number): void {
    this.#used += bytes
  }

  giveBack(bytes: number): void {
    this.#used -= bytes
    this.#wake()
  }

  #fits(bytes: number): boolean {
    return this.#used === 0 || this.#used + bytes <= this.#limit
  }

  #wake(): void {
    for (let next = this.#waiting[0]; next && this.#fits(next.bytes); next = this.#waiting[0]) {
      this.#waiting.shift()
      this.#used += next.bytes
      next.resolve()
    }
  }
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason))
}
