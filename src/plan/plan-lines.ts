import { writeAsked } from '../batch/asked.ts'
import { allItems, ItemsWriter } from '../batch/items-file.ts'
import type { BatchId, PlanState, PlanTotals } from '../model/batch.ts'
import { FingerprintMap } from '../model/fingerprint-map.ts'
import type { Item } from '../model/item.ts'
import { safeFilePath } from '../model/path.ts'
import { PathRegistry } from '../model/path-registry.ts'
import type { Records } from '../sinks/sink.ts'
import { joined, type Draft } from './file-item.ts'

/** The lines of a plan while they are written: each draft becomes an item with a path of its own, and is counted. */
export class PlanLines {
  readonly #records: Records
  readonly #batch: BatchId
  readonly #writer: ItemsWriter
  readonly #paths = new PathRegistry()
  readonly #seen = new FingerprintMap()
  readonly #totals: { -readonly [K in keyof PlanTotals]: PlanTotals[K] }

  private constructor(records: Records, batch: BatchId, writer: ItemsWriter, totals: PlanTotals) {
    this.#records = records
    this.#batch = batch
    this.#writer = writer
    this.#totals = { ...totals }
  }

  /** Continues after the lines that count; anything written beyond them is cut off. The caller closes it. */
  static async open(records: Records, batch: BatchId, from: PlanState): Promise<PlanLines> {
    const lines = new PlanLines(records, batch, await ItemsWriter.open(records, batch, from), from.totals)
    try {
      for await (const item of allItems(records, batch, from.items)) lines.#remember(item)
      return lines
    } catch (error) {
      await lines.close()
      throw error
    }
  }

  /** How much is written, for the plan's state. */
  get state(): Pick<PlanState, 'items' | 'bytes' | 'totals'> {
    return { ...this.#writer.position, totals: { ...this.#totals } }
  }

  /** Lines that are not durable yet. */
  get buffered(): number {
    return this.#writer.buffered
  }

  /**
   * Adds a line, unless an earlier one asks for the same thing at the same place. A line that was refused is never passed
   * over for one that was not.
   */
  async add({ wanted, asked, ...draft }: Draft): Promise<void> {
    const asWanted = wanted.given ?? joined(wanted.directory, wanted.name)
    if (!this.#isNew(draft, asWanted)) {
      this.#totals.duplicates++
      return
    }
    const path = this.#paths.claim(safeFilePath(wanted.directory, wanted.name).path)
    const item = { ...draft, path, ...(path !== asWanted && { renamedFrom: asWanted }) }
    if (asked) await writeAsked(this.#records, this.#batch, this.#writer.position.items, asked)
    this.#count(item)
    this.#writer.add(item)
  }

  countDataset(): void {
    this.#totals.datasets++
  }

  countFiltered(): void {
    this.#totals.filtered++
  }

  /** Makes everything added so far durable. */
  flush(): Promise<void> {
    return this.#writer.flush()
  }

  close(): Promise<void> {
    return this.#writer.close()
  }

  #isNew({ server, ref, problem }: Pick<Item, 'server' | 'ref' | 'problem'>, wanted: string): boolean {
    return this.#seen.add(JSON.stringify([server, ref, wanted, problem?.message]), 1) === undefined
  }

  /** Rebuilds what later lines are compared with from a line that is there. */
  #remember(item: Item): void {
    this.#paths.claim(item.path)
    this.#isNew(item, item.renamedFrom ?? item.path)
  }

  #count({ problem, expect, withheld, renamedFrom }: Omit<Item, 'n'>): void {
    const totals = this.#totals
    if (problem) totals.problems++
    else if (expect.size === undefined) totals.unknownSize++
    else totals.size += expect.size
    if (!problem && !expect.checksum) totals.noChecksum++
    if (withheld === 'restricted') totals.restricted++
    if (withheld === 'embargoed') totals.embargoed++
    if (withheld === 'retention-expired') totals.retentionExpired++
    if (renamedFrom !== undefined) totals.renamed++
  }
}
