import type { FileHandle } from 'node:fs/promises'
import { DataferryError } from '../../errors.ts'
import { writeAt } from './bytes.ts'
import { translated } from './errors.ts'
import type { RecordLog } from '../sink.ts'

interface Waiting {
  readonly data: Uint8Array
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/**
 * A log file with group commit: what is appended while one write is being made durable goes out together in the next.
 *
 * A write that fails (no space) is cut off again, so that the log ends with a whole append and can be used on. When
 * even the cut or the sync fails, nobody knows what the disk holds, and every later append is refused: opening the log
 * anew reads the truth.
 */
export class DiskLog implements RecordLog {
  readonly #name: string
  readonly #handle: FileHandle
  readonly #onClose: () => void
  #length: number
  #waiting: Waiting[] = []
  #writing: Promise<void> | undefined
  #closing: Promise<void> | undefined
  #broken: DataferryError | undefined

  /** @param length of the file behind the handle */
  constructor(name: string, handle: FileHandle, length: number, onClose: () => void) {
    this.#name = name
    this.#handle = handle
    this.#length = length
    this.#onClose = onClose
  }

  get length(): number {
    return this.#length
  }

  append(data: string | Uint8Array): Promise<void> {
    if (this.#closing) return Promise.reject(new DataferryError('SINK_FAILED', `The log ${this.#name} is closed.`))
    return new Promise((resolve, reject) => {
      // Copied: the caller may go on using its buffer while this waits.
      this.#waiting.push({ data: Buffer.from(data), resolve, reject })
      this.#writing ??= this.#drain()
    })
  }

  /** Waits for the appends that were made; may be called again. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    await this.#writing
    await this.#handle.close()
    this.#onClose()
  }

  async #drain(): Promise<void> {
    // Everything appended in this turn of the event loop goes out together.
    await Promise.resolve()
    while (this.#waiting.length > 0) {
      const group = this.#waiting
      this.#waiting = []
      try {
        await translated(`append to the log ${this.#name}`, () => this.#commit(group))
        for (const { resolve } of group) resolve()
      } catch (error) {
        for (const { reject } of group) reject(error)
      }
    }
    this.#writing = undefined
  }

  async #commit(group: readonly Waiting[]): Promise<void> {
    if (this.#broken) throw this.#broken
    const data = Buffer.concat(group.map((one) => one.data))
    try {
      await writeAt(this.#handle, data, this.#length)
    } catch (error) {
      await this.#handle.truncate(this.#length).catch((cause: unknown) => this.#break(cause))
      throw error
    }
    await this.#handle.datasync().catch((cause: unknown) => {
      this.#break(cause)
      throw cause
    })
    this.#length += data.length
  }

  #break(cause: unknown): void {
    this.#broken = new DataferryError('SINK_FAILED', `The log ${this.#name} failed while it was being made durable.`, {
      cause,
    })
  }
}
