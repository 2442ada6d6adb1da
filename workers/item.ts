import type { ItemJob } from '../jobs/item.ts'
import { DataferryError, messageOf } from '../src/errors.ts'
import type { Ledger } from '../src/ledger/ledger.ts'
import type { BackoffLimits } from '../src/ledger/servers.ts'
import type { Logger } from '../src/log.ts'
import type { Item } from '../src/model/item.ts'
import type { Outcome } from '../src/model/receipt.ts'
import type { OpenSource } from '../src/model/source.ts'
import type { Sink } from '../src/sinks/sink.ts'
import { keepExisting } from '../src/transfer/existing.ts'
import type { ReconnectOptions } from '../src/transfer/resuming-reader.ts'
import { transfer } from '../src/transfer/transfer.ts'
import type { Batches, OpenBatch } from './batches.ts'
import type { Running, StopReason, Task } from './running.ts'
import { OVER, type Step } from './step.ts'

/** How a job got here, as BullMQ counts. */
export interface Attempt {
  /** Attempts that failed before this one. */
  readonly made: number
  readonly allowed: number
  /** How often it was started, hand-backs and pauses included. */
  readonly started: number
  /** How often its worker vanished or froze while it had the job. */
  readonly stalled: number
}

export interface ItemDeps {
  readonly ledger: Pick<Ledger, 'isSettled' | 'get' | 'settle' | 'setState'>
  readonly batches: Pick<Batches, 'open'>
  readonly running: Running
  /** The source of one server. Rejects with `CONFIG_INVALID` when this process may not contact it. */
  readonly openSource: (server: string) => OpenSource
  readonly throttled: (
    server: string,
    limits: BackoffLimits,
    retryAfterMs?: number,
  ) => Promise<{ readonly waitMs: number }>
  readonly succeeded: (server: string) => void
  readonly space: SpaceGate
  readonly backoff: BackoffLimits
  readonly reconnect?: ReconnectOptions
  readonly log: Logger
}

/** Keeps items away from a full destination; see `workers/space.ts`. */
export interface SpaceGate {
  isOpen(sink: Sink): Promise<boolean>
  /** @param wantedBytes room that makes it worth trying again */
  full(sink: Sink, wantedBytes: number): void
}

/** An item whose worker was lost this often takes no more workers with it. */
const MAX_STALLS = 3
/** Pauses use no attempt, but an item that was started this often ends as failed. */
const MAX_STARTS = 500
const BUSY_MS = 5_000
/** Room to wait for at least, and for items of unknown size. */
const UNKNOWN_ROOM = 1 << 20

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
  if (await deps.ledger.isSettled(job.batch, job.n)) return OVER
  const entry = await deps.ledger.get(job.batch)
  if (entry?.state !== 'open') return OVER
  const opened = await deps.batches.open(job.batch)
  if (!opened) return OVER
  const item = await opened.items.item(job.n)
  if (!(await deps.space.isOpen(opened.sink))) return { kind: 'later', ms: BUSY_MS }
  const { task, end } = deps.running.start(job.batch, item, lock)
  try {
    await settle(await outcomeOf(item, opened, attempt, task, deps), opened, deps)
    return OVER
  } catch (error) {
    if (task.stopped) return stepAfterStop(task.stopped, error)
    return await stepAfter(error, task, opened, attempt, deps)
  } finally {
    end()
  }
}

async function outcomeOf(
  item: Item,
  opened: OpenBatch,
  attempt: Attempt,
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
  const key = keyOf(opened, item)
  signal.throwIfAborted()
  const kept = await keepExisting(item, sink, {
    key,
    policy: batch.existing,
    earlier: (one) => earlier.find(one),
    signal,
  })
  if (kept) return kept
  const receipt = await transfer(
    item,
    { open: deps.openSource(item.server), sink },
    {
      key,
      signal,
      count: attempt.made === 0,
      onProgress: (bytes) => (task.bytes = bytes),
      ...(deps.reconnect && { reconnect: deps.reconnect }),
    },
  )
  deps.succeeded(item.server)
  return receipt
}

