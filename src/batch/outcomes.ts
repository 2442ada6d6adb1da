import type { BatchId } from '../model/batch.ts'
import { outcomeSchema, type Outcome } from '../model/receipt.ts'
import type { RecordLog, Records } from '../sinks/sink.ts'
import { names } from './folder.ts'

/** One process's own file of outcomes: append-only, one writer each. */
export class OutcomeWriter {
  readonly #log: Promise<RecordLog>

  /** @param writer a name that no other process uses: `[A-Za-z0-9._-]+` */
  constructor(records: Records, batch: BatchId, writer: string) {
    this.#log = records.appendTo(`${names.receipts(batch)}/${writer}.ndjson`)
    this.#log.catch(() => undefined)
  }

  /** Records an outcome; durable when it resolves. */
  async record(outcome: Outcome): Promise<void> {
    const log = await this.#log
    // A line that a crash tore must not swallow this one, hence the leading line break.
    await log.append(`\n${JSON.stringify(outcome)}\n`)
  }

  async close(): Promise<void> {
    const log = await this.#log
    await log.close()
  }
}

/** Every outcome on record, file by file; several may be of one item. Torn and foreign lines are passed over. */
export async function* readOutcomes(records: Records, batch: BatchId): AsyncGenerator<Outcome> {
  for (const name of await records.list(names.receipts(batch))) {
    for await (const line of lines(records.streamLog(name, 0))) {
      const outcome = parse(line)
      if (outcome) yield outcome
    }
  }
}

function parse(line: string): Outcome | undefined {
  if (line === '') return undefined
  try {
    const parsed = outcomeSchema.safeParse(JSON.parse(line))
    return parsed.success ? parsed.data : undefined
  } catch {
    return undefined
  }
}

/** Complete lines of a byte stream, without their line breaks. */
export async function* lines(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const chunk of chunks) {
    const parts = (rest + decoder.decode(chunk, { stream: true })).split('\n')
    rest = parts.pop() ?? ''
    yield* parts
  }
}
