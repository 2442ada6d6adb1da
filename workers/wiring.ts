import type { Job, Processor } from 'bullmq'
import type { z } from 'zod'
import { bundleJobSchema } from '../jobs/bundle.ts'
import { controlQueue, controlJobSchema } from '../jobs/control.ts'
import { feedQueue, feedJobSchema } from '../jobs/feed.ts'
import { itemJobSchema, itemQueue } from '../jobs/item.ts'
import { PUBLIC_SCOPE, TOKEN_SCOPE, type Scope } from '../jobs/scope.ts'
import type { Changes } from '../src/ledger/change.ts'
import type { Ledger } from '../src/ledger/ledger.ts'
import type { RedisClient } from '../src/ledger/redis/client.ts'
import type { BackoffLimits, Servers } from '../src/ledger/servers.ts'
import type { Workers } from '../src/ledger/workers.ts'
import type { Logger } from '../src/log.ts'
import type { BatchId } from '../src/model/batch.ts'
import type { Counts } from '../src/model/counts.ts'
import type { FileAccess } from '../src/model/file-access.ts'
import type { OpenSource } from '../src/model/source.ts'
import type { TakeSlot } from '../src/model/take-slot.ts'
import {
  addBundles,
  addItems,
  askReport,
  isBundleQueued,
  removeOrphans,
  feedBatch,
  type Queues,
  type ScopeQueues,
} from '../src/queue/queues.ts'
import type { RedisHold } from '../src/queue/redis-hold.ts'
import type { Sink } from '../src/sinks/sink.ts'
import type { ReconnectOptions } from '../src/transfer/resuming-reader.ts'
import type { Segments } from '../src/transfer/segmented-reader.ts'
import type { Batches } from './batches.ts'
import { processBundle, type BundleDeps } from './bundle.ts'
import { Bundling, DEFAULT_BUNDLE_SIZE, type BundleSize } from './bundling.ts'
import { processControl } from './control.ts'
import { Feeder } from './feed.ts'
import type { DestinationHolds } from './destination-holds.ts'
import { processItem } from './item.ts'
import type { Looks } from './looks.ts'
import type { Notices } from './notices.ts'
import type { QueueWorkers } from './queue-workers.ts'
import type { Attempt } from './run-job.ts'
import type { Running } from './running.ts'
import type { ServerLimits } from './server-limits.ts'
import { slottedSource } from './slotted-source.ts'
import { carryOut, OVER, type Step } from './step.ts'
import type { TokenHolds, TokenKeeper } from './token-holds.ts'
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
  /** Whether this process works for a destination; undefined: for each. */
  readonly mayOpen?: (((url: string) => boolean) & { readonly named?: readonly string[] }) | undefined
  /** For a job of a batch: with the token of a server, unless the scope is `public`. */
  readonly openSource: (server: string, scope: Scope, batch: BatchId) => OpenSource
  /** Questions about access to files of a server, with its token unless the scope is `public`. */
  readonly access: (server: string, scope: Scope, takeSlot: TakeSlot) => FileAccess
  readonly tokens: TokenKeeper
  /** When the token for a server expires; undefined: there is none, or the server does not say. Never rejects. */
  readonly tokenExpiry: (server: string) => Promise<Date | undefined>
  /** Whether a server answers at all; never rejects. */
  readonly isUp: (server: string) => Promise<boolean>
  /** Bytes that one ZIP of a server may hold; undefined: it does not say. */
  readonly zipLimit: (server: string) => Promise<number | undefined>
  /** Sets how fast this process may read from one server; undefined: as fast as it can. */
  readonly limitBandwidth: (server: string, bytesPerSecond: number | undefined) => void
  readonly memoryPressure: () => Promise<number | undefined>
  /** What this process counts for the metrics. */
  readonly counts: Counts
  /** What holds up the work of this process. */
  readonly notices: Notices
  /** Waits while Redis takes no writes. */
  readonly hold: RedisHold
  readonly log: Logger
}

