import type { DataferryError } from '../src/errors.ts'
import type { Ledger } from '../src/ledger/ledger.ts'
import type { BackoffLimits } from '../src/ledger/servers.ts'
import type { Sink } from '../src/sinks/sink.ts'
import type { OpenBatch } from './batches.ts'
import type { StopReason } from './running.ts'
import { OVER, type Step } from './step.ts'

export interface HindranceDeps {
  readonly ledger: Pick<Ledger, 'setState'>
  readonly throttled: (
    server: string,
    limits: BackoffLimits,
    retryAfterMs?: number,
  ) => Promise<{ readonly waitMs: number; readonly began: boolean }>
  readonly space: SpaceGate
  readonly backoff: BackoffLimits
}

/** Keeps items away from a full destination; see `workers/space.ts`. */
export interface SpaceGate {
  isOpen(sink: Sink): Promise<boolean>
  /** @param wantedBytes room that makes it worth trying again */
  full(sink: Sink, wantedBytes: number): void
}

/** What was under way when an error came. */
export interface Work {
  readonly server: string
  readonly opened: OpenBatch
  /** Bytes that are still to come, as far as known. */
  readonly openBytes: number
  /** What its job has used up of {@link PATIENCE}. */
  readonly patience: number
}

export const BUSY_MS = 5_000
/**
 * Waits use no attempt, but a job that ever again stands in its own way must end some time: 50 pauses of its server that it
 * was the one to cause, or about seven hours of another process having its part. A full destination, pauses that others
 * caused, and being handed back use nothing of it, so that no outage fails a thousand items.
 */
const PATIENCE = 5_000
export const THROTTLE_COST = PATIENCE / 50
const BUSY_COST = 1
/** Room to wait for at least, and for items of unknown size. */
const UNKNOWN_ROOM = 1 << 20

/**
 * What to do about an error that says nothing against the item: the server wants a pause, another process has the item, a
 * full disk is waited for, and anything else that is to be parked needs a person.
 * @returns undefined for every other error: it counts as an attempt; 'worn-out' where waiting has been tried for long enough
 */
export async function hindrance(
  error: DataferryError,
  work: Work,
  deps: HindranceDeps,
): Promise<Step | 'worn-out' | undefined> {
  // Redis was emptied or forgot the batch: whoever rebuilds the ledger from the destination feeds this item again.
  if (error.code === 'BATCH_NOT_FOUND') return OVER
  if (work.patience >= PATIENCE && (error.code === 'SINK_BUSY' || error.remedy === 'throttle')) return 'worn-out'
  if (error.code === 'SINK_BUSY') return { kind: 'later', ms: BUSY_MS, patience: BUSY_COST }
  if (error.remedy === 'throttle') {
    const { waitMs, began } = await deps.throttled(work.server, deps.backoff, error.retryAfterMs)
    return { kind: 'throttle', ms: waitMs, ...(began && { patience: THROTTLE_COST }) }
  }
  if (error.remedy !== 'park') return undefined
  const { sink, batch } = work.opened
  if (error.code === 'SINK_FULL') {
    deps.space.full(sink, Math.max(UNKNOWN_ROOM, work.openBytes))
    return { kind: 'later', ms: BUSY_MS }
  }
  await deps.ledger.setState(batch.id, 'paused', `${error.code}: ${error.message}`)
  return OVER
}

/** What becomes of a job whose work was asked to stop. */
export function stepAfterStop(reason: StopReason, error: unknown): Step {
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
