import { damaged } from './damage.ts'

const NOTHING = Buffer.alloc(0)

/**
 * Reads forward through a stream of bytes: exact counts, the next chunk, lookahead, and pushing back.
 * What it returns is valid until the next call, as the chunks of the source are.
 */
export class ByteReader {
  readonly #source: AsyncIterator<Uint8Array>
  #buffer: Buffer = NOTHING
  #at = 0
  #position: number

  /** `position`: the offset at which the source begins. */
  constructor(source: AsyncIterable<Uint8Array>, position = 0) {
    this.#source = source[Symbol.asyncIterator]()
    this.#position = position
  }

  /** Offset of the next byte. */
  get position(): number {
    return this.#position
  }

  /** The next `count` bytes without consuming them; fewer only at the end. */
  async peek(count: number): Promise<Buffer> {
    while (this.#buffer.length - this.#at < count && (await this.#pull()));
    return this.#buffer.subarray(this.#at, this.#at + count)
  }

  /** The next `count` bytes. Rejects with `ZIP_DAMAGED` when there are fewer. */
  async take(count: number): Promise<Buffer> {
    const bytes = await this.peek(count)
    if (bytes.length < count) throw damaged(`The archive is cut off at byte ${this.#position + bytes.length}.`)
    this.#consume(count)
    return bytes
  }

  /** The next bytes, 1 to `most`; undefined at the end. */
  async some(most: number): Promise<Buffer | undefined> {
    while (this.#at === this.#buffer.length) if (!(await this.#pull())) return undefined
    const bytes = this.#buffer.subarray(this.#at, this.#at + most)
    this.#consume(bytes.length)
    return bytes
  }

  /** Pushes back the last `count` bytes of what `some` returned last. */
  giveBack(count: number): void {
    this.#consume(-count)
  }

  /** Ends the source. */
  async close(): Promise<void> {
    await this.#source.return?.()
  }

  #consume(count: number): void {
    this.#at += count
    this.#position += count
  }

  /** Appends a chunk to what is held, which is copied first: requesting a chunk invalidates the one before. */
  async #pull(): Promise<boolean> {
    const held = this.#at < this.#buffer.length ? Buffer.from(this.#buffer.subarray(this.#at)) : NOTHING
    this.#buffer = held
    this.#at = 0
    const next = await this.#source.next()
    if (next.done === true) return false
    const chunk = Buffer.from(next.value.buffer, next.value.byteOffset, next.value.length)
    this.#buffer = held.length === 0 ? chunk : Buffer.concat([held, chunk])
    return true
  }
}
