import { randomUUID } from 'node:crypto'
import { readKnownBatch } from '../batch/destination.ts'
import { reopenFailed } from '../batch/reopen.ts'
import { DataferryError } from '../errors.ts'
import type { Ledger, LedgerEntry } from '../ledger/ledger.ts'
import type { BegunBatch } from '../plan/begin-batch.ts'
import { openPlan } from '../plan/open-plan.ts'
import type { Sink } from '../sinks/sink.ts'

/**
 * Reopens the failures of a batch. Rejects with `BATCH_NOT_FOUND` when its destination has none of this id.
 * @param codes only failures with these codes; empty: all
 * @returns the batch, to go on with, and how many items were reopened
 */
export async function reopenBatch(
  ledger: Ledger,
  sink: Sink,
  { id, destination }: Pick<LedgerEntry, 'id' | 'destination'>,
  codes: Iterable<string>,
): Promise<{ readonly begun: BegunBatch; readonly count: number }> {
  const batch = await readKnownBatch(sink, id)
  if (!batch) throw new DataferryError('BATCH_NOT_FOUND', `${destination} has no batch ${id} any more.`)
  const plan = await openPlan(sink.records, batch)
  const count = await reopenFailed(ledger, sink.records, id, new Set(codes), `retry-${randomUUID().slice(0, 8)}`)
  return { begun: { batch, plan, resumed: true }, count }
}
