import type { Algorithm } from '../model/checksum.ts'
import { createHash } from '../transfer/hash.ts'

/** Several digests of the same bytes, taken as they pass. Closing frees the threads of those that were not read to the end. */
export class Digests {
  readonly #hashes: readonly ReturnType<typeof createHash>[]
  #size = 0

  /** @param size expected bytes */
  constructor(algorithms: Iterable<Algorithm>, size: number | undefined) {
    const once = [...new Set(algorithms)]
    this.#hashes = once.map((algorithm) => createHash({ algorithm, size, saveable: false }))
  }

  /** Passes chunks on; asks for the next one only when every hash is done with the last. */
  async *through(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void> {
    for await (const chunk of chunks) {
      this.#size += chunk.length
      const hashed = Promise.all(this.#hashes.map((hash) => hash.update(chunk)))
      // Awaited below; the reader may fail first and leave the loop.
      hashed.catch(() => undefined)
      try {
        yield chunk
      } finally {
        await hashed
      }
    }
  }

  /** Ends the hashes. */
  async result(): Promise<Digested> {
    const digests = new Map<Algorithm, string>()
    for (const hash of this.#hashes) digests.set(hash.algorithm, await hash.digest())
    return { size: this.#size, digests }
  }

  close(): void {
    for (const hash of this.#hashes) hash.close()
  }
}

export interface Digested {
  readonly size: number
  /** Lower-case hex. */
  readonly digests: ReadonlyMap<Algorithm, string>
}
