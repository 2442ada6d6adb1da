import { hash } from 'node:crypto'
import type { Batch } from '../model/batch.ts'
import type { Failure, Outcome, Waiting } from '../model/receipt.ts'
import type { Records } from '../sinks/sink.ts'
import { datasetRows, DatasetTally, type DatasetRow } from './dataset-tally.ts'
import { names } from './folder.ts'
import { recordText } from './record.ts'
import { listedRecords, recordSums, sumLine, type RecordSum } from './record-sums.ts'
import type { Report } from './report-schema.ts'
import { statementPage } from './statement-page.ts'

/** What a page names of each kind, so that the page of a million files can be read and printed: tables have the rest. */
const SHOWN_FILES = 100
const SHOWN_DATASETS = 500
const SHOWN_RECORDS = 200

/** What the statement of a batch says of single files and datasets, gathered while outcomes are counted, in flat memory. */
export class Particulars implements AsyncDisposable {
  readonly #records: Records
  readonly #batch: Batch
  readonly #datasets: DatasetTally
  readonly failures: Failure[] = []
  readonly waiting: Waiting[] = []
  /** Files that were compared with a published checksum, by its algorithm. */
  readonly published = new Map<string, number>()
  /** Versions of datasets, those that lack something first. */
  datasets: readonly DatasetRow[] = []
  datasetCount = 0

  constructor(records: Records, batch: Batch) {
    this.#records = records
    this.#batch = batch
    this.#datasets = new DatasetTally(records, batch.id)
  }

  readonly add = async (outcome: Outcome): Promise<void> => {
    await this.#datasets.add(outcome)
    if (outcome.state === 'failed') {
      if (this.failures.length < SHOWN_FILES) this.failures.push(outcome)
    } else if (outcome.state === 'waiting') {
      if (this.waiting.length < SHOWN_FILES) this.waiting.push(outcome)
    } else if (outcome.verified === 'checksum' && outcome.checksum) {
      const { algorithm } = outcome.checksum
      this.published.set(algorithm, (this.published.get(algorithm) ?? 0) + 1)
    }
  }

  /** Writes `datasets.csv`; call it when all outcomes have been added. */
  async writeDatasets(): Promise<void> {
    const [lacking, whole]: [DatasetRow[], DatasetRow[]] = [[], []]
    let count = 0
    const seen = async function* (rows: AsyncIterable<DatasetRow>): AsyncGenerator<DatasetRow> {
      for await (const row of rows) {
        count++
        const some = row.failed + row.waiting > 0 ? lacking : whole
        if (some.length < SHOWN_DATASETS) some.push(row)
        yield row
      }
    }
    await this.#records.write(names.datasets(this.#batch.id), datasetRows(seen(this.#datasets.rows())))
    this.datasets = [...lacking, ...whole].slice(0, SHOWN_DATASETS)
    this.datasetCount = count
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#datasets[Symbol.asyncDispose]()
  }
}

/**
 * Writes the statement of a batch: `report.html`, for people, and `report.json`, last, as it says that the batch has ended. Where
 * `isFinal`, also `records.sha256`, with the digest of every record, these two included: all the rest can be checked by those
 * who trust that list, for instance by its signature.
 */
export async function writeStatement(
  records: Records,
  batch: Batch,
  report: Report,
  particulars: Particulars,
  isFinal: boolean,
): Promise<Report> {
  const { id } = batch
  // Those of an earlier end say nothing of this one. A list that is about to be replaced stays until then: it is told from a removed one.
  const stale = [names.signature(id), names.signers(id), ...(isFinal ? [] : [names.recordSums(id)])]
  for (const name of await records.list(id)) if (stale.includes(name)) await records.remove(name)
  if (!isFinal) {
    await records.write(names.page(id), statementPage(report, particulars))
    await records.write(names.report(id), recordText(report))
    return report
  }
  const shown: RecordSum[] = []
  const stated = { ...report, records: shown, recordCount: 0 }
  async function* lines(): AsyncGenerator<Uint8Array> {
    const own = [names.page(id), names.report(id)]
    const others = (await listedRecords(records, id)).filter((name) => !own.includes(name))
    for await (const sum of recordSums(records, id, others)) {
      stated.recordCount++
      if (shown.length < SHOWN_RECORDS) shown.push(sum)
      yield sumLine(sum)
    }
    const page = statementPage(stated, particulars)
    yield sumLine({ sha256: hash('sha256', page), name: 'report.html' })
    yield sumLine({ sha256: hash('sha256', recordText(stated)), name: 'report.json' })
    await records.write(names.page(id), page)
  }
  await records.write(names.recordSums(id), lines())
  await records.write(names.report(id), recordText(stated))
  return stated
}
