import { DataferryError } from '../../errors.ts'
import { SMALL, type BufferPool } from './buffer-pool.ts'
import { Pace } from './pace.ts'

/** Most bytes that wait in memory for the consumer before the socket is paused. */
const HIGH_WATER = 2 * 1024 * 1024

/** How a body steers the connection it comes from. */
export interface Flow {
  pause(): void
  resume(): void
  /** Closes the connection; nothing more arrives. */
  abort(): void
  /** The error of a connection that is given up for being slow. */
  tooSlow(): Error
}

/**
 * The body of one answer: fed by the connection, read once by one consumer, with backpressure in between.
 *
 * States: *open* (bytes arrive) → *ended* (all arrived, some may still wait here) or *failed* (broken: what waits here is
 * still handed out, then the error) or *closed* (the consumer left: the connection is gone). Bytes that arrived before a
 * connection broke are good bytes, so a consumer that keeps them has less to request again.
 */
export class HttpBody {
  readonly #flow: Flow
  readonly #pool: BufferPool
  readonly #slowMs: number
  #chunks: Buffer[] = []
  /** Chunks whose memory is to be given back. */
  readonly #lent = new Map<Buffer, () => void>()
  #waiting = 0
  #paused = false
  #ended = false
  #error: Error | undefined
  #wake: (() => void) | undefined
  #wakeSoon: NodeJS.Immediate | undefined
  /** How long consumers have waited for bytes. */
  #waitedMs = 0

  /** @param slowMs over which a connection may be slow; see `Pace` */
  constructor(flow: Flow, pool: BufferPool, slowMs: number) {
    this.#flow = flow
    this.#pool = pool
    this.#slowMs = slowMs
  }

