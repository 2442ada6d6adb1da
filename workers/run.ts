import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import type { Job, Processor, Worker } from 'bullmq'
import { bundleJobSchema } from '../jobs/bundle.ts'
import { CONTROL_QUEUE, controlJobSchema } from '../jobs/control.ts'
import { FEED_QUEUE, feedJobSchema } from '../jobs/feed.ts'
import { itemJobSchema, itemQueue, type ItemJob } from '../jobs/item.ts'
import { messageOf } from '../src/errors.ts'
import type { Change, Changes } from '../src/ledger/change.ts'
import type { RedisClient } from '../src/ledger/redis/client.ts'
import type { Ledger } from '../src/ledger/ledger.ts'
import type { BackoffLimits, Servers } from '../src/ledger/servers.ts'
import type { WorkerRecord, Workers } from '../src/ledger/workers.ts'
import type { Logger } from '../src/log.ts'
import type { OpenSource } from '../src/model/source.ts'
import { ownProcess } from '../src/process/process-identity.ts'
import {
  addBundles,
  addItems,
  askReport,
  feedNow,
  isBundleQueued,
  removeOrphans,
  startFeeding,
  type Queues,
} from '../src/queue/queues.ts'
import { reclaim } from '../src/queue/reclaim.ts'
import type { Sink } from '../src/sinks/sink.ts'
import type { ReconnectOptions } from '../src/transfer/resuming-reader.ts'
import { processBundle, type BundleDeps } from './bundle.ts'
import { Batches } from './batches.ts'
import { Bundling, DEFAULT_BUNDLE_SIZE, type BundleSize } from './bundling.ts'
import { processControl } from './control.ts'
import { Feeder } from './feed.ts'
import { processItem, settleCrashed } from './item.ts'
import { Notices } from './notices.ts'
import { OwnJobs } from './own-jobs.ts'
import { queueWorker } from './queue-worker.ts'
import { Running } from './running.ts'
import { ServerPauses } from './server-pauses.ts'
import { FullDestinations } from './space.ts'
import { Reconciler } from './reconciler.ts'
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
  /** Bytes that one ZIP of a server may hold; undefined: it does not say. */
  readonly zipLimit: (server: string) => Promise<number | undefined>
  /** Sets how fast this process may read from one server; undefined: as fast as it can. */
  readonly limitBandwidth: (server: string, bytesPerSecond: number | undefined) => void
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
  /** How much travels in one ZIP at most. */
  readonly bundles?: BundleSize
}

/** Working: what it does now, and the way to stop it. */
export interface RunningWorkers {
  readonly running: Running
  readonly notices: Notices
  /** Parks what is in flight at its byte, hands its jobs back and closes everything it opened. */
  close(): Promise<void>
}

