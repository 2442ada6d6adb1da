import { itemScope, PUBLIC_SCOPE, TOKEN_SCOPE, type Scope } from '../jobs/scope.ts'
import { DataferryError } from './errors.ts'
import type { Ledger, LedgerEntry, Summary } from './ledger/ledger.ts'
import type { Servers } from './ledger/servers.ts'
import type { ServerState } from './ledger/server-state.ts'
import type { ExpiringToken, HeardWorker, HeldItem, WorkerRecord, Workers } from './ledger/workers.ts'
import { isWithin } from './model/is-within.ts'
import { livenessOf } from './process/process-identity.ts'
import type { JobCounts, Queues } from './queue/queues.ts'

/** One batch, as the ledger and the queues know it. */
export interface BatchStatus extends Summary {
  readonly id: string
  readonly state: LedgerEntry['state']
  readonly reason: string | undefined
  readonly destination: string
  readonly servers: readonly string[]
  readonly createdAt: string
  /** Only its own command works on it; see `LedgerEntry`. */
  readonly attached: boolean
  readonly tokenServers: readonly string[]
  /** The process that runs its command now. */
  readonly owner: LedgerEntry['owner']
  /** Items that workers hold now. */
  readonly active: number
  /** Planned items that have not ended. */
  readonly open: number
  /** Bytes of these at the destination: what workers have of them now, and what is kept where work was interrupted. */
  readonly openBytes: number
  /** When it is looked next whether what waits may continue; undefined: nothing waits. */
  readonly nextLook: Date | undefined
}

/** Jobs of one server, and its limits. */
export type ServerStatus = ServerState & JobCounts

/** A destination that cannot be used from where a worker is. */
export interface DestinationStatus {
  /** URL. */
  readonly destination: string
  readonly host: string
  readonly pid: number
  readonly hold: {
    /** One sentence for people. */
    readonly reason: string
    readonly since: Date
    /** How long until the next look, in ms. */
    readonly nextLookMs: number
  }
}

/** A token of workers that a person has to replace. */
export interface TokenStatus {
  readonly server: string
  /** The machines of the workers that have it. */
  readonly hosts: readonly string[]
  /** One or two sentences for people: what it is, and what to do. */
  readonly reason: string
  /** Since when the server does not accept it. */
  readonly refusedSince: Date | undefined
  /** When it expires, where that is soon. */
  readonly expires: Date | undefined
}

export interface Status {
  readonly batches: readonly BatchStatus[]
  readonly servers: readonly ServerStatus[]
  readonly destinations: readonly DestinationStatus[]
  readonly tokens: readonly TokenStatus[]
  readonly workers: readonly HeardWorker[]
}

export interface StatusSources {
  readonly ledger: Ledger
  readonly servers: Servers
  readonly workers: Workers
  readonly queues: Queues
}

/** Everything visible from Redis, across all machines. */
export async function readStatus({ ledger, servers, workers, queues }: StatusSources): Promise<Status> {
  const [entries, records] = await Promise.all([ledger.list(), workers.list()])
  const held = records.flatMap(({ holds }) => holds)
  const looked = await Promise.all(entries.map((entry) => batchStatus(entry, ledger, held).catch(unlessForgotten)))
  const batches = looked.filter((batch) => batch !== undefined)
  // Without any batch a server may be paused, too.
  const served = records.flatMap(({ serves = [] }) => serves.flatMap((one) => one.servers))
  const names = new Set([...entries.flatMap((entry) => entry.servers), ...served])
  const states = await Promise.all([...names].sort().map((server) => serverStatus(server, entries, servers, queues)))
  const alive = (await Promise.all(records.map(unlessDead))).flat()
  const destinations = alive.flatMap(destinationsOf)
  return { batches, servers: states, destinations, tokens: tokensOf(alive), workers: records }
}

async function unlessDead(record: HeardWorker): Promise<readonly HeardWorker[]> {
  return (await livenessOf(record)) === 'dead' ? [] : [record]
}

/** Tokens to be replaced, each once for all workers that say the same: those that are refused first, the oldest first. */
export function tokensOf(workers: readonly WorkerRecord[]): readonly TokenStatus[] {
  const found = workers.flatMap(({ host, refused = [], expiring = [] }): TokenStatus[] => [
    ...refused.map(({ server, reason, since }) => {
      return { server, hosts: [host], reason, refusedSince: new Date(since), expires: undefined }
    }),
    ...expiring
      .filter(({ server }) => !refused.some((one) => one.server === server))
      .map((token) => {
        const { server, expires } = token
        const reason = expiryText(token)
        return { server, hosts: [host], reason, refusedSince: undefined, expires: new Date(expires) }
      }),
  ])
  const byReason = new Map<string, TokenStatus>()
  for (const token of found.sort((a, b) => timeOf(a) - timeOf(b))) {
    const key = `${token.server} ${token.reason}`
    const known = byReason.get(key) ?? token
    byReason.set(key, { ...known, hosts: [...new Set([...known.hosts, ...token.hosts])] })
  }
  return [...byReason.values()]
}

function timeOf({ refusedSince, expires }: TokenStatus): number {
  return (refusedSince ?? expires)?.getTime() ?? 0
}

