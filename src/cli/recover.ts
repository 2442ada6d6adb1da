import { readPlanState } from '../batch/folder.ts'
import type { BegunBatch } from '../plan/begin-batch.ts'
import { removeHold } from '../batch/hold.ts'
import { reconcile } from '../batch/reconcile.ts'
import type { BatchId } from '../model/batch.ts'
import { startFeeding } from '../queue/queues.ts'
import type { Sink } from '../sinks/sink.ts'
import type { LazyRuntime, Runtime } from './runtime.ts'

/**
 * Takes a batch up: whoever paused or cancelled it, it goes on now. The one way into work: a new batch, one that goes on, and
 * one whose Redis was lost, emptied or rolled back are all the same to it.
 * @returns how many items Redis did not know to have ended
 */
export async function takeUp(runtime: Runtime, sink: Sink, begun: BegunBatch): Promise<number> {
  const { batch } = begun
  await removeHold(sink.records, batch.id)
  const learned = await learn(runtime, sink, begun)
  await runtime.ledger.setState(batch.id, 'open')
  await feed(runtime, begun)
  return learned
}

/** What Redis knows to have been brought to a destination, oldest first, whether it has ended or not. */
export async function batchesAt(runtime: LazyRuntime, { url }: Sink): Promise<readonly BatchId[]> {
  const entries = await (await runtime.get()).ledger.list()
  return entries.filter(({ destination }) => destination === url).map(({ id }) => id)
}

/** Brings Redis up to what the destination proves about a batch, and has it fed, which waits while the batch is paused. */
export async function restore(runtime: Runtime, sink: Sink, begun: BegunBatch): Promise<number> {
  const learned = await learn(runtime, sink, begun)
  await feed(runtime, begun)
  return learned
}

async function learn({ ledger }: Runtime, { records }: Sink, { batch }: BegunBatch): Promise<number> {
  return reconcile(ledger, records, batch, await readPlanState(records, batch.id))
}

async function feed({ queues }: Runtime, { batch }: BegunBatch): Promise<void> {
  for (const server of batch.servers) await startFeeding(queues, batch.id, server)
}