  /**
   * Takes a chunk from the connection; it must stay as it is, or until it is given back.
   * @param giveBack of a chunk that is large enough to be handed out by itself, without a copy
   */
  push(chunk: Buffer, giveBack?: () => void): void {
    if (giveBack) this.#lent.set(chunk, giveBack)
    if (this.#ended || chunk.length === 0) {
      this.#return(chunk)
      return
    }
    this.#chunks.push(chunk)
    this.#waiting += chunk.length
    if (this.#waiting >= HIGH_WATER && !this.#paused) {
      this.#paused = true
      this.#flow.pause()
    }
    // The event loop reads what else the socket holds before immediates run: so a waiting consumer gets one large
    // batch instead of many small ones, and never waits for bytes that are not there yet.
    if (this.#wake) this.#wakeSoon ??= setImmediate(() => this.#wakeUp())
  }

  end(): void {
    this.#ended = true
    this.#wakeUp()
  }

  /** Ends the body with an error. The first end counts. */
  fail(error: Error): void {
    if (this.#ended) return
    this.#error = error
    this.end()
  }

  /** Drops what waits and closes the connection if it is still needed for this body. */
  close(): void {
    for (const chunk of this.#chunks) this.#return(chunk)
    this.#chunks = []
    this.#waiting = 0
    if (this.#ended) return
    this.end()
    this.#flow.abort()
  }

  /**
   * The bytes in batches of up to 512 KiB: as much as has arrived whenever the consumer asks. A batch is valid until the next
   * one is asked for.
   * @param leavesSlow whether a connection that is too slow is given up, since its reader can go on at the same byte
   */
  async *batches(leavesSlow = false): AsyncGenerator<Uint8Array, void, undefined> {
    const pace = leavesSlow ? new Pace(this.#slowMs) : undefined
    let buffer: Uint8Array | undefined
    let lent: Buffer | undefined
    try {
      while (await this.#some()) {
        lent = this.#takeLent()
        if (!lent && this.#waiting > SMALL) buffer ??= this.#pool.take()
        const batch = lent ?? (this.#waiting > SMALL && buffer ? this.#fill(buffer) : this.#all())
        this.#resume()
        if (pace?.isSlow(batch.length, this.#waitedMs)) this.#giveUp()
        yield batch
        if (lent) this.#return(lent)
      }
    } finally {
      if (lent) this.#return(lent)
      if (buffer) this.#pool.give(buffer)
      this.close()
    }
  }

  /** The bytes as they came from the socket; a chunk stays valid. */
  async *chunks(): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      while (await this.#some()) {
        const chunk = this.#chunks.shift()
        if (!chunk) continue
        this.#waiting -= chunk.length
        const own = this.#lent.has(chunk) ? Buffer.from(chunk) : chunk
        this.#return(chunk)
        this.#resume()
        yield own
      }
    } finally {
      this.close()
    }
  }

  /** The whole body in memory. Rejects with `SOURCE_UNEXPECTED` and closes the connection when it is over `limit` bytes. */
  async bytes(limit: number): Promise<Buffer> {
    const parts: Uint8Array[] = []
    let size = 0
    for await (const chunk of this.chunks()) {
      size += chunk.length
      if (size > limit) {
        throw new DataferryError('SOURCE_UNEXPECTED', `The response is longer than the ${limit} bytes allowed for it.`)
      }
      parts.push(chunk)
    }
    return Buffer.concat(parts, size)
  }

  /** Up to the first `limit` bytes, for error pages, then closes; at worst nothing. Never rejects. */
  async beginning(limit: number): Promise<Buffer> {
    const parts: Uint8Array[] = []
    let size = 0
    try {
      for await (const chunk of this.chunks()) {
        parts.push(chunk)
        size += chunk.length
        if (size >= limit) break
      }
    } catch {
      // The status is what counts; a truncated text is still worth showing.
    }
    return Buffer.concat(parts).subarray(0, limit)
  }

  /** Waits for bytes. @returns false at the end; throws the error the body ended with. */
  async #some(): Promise<boolean> {
    while (this.#waiting === 0 && !this.#ended) {
      const since = performance.now()
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
      this.#waitedMs += performance.now() - since
    }
    if (this.#waiting > 0) return true
    if (this.#error) throw this.#error
    return false
  }

  /** What has come is still handed out, then the error. */
  #giveUp(): void {
    if (this.#ended) return
    this.fail(this.#flow.tooSlow())
    this.#flow.abort()
  }

  #wakeUp(): void {
    if (this.#wakeSoon) clearImmediate(this.#wakeSoon)
    this.#wakeSoon = undefined
    this.#wake?.()
    this.#wake = undefined
  }

  #resume(): void {
    if (!this.#paused || this.#waiting >= HIGH_WATER) return
    this.#paused = false
    this.#flow.resume()
  }

  /** The next chunk, when it is handed out by itself. */
  #takeLent(): Buffer | undefined {
    const [first] = this.#chunks
    if (!first || !this.#lent.has(first)) return undefined
    this.#chunks.shift()
    this.#waiting -= first.length
    return first
  }

  #return(chunk: Buffer): void {
    this.#lent.get(chunk)?.()
    this.#lent.delete(chunk)
  }

  /** Everything that waits, small enough to be copied. */
  #all(): Uint8Array {
    const [first] = this.#chunks
    const all = this.#chunks.length === 1 && first ? first : Buffer.concat(this.#chunks)
    this.#chunks = []
    this.#waiting = 0
    return all
  }

  /** Moves as much as fits into `buffer`; what does not fit keeps waiting. */
  #fill(buffer: Uint8Array): Uint8Array {
    let length = 0
    let used = 0
    for (const chunk of this.#chunks) {
      if (this.#lent.has(chunk)) break
      const room = buffer.length - length
      if (chunk.length > room) {
        buffer.set(chunk.subarray(0, room), length)
        this.#chunks[used] = chunk.subarray(room)
        length += room
        break
      }
      buffer.set(chunk, length)
      length += chunk.length
      used += 1
    }
    this.#chunks.splice(0, used)
    this.#waiting -= length
    return buffer.subarray(0, length)
  }
}
