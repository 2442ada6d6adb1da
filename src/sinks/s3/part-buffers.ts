interface Waiter {
  readonly bytes: number
  readonly resolve: () => void
}

/** A semaphore for bytes: all transfers of a sink together hold no more than its limit. First come, first served. */
export class ByteBudget {
  readonly #limit: number
  #used = 0
  #waiting: Waiter[] = []

  /** @param limit bytes; a single larger request is granted when nothing else is held. */
  constructor(limit: number) {
    this.#limit = limit
  }

  /** Waits until the bytes are free. Rejects with the signal's reason. The caller returns them exactly once. */
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

  /** Takes the bytes if they are free now and no other caller waits. */
  tryTake(bytes: number): boolean {
    if (this.#waiting.length > 0 || !this.#fits(bytes)) return false
    this.#used += bytes
    return true
  }

  /** Takes the bytes even beyond the limit: for the rare buffer that must grow while it is held, which must not wait. */
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

/** Bytes gathered for one part or one small object. */
export class PartBuffer {
  #bytes: Buffer
  #length = 0

  constructor(capacity: number) {
    this.#bytes = Buffer.allocUnsafeSlow(capacity)
  }

  get capacity(): number {
    return this.#bytes.length
  }

  get length(): number {
    return this.#length
  }

  get isFull(): boolean {
    return this.#length === this.#bytes.length
  }

  /** The gathered bytes: a view, valid until the buffer is reused. */
  get content(): Buffer {
    return this.#bytes.subarray(0, this.#length)
  }

  /** Copies as much of the chunk as fits. @returns how much. */
  add(chunk: Uint8Array): number {
    const count = Math.min(chunk.byteLength, this.capacity - this.#length)
    this.#bytes.set(chunk.subarray(0, count), this.#length)
    this.#length += count
    return count
  }

  clear(): void {
    this.#length = 0
  }

  grow(capacity: number): void {
    const larger = Buffer.allocUnsafeSlow(capacity)
    larger.set(this.content)
    this.#bytes = larger
  }
}

/**
 * The buffers of one stage, counted in the sink's budget. Only for the first does a stage wait for others: further ones
 * are taken if free, else it waits for its own parts, so that stages never deadlock.
 */
export class PartBuffers {
  readonly #budget: ByteBudget
  readonly #max: number
  #free: PartBuffer[] = []
  #lent = new Set<PartBuffer>()

  constructor(budget: ByteBudget, max: number) {
    this.#budget = budget
    this.#max = max
  }

  /**
   * An empty buffer, given back with `put`.
   * @param oneReturned waits until a part in flight has returned its buffer
   */
  async get(capacity: number, signal: AbortSignal, oneReturned: () => Promise<void>): Promise<PartBuffer> {
    for (;;) {
      const used = this.#free.pop()
      if (used?.capacity === capacity) return this.#lend(used)
      if (used) this.#drop(used)
      else if (this.#lent.size === 0) {
        await this.#budget.take(capacity, signal)
        return this.#lend(new PartBuffer(capacity))
      } else if (this.#lent.size < this.#max && this.#budget.tryTake(capacity)) {
        return this.#lend(new PartBuffer(capacity))
      } else await oneReturned()
    }
  }

  put(buffer: PartBuffer): void {
    if (!this.#lent.delete(buffer)) return
    buffer.clear()
    this.#free.push(buffer)
  }

  /** Takes back every lent buffer: none is in use any more. */
  reclaim(): void {
    for (const buffer of this.#lent) this.put(buffer)
  }

  /** Enlarges a lent buffer without waiting: more arrived than was promised. */
  grow(buffer: PartBuffer, capacity: number): void {
    this.#budget.overdraw(capacity - buffer.capacity)
    buffer.grow(capacity)
  }

  /** Returns everything to the budget. */
  close(): void {
    for (const buffer of [...this.#free, ...this.#lent]) this.#drop(buffer)
    this.#free = []
    this.#lent.clear()
  }

  #lend(buffer: PartBuffer): PartBuffer {
    this.#lent.add(buffer)
    return buffer
  }

  #drop(buffer: PartBuffer): void {
    this.#budget.giveBack(buffer.capacity)
  }
}
