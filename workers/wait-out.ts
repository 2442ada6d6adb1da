import type { DataferryError } from '../src/errors.ts'
import type { Ledger } from '../src/ledger/ledger.ts'
import type { BackoffLimits } from '../src/ledger/servers.ts'
import type { OpenBatch } from './batches.ts'
import { isAboutDestination, type DestinationHolds } from './destination-holds.ts'
import { OVER, type Step } from './step.ts'
import { BUSY_MS } from './with-destination.ts'

export interface WaitDeps {
  readonly ledger: Pick<Ledger, 'setState'>
  readonly throttled: (
    server: string,
    limits: BackoffLimits,
    retryAfterMs?: number,
  ) => Promise<{ readonly waitMs: number; readonly began: boolean }>
  readonly destinations: Pick<DestinationHolds, 'isOpen' | 'hold'>
  readonly backoff: BackoffLimits
}

/** What was under way when an error came. */
interface Interrupted {
  readonly server: string
  readonly opened: OpenBatch
  /** Bytes that are still to come, as far as known. */
  readonly openBytes: number
  /** What its job has used up of {@link PATIENCE}. */
  readonly patience: number
}

/**
 * Waits use no attempt, but a job that keeps causing its own waits must end some time: after 50 back-off periods of its server that
 * it began, or about seven hours in which another process had its part. A destination on hold, back-off that others began, and being
 * handed back use none of it, so that no outage fails a thousand items.
 */
const PATIENCE = 5_000
export const THROTTLE_COST = PATIENCE / 50
const BUSY_COST = 1
/** Room to wait for at least, and for items of unknown size. */
const UNKNOWN_ROOM = 1 << 20

/**
 * Waits out what says nothing against the item and would meet the next one, too: the server asks for a pause, another process
 * has the item, the destination is full or away. What needs a person pauses the batch.
 * @returns undefined for every other error: it counts as an attempt; 'patience-spent' where waiting has been tried for long
 * enough
 */
export async function waitOut(
  error: DataferryError,
  { server, opened, openBytes, patience }: Interrupted,
  deps: WaitDeps,
): Promise<Step | 'patience-spent' | undefined> {
  // Redis was emptied or forgot the batch: the item is fed again when the ledger has been rebuilt from the destination.
  if (error.code === 'BATCH_NOT_FOUND') return OVER
  if (patience >= PATIENCE && (error.code === 'SINK_BUSY' || error.remedy === 'throttle')) return 'patience-spent'
  if (error.code === 'SINK_BUSY') return { kind: 'later', ms: BUSY_MS, patience: BUSY_COST }
  if (error.remedy === 'throttle') {
    const { waitMs, began } = await deps.throttled(server, deps.backoff, error.retryAfterMs)
    return { kind: 'throttle', ms: waitMs, ...(began && { patience: THROTTLE_COST }) }
  }
  if (error.remedy !== 'park') return undefined
  if (isAboutDestination(error)) {
    const neededBytes = error.code === 'SINK_FULL' ? Math.max(UNKNOWN_ROOM, openBytes) : 0
    deps.destinations.hold(opened.sink.url, error, neededBytes)
    return { kind: 'later', ms: BUSY_MS }
  }
  await deps.ledger.setState(opened.batch.id, 'paused', `${error.code}: ${error.message}`)
  return OVER
}
