import type { ItemJob } from '../jobs/item.ts'
import { DataferryError } from '../src/errors.ts'
import type { Ledger, Taker } from '../src/ledger/ledger.ts'
import type { Item } from '../src/model/item.ts'
import { itemKey } from '../src/model/item-key.ts'
import type { Outcome } from '../src/model/receipt.ts'
import type { OpenSource } from '../src/model/source.ts'
import { keepExisting } from '../src/transfer/existing.ts'
import { staysInMemory } from '../src/transfer/put-stage.ts'
import type { ReconnectOptions } from '../src/transfer/resuming-reader.ts'
import type { Segments } from '../src/transfer/segmented-reader.ts'
import { transfer, type Run } from '../src/transfer/transfer.ts'
import { archiveReceipt } from './archive.ts'
import type { OpenBatch } from './batches.ts'
import { runJob, type Attempt, type JobDeps } from './run-job.ts'
import type { Task } from './running.ts'
import { crashed, failure, MAX_CRASHES, problemOf, settle, settleProblem } from './settle.ts'
import { OVER, type Step } from './step.ts'
import { whenDenied, type AccessDeps } from './when-denied.ts'

export interface ItemDeps extends JobDeps, AccessDeps {
  readonly ledger: Pick<Ledger, 'get' | 'isOpen' | 'keepPart' | 'settle' | 'setState'>
  /** The source of one server, for a task. Throws `CONFIG_INVALID` when this process may not contact it. */
  readonly openSource: (server: string, task: Pick<Task, 'batch' | 'waits'>) => OpenSource
  /** Where its jobs come from. */
  readonly taker: Taker
  readonly reconnect?: ReconnectOptions
  readonly segments?: Segments
}

/**
 * The work on one item: already settled? already there? else transfer; then receipt, then settle. Each step may be
 * repeated, so a crash between any two leads to the same end. Rejects only with bugs and outages.
 */
export async function processItem(
  job: ItemJob,
  attempt: Attempt,
  lock: AbortSignal | undefined,
  deps: ItemDeps,
): Promise<Step> {
  const { taker } = deps
  const { counted } = deps.running
  const key = itemKey(job.batch, job.n)
  if (job.counted) counted.set(key, true)
  if (!(await deps.ledger.isOpen(job.batch, job.n, taker))) return OVER
  const step = await runJob({ job, attempt, lock }, deps, async (opened) => {
    const item = await plannedItem(job.n, opened, taker)
    if (!item) return undefined
    if (problemOf(item, opened)) {
      await settleProblem(item, opened, deps)
      return undefined
    }
    return {
      item,
      begin: (task) => ({
        run: async () => {
          await settle(await outcomeOf(item, opened, attempt, task, deps), item, opened, deps, task.began)
          counted.delete(key)
        },
        openBytes: () => (item.expect.size ?? 0) - task.bytes,
        leave: async () => {
          // Without a checksum it begins again.
          if (item.ref.kind === 'file' && item.expect.checksum && !staysInMemory(item))
            await deps.ledger.keepPart(job.batch, job.n, task.bytes)
        },
        mayRetry: ({ remedy }) => remedy !== 'fail',
        giveUp: async (error) => {
          await settle(failure(item, error), item, opened, deps, task.began)
          counted.delete(key)
          // The bytes before the server lost the rest are good: `retry` continues from there.
          const isWorthKeeping = error instanceof DataferryError && error.code === 'SOURCE_BYTES_MISSING'
          if (!isWorthKeeping) await opened.sink.forget(key)
        },
      }),
    }
  })
  const isNews = counted.has(key) && job.counted !== true && step.kind !== 'over' && !lock?.aborted
  return isNews ? { ...step, counted: true } : step
}

/** @returns undefined for a line that is not planned, or of another server than that of the job's queue: Redis is not believed */
async function plannedItem(n: number, opened: OpenBatch, { server }: Taker): Promise<Item | undefined> {
  if ((await opened.planned(n + 1)) <= n) return undefined
  const item = await opened.items.item(n)
  return problemOf(item, opened) || item.server === server ? item : undefined
}

async function outcomeOf(
  item: Item,
  opened: OpenBatch,
  attempt: Attempt,
  task: Task,
  deps: ItemDeps,
): Promise<Outcome> {
  if (attempt.stalled >= MAX_CRASHES) return crashed(item)
  const { sink, batch, earlier } = opened
  const { signal } = task
  const key = itemKey(batch.id, item.n)
  signal.throwIfAborted()
  const kept = await keepExisting(item, sink, {
    key,
    policy: batch.existing,
    digests: batch.digests,
    earlier: (one) => earlier.find(one),
    signal,
  })
  const run: Run = {
    key,
    signal,
    digests: batch.digests,
    // A worker that died could not tell.
    count: !deps.running.counted.has(key) && (attempt.stalled === 0 || 'if-unfinished'),
    onCounted: () => deps.running.counted.set(key, true),
    onProgress: (bytes) => task.progress(bytes),
    ...(deps.reconnect && { reconnect: deps.reconnect }),
    ...(deps.segments !== undefined && { segments: deps.segments }),
  }
  if (item.ref.kind !== 'file') return archiveReceipt(item, opened, kept, run, deps.openSource(item.server, task))
  if (kept) return kept
  return transfer(item, { open: deps.openSource(item.server, task), sink }, run).catch(async (error: unknown) => {
    const outcome = await whenDenied(error, { item, opened, bytes: task.bytes, signal }, deps)
    // A refusal is an answer.
    deps.limits.succeeded(item.server)
    return outcome
  })
}
