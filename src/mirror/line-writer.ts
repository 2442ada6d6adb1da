import type { RecordLog } from '../sinks/sink.ts'

/** Bytes that are gathered before they are written. */
const GATHERED = 256 * 1024

/** Lines of JSON on their way to a log: written many at a time, since each write is made durable. */
export class LineWriter {
  readonly #log: RecordLog
  #lines: string[] = []
  #size = 0

  constructor(log: RecordLog) {
    this.#log = log
  }

  /** Bytes of the log once all is written. */
  get length(): number {
    return this.#log.length + this.#size
  }

  async add(value: unknown): Promise<void> {
    await this.text(`${JSON.stringify(value)}\n`)
  }

  async text(text: string): Promise<void> {
    this.#lines.push(text)
    this.#size += Buffer.byteLength(text)
    if (this.#size >= GATHERED) await this.flush()
  }

  /** Makes everything added so far durable. */
  async flush(): Promise<void> {
    if (this.#lines.length === 0) return
    const text = this.#lines.join('')
    this.#lines = []
    this.#size = 0
    await this.#log.append(text)
  }

  async close(): Promise<void> {
    await this.#log.close()
  }
}
