import type { Job, Processor } from 'bullmq'
import { bundleJobSchema } from '../jobs/bundle.ts'
import { CONTROL_QUEUE, controlJobSchema } from '../jobs/control.ts'
import { FEED_QUEUE, feedJobSchema } from '../jobs/feed.ts'
import { itemJobSchema, itemQueue, type ItemJob } from '../jobs/item.ts'
import type { Changes } from '../src/ledger/change.ts'
import type { Ledger } from '../src/ledger/ledger.ts'
import type { RedisClient } from '../src/ledger/redis/client.ts'
import type { BackoffLimits, Servers } from '../src/ledger/servers.ts'
import type { Workers } from '../src/ledger/workers.ts'
import type { Logger } from '../src/log.ts'
import type { OpenSource } from '../src/model/source.ts'
import {
  addBundles,
  addItems,
  askReport,
  isBundleQueued,
  removeOrphans,
  startFeeding,
  type Queues,
} from '../src/queue/queues.ts'
import type { Sink } from '../src/sinks/sink.ts'
import type { ReconnectOptions } from '../src/transfer/resuming-reader.ts'
import type { Batches } from './batches.ts'
import { processBundle, type BundleDeps } from './bundle.ts'
import { Bundling, DEFAULT_BUNDLE_SIZE, type BundleSize } from './bundling.ts'
import { processControl } from './control.ts'
import { Feeder } from './feed.ts'
import type { DestinationHolds } from './destination-holds.ts'
import { processItem } from './item.ts'
import type { Notices } from './notices.ts'
import type { QueueWorkers } from './queue-workers.ts'
import type { Attempt } from './run-job.ts'
import type { Running } from './running.ts'
import type { ServerLimits } from './server-limits.ts'
import { carryOut, OVER } from './step.ts'
import { withDestination } from './with-destination.ts'

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

/** What the kinds of jobs share in this process. */
export interface Shared {
  readonly batches: Batches
  readonly running: Running
  readonly notices: Notices
  readonly destinations: DestinationHolds
  readonly limits: ServerLimits
  readonly queueWorkers: QueueWorkers
}

/** Opens a worker for the items of each server, one for feeding and one for control, each with what it needs. */
export async function openQueueWorkers(deps: WorkerDeps, options: WorkerOptions, shared: Shared): Promise<void> {
  const { queueWorkers, notices } = shared
  const bundling = new Bundling({
    size: options.bundles ?? DEFAULT_BUNDLE_SIZE,
    zipLimit: deps.zipLimit,
    notice: (...told) => notices.set(...told),
  })
  const work = itemDeps(deps, options, shared, bundling)
  for (const server of options.servers) {
    await deps.queues.prepare(server)
    queueWorkers.open(itemQueue(server), options.jobs, itemProcessor(server, deps.queues, work))
  }
  queueWorkers.open(FEED_QUEUE, 4, feedProcessor(deps, options, shared, bundling))
  queueWorkers.open(CONTROL_QUEUE, 1, controlProcessor(deps, shared))
}

function itemDeps(deps: WorkerDeps, options: WorkerOptions, shared: Shared, bundling: Bundling): BundleDeps {
  const { ledger, openSource, log } = deps
  const { batches, running, limits, destinations } = shared
  return {
    ledger,
    batches,
    running,
    openSource,
    throttled: (...report) => limits.throttled(...report),
    succeeded: (server) => limits.succeeded(server),
    bundling,
    addSingles: (server, jobs) => addSingles(deps, options, server, jobs),
    destinations,
    backoff: options.throttle,
    log,
    ...(options.reconnect && { reconnect: options.reconnect }),
  }
}

function itemProcessor(server: string, queues: Queues, deps: BundleDeps): Processor {
  // Exactly three plain parameters: a default or rest parameter would hide the abort signal from BullMQ.
  return async (job: Job, token: string | undefined, signal: AbortSignal | undefined): Promise<void> => {
    const attempt: Attempt = {
      made: job.attemptsMade,
      allowed: job.opts.attempts ?? 1,
      stalled: job.stalledCounter,
    }
    const step = isBundle(job)
      ? await processBundle(bundleJobSchema.parse(job.data), attempt, signal, deps)
      : await processItem(itemJobSchema.parse(job.data), attempt, signal, deps)
    await carryOut(step, job, token ?? '', (ms) => queues.hold(server, ms))
  }
}

/** Bundles were queued as `archive` before they were told from archives. */
function isBundle({ name }: Job): boolean {
  return name === 'bundle' || name === 'archive'
}

function feedProcessor(deps: WorkerDeps, options: WorkerOptions, shared: Shared, bundling: Bundling): Processor {
  const { ledger, queues, memoryPressure, servers } = deps
  const { attempts } = options
  const feeder = new Feeder({
    ledger,
    batches: shared.batches,
    queued: (server) => queues.windowSize(server),
    add: (server, jobs) => addSingles(deps, options, server, jobs),
    removeOrphans: (server, jobs) => removeOrphans(queues.items(server), jobs),
    bundles: {
      options: (...place) => bundling.options(...place),
      add: (server, jobs) => addBundles(queues.items(server), jobs, { attempts }),
      isQueued: (server, job) => isBundleQueued(queues.items(server), job),
    },
    askReport: (batch) => askReport(queues, batch),
    window: async (server) => Math.max(200, 20 * ((await servers.get(server)).concurrency ?? options.jobs)),
    memoryPressure,
    notice: (text) => shared.notices.set('memory', text),
  })
  return async (job: Job, token: string | undefined): Promise<void> => {
    const place = feedJobSchema.parse(job.data)
    const step = await withDestination(place.batch, { ledger, ...shared }, () => feeder.pass(place))
    await carryOut(step, job, token ?? '', () => Promise.resolve())
  }
}

function controlProcessor({ ledger, queues }: WorkerDeps, shared: Shared): Processor {
  const feed = (batch: string, server: string): Promise<void> => startFeeding(queues, batch, server)
  const deps = { ledger, ...shared, feed }
  return async (job: Job, token: string | undefined): Promise<void> => {
    const asked = controlJobSchema.parse(job.data)
    const step = await withDestination(asked.batch, deps, async () => {
      await processControl(asked, deps)
      return OVER
    })
    await carryOut(step, job, token ?? '', () => Promise.resolve())
  }
}

function addSingles(
  { queues }: WorkerDeps,
  { attempts }: WorkerOptions,
  server: string,
  jobs: readonly ItemJob[],
): Promise<void> {
  return addItems(queues.items(server), jobs, { attempts })
}
