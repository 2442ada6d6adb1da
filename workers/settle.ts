import { DataferryError, messageOf } from '../src/errors.ts'
import { settledAs, type Ledger } from '../src/ledger/ledger.ts'
import type { Item } from '../src/model/item.ts'
import { failureFor, type Outcome } from '../src/model/receipt.ts'
import { checkPath } from '../src/sinks/names.ts'
import type { OpenBatch } from './batches.ts'

export interface SettleDeps {
  readonly ledger: Pick<Ledger, 'settle'>
}

/**
 * Ends an item, or lets it wait: recorded, then counted, then cleaned up. Repeatable.
 * @param began when the work on it began, by `performance.now()`
 */
export async function settle(
  outcome: Outcome,
  { server }: Item,
  opened: OpenBatch,
  { ledger }: SettleDeps,
  began?: number,
): Promise<void> {
  if (outcome.state !== 'failed' && outcome.state !== 'waiting') return opened.receipts.settle(outcome, server, began)
  await opened.outcomes.record(outcome)
  await ledger.settle(opened.batch.id, outcome.n, settledAs(outcome))
  opened.ended(outcome, server, began)
}

/**
 * Why a line can never be fetched: planning found it unfetchable, it names a server that its batch does not contact, or leads to
 * where no data goes, such as what mirrors keep aside.
 */
export function problemOf({ problem, server, path, n }: Item, { batch }: Pick<OpenBatch, 'batch'>): Item['problem'] {
  if (problem) return problem
  try {
    checkPath(path)
  } catch (error) {
    if (!(error instanceof DataferryError)) throw error
    return { code: 'RECORD_UNREADABLE', message: `Line ${n + 1} of the plan: ${error.message}` }
  }
  if (batch.servers.includes(server)) return undefined
  const message = `Line ${n + 1} of the plan names ${server}, which is none of the servers of its batch.`
  return { code: 'RECORD_UNREADABLE', message }
}

/** Settles an item with a problem, without asking any server. */
export async function settleProblem(item: Item, opened: OpenBatch, deps: SettleDeps): Promise<void> {
  const { code = 'SOURCE_NOT_FOUND', message = '' } = problemOf(item, opened) ?? {}
  await settle(failureFor(item, code, message), item, opened, deps)
}

/**
 * An item that this many workers died or froze with is not given to another. Many, since machines and Redis may die
 * around an item that is as good as any; more than BullMQ itself counts would never be seen.
 */
export const MAX_CRASHES = 20

/** Settles an item that too many processes died with. */
export async function settleCrashed(item: Item, opened: OpenBatch, deps: SettleDeps): Promise<void> {
  await settle(crashed(item), item, opened, deps)
}

/** The outcome of such an item. */
export function crashed(item: Item): Outcome {
  const message = `${MAX_CRASHES} workers died or froze while working on this item.`
  return failure(item, new DataferryError('WORKER_CRASHED', message))
}

/** The outcome of an item that failed for good. */
export function failure(item: Item, error: unknown): Outcome {
  const code = error instanceof DataferryError ? error.code : 'UNEXPECTED'
  return failureFor(item, code, messageOf(error))
}
