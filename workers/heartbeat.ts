import type { Scope } from '../jobs/scope.ts'
import { every, type Repeated } from '../src/async/every.ts'
import { messageOf } from '../src/errors.ts'
import type { Workers } from '../src/ledger/workers.ts'
import type { Logger } from '../src/log.ts'
import { ownProcess } from '../src/process/process-identity.ts'
import type { DestinationHolds } from './destination-holds.ts'
import type { QueueWorkers } from './queue-workers.ts'
import type { Running } from './running.ts'

export interface HeartbeatDeps {
  readonly workers: Pick<Workers, 'beat'>
  /** Made anew for each start. */
  readonly id: string
  readonly queueWorkers: Pick<QueueWorkers, 'ids'>
  readonly scopes: readonly Scope[]
  readonly running: Pick<Running, 'held'>
  readonly destinations: Pick<DestinationHolds, 'list'>
  readonly log: Logger
}

const BEAT_MS = 2_000

/**
 * Registers this process, and tells every two seconds that it lives and what it works on. Nothing else shares its timer:
 * a destination that hangs must not make this process look dead.
 * @returns what ends it; resolves after the first beat
 */
export async function startHeartbeat(deps: HeartbeatDeps, everyMs = BEAT_MS): Promise<Repeated> {
  const { workers, id, queueWorkers, scopes, running, destinations, log } = deps
  const since = new Date().toISOString()
  const beat = async (): Promise<void> => {
    const at = new Date().toISOString()
    await workers.beat({
      ...(await ownProcess()),
      id,
      tokens: [...queueWorkers.ids()],
      scopes: [...scopes],
      since,
      at,
      holds: running.held(),
      destinations: destinations.list(),
    })
  }
  await beat()
  return every(everyMs, beat, (error) => log.warn({ problem: messageOf(error) }, 'heartbeat failed'))
}
