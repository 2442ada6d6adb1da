import { readPlanState } from '../batch/folder.ts'
import type { OpenedBatch } from '../batch/open-batch.ts'
import { reconcile } from '../batch/reconcile.ts'
import { startFeeding } from '../queue/queues.ts'
import type { Sink } from '../sinks/sink.ts'
import type { Runtime } from './runtime.ts'

/**
 * Brings Redis up to what the destination proves about a batch, and starts feeding it. The one way into work: a new batch, one
 * that goes on, and one whose Redis was lost, emptied or rolled back are all the same to it.
 * @returns how many items Redis did not know to have ended
 */
export async function recover({ ledger, queues }: Runtime, sink: Sink, { batch }: OpenedBatch): Promise<number> {
  const plan = await readPlanState(sink.records, batch.id)
  const learned = await reconcile(ledger, sink.records, batch, plan)
  await ledger.setState(batch.id, 'open')
  for (const server of batch.servers) await startFeeding(queues, batch.id, server)
  return learned
}
