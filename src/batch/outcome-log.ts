import { DataferryError } from '../errors.ts'
import { parseJson } from '../json/parse-json.ts'
import type { BatchId } from '../model/batch.ts'
import { logLineSchema, type LogLine } from '../model/receipt.ts'
import type { RecordLog, Records } from '../sinks/sink.ts'
import { names } from './folder.ts'
import { recordLines } from './record.ts'

/**
 * One process's own file of outcomes: append-only, one writer each. Opened with the first outcome, and again after a
 * failure, so that a destination that was full or away for a while accepts outcomes again.
 */
export class OutcomeWriter {
  readonly #records: Records
  readonly #name: string
  #log: Promise<RecordLog> | undefined
  #closed = false

  /** @param writer a name that no other process uses: `[A-Za-z0-9._-]+` */
  constructor(records: Records, batch: BatchId, writer: string) {
    this.#records = records
    this.#name = `${names.receipts(batch)}/${writer}.ndjson`
  }

  /** Records an outcome; durable when it resolves. Rejects with `SINK_…` codes, and then the outcome may be lost. */
  async record(outcome: LogLine): Promise<void> {
    if (this.#closed) throw new DataferryError('SINK_FAILED', `The log ${this.#name} is closed.`)
    const opening = (this.#log ??= this.#opened(this.#records.appendTo(this.#name)))
    const log = await opening
    try {
      // The leading line break keeps a line torn by a crash from swallowing this one.
      await log.append(`\n${JSON.stringify(outcome)}\n`)
    } catch (error) {
      if (this.#log === opening && !this.#isClosed()) this.#log = this.#opened(this.#reopened(log))
      throw error
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    const log = await this.#log?.catch(() => undefined)
    await log?.close()
  }

  #isClosed(): boolean {
    return this.#closed
  }

  async #reopened(log: RecordLog): Promise<RecordLog> {
    await log.close()
    return this.#records.appendTo(this.#name)
  }

  /** Forgets a log that cannot be opened, so that the next outcome tries again. */
  #opened(opening: Promise<RecordLog>): Promise<RecordLog> {
    opening.catch(() => {
      if (this.#log === opening) this.#log = undefined
    })
    return opening
  }
}

/** A log of outcomes that cannot be read in part. */
export interface DamagedLog {
  /** Relative to `.dataferry/`. */
  readonly name: string
  /** Damaged lines; none: nothing is in it. */
  readonly count: number
  /** Number of the first one, from 1. */
  readonly first: number | undefined
}

/**
 * Every outcome on record, file by file; an item may have several. Torn and foreign lines are skipped.
 * @param onDamage told of each log that is empty, or has damaged lines
 */
export async function* readOutcomes(
  records: Records,
  batch: BatchId,
  onDamage?: (log: DamagedLog) => void,
): AsyncGenerator<LogLine> {
  for (const name of await records.list(names.receipts(batch))) {
    let [at, count] = [0, 0]
    let first: number | undefined
    /** The line before, where it cannot be read. It was torn by a crash if the next outcome begins right behind it. */
    let doubtful: number | undefined
    const judge = (text: string | undefined): void => {
      if (doubtful !== undefined && text === '') {
        count++
        first ??= doubtful
      }
      doubtful = undefined
    }
    for await (const { text } of recordLines(records.streamLog(name, 0))) {
      at++
      judge(text)
      const outcome = text ? parse(text) : undefined
      if (outcome) yield outcome
      else if (text !== '') doubtful = at
    }
    judge('')
    if (at === 0 || count > 0) onDamage?.({ name, count, first })
  }
}

function parse(line: string): LogLine | undefined {
  const parsed = logLineSchema.safeParse(parseJson(line))
  return parsed.success ? parsed.data : undefined
}