/** Jobs that a process takes: those of a scope, from these servers. */
export interface ScopeOfWork {
  readonly scope: Scope
  /** Base URLs. */
  readonly servers: readonly string[]
}

export interface WorkerOptions {
  readonly prefix: string
  /** Whose jobs this process takes. */
  readonly scopes: readonly ScopeOfWork[]
  /** Streams per server over all workers, where nobody set a limit. */
  readonly jobs: number
  /** Attempts for each item before it counts as failed. */
  readonly attempts: number
  readonly throttle: BackoffLimits
  /** Intervals of the looks at a server that is away. */
  readonly outage: BackoffLimits
  /** `RunningWorkers#gaveUp` aborts after a server or destination has been away for so long. */
  readonly giveUpAfterMs: number
  /** Time between two looks at what waits. */
  readonly lookEveryMs: number
  /** Wait before an item's second attempt, and the longest; each doubles the one before. */
  readonly retry: BackoffLimits
  readonly reconnect?: ReconnectOptions
  /** Connections that one file may use. Default one. */
  readonly segments?: Segments
  /** Most that travels in one ZIP. */
  readonly bundles?: BundleSize
}

/** What all kinds of jobs share in this process. */
export interface Shared {
  readonly batches: Batches
  readonly running: Running
  readonly notices: Notices
  readonly destinations: DestinationHolds
  readonly limits: ServerLimits
  readonly looks: Looks
  readonly tokens: TokenHolds
  readonly takeSlot: TakeSlot
  readonly queueWorkers: QueueWorkers
}

/** Opens a worker for the items of each server of each scope, one for feeding and one for control, each with what it needs. */
export function openQueueWorkers(deps: WorkerDeps, options: WorkerOptions, shared: Shared): void {
  const { queueWorkers, notices } = shared
  const bundling = new Bundling({
    size: options.bundles ?? DEFAULT_BUNDLE_SIZE,
    zipLimit: deps.zipLimit,
    notice: (...told) => notices.set(...told),
  })
  for (const { scope, servers } of options.scopes) {
    const queues = deps.queues.in(scope)
    const wiring: Wiring = { deps, options, shared, bundling, queues }
    for (const server of servers)
      queueWorkers.open(itemQueue(server, scope), options.jobs, itemProcessor(wiring, server))
    queueWorkers.open(feedQueue(scope), 4, feedProcessor(wiring))
    queueWorkers.open(controlQueue(scope), 1, controlProcessor(wiring))
  }
}

/** What the processors of one scope are made from. */
interface Wiring {
  readonly deps: WorkerDeps
  readonly options: WorkerOptions
  readonly shared: Shared
  readonly bundling: Bundling
  readonly queues: ScopeQueues
}

function itemDeps({ deps, options, shared, bundling, queues }: Wiring, from: string): BundleDeps {
  const { ledger, openSource, access, log } = deps
  const { batches, running, limits, destinations, tokens, takeSlot } = shared
  const { scope } = queues
  return {
    ledger,
    batches,
    running,
    taker: {
      server: from,
      attached: scope !== PUBLIC_SCOPE && scope !== TOKEN_SCOPE,
      withToken: scope === TOKEN_SCOPE,
    },
    openSource: (server, task) =>
      slottedSource(
        answering(openSource(server, scope, task.batch), server, limits),
        limits.streams(server),
        (waits) => (task.waits = waits),
      ),
    access: (server) => access(server, scope, takeSlot),
    now: () => new Date(),
    limits,
    tokens: scope === PUBLIC_SCOPE ? NO_TOKEN : tokens,
    bundling,
    addSingles: (server, jobs) =>
      deps.hold.patiently(() => addItems(queues.items(server), jobs, { attempts: options.attempts })),
    destinations,
    log,
    ...(options.reconnect && { reconnect: options.reconnect }),
    ...(options.segments !== undefined && { segments: options.segments }),
  }
}

