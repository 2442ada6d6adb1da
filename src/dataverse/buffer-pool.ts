/** Size of a pooled buffer, and so of the largest batch. */
const BATCH = 1024 * 1024
/** Up to here a batch is worth no pooled buffer. */
export const SMALL = 64 * 1024
/** Buffers kept for the next transfer: as many as a busy worker has transfers. */
const KEPT = 16

/** Buffers of 1 MiB in shared memory, used over and over, so that memory does not grow with the number of files. */
export class BufferPool {
  readonly #free: Uint8Array[] = []

  take(): Uint8Array {
    return this.#free.pop() ?? new Uint8Array(new SharedArrayBuffer(BATCH))
  }

  /** Takes a buffer back; the giver must not touch it any more. */
  give(buffer: Uint8Array): void {
    if (this.#free.length < KEPT) this.#free.push(buffer)
  }
}
