import { GroupCommit } from '../src/async/group-commit.ts'
import { DataferryError, messageOf } from '../src/errors.ts'
import type { Ledger } from '../src/ledger/ledger.ts'
import type { Item } from '../src/model/item.ts'
import { itemKey } from '../src/model/item-key.ts'
import { failureFor, type Outcome, type Receipt } from '../src/model/receipt.ts'
import type { OpenBatch } from './batches.ts'

export interface SettleDeps {
  readonly ledger: Pick<Ledger, 'settle'>
}

/**
 * Ends an item: recorded, then counted, then cleaned up. Repeatable.
 * @param began when the work on it began, by `performance.now()`
 */
export async function settle(
  outcome: Outcome,
  opened: OpenBatch,
  { ledger }: SettleDeps,
  began?: number,
): Promise<void> {
  const { batch, sink, outcomes } = opened
  await outcomes.record(outcome)
  const { n, path } = outcome
  if (outcome.state === 'failed') {
    const { code, message } = outcome
    await ledger.settle(batch.id, n, { state: 'failed', bytes: 0, error: { code, message, path } })
  } else {
    await ledger.settle(batch.id, n, { state: outcome.state, bytes: outcome.size })
    if (outcome.verified !== 'checksum') await sink.forget(itemKey(batch.id, n))
  }
  logEnd(outcome, opened, began)
}

function logEnd(outcome: Outcome, { log }: OpenBatch, began: number | undefined): void {
  const { n, path, state } = outcome
  const how =
    outcome.state === 'failed'
      ? { code: outcome.code, problem: outcome.message }
      : { bytes: outcome.size, verified: outcome.verified }
  log.info({ n, path, state, ...how, ...(began !== undefined && { ms: msSince(began) }) }, 'item ended')
}

function msSince(began: number): number {
  return Math.round(performance.now() - began)
}

/** Settles an item that planning found unfetchable, without asking any server. */
export async function settleProblem(item: Item, opened: OpenBatch, deps: SettleDeps): Promise<void> {
  const { code = 'SOURCE_NOT_FOUND', message = '' } = item.problem ?? {}
  await settle(failureFor(item, code, message), opened, deps)
}

/** Settles an item that too many processes died with. */
export async function settleCrashed(item: Item, opened: OpenBatch, deps: SettleDeps): Promise<void> {
  const message = 'Several workers in a row died or froze while working on this item.'
  await settle(failure(item, new DataferryError('WORKER_CRASHED', message)), opened, deps)
}

/** The outcome of an item that failed for good. */
export function failure(item: Item, error: unknown): Outcome {
  const code = error instanceof DataferryError ? error.code : 'UNEXPECTED'
  return failureFor(item, code, messageOf(error))
}

/** Most ends counted in one call: long scripts make everyone else wait. */
const MOST = 250

/** Settles many items of a batch as `settle` does one, in the same order, with one write and one call for those that end together. */
export class GroupSettle {
  readonly #opened: OpenBatch
  readonly #ledger: Pick<Ledger, 'settleAll'>
  readonly #began: number
  readonly #commits = new GroupCommit<Receipt>((receipts) => this.#end(receipts), MOST)

  /** @param began when the work on them began, by `performance.now()` */
  constructor(opened: OpenBatch, ledger: Pick<Ledger, 'settleAll'>, began: number) {
    this.#opened = opened
    this.#began = began
    this.#ledger = ledger
  }

  /** Resolves when the receipt is durable and counted. Repeatable. */
  settle(receipt: Receipt): Promise<void> {
    return this.#commits.add(receipt)
  }

  async #end(receipts: readonly Receipt[]): Promise<void> {
    const { batch, outcomes, sink } = this.#opened
    // Everything recorded in one turn goes out in one write.
    await Promise.all(receipts.map((receipt) => outcomes.record(receipt)))
    const ends = receipts.map(({ n, state, size }) => ({ n, state, bytes: size }))
    await this.#ledger.settleAll(batch.id, ends)
    const marked = receipts.filter(({ verified }) => verified !== 'checksum')
    await Promise.all(marked.map(({ n }) => sink.forget(itemKey(batch.id, n))))
    for (const receipt of receipts) logEnd(receipt, this.#opened, this.#began)
  }
}
