import { DataferryError, messageOf } from '../src/errors.ts'
import type { Ledger } from '../src/ledger/ledger.ts'
import type { Item } from '../src/model/item.ts'
import { failureFor, type Outcome } from '../src/model/receipt.ts'
import type { OpenBatch } from './batches.ts'
import { logEnd } from './group-settle.ts'

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
  if (outcome.state !== 'failed') return opened.receipts.settle(outcome, began)
  await opened.outcomes.record(outcome)
  const { n, code, message, path } = outcome
  await ledger.settle(opened.batch.id, n, { state: 'failed', bytes: 0, error: { code, message, path } })
  logEnd(outcome, opened.log, began)
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
