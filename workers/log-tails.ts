import { z } from 'zod'
import { LINES_KEPT, LONGEST_LINE, type BatchLogLine } from '../src/ledger/batch-logs.ts'
import { createLogger, type Logger } from '../src/log.ts'
import type { BatchId } from '../src/model/batch.ts'
import { visibleText } from '../src/model/visible-text.ts'

/** Where the log of a batch goes. */
export interface BatchLog {
  info(fields: object, message: string): void
  error(fields: object, message: string): void
}

/** As `createLogger` writes it. */
const loggedSchema = z.looseObject({
  level: z.number(),
  time: z.number(),
  hostname: z.string(),
  pid: z.number(),
  batch: z.string(),
  msg: z.string(),
})

/** The last lines that this process has logged about each batch, until they are brought to where other machines see them. */
export class LogTails {
  readonly #lines = new Map<BatchId, readonly BatchLogLine[]>()
  readonly #log = createLogger('info', { write: (line) => this.#note(line) })

  /** A log that goes to another one, too. */
  of(batch: BatchId, other: Logger): BatchLog {
    const tail = this.#log.child({ batch })
    return {
      info: (fields, message) => [tail, other].forEach((one) => one.info(fields, message)),
      error: (fields, message) => [tail, other].forEach((one) => one.error(fields, message)),
    }
  }

  /** Has the lines of each batch written; those for which this fails are kept for the next time. */
  async bring(write: (batch: BatchId, lines: readonly BatchLogLine[]) => Promise<void>): Promise<void> {
    for (const [batch, lines] of this.#lines) {
      this.#lines.delete(batch)
      try {
        await write(batch, lines)
      } catch (error) {
        this.#lines.set(batch, [...lines, ...(this.#lines.get(batch) ?? [])].slice(-LINES_KEPT))
        throw error
      }
    }
  }

  #note(line: string): void {
    const { level, time, hostname: host, pid, batch, msg, ...fields } = loggedSchema.parse(JSON.parse(line))
    // The name is that of the program.
    const told = Object.entries(fields).filter(([key]) => key !== 'name')
    const text = visibleText(
      [msg, ...told.map(([key, value]) => `${key}=${textOf(value)}`)].join(' ').slice(0, LONGEST_LINE),
    ).slice(0, LONGEST_LINE)
    const noted = { at: new Date(time).toISOString(), host, pid, level: level >= 50 ? 'error' : 'info', text } as const
    this.#lines.set(batch, [...(this.#lines.get(batch) ?? []), noted].slice(-LINES_KEPT))
  }
}

const errorSchema = z.object({ message: z.string(), stack: z.string() })

/** Of an error its message: the stack is in the log of its own machine. */
function textOf(value: unknown): string {
  if (typeof value === 'string') return value
  return errorSchema.safeParse(value).data?.message ?? JSON.stringify(value)
}
