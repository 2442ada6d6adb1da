import { writeAsked } from '../batch/asked.ts'
import { writePlanState } from '../batch/folder.ts'
import { allItems, ItemsWriter } from '../batch/items-file.ts'
import type { BatchId, PlanState, PlanTotals } from '../model/batch.ts'
import type { Entry } from '../model/entry.ts'
import { FingerprintMap } from '../model/fingerprint-map.ts'
import type { Format, Item } from '../model/item.ts'
import type { Catalogue } from '../model/listing.ts'
import { safeFilePath } from '../model/path.ts'
import { PathRegistry } from '../model/path-registry.ts'
import type { Records } from '../sinks/sink.ts'
import { joined, type Draft } from './file-item.ts'
import { Resolver } from './resolve.ts'

export interface PlanRequest {
  readonly batch: BatchId
  /** The manifest's entries in order, from the first. */
  readonly entries: AsyncIterable<{ readonly line: number; readonly entry: Entry }>
  readonly defaultServer: string
  readonly format: Format
  readonly records: Records
  /** Asks one server; called once for each. */
  readonly catalogue: (server: string) => Catalogue
  /** Where an earlier run of planning got to. */
  readonly from: PlanState
  readonly signal: AbortSignal
  /** Items between two checkpoints at most, but for those of one entry. */
  readonly checkpointItems?: number
  /** Told after each checkpoint: from then on those lines are fixed and may be fed. */
  readonly onCheckpoint?: (state: PlanState) => Promise<void>
}

/** Entries are cheap to plan again, so a checkpoint is written only after this many items or this much time. */
const CHECKPOINT_ITEMS = 1_000
const CHECKPOINT_MS = 2_000
/** Items of one long entry are written out in between, to keep memory bounded; they count at the next checkpoint. */
const FLUSH_ITEMS = 1_000

/**
 * Turns manifest entries into complete items, one line each in `items.ndjson`, going on after `from`.
 * Rejects when a server is away or refuses the token; what was planned by the last checkpoint stays.
 */
export async function plan(request: PlanRequest): Promise<PlanState> {
  const planner = await Planner.open(request)
  try {
    return await planner.run()
  } finally {
    await planner.close()
  }
}

class Planner {
  readonly #request: PlanRequest
  readonly #writer: ItemsWriter
  readonly #paths = new PathRegistry()
  readonly #seen = new FingerprintMap()
  readonly #resolvers = new Map<string, Resolver>()
  #totals: Mutable<PlanTotals>
  #lastCheckpoint = { items: 0, at: Date.now() }

  private constructor(request: PlanRequest, writer: ItemsWriter) {
    this.#request = request
    this.#writer = writer
    this.#totals = { ...request.from.totals }
  }

  static async open(request: PlanRequest): Promise<Planner> {
    const { records, batch, from } = request
    const planner = new Planner(request, await ItemsWriter.open(records, batch, from))
    for await (const item of allItems(records, batch, from.items)) planner.#remember(item)
    return planner
  }

  async run(): Promise<PlanState> {
    const { entries, from, signal } = this.#request
    let done = 0
    for await (const { line, entry } of entries) {
      signal.throwIfAborted()
      done++
      if (done <= from.entries) continue
      await this.#planEntry(line, entry)
      if (this.#isCheckpointDue()) await this.#checkpoint(done, false)
    }
    return this.#checkpoint(done, true)
  }

  async close(): Promise<void> {
    await this.#writer.close()
  }

  async #planEntry(line: number, entry: Entry): Promise<void> {
    const { defaultServer, format } = this.#request
    const server = entry.server ?? defaultServer
    const context = { server, entry, line, format }
    for await (const draft of this.#resolver(server).resolve(context, () => this.#totals.datasets++)) {
      await this.#add(draft)
      if (this.#writer.buffered >= FLUSH_ITEMS) await this.#writer.flush()
    }
  }

  #resolver(server: string): Resolver {
    const known = this.#resolvers.get(server)
    if (known) return known
    const resolver = new Resolver(this.#request.catalogue(server), this.#request.signal)
    this.#resolvers.set(server, resolver)
    return resolver
  }

  async #add({ wanted, asked, ...draft }: Draft): Promise<void> {
    const asWanted = wanted.given ?? joined(wanted.directory, wanted.name)
    if (!this.#isNew(draft, asWanted)) {
      this.#totals.duplicates++
      return
    }
    const path = this.#paths.claim(safeFilePath(wanted.directory, wanted.name).path)
    const item = { ...draft, path, ...(path !== asWanted && { renamedFrom: asWanted }) }
    if (asked) await writeAsked(this.#request.records, this.#request.batch, this.#writer.position.items, asked)
    this.#count(item)
    this.#writer.add(item)
  }

  /**
   * The same thing wanted at the same place is one item, however often a manifest names it. A line that was refused is never
   * passed over for one that was not.
   */
  #isNew({ server, ref, problem }: Pick<Item, 'server' | 'ref' | 'problem'>, wanted: string): boolean {
    const key = `${server} ${JSON.stringify(ref)} ${wanted} ${problem?.message ?? ''}`
    if (this.#seen.get(key) !== undefined) return false
    this.#seen.set(key, key.length, 1)
    return true
  }

  /** Rebuilds what later items are compared with from an item of an earlier run. */
  #remember(item: Item): void {
    this.#paths.claim(item.path)
    this.#isNew(item, item.renamedFrom ?? item.path)
  }

  #count(item: Omit<Item, 'n'>): void {
    const totals = this.#totals
    if (item.problem) totals.problems++
    else if (item.expect.size === undefined) totals.unknownSize++
    else totals.size += item.expect.size
    if (!item.problem && !item.expect.checksum) totals.noChecksum++
    if (item.withheld === 'restricted') totals.restricted++
    if (item.withheld === 'embargoed') totals.embargoed++
    if (item.withheld === 'retention-expired') totals.retentionExpired++
    if (item.renamedFrom !== undefined) totals.renamed++
  }

  #isCheckpointDue(): boolean {
    const { items, at } = this.#lastCheckpoint
    const { checkpointItems = CHECKPOINT_ITEMS } = this.#request
    return this.#writer.position.items - items >= checkpointItems || Date.now() - at >= CHECKPOINT_MS
  }

  /** The order matters: lines are durable before the state says that they count. */
  async #checkpoint(entries: number, complete: boolean): Promise<PlanState> {
    const { records, batch, onCheckpoint } = this.#request
    await this.#writer.flush()
    const state: PlanState = { entries, ...this.#writer.position, complete, totals: { ...this.#totals } }
    await writePlanState(records, batch, state)
    this.#lastCheckpoint = { items: state.items, at: Date.now() }
    await onCheckpoint?.(state)
    return state
  }
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] }
