import { settledAs, type Ledger } from '../ledger/ledger.ts'
import type { Batch, PlanState } from '../model/batch.ts'
import type { Outcome } from '../model/receipt.ts'
import type { Records } from '../sinks/sink.ts'
import { readHold } from './hold.ts'
import { Outcomes } from './outcomes.ts'

const CHUNK = 500

/**
 * Brings the ledger up to what the destination proves: a new or rolled-back Redis learns every outcome on record, one that
 * knows them learns nothing. One that did not know the batch also learns whether it was paused or cancelled; otherwise what
 * Redis says about that is newer. Repeatable, and safe while workers run.
 * @returns how many ended items the ledger did not know of
 */
export async function reconcile(ledger: Ledger, records: Records, batch: Batch, plan: PlanState): Promise<number> {
  const { id, destination, servers, createdAt } = batch
  // Attached at first: workers must not start on it before its owner or its token servers are known.
  await ledger.open({ id, destination, servers, createdAt, attached: true }, await readHold(records, id))
  await ledger.setPlanned(id, plan.items, plan.totals.size, plan.complete)
  const outcomes = new Outcomes(records, id, plan.items)
  let learned = 0
  for await (const some of chunks(outcomes.receipts())) learned += await settleAll(ledger, id, some)
  for await (const some of chunks(outcomes.unfetched())) learned += await settleAll(ledger, id, some)
  return learned
}

async function settleAll(ledger: Ledger, id: string, outcomes: readonly Outcome[]): Promise<number> {
  const isNew = await Promise.all(outcomes.map((outcome) => ledger.settle(id, outcome.n, settledAs(outcome))))
  return isNew.filter(Boolean).length
}

async function* chunks<T>(all: AsyncIterable<T>): AsyncGenerator<readonly T[]> {
  let chunk: T[] = []
  for await (const one of all) {
    chunk.push(one)
    if (chunk.length < CHUNK) continue
    yield chunk
    chunk = []
  }
  if (chunk.length > 0) yield chunk
}
