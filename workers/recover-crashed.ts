import type { Ledger } from '../src/ledger/ledger.ts'
import { reclaim, type Reclaimed, type ReclaimOptions } from '../src/queue/reclaim.ts'
import type { Batches } from './batches.ts'
import { MAX_CRASHES, settleCrashed } from './settle.ts'

export interface RecoveryDeps extends ReclaimOptions {
  readonly ledger: Pick<Ledger, 'crashed' | 'settle'>
  readonly batches: Pick<Batches, 'open'>
}

/**
 * Hands the jobs of dead processes back to the queue. The crash counts against the items that the process had received nothing
 * of, since one of them may be the cause; an item that too many processes died with fails. Workers and their supervisor call it,
 * in any order and at the same time: each crash counts once.
 */
export async function recoverCrashed(deps: RecoveryDeps): Promise<void> {
  const items = (await reclaim(deps)).filter(({ progressed }) => !progressed)
  // A destination that is away must not keep the crashes of other items from being counted.
  const counted = await Promise.allSettled(items.map((item) => countCrash(item, deps)))
  const failed = counted.find((one) => one.status === 'rejected')
  if (failed) throw failed.reason
}

async function countCrash({ batch, n }: Reclaimed, { ledger, batches }: RecoveryDeps): Promise<void> {
  if ((await ledger.crashed(batch, n)) < MAX_CRASHES) return
  const opened = await batches.open(batch)
  if (opened) await settleCrashed(await opened.items.item(n), opened, { ledger })
}
