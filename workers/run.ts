import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import type { Queue } from 'bullmq'
import { every, type Repeated } from '../src/async/every.ts'
import { itemQueue } from '../jobs/item.ts'
import { itemScope, PUBLIC_SCOPE, TOKEN_SCOPE, type Scope, type Whose } from '../jobs/scope.ts'
import { DataferryError, messageOf } from '../src/errors.ts'
import { noticeText } from '../src/model/notice.ts'
import type { TakeSlot } from '../src/model/take-slot.ts'
import type { Change } from '../src/ledger/change.ts'
import type { LedgerEntry } from '../src/ledger/ledger.ts'
import type { RedisClient } from '../src/ledger/redis/client.ts'
import { BatchLogs } from '../src/ledger/batch-logs.ts'
import { Metrics } from '../src/ledger/metrics.ts'
import { Slots } from '../src/ledger/slots.ts'
import { QueueClocks } from '../src/queue/clocks.ts'
import { feedBatch, feedNow } from '../src/queue/queues.ts'
import { readStatus } from '../src/status.ts'
import { Batches } from './batches.ts'
import { DestinationHolds } from './destination-holds.ts'
import { startHeartbeat } from './heartbeat.ts'
import { LogTails } from './log-tails.ts'
import { Looks } from './looks.ts'
import type { Notices } from './notices.ts'
import { QueueWorkers } from './queue-workers.ts'
import { Reconciler } from './reconciler.ts'
import { recoverCrashed } from './recover-crashed.ts'
import { Running } from './running.ts'
import { ServerLimits } from './server-limits.ts'
import { TokenExpiries } from './token-expiries.ts'
import { TokenHolds } from './token-holds.ts'
import { Watchdog } from './watchdog.ts'
import { openQueueWorkers, type WorkerDeps, type WorkerOptions } from './wiring.ts'

/** A working process: what it does now, and how to stop it. */
export interface RunningWorkers {
  readonly running: Running
  readonly notices: Notices
  /** Aborts when a server or destination has been away for longer than this process is to wait. */
  readonly gaveUp: AbortSignal
  /** Waits for a stream of a server, for what is not an item. */
  readonly takeSlot: TakeSlot
  /** Parks files in flight at their byte, hands its jobs back and closes everything it opened. */
  close(): Promise<void>
}

/** Between two looks for dead processes, and for limits whose change was missed. */
const LOOK_MS = 2_000
const CLOCKS_MS = 5_000
/** A lock lasts 60 s. */
const RENEW_MS = 10_000
const RECONCILE_MS = 10_000
const WATCH_MS = 30_000
const COUNT_MS = 5_000
const LOG_MS = 1_000
const EXPIRY_MS = 30_000

const GAVE_UP = 'What was fetched is kept. Run the same command again when it is back: it continues where it stopped.'

/** Starts this process's workers: items of its servers, feeding and control. */
export async function startWorkers(deps: WorkerDeps, options: WorkerOptions): Promise<RunningWorkers> {
  const process = new WorkerProcess(deps, options)
  await process.start()
  return process
}

/** Names a process that writes receipts; new for each start. */
export function newWriterId(): string {
  return `${hostname().replaceAll(/[^A-Za-z0-9-]/g, '_')}-${randomUUID().slice(0, 8)}`
}

/** The lifetime of a working process: what it starts, what it listens to, what it repeats, and how all of it ends. */
class WorkerProcess implements RunningWorkers {
  readonly running = new Running()
  readonly notices: Notices
  readonly #deps: WorkerDeps
  readonly #options: WorkerOptions
  readonly #id = newWriterId()
  readonly #batches: Batches
  readonly #metrics: Metrics
  readonly #batchLogs: BatchLogs
  readonly #tails = new LogTails()
  readonly #queueWorkers: QueueWorkers
  readonly #clocks: QueueClocks
  readonly #limits: ServerLimits
  readonly #destinations: DestinationHolds
  readonly #looks: Looks
  readonly #tokens: TokenHolds
  readonly #expiries: TokenExpiries
  readonly #reconciler: Reconciler
  readonly #watchdog = new Watchdog()
  #silence: string | undefined
  readonly #repeated: Repeated[] = []
  readonly #gaveUp = new AbortController()
  #stopListening = (): void => undefined

