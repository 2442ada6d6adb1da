import type { Checksum } from '../model/checksum.ts'
import type { Hash } from '../model/hash.ts'

/** What was received. */
export interface Received {
  readonly size: number
  readonly checksum: Checksum
  /** Further digests that the hash has taken. */
  readonly digests: readonly Checksum[]
}

/** The one place where bytes are counted and hashed, as they pass. */
export class Meter {
  readonly #hash: Hash
  readonly #check: (bytes: number) => void
  readonly #onProgress: ((bytes: number) => void) | undefined
  #bytes: number

  /**
   * @param from bytes that the hash has seen already
   * @param check called with the bytes so far before they are passed on; throws when they are too many
   * @param onProgress called with the bytes so far after each chunk
   */
  constructor(
    hash: Hash,
    from: number,
    check: (bytes: number) => void = () => undefined,
    onProgress?: (bytes: number) => void,
  ) {
    this.#hash = hash
    this.#bytes = from
    this.#check = check
    this.#onProgress = onProgress
  }

  /** Passes chunks on; asks for the next one only when the hash is done with the last. */
  async *through(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
    for await (const chunk of chunks) {
      this.#bytes += chunk.byteLength
      this.#check(this.#bytes)
      const hashed = this.#hash.update(chunk)
      // Awaited below; the sink may fail first and leave the loop.
      hashed.catch(() => undefined)
      try {
        yield chunk
      } finally {
        await hashed
      }
      this.#onProgress?.(this.#bytes)
    }
  }

  get bytes(): number {
    return this.#bytes
  }

  /** Ends the hash. */
  async result(): Promise<Received> {
    const hash = this.#hash
    const [hex, digests] = await Promise.all([hash.digest(), hash.digests()])
    return { size: this.#bytes, checksum: { algorithm: hash.algorithm, hex }, digests }
  }
}

/** The checksum of bytes that are already at the destination. `onProgress` is called with the bytes so far. */
export async function hashOf(
  chunks: AsyncIterable<Uint8Array>,
  hash: Hash,
  onProgress?: (bytes: number) => void,
): Promise<Received> {
  const meter = new Meter(hash, 0, undefined, onProgress)
  const passing = meter.through(chunks)
  while (!(await passing.next()).done);
  return meter.result()
}
