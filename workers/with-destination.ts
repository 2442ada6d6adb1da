import { isAboutDestination } from '../src/errors.ts'
import type { Ledger } from '../src/ledger/ledger.ts'
import type { BatchId } from '../src/model/batch.ts'
import type { Batches, OpenBatch } from './batches.ts'
import type { DestinationHolds } from './destination-holds.ts'
import type { Step } from './step.ts'

export interface DestinationDeps {
  readonly ledger: Pick<Ledger, 'get'>
  readonly batches: Pick<Batches, 'open'>
  readonly destinations: Pick<DestinationHolds, 'isOpen' | 'hold' | 'leave' | 'mayOpen'>
}

/** How soon a job that waits for something at the destination is taken up again. */
export const BUSY_MS = 5_000
const LATER: Step = { kind: 'later', ms: BUSY_MS }

/**
 * Does work that needs the destination of a batch, later if that is on hold. An error that concerns the whole destination puts
 * it on hold.
 * @param work gets undefined for a batch that is no longer known
 */
export async function withDestination(
  batch: BatchId,
  { ledger, batches, destinations }: DestinationDeps,
  work: (opened: OpenBatch | undefined) => Promise<Step>,
): Promise<Step> {
  if (destinations.mayOpen) {
    const entry = await ledger.get(batch)
    if (entry && !destinations.mayOpen(entry.destination)) {
      // The queue does not tell workers apart: it comes back for another one.
      destinations.leave(entry.destination)
      return LATER
    }
  }
  try {
    const opened = await batches.open(batch)
    if (opened && !(await destinations.isOpen(opened.sink))) return LATER
    return await work(opened)
  } catch (error) {
    if (!isAboutDestination(error)) throw error
    const entry = await ledger.get(batch)
    if (!entry) throw error
    destinations.hold(entry.destination, error)
    return LATER
  }
}