/** That a token expires soon, and what to do. */
export function expiryText({ server, expires, place }: ExpiringToken): string {
  const where = place === undefined ? 'Get a new one' : `Put a new one into ${place}`
  return `The API token for ${server} expires on ${expires.slice(0, 10)}. ${where} before that.`
}

/** What cannot be used from where a worker is. */
export function destinationsOf({ host, pid, destinations }: WorkerRecord): DestinationStatus[] {
  return destinations.map(({ destination, reason, since, nextLookMs }) => ({
    destination,
    host,
    pid,
    hold: { reason, since: new Date(since), nextLookMs },
  }))
}

/** Somebody took it out of Redis just now. */
function unlessForgotten(error: unknown): undefined {
  if (error instanceof DataferryError && error.code === 'BATCH_NOT_FOUND') return undefined
  throw error
}

async function batchStatus(entry: LedgerEntry, ledger: Ledger, held: readonly HeldItem[]): Promise<BatchStatus> {
  const summary = await ledger.summary(entry.id)
  const { id, state, reason, destination, servers, createdAt, attached, tokenServers } = entry
  const owner = entry.owner && (await livenessOf(entry.owner)) === 'dead' ? undefined : entry.owner
  const { done, kept, failed, waiting, planned } = summary
  const looks = waiting === 0 ? [] : [...(await ledger.nextLooks(id)).values()]
  const { active, bytes: openBytes } = await openItems(ledger, entry, held)
  return {
    id,
    state,
    reason,
    destination,
    servers,
    createdAt,
    attached,
    tokenServers,
    owner,
    active: active.length,
    openBytes,
    open: planned - done - kept - failed - waiting,
    nextLook: looks.length === 0 ? undefined : new Date(Math.min(...looks)),
    ...summary,
  }
}

/** Items of a batch that workers have now, and bytes at the destination of all its items that have not ended. */
export interface OpenItems {
  readonly active: readonly HeldItem[]
  readonly bytes: number
}

/**
 * To be asked after the summary of the batch: then the bytes of no item count in both.
 * @param told by workers a moment ago, of any batch
 */
export async function openItems(
  ledger: Pick<Ledger, 'parts'>,
  { id, state }: Pick<LedgerEntry, 'id' | 'state'>,
  told: readonly HeldItem[],
): Promise<OpenItems> {
  if (hasEnded({ state })) return { active: [], bytes: 0 }
  const held = told.filter(({ batch }) => batch === id)
  const open = await ledger.parts(id, held)
  // Of files that travel together, others go on when that one has ended.
  const active = held.filter(({ n, files }) => files !== undefined || open.has(n))
  const bytesOf = new Map([...open, ...active.map(({ n, bytes }) => [n, bytes] as const)])
  return { active, bytes: [...bytesOf.values()].reduce((sum, bytes) => sum + bytes, 0) }
}

async function serverStatus(
  server: string,
  entries: readonly LedgerEntry[],
  servers: Servers,
  queues: Queues,
): Promise<ServerStatus> {
  const open = entries.filter((entry) => entry.state !== 'finished' && entry.servers.includes(server))
  const scopes = new Set(open.map((entry) => itemScope(entry, server)))
  const [state, ...counts] = await Promise.all([
    servers.get(server),
    ...[...scopes].map((scope) => queues.counts(server, scope)),
  ])
  const sum = (key: keyof JobCounts): number => counts.reduce((total, one) => total + one[key], 0)
  return { ...state, waiting: sum('waiting'), active: sum('active'), delayed: sum('delayed') }
}

/** Whether some of these workers fetch a batch left to them: from each of its servers, with its token, for its destination. */
export function areServed(
  { servers, tokenServers, destination }: Pick<LedgerEntry, 'servers' | 'tokenServers' | 'destination'>,
  workers: readonly WorkerRecord[],
): boolean {
  const able = workers.filter(({ only }) => !only || isWithin(destination, only))
  return servers.every((server) => {
    const scope = tokenServers.includes(server) ? TOKEN_SCOPE : PUBLIC_SCOPE
    return able.some((worker) => takes(worker, scope, server))
  })
}

/** Workers of an earlier version do not say from which servers they fetch. */
function takes({ scopes, serves }: WorkerRecord, scope: Scope, server: string): boolean {
  if (serves === undefined) return scopes.includes(scope)
  return serves.some((one) => one.scope === scope && one.servers.includes(server))
}

/** Nothing goes on with it by itself any more. */
export function hasEnded({ state }: Pick<LedgerEntry, 'state'>): boolean {
  return state === 'finished' || state === 'cancelled'
}

/** It belongs to a command that is not running. */
export function isParked({ state, attached, owner }: Pick<BatchStatus, 'state' | 'attached' | 'owner'>): boolean {
  return (state === 'open' || state === 'waiting') && attached && owner === undefined
}

/** The state as it is shown: `parked` where it waits for its command. */
export function shownState(batch: Pick<BatchStatus, 'state' | 'attached' | 'owner'>): LedgerEntry['state'] | 'parked' {
  return isParked(batch) ? 'parked' : batch.state
}

/** What needs attention comes first: a batch that is paused with a reason, one that waits for its command, one with failures. */
export function urgency({ state, attached, owner, failed }: BatchStatus): number {
  if (state === 'paused') return 4
  if (isParked({ state, attached, owner })) return 3
  if (state === 'open') return failed > 0 ? 2 : 1
  return 0
}
