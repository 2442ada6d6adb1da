import { z } from 'zod'
import type { BatchId } from '../model/batch.ts'
import type { Item } from '../model/item.ts'
import type { Outcome } from '../model/receipt.ts'
import type { Records } from '../sinks/sink.ts'
import { ExternalSort, versionKey } from './external-sort.ts'
import { isDamaged, ItemsReader } from './items-file.ts'
import { csvRow } from './wanted-rows.ts'

const count = z.number().int().nonnegative()
const rowSchema = z.object({
  server: z.string(),
  /** PID; undefined: the plan names none. */
  dataset: z.string().optional(),
  version: z.string().optional(),
  /** Files, or archives, that are at the destination. */
  there: count,
  bytes: count,
  failed: count,
  waiting: count,
})
/** What became of the files of one version of a dataset. */
export type DatasetRow = Readonly<z.infer<typeof rowSchema>>

/** Versions that are counted in memory before their sums go to be merged. */
const AT_ONCE = 10_000

/** Counts outcomes by server, dataset and version, of any number of them, in flat memory. Add all first, then read the rows. */
export class DatasetTally implements AsyncDisposable {
  readonly #items: ItemsReader
  readonly #sums = new ExternalSort<DatasetRow>(rowSchema)
  #rows = new Map<string, z.infer<typeof rowSchema>>()

  constructor(records: Records, batch: BatchId) {
    this.#items = new ItemsReader(records, batch)
  }

  async add(outcome: Outcome): Promise<void> {
    const item = await this.#items.item(outcome.n)
    if (isDamaged(item)) return
    const row = await this.#rowOf(item)
    if (outcome.state === 'failed') row.failed++
    else if (outcome.state === 'waiting') row.waiting++
    else {
      row.there++
      row.bytes += outcome.size
    }
  }

  /** By server, PID and version. */
  async *rows(): AsyncGenerator<DatasetRow> {
    await this.#merge()
    for await (const { values } of this.#sums.groups()) {
      const [first, ...more] = values
      if (first) yield more.reduce(added, first)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#sums[Symbol.asyncDispose]()
  }

  async #rowOf({ server, ref, origin }: Item): Promise<z.infer<typeof rowSchema>> {
    const archive = ref.kind === 'dataset-zip' ? ref : undefined
    const { dataset = archive?.dataset, version = archive?.version } = origin ?? {}
    const key = JSON.stringify([server, dataset ?? '', versionKey(version ?? '')])
    const known = this.#rows.get(key)
    if (known) return known
    if (this.#rows.size === AT_ONCE) await this.#merge()
    const row = { server, dataset, version, there: 0, bytes: 0, failed: 0, waiting: 0 }
    this.#rows.set(key, row)
    return row
  }

  async #merge(): Promise<void> {
    for (const [key, row] of this.#rows) await this.#sums.add(key, row)
    this.#rows = new Map()
  }
}

function added(a: DatasetRow, b: DatasetRow): DatasetRow {
  const { there, bytes, failed, waiting } = b
  return {
    ...a,
    there: a.there + there,
    bytes: a.bytes + bytes,
    failed: a.failed + failed,
    waiting: a.waiting + waiting,
  }
}

/** `datasets.csv`. */
export async function* datasetRows(rows: AsyncIterable<DatasetRow>): AsyncGenerator<Uint8Array> {
  yield csvRow(['server', 'dataset', 'version', 'files there', 'bytes', 'failed', 'waiting'])
  for await (const { server, dataset = '', version = '', there, bytes, failed, waiting } of rows) {
    yield csvRow([server, dataset, version, there, bytes, failed, waiting])
  }
}