/** First on record, then counted, then nothing of it is left over. */
async function settle(
  outcome: Outcome,
  opened: OpenBatch,
  { ledger }: { readonly ledger: Pick<Ledger, 'settle'> },
): Promise<void> {
  const { batch, sink, outcomes } = opened
  await outcomes.record(outcome)
  const { n, path } = outcome
  if (outcome.state === 'failed') {
    const { code, message } = outcome
    await ledger.settle(batch.id, n, { state: 'failed', bytes: 0, error: { code, message, path } })
    return
  }
  await ledger.settle(batch.id, n, { state: outcome.state, bytes: outcome.size })
  if (outcome.verified !== 'checksum') await sink.forget(`${batch.id}-${n}`)
}

/** Settles an item that planning found out of reach, without asking any server. */
export async function settleProblem(
  item: Item,
  opened: OpenBatch,
  deps: { readonly ledger: Pick<Ledger, 'settle'> },
): Promise<void> {
  const { code = 'SOURCE_NOT_FOUND', message = '' } = item.problem ?? {}
  await settle({ state: 'failed', n: item.n, path: item.path, code, message, finishedAt: now() }, opened, deps)
}

/** Settles an item that too many processes died with. */
export async function settleCrashed(
  item: Item,
  opened: OpenBatch,
  deps: { readonly ledger: Pick<Ledger, 'settle'> },
): Promise<void> {
  await settle(failure(item, crashed()), opened, deps)
}

function crashed(): DataferryError {
  return new DataferryError('WORKER_CRASHED', 'Several workers in a row were lost while they had this item.')
}

function stepAfterStop(reason: StopReason, error: unknown): Step {
  switch (reason) {
    case 'shutdown':
      return { kind: 'hand-back' }
    case 'held':
      return OVER
    case 'lost':
      // Another worker has the job; BullMQ refuses whatever this one says about it.
      return { kind: 'retry', error }
  }
}

async function stepAfter(
  error: unknown,
  task: Task,
  opened: OpenBatch,
  attempt: Attempt,
  deps: ItemDeps,
): Promise<Step> {
  const { item } = task
  if (!(error instanceof DataferryError)) {
    deps.log.error({ err: error, batch: opened.batch.id, n: item.n }, 'unexpected error while working on an item')
    return attempt.made + 1 < attempt.allowed ? { kind: 'retry', error } : fail(error, item, opened, deps)
  }
  deps.log.info({ code: error.code, batch: opened.batch.id, n: item.n, detail: error.message }, 'attempt ended')
  if (attempt.started >= MAX_STARTS) return fail(error, item, opened, deps)
  if (error.code === 'SINK_BUSY') return { kind: 'later', ms: BUSY_MS }
  switch (error.remedy) {
    case 'throttle': {
      const { waitMs } = await deps.throttled(item.server, deps.backoff, error.retryAfterMs)
      return { kind: 'throttle', ms: waitMs }
    }
    case 'park':
      return park(error, task, opened, deps)
    case 'retry':
    case 'restart':
      return attempt.made + 1 < attempt.allowed ? { kind: 'retry', error } : fail(error, item, opened, deps)
    case 'fail':
      return fail(error, item, opened, deps)
  }
}

/** Nothing is wrong with the item: a full disk is waited for, anything else needs a person. */
async function park(
  error: DataferryError,
  task: Task,
  { sink, batch }: OpenBatch,
  { space, ledger }: ItemDeps,
): Promise<Step> {
  if (error.code === 'SINK_FULL') {
    space.full(sink, Math.max(UNKNOWN_ROOM, (task.item.expect.size ?? 0) - task.bytes))
    return { kind: 'later', ms: BUSY_MS }
  }
  await ledger.setState(batch.id, 'paused', `${error.code}: ${error.message} ${error.advice}`)
  return OVER
}

async function fail(error: unknown, item: Item, opened: OpenBatch, deps: ItemDeps): Promise<Step> {
  await settle(failure(item, error), opened, deps)
  await opened.sink.forget(keyOf(opened, item))
  return OVER
}

function failure(item: Item, error: unknown): Outcome {
  const code = error instanceof DataferryError ? error.code : 'UNEXPECTED'
  return { state: 'failed', n: item.n, path: item.path, code, message: messageOf(error), finishedAt: now() }
}

/** One writer per key; also names the item's part and mark in the sink. */
function keyOf({ batch }: OpenBatch, item: Item): string {
  return `${batch.id}-${item.n}`
}

function now(): string {
  return new Date().toISOString()
}
