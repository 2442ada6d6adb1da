import { Readable } from 'node:stream'
import { DataferryError } from '../errors.ts'
import { header, parseFileName } from './http/headers.ts'
import type { HttpBody } from './http/body.ts'
import type { Opened } from './open.ts'
import { saveFile } from './save-file.ts'

/**
 * A download in progress: read it once, as chunks, as a Node.js stream or into a file. A caller that does not read it to the end
 * must close it, best with `await using`, since an open download holds a connection.
 */
export class Download implements AsyncIterable<Uint8Array>, AsyncDisposable {
  /** The server's name for it, without folders; not yet safe as a path. */
  readonly name: string | undefined
  readonly contentType: string | undefined
  /** Bytes that this download delivers; undefined when the server does not say, as for a ZIP. */
  readonly size: number | undefined
  /** Bytes in the whole file, even if only a range was requested. */
  readonly totalSize: number | undefined
  readonly #body: HttpBody
  readonly #skip: number
  readonly #most: number
  #taken = false

  /** @internal */
  constructor({ answer, from, size }: Opened, range: { readonly from: number; readonly to: number | undefined }) {
    this.name = parseFileName(header(answer.headers, 'content-disposition'))
    this.contentType = header(answer.headers, 'content-type')
    this.totalSize = size
    // A server that ignores ranges sends more than was requested; the caller still gets only that.
    this.#skip = range.from - from
    const end = Math.min(range.to === undefined ? Infinity : range.to + 1, size ?? Infinity)
    this.#most = Math.max(0, end - range.from)
    this.size = size === undefined ? undefined : this.#most
    this.#body = answer.body
  }

  /** The bytes as they arrive. Chunks stay valid. Rejects with `SHORT_BODY` or `SOURCE_UNREACHABLE` when they break off. */
  [Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    return this.#cut(this.#take().chunks())
  }

  /** The bytes as a stream. Destroying it closes the connection. */
  readable(): Readable {
    const stream = Readable.from(this, { objectMode: false, highWaterMark: 1024 * 1024 })
    stream.once('close', () => this.close())
    return stream
  }

  /**
   * Writes the bytes to a file that appears at `path`, replacing what was there, only when all of them are on disk.
   * Rejects with `SINK_FULL`, `SINK_DENIED` or `SINK_FAILED` when it cannot be written; nothing is left behind then.
   * @returns the count of bytes
   */
  async saveTo(path: string): Promise<number> {
    try {
      return await saveFile(path, this.#cut(this.#take().batches()))
    } finally {
      this.close()
    }
  }

  /** All bytes in memory. Rejects with `ARGUMENT_INVALID` when they are more than `maxBytes`. */
  async bytes(maxBytes: number): Promise<Uint8Array> {
    try {
      if (this.size !== undefined && this.size > maxBytes) throw tooLarge(this.size, maxBytes)
      const chunks: Uint8Array[] = []
      let length = 0
      for await (const chunk of this) {
        length += chunk.length
        if (length > maxBytes) throw tooLarge(undefined, maxBytes)
        chunks.push(chunk)
      }
      return Buffer.concat(chunks, length)
    } finally {
      this.close()
    }
  }

  /** Closes the connection unless everything has arrived. May be called again. */
  close(): void {
    this.#taken = true
    this.#body.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.close()
    return Promise.resolve()
  }

  #take(): HttpBody {
    if (this.#taken)
      throw new DataferryError('ARGUMENT_INVALID', 'This download was already read or closed: request it again.')
    this.#taken = true
    return this.#body
  }

  /** Only the requested bytes. Leaving early closes the connection. */
  async *#cut(chunks: AsyncGenerator<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
    let skip = this.#skip
    let left = this.#most
    for await (const chunk of chunks) {
      const wanted = chunk.subarray(Math.min(skip, chunk.length)).subarray(0, left)
      skip -= Math.min(skip, chunk.length)
      left -= wanted.length
      if (wanted.length > 0) yield wanted
      if (left <= 0) return
    }
    if (this.size !== undefined && left > 0) {
      throw new DataferryError('SHORT_BODY', `The server sent ${left} bytes fewer than the ${this.size} it promised.`)
    }
  }
}

function tooLarge(size: number | undefined, maxBytes: number): DataferryError {
  const fact = size === undefined ? `more than ${maxBytes} bytes` : `${size} bytes, more than the ${maxBytes} allowed`
  return new DataferryError('ARGUMENT_INVALID', `The file has ${fact} in memory: use streamDatafile, or set maxBytes.`)
}