/** What is public is asked for without a token. */
const NO_TOKEN: BundleDeps['tokens'] = { isOpen: () => Promise.resolve(true), hold: () => false }

/** Reports that a server works as soon as it answers. */
function answering(open: OpenSource, server: string, limits: ServerLimits): OpenSource {
  return async (...request) => {
    const opened = await open(...request)
    limits.succeeded(server)
    return opened
  }
}

function itemProcessor(wiring: Wiring, server: string): Processor {
  const deps = itemDeps(wiring, server)
  // Exactly three plain parameters: a default or rest parameter would hide the abort signal from BullMQ.
  return async (job: Job, token: string | undefined, signal: AbortSignal | undefined): Promise<void> => {
    const attempt: Attempt = {
      made: job.attemptsMade,
      allowed: job.opts.attempts ?? 1,
      stalled: job.stalledCounter,
    }
    const step = isBundle(job)
      ? await withData(job, bundleJobSchema, deps, (data) => processBundle(data, attempt, signal, deps))
      : await withData(job, itemJobSchema, deps, (data) => processItem(data, attempt, signal, deps))
    await carryOut(step, job, token ?? '', wiring.deps.hold.patiently)
  }
}

/** Works on a job that can be read; any other is dropped, since no worker could ever work on it. */
async function withData<T>(
  { id, data, queueName }: Pick<Job<unknown>, 'id' | 'data' | 'queueName'>,
  schema: z.ZodType<T>,
  { log }: Pick<WorkerDeps, 'log'>,
  work: (data: T) => Promise<Step>,
): Promise<Step> {
  const parsed = schema.safeParse(data)
  if (parsed.success) return work(parsed.data)
  log.warn({ queue: queueName, job: id?.slice(0, 200) }, 'a job that cannot be read was dropped')
  return OVER
}

/** Earlier versions queued bundles as `archive`. */
function isBundle({ name }: Job): boolean {
  return name === 'bundle' || name === 'archive'
}

function feedProcessor({ deps, options, shared, bundling, queues }: Wiring): Processor {
  const { ledger, memoryPressure, servers } = deps
  const { patiently } = deps.hold
  const { attempts, jobs } = options
  const feeder = new Feeder({
    scope: queues.scope,
    ledger,
    batches: shared.batches,
    isPaused: (server) => shared.limits.isPaused(server),
    queued: (server) => queues.windowSize(server),
    add: (server, added) => patiently(() => addItems(queues.items(server), added, { attempts })),
    removeOrphans: (server, removed) => removeOrphans(queues.items(server), removed),
    bundles: {
      options: (...place) => bundling.options(...place),
      add: (server, added) => patiently(() => addBundles(queues.items(server), added, { attempts })),
      isQueued: (server, job) => isBundleQueued(queues.items(server), job),
    },
    askReport: (batch) => askReport(queues, batch),
    window: async (server) => Math.max(200, 20 * ((await servers.get(server)).concurrency ?? jobs)),
    memoryPressure,
    notice: (text) => shared.notices.set('memory', text),
    looks: shared.looks,
  })
  return async (job: Job, token: string | undefined): Promise<void> => {
    const step = await withData(job, feedJobSchema, deps, (place) =>
      withDestination(place.batch, { ledger, ...shared }, () => feeder.pass(place)),
    )
    await carryOut(step, job, token ?? '', patiently)
  }
}

function controlProcessor({ deps: { ledger, queues, hold, log }, shared }: Wiring): Processor {
  const feed = async (batch: string): Promise<void> => {
    const entry = await ledger.get(batch)
    if (entry) await feedBatch(queues, entry)
  }
  const deps = { ledger, ...shared, feed }
  return async (job: Job, token: string | undefined): Promise<void> => {
    const step = await withData(job, controlJobSchema, { log }, (asked) =>
      withDestination(asked.batch, deps, async () => {
        await processControl(asked, deps)
        return OVER
      }),
    )
    await carryOut(step, job, token ?? '', hold.patiently)
  }
}
