import type { ControlJob } from '../jobs/control.ts'
import { readPlanState } from '../src/batch/folder.ts'
import { writeReport } from '../src/batch/report.ts'
import type { Ledger } from '../src/ledger/ledger.ts'
import type { PlanState } from '../src/model/batch.ts'
import { batchOfKey } from '../src/model/item-key.ts'
import { planLeftOut } from '../src/plan/left-out.ts'
import { unlessUnreadable, type Batches, type OpenBatch } from './batches.ts'

export interface ControlDeps {
  readonly ledger: Pick<Ledger, 'correct' | 'firstOpen' | 'get' | 'moveState' | 'setState' | 'setPlanned'>
  readonly batches: Pick<Batches, 'open' | 'release'>
  /** Continues to feed a batch. */
  readonly feed: (batch: string) => Promise<void>
}

const CLEAN_UP_MS = 60_000

/**
 * Ends a batch whose every line has ended, or lets it wait with those that do: its proof is written first, then the ledger says so. A batch that also
 * fetches what archives left out first gets those files as further lines, and ends when they have. Repeatable.
 */
export async function processControl({ batch: id }: ControlJob, deps: ControlDeps): Promise<void> {
  const { ledger, batches } = deps
  const opened = await batches.open(id)
  if (!opened) return
  const { sink, batch } = opened
  const plan = await unlessUnreadable(ledger, id, () => wholePlan(opened))
  if (!plan) return
  if (plan.leftOutFrom !== undefined && (await isUnfinished(plan, id, deps))) {
    await ledger.setPlanned(id, plan.items, plan.totals.size, plan.complete)
    await deps.feed(id)
    return
  }
  const report = await writeReport(sink.records, batch, plan)
  const { done, kept, failed, waiting, bytes, keptBytes } = report
  await ledger.correct(id, { done, kept, failed, waiting, bytes, keptBytes })
  if (waiting > 0) {
    await ledger.moveState(id, ['open', 'waiting'], 'waiting')
    opened.log.info({ ...report.waitingFor }, 'batch waits')
    // Feeding looks whether something may continue.
    await deps.feed(id)
    return
  }
  // Leftovers cost only space: a store that does not let us look for them must not keep a batch from ending.
  await sink.sweep(AbortSignal.timeout(CLEAN_UP_MS), (key) => batchOfKey(key) === id).catch(() => 0)
  await ledger.moveState(id, ['open', 'waiting'], 'finished')
  const { planned, complete } = report
  opened.log.info({ complete, planned, done, kept, failed, bytes, keptBytes }, 'batch ended')
  await batches.release(id)
}

async function wholePlan({ batch, sink }: OpenBatch): Promise<PlanState> {
  const plan = await readPlanState(sink.records, batch.id)
  return batch.complete === true && plan.complete ? planLeftOut(sink.records, batch.id, plan) : plan
}

/** Whether added lines have not ended, or the ledger does not know of them yet. */
async function isUnfinished({ items }: PlanState, id: string, { ledger }: ControlDeps): Promise<boolean> {
  const entry = await ledger.get(id)
  return entry?.state === 'open' && (entry.planned < items || (await ledger.firstOpen(id)) < items)
}
