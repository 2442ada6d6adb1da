import { z } from 'zod'
import { every, type Repeated } from '../src/async/every.ts'
import { messageOf } from '../src/errors.ts'
import type { Workers } from '../src/ledger/workers.ts'
import type { Logger } from '../src/log.ts'
import { ownProcess } from '../src/process/process-identity.ts'
import type { DestinationHolds } from './destination-holds.ts'
import type { Notices } from './notices.ts'
import type { QueueWorkers } from './queue-workers.ts'
import type { Running } from './running.ts'
import type { TokenHolds } from './token-holds.ts'
import type { TokenExpiries } from './token-expiries.ts'
import type { ScopeOfWork } from './wiring.ts'

export interface HeartbeatDeps {
  readonly workers: Pick<Workers, 'beat'>
  /** New for each start. */
  readonly id: string
  readonly queueWorkers: Pick<QueueWorkers, 'ids'>
  readonly scopes: readonly ScopeOfWork[]
  /** See `WorkerRecord`. */
  readonly only?: readonly string[] | undefined
  readonly running: Pick<Running, 'held'>
  readonly destinations: Pick<DestinationHolds, 'list'>
  readonly refused: Pick<TokenHolds, 'list'>
  readonly expiring: Pick<TokenExpiries, 'list'>
  readonly notices: Pick<Notices, 'set' | 'has'>
  readonly log: Logger
}

const BEAT_MS = 2_000
/** When Redis has not taken a beat for so long, people are told. */
const SILENT_MS = 10_000

/**
 * Registers this process, and reports every two seconds that it is alive and what it works on. Nothing else shares its timer:
 * a destination that hangs must not make this process look dead. Says so when Redis does not answer, or takes nothing: all
 * work waits for it then.
 * @returns a handle that stops it; resolves after the first beat
 */
export async function startHeartbeat(deps: HeartbeatDeps, everyMs = BEAT_MS, silentMs = SILENT_MS): Promise<Repeated> {
  const { workers, id, queueWorkers, scopes, only, running, destinations, refused, expiring, log } = deps
  const since = new Date().toISOString()
  const beat = async (): Promise<void> => {
    const at = new Date().toISOString()
    await workers.beat({
      ...(await ownProcess()),
      id,
      tokens: [...queueWorkers.ids()],
      scopes: scopes.map(({ scope }) => scope),
      serves: scopes.map(({ scope, servers }) => ({ scope, servers: [...servers] })),
      ...(only && { only: [...only] }),
      since,
      at,
      holds: running.held(),
      destinations: destinations.list(),
      refused: refused.list(),
      expiring: expiring.list(),
    })
  }
  await beat()
  let last = { at: performance.now(), time: new Date() }
  let reason = SILENT
  const taken = async (): Promise<void> => {
    await beat()
    last = { at: performance.now(), time: new Date() }
    reason = SILENT
  }
  const beating = every(everyMs, taken, (error) => {
    reason = reasonOf(error)
    log.warn({ problem: reason }, 'heartbeat failed')
  })
  // A timer of its own, since a beat may wait for ever.
  const watching = every(
    everyMs,
    () => {
      // A connection that is lost, and writes that are refused, are told already.
      const isTold = ['redis away', 'redis refuses'].some((cause) => deps.notices.has(cause))
      const isSilent = performance.now() - last.at > silentMs && !isTold
      deps.notices.set('redis', isSilent ? { what: 'Redis', reason, since: last.time, nextLook: last.time } : undefined)
    },
    () => undefined,
  )
  return {
    stop: async () => {
      await Promise.all([beating.stop(), watching.stop()])
    },
  }
}

const SILENT = 'it does not answer.'

/** Of a transaction that Redis refuses, what it said of the first command in it. */
function reasonOf(error: unknown): string {
  const refused = z.object({ previousErrors: z.tuple([z.instanceof(Error)], z.unknown()) }).safeParse(error)
  return messageOf(refused.data?.previousErrors[0] ?? error)
}
