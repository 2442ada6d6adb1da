import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import { Worker, type Job, type Processor } from 'bullmq'
import { CONTROL_QUEUE, controlJobSchema } from '../jobs/control.ts'
import { FEED_QUEUE, feedJobSchema } from '../jobs/feed.ts'
import { itemJobSchema, itemQueue } from '../jobs/item.ts'
import { messageOf } from '../src/errors.ts'
import type { Change, Changes } from '../src/ledger/change.ts'
import type { RedisClient } from '../src/ledger/client.ts'
import type { Ledger } from '../src/ledger/ledger.ts'
import type { BackoffLimits, Servers } from '../src/ledger/servers.ts'
import type { Workers } from '../src/ledger/workers.ts'
import type { Logger } from '../src/log.ts'
import type { OpenSource } from '../src/model/source.ts'
import { ownProcess } from '../src/queue/process-identity.ts'
import { addItems, askReport, type Queues } from '../src/queue/queues.ts'
import { reclaim } from '../src/queue/reclaim.ts'
import type { Sink } from '../src/sinks/sink.ts'
import type { ReconnectOptions } from '../src/transfer/resuming-reader.ts'
import { Batches } from './batches.ts'
import { processControl } from './control.ts'
import { Feeder } from './feed.ts'
import { processItem, settleCrashed, type ItemDeps } from './item.ts'
import { Notices } from './notices.ts'
import { Running } from './running.ts'
import { ServerPauses } from './server-pauses.ts'
import { FullDestinations } from './space.ts'
import { carryOut } from './step.ts'

export interface WorkerDeps {
  /** A `worker` connection: its commands wait while Redis is away. */
  readonly client: RedisClient
  readonly queues: Queues
  readonly ledger: Ledger
  readonly servers: Servers
  readonly workers: Workers
  readonly changes: Changes
  readonly openSink: (url: string) => Promise<Sink>
  readonly openSource: (server: string) => OpenSource
  readonly memoryPressure: () => Promise<number | undefined>
  readonly log: Logger
}

export interface WorkerOptions {
  readonly prefix: string
  /** Base URLs that this process may contact. */
  readonly servers: readonly string[]
  /** Items at the same time per server, over all workers. */
  readonly jobs: number
  /** Attempts for each item before it counts as failed. */
  readonly attempts: number
  readonly throttle: BackoffLimits
  /** Wait before an item's second attempt, and the longest; each doubles the one before. */
  readonly retry: BackoffLimits
  readonly reconnect?: ReconnectOptions
}

/** Working: what it does now, and the way to stop it. */
export interface RunningWorkers {
  readonly running: Running
  readonly notices: Notices
  /** Parks what is in flight at its byte, hands its jobs back and closes everything it opened. */
  close(): Promise<void>
}

/** A lock that its worker does not renew for this long is anybody's. */
const LOCK_MS = 60_000
const STALLED_CHECK_MS = 10_000
const MAX_STALLED = 20
const BEAT_MS = 2_000
/** An item that was in the hands of this many dying processes is not handed to another. */
const MAX_CRASHES = 10

/** Starts this process's workers: items of its servers, feeding and control. */
export async function startWorkers(deps: WorkerDeps, options: WorkerOptions): Promise<RunningWorkers> {
  const process = new WorkerProcess(deps, options)
  await process.start()
  return process
}

class WorkerProcess implements RunningWorkers {
  readonly running = new Running()
  readonly notices = new Notices()
  readonly #deps: WorkerDeps
  readonly #options: WorkerOptions
  readonly #id = `${hostname().replaceAll(/[^A-Za-z0-9-]/g, '_')}-${randomUUID().slice(0, 8)}`
  readonly #batches: Batches
  readonly #workers: Worker[] = []
  readonly #pauses: ServerPauses
  readonly #since = new Date().toISOString()
  readonly #stops: (() => void)[] = []
  #beating: Promise<void> = Promise.resolve()

  constructor(deps: WorkerDeps, options: WorkerOptions) {
    this.#deps = deps
    this.#options = options
    this.#batches = new Batches(deps.ledger, deps.openSink, this.#id)
    this.#pauses = new ServerPauses(deps.servers, this.notices)
  }

