import type { Algorithm } from '../model/checksum.ts'
import type { Hash } from '../model/hash.ts'
import { nativeHash } from '../transfer/hash.ts'

/** Several digests of the same bytes, taken as they pass. Closing frees the threads of those that were not read to the end. */
export class Digests<A extends string = Algorithm> {
  readonly #hashes: readonly Hash<A>[]
  #size = 0

  /**
   * @param algorithms by the names that Node.js has for them
   * @param size expected bytes
   */
  constructor(algorithms: Iterable<A>, size: number | undefined) {
    const once = [...new Set(algorithms)]
    this.#hashes = once.map((algorithm, lane) => nativeHash(algorithm, size, lane))
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
  async result(): Promise<Digested<A>> {
    const digests = new Map<A, string>()
    for (const hash of this.#hashes) digests.set(hash.algorithm, await hash.digest())
    return { size: this.#size, digests }
  }

  close(): void {
    for (const hash of this.#hashes) hash.close()
  }
}

export interface Digested<A extends string = Algorithm> {
  readonly size: number
  /** Lower-case hex. */
  readonly digests: ReadonlyMap<A, string>
}
