import { names, readBatch, readPlanState } from '../batch/folder.ts'
import { ItemsReader } from '../batch/items-file.ts'
import { readReport } from '../batch/report.ts'
import { canBeAsked, WANTED_HEADER, wantedRow } from '../batch/wanted-rows.ts'
import { untilAborted } from '../async/until-aborted.ts'
import { DataferryError, messageOf } from '../errors.ts'
import type { Ledger, LedgerEntry } from '../ledger/ledger.ts'
import type { Records } from '../sinks/sink.ts'
import type { BatchDetail } from './api/schemas.ts'
import type { OpenSink } from './places.ts'

type About = Pick<BatchDetail, 'record' | 'recordProblem'>

const PATIENCE_MS = 3_000

/** What is on record about batches, at their destinations. */
export class BatchRecords {
  readonly #open: OpenSink
  readonly #ledger: Pick<Ledger, 'errors'>

  constructor(open: OpenSink, ledger: Pick<Ledger, 'errors'>) {
    this.#open = open
    this.#ledger = ledger
  }

  /** Works with the records of a batch, and closes its destination when all has been taken. */
  async *using<T>({ destination }: LedgerEntry, work: (records: Records) => AsyncIterable<T>): AsyncGenerator<T> {
    const sink = await this.#open(destination)
    try {
      yield* work(sink.records)
    } finally {
      await sink.close()
    }
  }

  /** A few small files, whatever the size of the batch; a destination that hangs is told as a problem. */
  async about(entry: LedgerEntry): Promise<About> {
    try {
      const record = await untilAborted(this.#record(entry), AbortSignal.timeout(PATIENCE_MS))
      return { record, recordProblem: null }
    } catch (error) {
      const isLate = error instanceof Error && error.name === 'TimeoutError'
      return { record: null, recordProblem: isLate ? 'The destination does not answer.' : messageOf(error) }
    }
  }

  /** `failures.csv`, or the same from what the ledger has kept, while the batch goes on. */
  async *failureRows(entry: LedgerEntry): AsyncGenerator<Uint8Array> {
    const { id } = entry
    yield* this.using(entry, (records) => rowsOf(records, id, this.#ledger))
  }

  async #record({ id, destination }: LedgerEntry): Promise<About['record']> {
    const sink = await this.#open(destination)
    try {
      const batch = await readBatch(sink.records, id)
      if (!batch) throw new DataferryError('BATCH_NOT_FOUND', `${destination} has no batch ${id}: is its disk mounted?`)
      const plan = await readPlanState(sink.records, id)
      const report = (await readReport(sink.records, id)) ?? null
      const { manifest, format, existing } = batch
      return { manifest: manifest.name, entries: manifest.entries, format, existing, totals: plan.totals, report }
    } finally {
      await sink.close()
    }
  }
}

async function* rowsOf(records: Records, id: string, ledger: Pick<Ledger, 'errors'>): AsyncGenerator<Uint8Array> {
  // A retry removes the report first: without one, the table is of failures that may be fetched by now.
  if (await readReport(records, id)) {
    yield* records.streamLog(names.failures(id), 0)
    return
  }
  yield WANTED_HEADER
  const items = new ItemsReader(records, id)
  for await (const { n, code, message } of ledger.errors(id)) {
    const item = await items.item(n)
    if (canBeAsked(item)) yield wantedRow(item, code, message)
  }
}
