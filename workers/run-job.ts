import { DataferryError } from '../src/errors.ts'
import type { Ledger } from '../src/ledger/ledger.ts'
import type { Logger } from '../src/log.ts'
import type { BatchId } from '../src/model/batch.ts'
import { itemKey } from '../src/model/item-key.ts'
import { StreamRevoked } from '../src/model/source.ts'
import type { OpenBatch } from './batches.ts'
import type { Held, Running, StopReason, Task } from './running.ts'
import { OVER, type Step } from './step.ts'
import { waitOut, type WaitDeps } from './wait-out.ts'
import { BUSY_MS, withDestination, type DestinationDeps } from './with-destination.ts'

/** How a job got here, as BullMQ counts. */
export interface Attempt {
  /** Attempts that failed before this one. */
  readonly made: number
  readonly allowed: number
  /** How often its worker vanished or froze while it had the job. */
  readonly stalled: number
}

/** A job as this process was given it. */
export interface TakenJob {
  readonly job: { readonly batch: BatchId }
  readonly attempt: Attempt
  /** Aborts when another worker gets the job. */
  readonly lock: AbortSignal | undefined
}

export interface JobDeps extends WaitDeps, DestinationDeps {
  readonly ledger: Pick<Ledger, 'get' | 'setState'>
  readonly destinations: DestinationDeps['destinations']
  readonly running: Running
  readonly log: Logger
}

/** What a kind of job is about. */
export interface Work extends Held {
  readonly begin: (task: Task) => WorkUnderWay
}

/** The middle of a job. Each step may be repeated. */
export interface WorkUnderWay {
  /** Does all of it. Rejects with the code of what went wrong, or with bugs and outages. */
  run(): Promise<void>
  /** Bytes that are still to come, as far as known. */
  openBytes(): number
  /** Whether another attempt may get further; asked only while some are left. */
  mayRetry(error: DataferryError): boolean
  /** Remembers, for people, what is kept until the next attempt. */
  leave(): Promise<void>
  /** Ends the item as failed: there is no further attempt. */
  giveUp(error: unknown): Promise<void>
}

/**
 * The frame around every job: opens the batch, keeps away from a destination on hold, shows the work while it runs,
 * stops it when asked, and makes the queue's next step of an error. Rejects only with outages.
 * @param prepare the work to do; undefined: there is none any more
 */
export async function runJob(
  taken: TakenJob,
  deps: JobDeps,
  prepare: (opened: OpenBatch) => Promise<Work | undefined>,
): Promise<Step> {
  return withDestination(taken.job.batch, deps, async (opened) => {
    const work = opened && (await prepare(opened))
    if (!work || deps.limits.isPaused(work.item.server)) return OVER
    if (!(await deps.tokens.isOpen(work.item.server))) return { kind: 'later', ms: BUSY_MS }
    return doWork(work, opened, taken, deps)
  })
}

async function doWork(work: Work, opened: OpenBatch, taken: TakenJob, deps: JobDeps): Promise<Step> {
  const { task, end } = deps.running.start(taken.job.batch, work, taken.lock)
  const underWay = work.begin(task)
  try {
    await underWay.run()
    return OVER
  } catch (error) {
    const step = task.stopped
      ? stepAfterStop(task.stopped, error)
      : await stepAfter(error, task, underWay, opened, taken, deps)
    if (step) {
      // The work goes on without it, too.
      if (task.stopped !== 'lost') await underWay.leave().catch(() => undefined)
      return step
    }
    await underWay.giveUp(error)
    return OVER
  } finally {
    end()
  }
}

/** @returns undefined: no further attempt */
async function stepAfter(
  error: unknown,
  { item: { n, server } }: Task,
  work: WorkUnderWay,
  opened: OpenBatch,
  { job, attempt }: TakenJob,
  deps: JobDeps,
): Promise<Step | undefined> {
  const again: Step | undefined = attempt.made + 1 < attempt.allowed ? { kind: 'retry', error } : undefined
  // It could not be continued where it stopped, which is not the item's fault.
  if (error instanceof StreamRevoked) return { kind: 'hand-back' }
  if (!(error instanceof DataferryError)) {
    opened.log.error({ err: error, n }, 'unexpected error while working on a job')
    return again
  }
  opened.log.info({ code: error.code, n, detail: error.message }, 'attempt ended')
  const interrupted = { server, item: itemKey(job.batch, n), opened, openBytes: work.openBytes() }
  const wait = await waitOut(error, interrupted, deps)
  return wait ?? (work.mayRetry(error) ? again : undefined)
}

function stepAfterStop(reason: StopReason, error: unknown): Step {
  switch (reason) {
    case 'shutdown':
      return { kind: 'hand-back' }
    case 'held':
      return OVER
    case 'lost':
      // Another worker has the job; BullMQ refuses anything this one reports about it.
      return { kind: 'retry', error }
  }
}
