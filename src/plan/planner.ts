import { writePlanState } from '../batch/folder.ts'
import type { BatchId, PlanState } from '../model/batch.ts'
import type { Filters } from '../model/filters.ts'
import type { Format } from '../model/item.ts'
import type { Catalogue } from '../model/listing.ts'
import type { Records } from '../sinks/sink.ts'
import { fileFilter, type FileFilter } from './file-filter.ts'
import type { PlacedEntry } from './intake.ts'
import { PlanLines } from './plan-lines.ts'
import { Resolver } from './resolve.ts'

export interface PlanRequest {
  readonly batch: BatchId
  /** The manifest's entries in order, from the first. */
  readonly entries: AsyncIterable<PlacedEntry>
  /** Whether they come from several manifests, so that an item must say from which. */
  readonly several?: boolean
  readonly defaultServer: string
  readonly format: Format
  /** Whether the datasets of collections among the entries are entries as well, so that the collections need nothing more. */
  readonly recursive?: boolean | undefined
  /** Absent: everything that the entries name is wanted. */
  readonly filters?: Filters | undefined
  readonly records: Records
  /** The catalogue of one server; called once for each. */
  readonly catalogue: (server: string) => Catalogue
  /** How far an earlier run of planning got. */
  readonly from: PlanState
  readonly signal: AbortSignal
  /** Most items between two checkpoints, except those of a single entry. */
  readonly checkpointItems?: number
  /** Called after each checkpoint: from then on those lines are fixed and may be fed. */
  readonly onCheckpoint?: (state: PlanState) => Promise<void>
}

/** Entries are cheap to plan again, so a checkpoint is written only after this many items or this much time. */
const CHECKPOINT_ITEMS = 1_000
const CHECKPOINT_MS = 2_000
/** Items of one long entry are written out in between, to keep memory bounded; they count at the next checkpoint. */
const FLUSH_ITEMS = 1_000

/**
 * Turns manifest entries into complete items, one line each in `items.ndjson`, continuing after `from`.
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
  readonly #lines: PlanLines
  readonly #resolvers = new Map<string, Resolver>()
  readonly #wanted: FileFilter
  readonly #counts = { dataset: () => this.#lines.countDataset(), filtered: () => this.#lines.countFiltered() }
  #lastCheckpoint = { items: 0, at: performance.now() }

  private constructor(request: PlanRequest, lines: PlanLines) {
    this.#request = request
    this.#lines = lines
    this.#wanted = fileFilter(request.filters ?? {})
  }

  static async open(request: PlanRequest): Promise<Planner> {
    return new Planner(request, await PlanLines.open(request.records, request.batch, request.from))
  }

  async run(): Promise<PlanState> {
    const { entries, from, signal } = this.#request
    let done = 0
    for await (const placed of entries) {
      signal.throwIfAborted()
      done++
      if (done <= from.entries) continue
      await this.#planEntry(placed)
      if (this.#isCheckpointDue()) await this.#checkpoint(done, false)
    }
    return this.#checkpoint(done, true)
  }

  async close(): Promise<void> {
    await this.#lines.close()
  }

  async #planEntry({ line, entry, manifest }: PlacedEntry): Promise<void> {
    const { defaultServer, format, several, recursive } = this.#request
    if (recursive && entry.target.kind === 'collection') return
    const server = entry.server ?? defaultServer
    const context = { server, entry, line, manifest, format }
    for await (const draft of this.#resolver(server).resolve(context, this.#counts)) {
      await this.#lines.add(several ? { ...draft, manifest } : draft)
      if (this.#lines.buffered >= FLUSH_ITEMS) await this.#lines.flush()
    }
  }

  #resolver(server: string): Resolver {
    const known = this.#resolvers.get(server)
    if (known) return known
    const resolver = new Resolver(this.#request.catalogue(server), this.#wanted, this.#request.signal)
    this.#resolvers.set(server, resolver)
    return resolver
  }

  #isCheckpointDue(): boolean {
    const { items, at } = this.#lastCheckpoint
    const { checkpointItems = CHECKPOINT_ITEMS } = this.#request
    return this.#lines.items - items >= checkpointItems || performance.now() - at >= CHECKPOINT_MS
  }

  /** The order matters: lines are durable before the state says that they count. */
  async #checkpoint(entries: number, complete: boolean): Promise<PlanState> {
    const { records, batch, onCheckpoint } = this.#request
    await this.#lines.flush()
    const state: PlanState = { entries, complete, ...this.#lines.state }
    await writePlanState(records, batch, state)
    this.#lastCheckpoint = { items: state.items, at: performance.now() }
    await onCheckpoint?.(state)
    return state
  }
}
