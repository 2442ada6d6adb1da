import { readBatch, readPlanState } from '../src/batch/folder.ts'
import { isReported } from '../src/batch/report.ts'
import { reconcile } from '../src/batch/reconcile.ts'
import { isUnreadable } from '../src/batch/record.ts'
import type { Ledger, LedgerEntry } from '../src/ledger/ledger.ts'
import type { BatchId } from '../src/model/batch.ts'
import { unlessUnreadable, type Batches } from './batches.ts'

export interface ReconcilerDeps {
  readonly ledger: Ledger
  readonly batches: Pick<Batches, 'sink'>
  /** Continues to feed a batch; does nothing if it is being fed. */
  readonly feed: (batch: LedgerEntry) => Promise<void>
  /** Whether this process works on a batch. */
  readonly isOurs: (batch: LedgerEntry) => boolean
}

/**
 * Restores what Redis may forget when it is killed, rolled back or emptied under running workers: the feeding of an open
 * batch, how far its plan is, and whole batches that this process has seen unfinished. The destination knows all of it.
 */
export class Reconciler {
  readonly #deps: ReconcilerDeps
  /** Batches that had not finished when this process looked last. */
  readonly #unfinished = new Map<BatchId, LedgerEntry>()

  constructor(deps: ReconcilerDeps) {
    this.#deps = deps
  }

  async now(): Promise<void> {
    const entries = await this.#deps.ledger.list()
    const known = new Set(entries.map(({ id }) => id))
    const lost = [...this.#unfinished.values()].filter(({ id }) => !known.has(id))
    // A destination that cannot be read now must not hold up other batches; it is tried again next time.
    const looked = await Promise.allSettled([
      ...lost.map((entry) => this.#restore(entry)),
      ...entries.filter((entry) => this.#deps.isOurs(entry)).map((entry) => this.#keepFed(entry)),
    ])
    const failed = looked.find((one) => one.status === 'rejected')
    if (failed) throw failed.reason
  }

  /** Remembers a batch that has just been heard of: Redis may lose it before the next look. */
  async notice(id: BatchId): Promise<void> {
    const entry = await this.#deps.ledger.get(id)
    if (entry && this.#deps.isOurs(entry)) this.#remember(entry)
  }

  /** A person removed the batch from Redis. */
  forget(batch: BatchId): void {
    this.#unfinished.delete(batch)
  }

  async #keepFed(entry: LedgerEntry): Promise<void> {
    const before = this.#unfinished.get(entry.id)
    this.#remember(entry)
    if (entry.state !== 'open' && entry.state !== 'waiting') return
    if (!entry.planComplete && before?.planned === entry.planned) await this.#learnPlan(entry)
    await this.#deps.feed(entry)
  }

  #remember(entry: LedgerEntry): void {
    if (entry.state === 'finished') this.#unfinished.delete(entry.id)
    else this.#unfinished.set(entry.id, entry)
  }

  /** For a plan that has not grown since the last look: the process that made it may be gone, and its last report to Redis lost. */
  async #learnPlan({ id, destination, planned }: LedgerEntry): Promise<void> {
    const { records } = await this.#deps.batches.sink(destination)
    const { ledger } = this.#deps
    const plan = await unlessUnreadable(ledger, id, () => readPlanState(records, id))
    if (!plan) return
    const { items, totals, complete } = plan
    if (complete || items > planned) await ledger.setPlanned(id, items, totals.size, complete)
  }

  /** An attached batch is restored by its own command. */
  async #restore(entry: LedgerEntry): Promise<void> {
    const { id, destination, tokenServers } = entry
    if (entry.attached) return
    const { records } = await this.#deps.batches.sink(destination)
    const known = await readable(async () => ({
      batch: await readBatch(records, id),
      plan: await readPlanState(records, id),
    }))
    if (!known?.batch || (await isReported(records, id))) {
      this.#unfinished.delete(id)
      return
    }
    await reconcile(this.#deps.ledger, records, known.batch, known.plan)
    await this.#deps.ledger.detach(id, tokenServers)
    await this.#deps.feed(entry)
  }
}

/** Redis no longer knows the batch, so there is nothing to pause. */
async function readable<T>(read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read()
  } catch (error) {
    if (isUnreadable(error)) return undefined
    throw error
  }
}