  constructor(deps: WorkerDeps, options: WorkerOptions) {
    const { notices } = deps
    this.#destinations = new DestinationHolds(notices, deps.mayOpen)
    this.#tokens = new TokenHolds(deps.tokens, notices)
    this.#expiries = new TokenExpiries(deps)
    this.#looks = new Looks({
      ...deps,
      tokens: this.#tokens,
      // What waits for access was requested with a token.
      access: (server) => deps.access(server, TOKEN_SCOPE, this.takeSlot),
      now: () => new Date(),
      everyMs: options.lookEveryMs,
    })
    this.#deps = deps
    this.notices = notices
    this.#options = options
    this.#clocks = new QueueClocks(deps.client)
    this.#metrics = new Metrics(deps.client, options.prefix)
    this.#batchLogs = new BatchLogs(deps.client, options.prefix)
    const { ledger, openSink, log, mayOpen, counts } = deps
    this.#batches = new Batches(ledger, openSink, this.#id, log, mayOpen, counts, this.#tails)
    this.#queueWorkers = new QueueWorkers({ ...deps, ...options })
    this.#limits = new ServerLimits({
      ...deps,
      ...options,
      running: this.running,
      notices,
      id: this.#id,
      slots: new Slots(deps.client, { usualLimit: options.jobs, prefix: options.prefix }),
      setConcurrency: (server, jobs) => {
        for (const scope of this.#scopesOf(server)) this.#queueWorkers.setConcurrency(itemQueue(server, scope), jobs)
      },
      onGiveUp: (server, { reason }) => {
        const message = `${server} has been away for too long: ${reason}`
        this.#gaveUp.abort(new DataferryError('SOURCE_UNREACHABLE', message, { advice: GAVE_UP }))
      },
    })
    this.#reconciler = new Reconciler({
      ledger: deps.ledger,
      batches: this.#batches,
      feed: (entry) => feedBatch(deps.queues, entry),
      isOurs: (entry) => this.#isOurs(entry),
    })
  }

  async start(): Promise<void> {
    const { running, notices } = this
    const { scopes } = this.#options
    const [batches, queueWorkers, limits] = [this.#batches, this.#queueWorkers, this.#limits]
    const destinations = this.#destinations
    this.#stopListening = this.#deps.changes.onChange((change) => this.#heard(change))
    await this.#recover()
    const [looks, tokens, takeSlot] = [this.#looks, this.#tokens, this.takeSlot]
    const shared = { batches, running, notices, destinations, limits, looks, tokens, takeSlot, queueWorkers }
    openQueueWorkers(this.#deps, this.#options, shared)
    await this.#applyLimits()
    // Before the first job is taken: should this process die, its registration is how its jobs are found.
    const named = this.#deps.mayOpen?.named
    const shown = {
      only: named,
      scopes,
      queueWorkers,
      running,
      destinations,
      refused: tokens,
      expiring: this.#expiries,
      notices,
    }
    this.#repeated.push(await startHeartbeat({ ...this.#deps, ...shown, id: this.#id }))
    await this.#reconciler.now()
    this.#inBackground(queueWorkers.run())
    this.#repeat(LOOK_MS, () => this.#recover())
    this.#repeat(LOOK_MS, () => this.#applyLimits())
    this.#repeat(LOOK_MS, () => this.#giveUpOverdue())
    this.#repeat(CLOCKS_MS, () => this.#clocks.look(this.#queues))
    this.#repeat(RENEW_MS, () => queueWorkers.renewLocks())
    this.#repeat(RECONCILE_MS, () => this.#reconciler.now())
    this.#repeat(RECONCILE_MS, () => batches.releaseEnded((id) => running.held().some(({ batch }) => batch === id)))
    this.#repeat(WATCH_MS, () => this.#watch())
    this.#inBackground(this.#lookAtExpiries())
    this.#repeat(EXPIRY_MS, () => this.#lookAtExpiries())
    this.#repeat(COUNT_MS, () => this.#bringCounts())
    this.#repeat(LOG_MS, () => this.#bringLogs())
  }

  async close(): Promise<void> {
    // Workers stop taking jobs first: a job that is handed back would come to this process again at once.
    const closing = this.#queueWorkers.close()
    this.running.shutDown()
    this.#stopListening()
    // Each of these may meet a Redis or a disk that is away: what matters is on record, and others find out that this one has ended.
    const settled = async (ends: readonly Promise<unknown>[]): Promise<void> => {
      for (const end of await Promise.allSettled(ends)) if (end.status === 'rejected') this.#log(end.reason)
    }
    // BullMQ waits for its connections, however long: not beyond ours, which is given up when an end is wanted and Redis stays away.
    const given = whenEnded(this.#deps.client)
    await Promise.race([settled([closing, this.#looks.close(), ...this.#repeated.map((one) => one.stop())]), given])
    await settled([this.#batches.close()])
    const last = [this.#limits.close(), this.#deps.workers.remove(this.#id), this.#bringCounts(), this.#bringLogs()]
    await Promise.race([settled(last), given])
  }

  get gaveUp(): AbortSignal {
    return this.#gaveUp.signal
  }

  readonly takeSlot: TakeSlot = (server, signal) => this.#limits.streams(server).acquire(false, signal)

  /** Servers that this process works for. */
  get #servers(): readonly string[] {
    return [...new Set(this.#options.scopes.flatMap(({ servers }) => servers))]
  }

  /** Queues whose jobs this process takes. */
  get #queues(): readonly Queue[] {
    return this.#options.scopes.flatMap(({ scope, servers }) => this.#deps.queues.in(scope).of(servers))
  }

  #isOurs(batch: Whose & Pick<LedgerEntry, 'servers' | 'destination'>): boolean {
    if (this.#deps.mayOpen?.(batch.destination) === false) return false
    return batch.servers.some((server) => this.#scopesOf(server).includes(itemScope(batch, server)))
  }

  #scopesOf(server: string): readonly Scope[] {
    return this.#options.scopes.filter(({ servers }) => servers.includes(server)).map(({ scope }) => scope)
  }

  #heard(change: Change): void {
    switch (change.kind) {
      case 'batch':
        if (change.state === 'forgotten') this.#reconciler.forget(change.id)
        else this.#inBackground(this.#reconciler.notice(change.id))
        if (change.state === 'paused' || change.state === 'cancelled' || change.state === 'forgotten')
          this.#hold(change.id)
        return
      case 'ready':
        this.#inBackground(this.#reconciler.notice(change.id))
        for (const { scope, servers } of this.#options.scopes) {
          const queues = this.#deps.queues.in(scope)
          for (const server of servers) this.#inBackground(feedNow(queues, change.id, server))
        }
        return
      case 'server':
        if (this.#servers.includes(change.server)) this.#inBackground(this.#limits.apply(change.server))
        return
      case 'missed':
        this.#inBackground(this.#readAgain())
    }
  }

  #hold(batch: string): void {
    this.running.stopWhere((task) => task.batch === batch, 'held')
  }

  /** The connection was lost: changes may have been missed. */
  async #readAgain(): Promise<void> {
    for (const batch of new Set(this.running.held().map((held) => held.batch))) {
      const entry = await this.#deps.ledger.get(batch)
      if (entry?.state === 'paused' || entry?.state === 'cancelled') this.#hold(batch)
    }
    await this.#applyLimits()
    await this.#reconciler.now()
  }

  async #applyLimits(): Promise<void> {
    for (const server of this.#servers) await this.#limits.apply(server)
  }

  async #recover(): Promise<void> {
    const { client: connection, workers, ledger } = this.#deps
    const all = this.#queues
    const onDead = (id: string): Promise<void> => this.#limits.releaseOf(id)
    await recoverCrashed({ connection, workers, queues: all, ledger, batches: this.#batches, onDead })
    await this.#queueWorkers.handBackLost(all)
  }

  #giveUpOverdue(): void {
    const { giveUpAfterMs } = this.#options
    const overdue = this.#destinations.overdue(giveUpAfterMs) ?? this.#tokens.overdue(giveUpAfterMs)
    if (overdue) this.#gaveUp.abort(overdue)
  }

  #lookAtExpiries(): Promise<void> {
    const hasToken = (server: string): boolean => this.#scopesOf(server).some((scope) => scope !== PUBLIC_SCOPE)
    return this.#expiries.look(this.#servers.filter(hasToken))
  }

  async #watch(): Promise<void> {
    const reasons = this.notices
      .reasons()
      .map(noticeText)
      .filter((text) => text !== this.#silence)
    const status = await readStatus(this.#deps)
    const batches = status.batches.filter((batch) => this.#isOurs(batch))
    this.#silence = this.#watchdog.look({ ...status, batches }, reasons)
    this.notices.set('silence', this.#silence)
  }

  async #bringCounts(): Promise<void> {
    const { counts } = this.#deps
    const taken = counts.take()
    try {
      await this.#metrics.add(taken)
    } catch (error) {
      counts.giveBack(taken)
      throw error
    }
  }

  #bringLogs(): Promise<void> {
    return this.#tails.bring((batch, lines) => this.#batchLogs.add(batch, lines))
  }

  #repeat(ms: number, work: () => Promise<void> | void): void {
    this.#repeated.push(every(ms, work, (error) => this.#log(error)))
  }

  #inBackground(work: Promise<void>): void {
    work.catch((error: unknown) => this.#log(error))
  }

  #log(error: unknown): void {
    this.#deps.log.warn({ problem: messageOf(error) }, 'background work failed')
  }
}

/** Resolves when a connection has ended for good. */
function whenEnded(client: RedisClient): Promise<void> {
  return new Promise((resolve) => {
    if (client.status === 'end') resolve()
    client.once('end', () => resolve())
  })
}
