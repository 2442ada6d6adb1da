import { readPlanState } from '../batch/folder.ts'
import type { BegunBatch } from '../plan/begin-batch.ts'
import { removeHold } from '../batch/hold.ts'
import { reconcile } from '../batch/reconcile.ts'
import type { BatchId } from '../model/batch.ts'
import { feedBatch } from '../queue/queues.ts'
import type { Sink } from '../sinks/sink.ts'
import type { LazyRuntime, Runtime } from './runtime.ts'

/**
 * Brings Redis up to what the destination proves about a batch: a new one, one that continues, and one whose Redis was lost,
 * emptied or rolled back are all treated alike.
 * @returns how many items Redis did not know to have ended
 */
export async function learn({ ledger }: Runtime, { records }: Sink, { batch }: BegunBatch): Promise<number> {
  return reconcile(ledger, records, batch, await readPlanState(records, batch.id))
}

/** Lets a batch of this command continue here, paused or cancelled as it may be; what of it waits is looked at at once. */
export async function release({ ledger }: Runtime, { records, url }: Sink, id: BatchId): Promise<void> {
  await removeHold(records, id)
  await ledger.setDestination(id, url)
  for (const server of (await ledger.nextLooks(id)).keys()) await ledger.setNextLook(id, server, 0)
  await ledger.setState(id, 'open')
}

/** Has a batch fed in its scope; feeding waits while the batch is paused. */
export async function feed({ ledger, queues }: Pick<Runtime, 'ledger' | 'queues'>, id: BatchId): Promise<void> {
  const entry = await ledger.get(id)
  if (entry) await feedBatch(queues, entry)
}

/**
 * Leaves a batch to the workers of this Redis, in the name of those tokens that this command has. The caller owns it or knows
 * that nobody does.
 */
export async function leaveToWorkers(runtime: Runtime, id: BatchId, tokenServers: readonly string[]): Promise<void> {
  const { ledger, queues } = runtime
  const entry = await ledger.get(id)
  await ledger.detach(id, tokenServers)
  if (entry?.attached) await queues.drop(id, entry.servers)
  await feed(runtime, id)
}

/** The batches of a destination that Redis knows, oldest first, whether ended or not. */
export async function batchesAt(runtime: LazyRuntime, { url }: Sink): Promise<readonly BatchId[]> {
  const entries = await (await runtime.get()).ledger.list()
  return entries.filter(({ destination }) => destination === url).map(({ id }) => id)
}
