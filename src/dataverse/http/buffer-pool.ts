/**
 * Size of a pooled buffer, and so of the largest batch: large enough that calls cost little, small enough that the bytes are
 * still in the processor's cache when they are hashed and written. See docs/benchmarks.md.
 */
const BATCH = 256 * 1024
/** Up to this size a batch gets no pooled buffer. */
export const SMALL = 64 * 1024
/** Buffers kept for later transfers: as many as a busy worker has transfers. */
const KEPT = 16

/** Reused buffers, so that memory does not grow with the number of files. */
export class BufferPool {
  readonly #free: Uint8Array[] = []

  take(): Uint8Array {
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(BATCH)
  }

  /** Takes a buffer back; the caller must no longer touch it. */
  give(buffer: Uint8Array): void {
    if (this.#free.length < KEPT) this.#free.push(buffer)
  }
}
