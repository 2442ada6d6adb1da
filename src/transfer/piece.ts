/** Memory is taken in blocks of so many bytes. */
const BLOCK = 1 << 20
/** Blocks that are kept for the next piece. */
const KEPT = 64
const free: Uint8Array[] = []

/** Wakes everybody who waits, when something has changed, or for good. */
export class Change {
  #waiting: (() => void)[] = []
  #failure: { readonly error: unknown } | undefined

  /** Resolves at the next change. Rejects with what `fail` was told first. */
  async wait(): Promise<void> {
    if (!this.#failure) await new Promise<void>((resolve) => this.#waiting.push(resolve))
    if (this.#failure) throw this.#failure.error
  }

  notify(): void {
    for (const wake of this.#waiting.splice(0)) wake()
  }

  fail(error: unknown): void {
    this.#failure ??= { error }
    this.notify()
  }
}

/**
 * A stretch of a file on its way, from one connection at a time to the one reader of the file:
 *
 * - *ahead*: the reader is not there yet, and what comes is kept in memory
 * - *head*: the reader takes what was kept, then each chunk as it comes, without a copy
 * - *left*: the reader is gone, and what still comes is dropped
 */
export class Piece {
  /** First byte that is not in it. */
  readonly to: number
  readonly #change: Change
  readonly #blocks: { readonly memory: Uint8Array; length: number }[] = []
  #at: number
  #state: 'ahead' | 'head' | 'left' = 'ahead'
  #offered: Uint8Array | undefined
  #kept = 0

  constructor(from: number, to: number, change: Change) {
    this.#at = from
    this.to = to
    this.#change = change
  }

  /** Everything before this byte has come. */
  get at(): number {
    return this.#at
  }

  get isFull(): boolean {
    return this.#at === this.to
  }

  /** Bytes in memory. */
  get kept(): number {
    return this.#kept
  }

  /** Takes the next chunk, of no more bytes than are missing. Resolves when its memory may be used again. */
  async put(chunk: Uint8Array): Promise<void> {
    this.#at += chunk.byteLength
    if (this.#state === 'ahead') this.#keep(chunk)
    else this.#offered = chunk
    this.#change.notify()
    while (this.#offered === chunk && this.#state === 'head') await this.#change.wait()
  }

  /** All bytes in order, once; a chunk is valid until the next one is asked for. Rejects with what `Change` failed with. */
  async *chunks(): AsyncGenerator<Uint8Array, void, undefined> {
    this.#state = 'head'
    try {
      for (;;) {
        const block = this.#blocks.shift()
        if (block) {
          this.#kept -= block.length
          yield block.memory.subarray(0, block.length)
          if (free.length < KEPT) free.push(block.memory)
        } else if (this.#offered) {
          yield this.#offered
          this.#offered = undefined
          this.#change.notify()
        } else if (this.isFull) return
        else await this.#change.wait()
      }
    } finally {
      this.#state = 'left'
      this.#change.notify()
    }
  }

  #keep(chunk: Uint8Array): void {
    for (let from = 0; from < chunk.byteLength;) {
      let block = this.#blocks.at(-1)
      if (!block || block.length === BLOCK) {
        block = { memory: free.pop() ?? Buffer.allocUnsafeSlow(BLOCK), length: 0 }
        this.#blocks.push(block)
      }
      const some = chunk.subarray(from, from + BLOCK - block.length)
      block.memory.set(some, block.length)
      block.length += some.byteLength
      from += some.byteLength
    }
    this.#kept += chunk.byteLength
  }
}
