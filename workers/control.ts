import type { ControlJob } from '../jobs/control.ts'
import { readPlanState } from '../src/batch/folder.ts'
import { writeReport } from '../src/batch/report.ts'
import type { Ledger } from '../src/ledger/ledger.ts'
import type { Batches } from './batches.ts'

export interface ControlDeps {
  readonly ledger: Pick<Ledger, 'correct' | 'setState'>
  readonly batches: Pick<Batches, 'open' | 'release'>
}

/** Ends a batch whose every line has ended: its proof is written first, then the ledger says so. Repeatable. */
export async function processControl({ batch: id }: ControlJob, { ledger, batches }: ControlDeps): Promise<void> {
  const opened = await batches.open(id)
  if (!opened) return
  const { sink, batch } = opened
  const plan = await readPlanState(sink.records, id)
  const { done, kept, failed, bytes, keptBytes } = await writeReport(sink.records, batch, plan)
  await ledger.correct(id, { done, kept, failed, bytes, keptBytes })
  await ledger.setState(id, 'finished')
  await batches.release(id)
}
