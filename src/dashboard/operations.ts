import type { LedgerEntry } from '../ledger/ledger.ts'
import type { BatchId } from '../model/batch.ts'
import type { LimitRequest, NewBatch, PlanView } from './api/schemas.ts'

/**
 * What operators may do from a page, done as the command line does it. Each resolves to a sentence that says what was done, and
 * rejects with the error that the command would end with.
 */
export interface Operations {
  /** Pauses or cancels a batch. */
  hold(batch: LedgerEntry, state: 'paused' | 'cancelled'): Promise<string>
  /** Lets a batch go on. */
  proceed(batch: LedgerEntry): Promise<string>
  /** Has failed items tried again. @param codes empty: all */
  retry(batch: LedgerEntry, codes: readonly string[]): Promise<string>
  /** @returns undefined: nothing here uses such a server */
  limit(request: LimitRequest): Promise<string | undefined>
  /** Plans a batch without fetching anything; stops when the signal aborts. It is removed when nobody looks at it for a while. */
  plan(request: NewBatch, signal: AbortSignal): Promise<PlanView>
  /** Somebody looks at a plan. @returns false: there is no such plan, or not any more */
  keepPlan(batch: BatchId): boolean
  /** Nobody looks at a plan any more: it is removed, unless it was started. Repeatable. */
  dropPlan(batch: BatchId): Promise<void>
  /** Plans it, if that was not done yet, and leaves it to the workers. */
  enqueue(request: NewBatch): Promise<PlanView>
  /** Pauses a schedule, continues it, or starts a run, which goes on by itself. */
  schedule(word: 'run' | 'pause' | 'continue', name: string): Promise<string>
  /** Starts a run of a mirror, which goes on by itself. */
  runMirror(name: string, destination: string): Promise<string>
}