const BEAT_MS = 2_000
/** An item that this many processes died with, without a byte of progress, is not handed to another. */
const MAX_CRASHES = 20

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
  readonly #itemWorkers = new Map<string, Worker>()
  readonly #pauses: ServerPauses
  readonly #bundling: Bundling
  readonly #reconciler: Reconciler
  readonly #ownJobs = new OwnJobs()
  readonly #since = new Date().toISOString()
  readonly #stops: (() => void)[] = []
  #beating: Promise<void> = Promise.resolve()

  constructor(deps: WorkerDeps, options: WorkerOptions) {
    this.#deps = deps
    this.#options = options
    this.#batches = new Batches(deps.ledger, deps.openSink, this.#id)
    this.#pauses = new ServerPauses(deps.servers, this.notices)
    this.#reconciler = new Reconciler({
      ledger: deps.ledger,
      batches: this.#batches,
      feed: (...fed) => this.#feed(...fed),
    })
    this.#bundling = new Bundling({
      size: options.bundles ?? DEFAULT_BUNDLE_SIZE,
      zipLimit: deps.zipLimit,
      notice: (...told) => this.notices.set(...told),
    })
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
    for (const worker of this.#workers) this.#inBackground(worker.run())
    const timer = setInterval(() => {
      this.#beating = this.#beat().catch((error: unknown) => this.#log(error))
    }, BEAT_MS)
    this.#stops.push(() => clearInterval(timer))
  }

  async close(): Promise<void> {
    // Workers stop taking jobs first: a job that is handed back would come to this process again at once.
    const closing = this.#workers.map((worker) => worker.close())
    this.running.shutDown()
    for (const stop of this.#stops) stop()
    await this.#beating
    await Promise.all(closing)
    await this.#batches.close()
    await this.#deps.workers.remove(this.#id)
  }

  async #startItems(server: string, space: FullDestinations): Promise<void> {
    const { ledger, openSource, log, queues } = this.#deps
    const { jobs, throttle, reconnect } = this.#options
    await queues.prepare(server)
    const deps: BundleDeps = {
      ledger,
      batches: this.#batches,
      running: this.running,
      openSource,
      throttled: (...report) => this.#pauses.throttled(...report),
      succeeded: (name) => this.#pauses.succeeded(name),
      bundling: this.#bundling,
      addSingles: (name, jobs) => this.#addItems(name, jobs),
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
        stalled: job.stalledCounter,
      }
      const step =
        job.name === 'archive'
          ? await processBundle(bundleJobSchema.parse(job.data), attempt, signal, deps)
          : await processItem(itemJobSchema.parse(job.data), attempt, signal, deps)
      await carryOut(step, job, token ?? '', (ms) => queues.hold(server, ms))
    }
    this.#itemWorkers.set(server, this.#open(itemQueue(server), jobs, processor))
    await this.#obey(server)
  }

  #startFeed(): void {
    const { ledger, queues, memoryPressure, servers } = this.#deps
    const feeder = new Feeder({
      ledger,
      batches: this.#batches,
      queued: (server) => queues.windowSize(server),
      add: (server, jobs) => this.#addItems(server, jobs),
      removeOrphans: (server, jobs) => removeOrphans(queues.items(server), jobs),
      bundles: {
        options: (...place) => this.#bundling.options(...place),
        add: (server, jobs) => addBundles(queues.items(server), jobs, { attempts: this.#options.attempts }),
        isQueued: (server, job) => isBundleQueued(queues.items(server), job),
      },
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
    const feed = (batch: string, server: string): Promise<void> => this.#feed(batch, server)
    const processor = async (job: Job): Promise<void> => {
      await processControl(controlJobSchema.parse(job.data), { ledger, batches: this.#batches, feed })
    }
    this.#open(CONTROL_QUEUE, 1, processor)
  }

  #feed(batch: string, server: string): Promise<void> {
    return startFeeding(this.#deps.queues, batch, server)
  }

  #addItems(server: string, jobs: readonly ItemJob[]): Promise<void> {
    return addItems(this.#deps.queues.items(server), jobs, { attempts: this.#options.attempts })
  }

  #open(name: string, concurrency: number, processor: Processor): Worker {
    const { client, log } = this.#deps
    const { prefix, retry } = this.#options
    const worker = queueWorker(name, this.#ownJobs.track(name, processor), { client, prefix, concurrency, retry, log })
    this.#workers.push(worker)
    return worker
  }

  #heard(change: Change): void {
    switch (change.kind) {
      case 'batch':
        if (change.state === 'forgotten') this.#reconciler.forget(change.id)
        if (change.state !== 'open' && change.state !== 'finished') this.#hold(change.id)
        return
      case 'ready':
        for (const server of this.#options.servers) this.#inBackground(feedNow(this.#deps.queues, change.id, server))
        return
      case 'server':
        this.#inBackground(this.#obey(change.server))
        return
      case 'missed':
        this.#inBackground(this.#readAgain())
    }
  }

  #hold(batch: string): void {
    this.running.stopWhere((task) => task.batch === batch, 'held')
  }

  /** Does what people set for a server, on this process's part of it. */
  async #obey(server: string): Promise<void> {
    const worker = this.#itemWorkers.get(server)
    if (!worker) return
    const { servers, queues, workers, limitBandwidth } = this.#deps
    const { concurrency = this.#options.jobs, bandwidth, paused, waitMs } = await servers.get(server)
    this.#pauses.tell(server, waitMs)
    worker.concurrency = concurrency
    await queues.limit(server, concurrency)
    const sharers = bandwidth === undefined ? 1 : Math.max(1, (await workers.list()).filter(isBusy).length)
    limitBandwidth(server, bandwidth === undefined ? undefined : bandwidth / sharers)
    this.notices.set(`paused ${server}`, paused === undefined ? undefined : `${server} is paused: ${paused}`)
    if (paused !== undefined) this.running.stopWhere((task) => task.item.server === server, 'shutdown')
  }

  /** The connection was away: whatever changed meanwhile went unheard. */
  async #readAgain(): Promise<void> {
    for (const batch of new Set(this.running.held().map((held) => held.batch))) {
      const entry = await this.#deps.ledger.get(batch)
      if (entry?.state === 'paused' || entry?.state === 'cancelled') this.#hold(batch)
    }
    for (const server of this.#options.servers) await this.#obey(server)
    await this.#reconciler.now()
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
    for (const server of this.#options.servers) await this.#obey(server)
    await this.#reconciler.whenDue()
  }

  /** A crash of a worker counts against the items that it had and got nothing of: one of them may be the cause. */
  async #reclaim(): Promise<void> {
    const { client, queues, workers, ledger } = this.#deps
    const items = this.#options.servers.map((server) => queues.items(server))
    const all = [...items, queues.feed, queues.control]
    const handedBack = await reclaim({ connection: client, workers, queues: all })
    await this.#ownJobs.handBackLost(all, client, new Set(this.#workers.map((worker) => worker.id)))
    for (const { batch, n, progressed } of handedBack) {
      if (progressed || (await ledger.crashed(batch, n)) < MAX_CRASHES) continue
      const opened = await this.#batches.open(batch)
      if (opened) await settleCrashed(await opened.items.item(n), opened, { ledger })
    }
  }

  #inBackground(work: Promise<void>): void {
    work.catch((error: unknown) => this.#log(error))
  }

  #log(error: unknown): void {
    this.#deps.log.warn({ problem: messageOf(error) }, 'background work failed')
  }
}

function isBusy({ holds }: WorkerRecord): boolean {
  return holds.length > 0
}
