import type { FileHandle } from 'node:fs/promises'
import { GroupCommit } from '../../async/group-commit.ts'
import { DataferryError } from '../../errors.ts'
import { writeAt } from './bytes.ts'
import type { Volume } from './volume.ts'
import type { RecordLog } from '../sink.ts'

interface LogPlace {
  readonly volume: Volume
  readonly onClose: () => void
}

/**
 * A log file with group commit: one write and one sync for everything appended meanwhile.
 *
 * A failed write (no space) is cut off again, so that the log ends with a whole append and stays usable. When
 * even the cut or the sync fails, the content on disk is unknown, and every later append is refused until the log is
 * reopened.
 */
export class DiskLog implements RecordLog {
  readonly #name: string
  readonly #handle: FileHandle
  readonly #place: LogPlace
  readonly #commits = new GroupCommit<Uint8Array>((group) =>
    this.#place.volume.run(`append to the log ${this.#name}`, () => this.#write(Buffer.concat(group))),
  )
  #length: number
  #closing: Promise<void> | undefined
  #broken: DataferryError | undefined

  /** @param length of the open file */
  constructor(name: string, handle: FileHandle, length: number, place: LogPlace) {
    this.#name = name
    this.#handle = handle
    this.#length = length
    this.#place = place
  }

  get length(): number {
    return this.#length
  }

  append(data: string | Uint8Array): Promise<void> {
    if (this.#closing) return Promise.reject(new DataferryError('SINK_FAILED', `The log ${this.#name} is closed.`))
    // Copied: the caller may reuse its buffer while this waits.
    return this.#commits.add(Buffer.from(data))
  }

  /** Waits for pending appends; may be called again. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    await this.#commits.idle()
    await this.#handle.close()
    this.#place.onClose()
  }

  async #write(data: Uint8Array): Promise<void> {
    if (this.#broken) throw this.#broken
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
