import { setTimeout as sleep } from 'node:timers/promises'
import { DESTINATION_LOOK_MS, whyHeld, whyUnusable } from '../batch/destination.ts'
import { readPlanState } from '../batch/folder.ts'
import { isAboutDestination, type DestinationError } from '../errors.ts'
import type { BatchId, PlanState } from '../model/batch.ts'
import type { Wait } from '../model/notice.ts'
import type { Sink } from '../sinks/sink.ts'

export interface PatientPlan {
  readonly batch: BatchId
  readonly sink: Pick<Sink, 'check' | 'free' | 'records'>
  /** How far an earlier run of planning got. */
  readonly from: PlanState
  /** Plans on from there; see `plan`. */
  readonly plan: (from: PlanState) => Promise<PlanState>
  /** After so long the error is passed on. */
  readonly giveUpAfterMs: number
  /** Told each wait, and undefined when it has ended. */
  readonly onWait: (wait: Wait | undefined) => void
  readonly signal: AbortSignal
  readonly lookMs?: number
}

/**
 * Plans, and waits while the destination is full or cannot be used; then it goes on behind what counts there. Rejects as
 * `plan` does, with the destination's error when it has been so for too long, and with the signal's reason.
 */
export async function patientPlan(request: PatientPlan): Promise<PlanState> {
  const { batch, sink, plan } = request
  for (let { from } = request; ;) {
    try {
      return await plan(from)
    } catch (error) {
      if (!isAboutDestination(error)) throw error
      from = await whenUsable(error, request, () => readPlanState(sink.records, batch))
    }
  }
}

/** Looks until the destination can be used, and reads there how far planning is. */
async function whenUsable<T>(first: DestinationError, request: PatientPlan, read: () => Promise<T>): Promise<T> {
  const { sink, giveUpAfterMs, onWait, signal, lookMs = DESTINATION_LOOK_MS } = request
  const [since, begun] = [new Date(), performance.now()]
  let error = first
  for (;;) {
    if (performance.now() - begun + lookMs > giveUpAfterMs) throw error
    onWait({ what: 'Planning', reason: whyHeld(error), since, nextLook: new Date(Date.now() + lookMs) })
    await sleep(lookMs, undefined, { signal }).catch(() => signal.throwIfAborted())
    try {
      const still = await whyUnusable(sink, error)
      if (still) {
        error = still
        continue
      }
      const found = await read()
      onWait(undefined)
      return found
    } catch (failed) {
      if (!isAboutDestination(failed)) throw failed
      error = failed
    }
  }
}
