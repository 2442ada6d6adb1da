import { DelayedError, WaitingError, type Job } from 'bullmq'
import { DataferryError, messageOf } from '../src/errors.ts'
import type { Patiently } from '../src/ledger/redis/client.ts'

/** What the queue does with a job after its processor is done. */
export type Step = Move & {
  /** The server has counted the download meanwhile, which the job has to remember. */
  readonly counted?: true
}

type Move =
  /** The job is over: its item has ended, or the feeder will queue it again when it may continue. */
  | { readonly kind: 'over' }
  /** Back to the front for the next worker; uses no attempt. */
  | { readonly kind: 'hand-back' }
  /** Again after a delay; uses no attempt. */
  | { readonly kind: 'later'; readonly ms: number }
  /** Uses an attempt; BullMQ waits as the back-off strategy says. */
  | { readonly kind: 'retry'; readonly error: unknown }

export const OVER: Step = { kind: 'over' }

/** Carries out a step in BullMQ's terms: returns, or throws what BullMQ understands. */
export async function carryOut(
  step: Step,
  job: Pick<Job<object>, 'data' | 'updateData' | 'moveToWait' | 'moveToDelayed'>,
  token: string,
  patiently: Patiently,
): Promise<void> {
  if (step.counted) await patiently(() => job.updateData({ ...job.data, counted: true }))
  switch (step.kind) {
    case 'over':
      return
    case 'hand-back':
      await patiently(() => job.moveToWait(token))
      throw new WaitingError()
    case 'later':
      await patiently(() => job.moveToDelayed(Date.now() + step.ms, token))
      throw new DelayedError()
    case 'retry':
      throw codeFirst(step.error)
  }
}

/** BullMQ keeps only an error's text, so the code comes first in it. */
function codeFirst(error: unknown): Error {
  const text = messageOf(error)
  return new Error(error instanceof DataferryError ? `${error.code} ${text}` : text, { cause: error })
}