  async start(): Promise<void> {
    const { changes } = this.#deps
    this.#stops.push(changes.onChange((change) => this.#heard(change)))
    await this.#reclaim()
    const space = new FullDestinations(this.#deps.log, (text) => this.notices.set('space', text))
    for (const server of this.#options.servers) await this.#startItems(server, space)
    this.#startFeed()
    this.#startControl()
    await this.#beat()
    for (const worker of this.#workers) worker.run().catch((error: unknown) => this.#log(error))
    const timer = setInterval(() => {
      this.#beating = this.#beat().catch((error: unknown) => this.#log(error))
    }, BEAT_MS)
    this.#stops.push(() => clearInterval(timer))
  }

  async close(): Promise<void> {
    this.running.shutDown()
    for (const stop of this.#stops) stop()
    await this.#beating
    await Promise.all(this.#workers.map((worker) => worker.close()))
    await this.#batches.close()
    await this.#deps.workers.remove(this.#id)
  }

  async #startItems(server: string, space: FullDestinations): Promise<void> {
    const { ledger, servers, openSource, log, queues } = this.#deps
    const { jobs, throttle, reconnect } = this.#options
    const queue = queues.items(server)
    await queues.prepare(server)
    await queues.limit(server, { concurrency: (await servers.get(server)).concurrency ?? jobs })
    const deps: ItemDeps = {
      ledger,
      batches: this.#batches,
      running: this.running,
      openSource,
      throttled: (...report) => this.#pauses.throttled(...report),
      succeeded: (name) => this.#pauses.succeeded(name),
      space,
      backoff: throttle,
      log,
      ...(reconnect && { reconnect }),
    }
    // Exactly three plain parameters: a default or rest parameter would hide the abort signal from BullMQ.
    const processor = async (job: Job, token: string | undefined, signal: AbortSignal | undefined): Promise<void> => {
      const attempt = {
        made: job.attemptsMade,
        allowed: job.opts.attempts ?? 1,
        started: job.attemptsStarted,
        stalled: job.stalledCounter,
      }
      const step = await processItem(itemJobSchema.parse(job.data), attempt, signal, deps)
      await carryOut(step, job, token ?? '', (ms) => queues.hold(server, ms))
    }
    this.#open(itemQueue(server), jobs, processor)
  }

  #startFeed(): void {
    const { ledger, queues, memoryPressure, servers } = this.#deps
    const feeder = new Feeder({
      ledger,
      batches: this.#batches,
      queued: (server) => queues.windowSize(server),
      add: (server, jobs) => addItems(queues.items(server), jobs, { attempts: this.#options.attempts }),
      askReport: (batch) => askReport(queues, batch),
      window: async (server) => Math.max(200, 20 * ((await servers.get(server)).concurrency ?? this.#options.jobs)),
      memoryPressure,
      notice: (text) => this.notices.set('memory', text),
    })
    const processor = async (job: Job, token: string | undefined): Promise<void> => {
      const step = await feeder.pass(feedJobSchema.parse(job.data))
      await carryOut(step, job, token ?? '', () => Promise.resolve())
    }
    this.#open(FEED_QUEUE, 4, processor)
  }

  #startControl(): void {
    const { ledger } = this.#deps
    const processor = async (job: Job): Promise<void> => {
      await processControl(controlJobSchema.parse(job.data), { ledger, batches: this.#batches })
    }
    this.#open(CONTROL_QUEUE, 1, processor)
  }

  #open(name: string, concurrency: number, processor: Processor): void {
    const { client, log } = this.#deps
    const { prefix, retry } = this.#options
    const worker = new Worker(name, processor, {
      connection: client,
      prefix,
      concurrency,
      lockDuration: LOCK_MS,
      stalledInterval: STALLED_CHECK_MS,
      maxStalledCount: MAX_STALLED,
      // Waits for a throttled server are looked at this often, so that what a person changes acts soon.
      maximumRateLimitDelay: 5_000,
      // Nobody could tell whose a job is before this process has registered.
      autorun: false,
      removeOnComplete: { count: 0 },
      removeOnFail: { count: 0 },
      settings: { backoffStrategy: (attempts) => backoff(attempts, retry) },
    })
    worker.on('lockRenewalFailed', (ids: string[]) => {
      for (const id of ids) worker.cancelJob(id)
    })
    worker.on('error', (error) => log.warn({ queue: name, problem: messageOf(error) }, 'queue error'))
    this.#workers.push(worker)
  }

  #heard(change: Change): void {
    if (change.kind === 'batch' && change.state !== 'open' && change.state !== 'finished') {
      this.running.stopWhere((task) => task.batch === change.id, 'held')
    }
  }

  async #beat(): Promise<void> {
    const { workers } = this.#deps
    await workers.beat({
      ...(await ownProcess()),
      id: this.#id,
      tokens: this.#workers.map((worker) => worker.id),
      since: this.#since,
      at: new Date().toISOString(),
      holds: this.running.held(),
    })
    await this.#reclaim()
  }

  /** A crash of a worker counts against the items that it had: one of them may be the cause. */
  async #reclaim(): Promise<void> {
    const { client, queues, workers, ledger } = this.#deps
    const items = this.#options.servers.map((server) => queues.items(server))
    for (const { batch, n } of await reclaim({ connection: client, workers, queues: items })) {
      if ((await ledger.crashed(batch, n)) < MAX_CRASHES) continue
      const opened = await this.#batches.open(batch)
      if (opened) await settleCrashed(await opened.items.item(n), opened, { ledger })
    }
  }

  #log(error: unknown): void {
    this.#deps.log.warn({ problem: messageOf(error) }, 'background work failed')
  }
}

/** Capped exponential with jitter: BullMQ's own has no cap. */
function backoff(attempts: number, { firstMs, maxMs }: BackoffLimits): number {
  const full = Math.min(maxMs, firstMs * 2 ** (attempts - 1))
  return Math.round(full * (0.75 + Math.random() / 4))
}
