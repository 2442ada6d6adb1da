import type { Ledger, LedgerEntry, Summary } from './ledger/ledger.ts'
import type { Servers } from './ledger/servers.ts'
import type { ServerState } from './ledger/server-state.ts'
import type { WorkerRecord, Workers } from './ledger/workers.ts'
import type { Queues } from './queue/queues.ts'

/** One batch, as the ledger and the queues know it. */
export interface BatchStatus extends Summary {
  readonly id: string
  readonly state: LedgerEntry['state']
  readonly reason: string | undefined
  readonly destination: string
  readonly servers: readonly string[]
  readonly createdAt: string
  /** Items that workers hold now. */
  readonly active: number
  /** Planned items that have not ended. */
  readonly open: number
}

/** Jobs of one server, and how hard it may be asked. */
export interface ServerStatus extends ServerState {
  readonly waiting: number
  readonly active: number
  /** Waiting for another attempt. */
  readonly delayed: number
}

export interface Status {
  readonly batches: readonly BatchStatus[]
  readonly servers: readonly ServerStatus[]
  readonly workers: readonly WorkerRecord[]
}

export interface StatusSources {
  readonly ledger: Ledger
  readonly servers: Servers
  readonly workers: Workers
  readonly queues: Queues
}

/** Everything that can be seen from Redis, across all machines. */
export async function readStatus({ ledger, servers, workers, queues }: StatusSources): Promise<Status> {
  const [entries, records] = await Promise.all([ledger.list(), workers.list()])
  const batches = await Promise.all(entries.map((entry) => batchStatus(entry, ledger, records)))
  const names = new Set(entries.flatMap((entry) => entry.servers))
  const states = await Promise.all([...names].sort().map((server) => serverStatus(server, servers, queues)))
  return { batches, servers: states, workers: records }
}

async function batchStatus(entry: LedgerEntry, ledger: Ledger, workers: readonly WorkerRecord[]): Promise<BatchStatus> {
  const summary = await ledger.summary(entry.id)
  const { id, state, reason, destination, servers, createdAt } = entry
  const { done, kept, failed, planned } = summary
  const active = workers.flatMap((worker) => worker.holds).filter((held) => held.batch === id).length
  return {
    id,
    state,
    reason,
    destination,
    servers,
    createdAt,
    active,
    open: planned - done - kept - failed,
    ...summary,
  }
}

async function serverStatus(server: string, servers: Servers, queues: Queues): Promise<ServerStatus> {
  const [state, counts] = await Promise.all([
    servers.get(server),
    queues.items(server).getJobCounts('waiting', 'prioritized', 'active', 'delayed'),
  ])
  const { waiting = 0, prioritized = 0, active = 0, delayed = 0 } = counts
  return { ...state, waiting: waiting + prioritized, active, delayed }
}
