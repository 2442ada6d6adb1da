import type { ItemJob } from '../jobs/item.ts'
import { readAsked } from '../src/batch/asked.ts'
import { DataferryError } from '../src/errors.ts'
import type { Ledger } from '../src/ledger/ledger.ts'
import type { Logger } from '../src/log.ts'
import type { Item } from '../src/model/item.ts'
import { itemKey } from '../src/model/item-key.ts'
import { withContent, type Outcome, type Receipt } from '../src/model/receipt.ts'
import type { OpenSource } from '../src/model/source.ts'
import { transferArchive } from '../src/transfer/transfer-archive.ts'
import { keepExisting } from '../src/transfer/existing.ts'
import type { ReconnectOptions } from '../src/transfer/resuming-reader.ts'
import { transfer, type Run } from '../src/transfer/transfer.ts'
import type { Batches, OpenBatch } from './batches.ts'
import { BUSY_MS, hindrance, stepAfterStop, type HindranceDeps } from './hindrance.ts'
import { inspector } from './inspect.ts'
import { openAllowed } from './open-allowed.ts'
import type { Running, Task } from './running.ts'
import { failure, settle } from './settle.ts'
import { OVER, type Step } from './step.ts'

export type { SpaceGate } from './hindrance.ts'
export { settleCrashed } from './settle.ts'

/** How a job got here, as BullMQ counts. */
export interface Attempt {
  /** Attempts that failed before this one. */
  readonly made: number
  readonly allowed: number
  /** How often its worker vanished or froze while it had the job. */
  readonly stalled: number
}

export interface ItemDeps extends HindranceDeps {
  readonly ledger: Pick<Ledger, 'isOpen' | 'settle' | 'setState'>
  readonly batches: Pick<Batches, 'open'>
  readonly running: Running
  /** The source of one server. Rejects with `CONFIG_INVALID` when this process may not contact it. */
  readonly openSource: (server: string) => OpenSource
  readonly succeeded: (server: string) => void
  readonly reconnect?: ReconnectOptions
  readonly log: Logger
}

/** An item whose worker was lost this often takes no more workers with it. */
const MAX_STALLS = 3

/**
 * The work on one item: settled already? there already? else transfer; then receipt, then settle. Each step may be
 * repeated, so a crash between any two leads to the same end. Rejects only with bugs and outages.
 */
export async function processItem(
  job: ItemJob,
  attempt: Attempt,
  lock: AbortSignal | undefined,
  deps: ItemDeps,
): Promise<Step> {
  if (!(await deps.ledger.isOpen(job.batch, job.n))) return OVER
  const opened = await deps.batches.open(job.batch)
  if (!opened) return OVER
  const item = await opened.items.item(job.n)
  if (!(await deps.space.isOpen(opened.sink))) return { kind: 'later', ms: BUSY_MS }
  const { task, end } = deps.running.start(job.batch, item, lock)
  try {
    await settle(await outcomeOf(item, opened, { ...attempt, counted: job.counted === true }, task, deps), opened, deps)
    return OVER
  } catch (error) {
    if (task.stopped) return stepAfterStop(task.stopped, error)
    return await stepAfter(error, task, opened, { job, attempt }, deps)
  } finally {
    end()
  }
}

async function outcomeOf(
  item: Item,
  opened: OpenBatch,
  attempt: Attempt & { readonly counted: boolean },
  task: Task,
  deps: ItemDeps,
): Promise<Outcome> {
  if (attempt.stalled >= MAX_STALLS) {
    return failure(
      item,
      new DataferryError('WORKER_CRASHED', `${MAX_STALLS} workers were lost while they had this item.`),
    )
  }
  const { sink, batch, earlier } = opened
  const { signal } = task
  const key = itemKey(batch.id, item.n)
  signal.throwIfAborted()
  const kept = await keepExisting(item, sink, {
    key,
    policy: batch.existing,
    earlier: (one) => earlier.find(one),
    signal,
  })
  const run: Run = {
    key,
    signal,
    count: !attempt.counted && (attempt.made === 0 || 'if-unfinished'),
    onProgress: (bytes) => task.progress(bytes),
    ...(deps.reconnect && { reconnect: deps.reconnect }),
  }
  const receipt =
    item.ref.kind === 'file'
      ? (kept ?? (await transfer(item, { open: deps.openSource(item.server), sink }, run)))
      : await archiveReceipt(item, opened, kept, run, deps)
  if (!kept) deps.succeeded(item.server)
  return receipt
}

/** An archive is looked into wherever it comes from: only its content tells what was left out of it. */
async function archiveReceipt(
  item: Item,
  { batch, sink }: OpenBatch,
  kept: Receipt | undefined,
  run: Run,
  deps: ItemDeps,
): Promise<Receipt> {
  const asked = await readAsked(sink.records, batch.id, item.n)
  const inspect = inspector(item.ref, asked)
  // `skip` asks for not looking at what is there.
  if (kept?.verified === 'nothing') return kept
  if (kept) return withContent(kept, await inspect(await sink.read(item.path, run.signal), run.signal))
  return transferArchive(item, { open: openAllowed(deps.openSource(item.server), asked), sink }, run, inspect)
}

async function stepAfter(
  error: unknown,
  task: Task,
  opened: OpenBatch,
  { job, attempt }: { readonly job: ItemJob; readonly attempt: Attempt },
  deps: ItemDeps,
): Promise<Step> {
  const { item } = task
  if (!(error instanceof DataferryError)) {
    deps.log.error({ err: error, batch: opened.batch.id, n: item.n }, 'unexpected error while working on an item')
    return attempt.made + 1 < attempt.allowed ? { kind: 'retry', error } : fail(error, item, opened, deps)
  }
  deps.log.info({ code: error.code, batch: opened.batch.id, n: item.n, detail: error.message }, 'attempt ended')
  const openBytes = (item.expect.size ?? 0) - task.bytes
  const step = await hindrance(error, { server: item.server, opened, openBytes, patience: job.patience ?? 0 }, deps)
  if (step === 'worn-out') return fail(error, item, opened, deps)
  if (step) return step
  const again = error.remedy !== 'fail' && attempt.made + 1 < attempt.allowed
  return again ? { kind: 'retry', error } : fail(error, item, opened, deps)
}

async function fail(error: unknown, item: Item, opened: OpenBatch, deps: ItemDeps): Promise<Step> {
  await settle(failure(item, error), opened, deps)
  // Nothing is wrong with what came before the server lost the rest: `retry` goes on from there.
  const worthKeeping = error instanceof DataferryError && error.code === 'SOURCE_BYTES_MISSING'
  if (!worthKeeping) await opened.sink.forget(itemKey(opened.batch.id, item.n))
  return OVER
}
