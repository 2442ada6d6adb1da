import { isAboutDestination, type DataferryError, type ErrorCode } from '../src/errors.ts'
import type { Ledger } from '../src/ledger/ledger.ts'
import type { OpenBatch } from './batches.ts'
import type { DestinationHolds } from './destination-holds.ts'
import type { ServerLimits } from './server-limits.ts'
import type { TokenHolds } from './token-holds.ts'
import { OVER, type Step } from './step.ts'
import { BUSY_MS } from './with-destination.ts'

export interface WaitDeps {
  readonly ledger: Pick<Ledger, 'setState'>
  readonly limits: Pick<ServerLimits, 'throttled' | 'outage' | 'succeeded' | 'isPaused'>
  readonly destinations: Pick<DestinationHolds, 'isOpen' | 'hold' | 'mayOpen'>
  readonly tokens: Pick<TokenHolds, 'isOpen' | 'hold'>
}

/** What was in progress when an error came. */
interface Interrupted {
  readonly server: string
  /** Key of the item, or of the first of several. */
  readonly item: string
  readonly opened: OpenBatch
  /** Bytes that are still to come, as far as known. */
  readonly openBytes: number
}

/** To the end of the queue, so that another item is next; while the server is on hold it waits there for its slot. */
const BEHIND_OTHERS: Step = { kind: 'later', ms: 1_000 }

/** Failures that look the same when the server is down. */
const OUTAGE_CODES: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'SOURCE_UNREACHABLE',
  'SOURCE_FAILED',
  'SOURCE_UNEXPECTED',
  'SOURCE_BLOCKED',
  'SHORT_BODY',
])

/**
 * Waits out conditions that are not the item's fault and would meet the next one, too: the server is away or asks for a pause, another
 * process has the item, the destination is full or away. None of these uses an attempt, however often it happens. A condition that needs a person
 * pauses the batch.
 * @returns undefined for every other error: it counts as an attempt
 */
export async function waitOut(
  error: DataferryError,
  { server, item, opened, openBytes }: Interrupted,
  { ledger, limits, destinations, tokens }: WaitDeps,
): Promise<Step | undefined> {
  // Redis was emptied or forgot the batch: the item is fed again when the ledger has been rebuilt from the destination.
  if (error.code === 'BATCH_NOT_FOUND') return OVER
  // Only once this process was asked to stop: until then Redis is waited for.
  if (error.code.startsWith('REDIS_') || error.code === 'STATE_UNAVAILABLE') return { kind: 'hand-back' }
  if (error.code === 'SINK_BUSY') return { kind: 'later', ms: BUSY_MS }
  if (error.remedy === 'throttle') {
    await limits.throttled(server, error)
    return BEHIND_OTHERS
  }
  if (OUTAGE_CODES.has(error.code)) {
    return (await limits.outage(server, item, error)) === 'outage' ? BEHIND_OTHERS : undefined
  }
  // A refusal is an answer.
  if (error.remedy === 'fail' && error.status !== undefined) limits.succeeded(server)
  if (error.remedy !== 'park') return undefined
  if (isAboutDestination(error)) {
    destinations.hold(opened.sink.url, error, openBytes)
    return { kind: 'later', ms: BUSY_MS }
  }
  if (error.code === 'TOKEN_REJECTED' && tokens.hold(server, error)) return { kind: 'later', ms: BUSY_MS }
  await ledger.setState(opened.batch.id, 'paused', `${error.code}: ${error.message}`)
  return OVER
}
