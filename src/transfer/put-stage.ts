import { DataferryError } from '../errors.ts'
import type { Hash } from '../model/hash.ts'
import type { Item } from '../model/item.ts'
import type { Proof, Sink, Stage, StageOptions } from '../sinks/sink.ts'

/** Files up to this size stay in memory until they are verified. What an interruption costs is fetched again. */
const MOST = 1 << 20

/** Opens a stage for an item; the caller disposes it. Rejects as `Sink#stage`. */
export async function openStage(sink: Sink, options: StageOptions): Promise<Stage> {
  return staysInMemory(options.item) ? new PutStage(sink, options) : sink.stage(options)
}

/** Whether nothing is kept of an item when the work on it is interrupted, since it is small. */
export function staysInMemory({ expect: { size } }: Item): boolean {
  return size !== undefined && size <= MOST
}

/**
 * A stage for a small file: holds its bytes in memory, and puts them in one piece when they are proved. What is longer than
 * promised moves to a stage of the sink. Keeps nothing for a later stage of its key.
 */
class PutStage implements Stage {
  readonly #sink: Sink
  readonly #options: StageOptions
  #buffer: Buffer = Buffer.alloc(0)
  #length = 0
  #large: Stage | undefined

  constructor(sink: Sink, options: StageOptions) {
    this.#sink = sink
    this.#options = options
  }

  async resume(hash: Hash, signal: AbortSignal): Promise<number> {
    if (this.#large) return this.#large.resume(hash, signal)
    await hash.update(this.#held)
    return this.#length
  }

  async restart(): Promise<0> {
    this.#length = 0
    return (await this.#large?.restart()) ?? 0
  }

  async append(chunks: AsyncIterable<Uint8Array>, hash: Hash, signal: AbortSignal): Promise<void> {
    if (this.#large) return this.#large.append(chunks, hash, signal)
    const rest = chunks[Symbol.asyncIterator]()
    try {
      while (this.#length <= MOST) {
        const next = await rest.next()
        signal.throwIfAborted()
        if (next.done === true) return
        this.#hold(next.value)
      }
      this.#large = await this.#sink.stage(this.#options)
      await this.#large.restart()
      // In one chunk, since the hash has seen all of it.
      await this.#large.append(behind(this.#held, rest), hash, signal)
    } finally {
      await rest.return?.()
    }
  }

  async commit(proof: Proof): Promise<void> {
    if (this.#large) return this.#large.commit(proof)
    const { checksum, digests = [], size, verified } = proof
    if (size !== this.#length) {
      const { path } = this.#options.item
      throw new DataferryError('SINK_FAILED', `${this.#length} bytes of ${path} are held, not ${size}.`)
    }
    await this.#sink.put(this.#options, this.#held, { checksum, digests, verified })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#large?.[Symbol.asyncDispose]()
  }

  get #held(): Buffer {
    return this.#buffer.subarray(0, this.#length)
  }

  /** Copies a chunk, which is valid until the next one is asked for. */
  #hold(chunk: Uint8Array): void {
    const length = this.#length + chunk.length
    if (length > this.#buffer.length) {
      const { size = 0 } = this.#options.item.expect
      const larger = Buffer.allocUnsafe(length <= size ? size : 2 * length)
      larger.set(this.#held)
      this.#buffer = larger
    }
    this.#buffer.set(chunk, this.#length)
    this.#length = length
  }
}

async function* behind(first: Uint8Array, rest: AsyncIterator<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield first
  for (let next = await rest.next(); next.done !== true; next = await rest.next()) yield next.value
}
