import { Queue, type Job, type JobsOptions, type QueueOptions as QueueSettings } from 'bullmq'
import pRetry from 'p-retry'
import { bundleJobId, type BundleJob } from '../../jobs/bundle.ts'
import { controlQueue, type ControlJob } from '../../jobs/control.ts'
import { feedQueue, type FeedJob } from '../../jobs/feed.ts'
import { itemQueue, type ItemJob } from '../../jobs/item.ts'
import { itemScope, PUBLIC_SCOPE, TOKEN_SCOPE, type Scope, type Whose } from '../../jobs/scope.ts'
import { messageOf } from '../errors.ts'
import type { RedisClient } from '../ledger/redis/client.ts'
import { DEFAULT_PREFIX } from '../ledger/redis/keys.ts'
import { itemKey } from '../model/item-key.ts'

/** Items, alone or several in a bundle. */
export type ItemQueue = Queue<ItemJob | BundleJob, void, 'item' | 'bundle'>
export type FeedQueue = Queue<FeedJob, void, 'feed'>
export type ControlQueue = Queue<ControlJob, void, 'report'>

/** Jobs of a queue. */
export interface JobCounts {
  readonly waiting: number
  readonly active: number
  /** Waiting for another attempt. */
  readonly delayed: number
}

export interface QueueOptions {
  /** Closed by the caller. */
  readonly connection: RedisClient
  /** Of every key; must hold a `{tag}`, so that a cluster keeps all keys in one slot. */
  readonly prefix?: string
  /** Is told the connection's errors; BullMQ reports each to every queue. */
  readonly onError?: (error: Error) => void
}

/** Kept or failed jobs would block their ids and fill Redis: the ledger knows what has ended. */
const JOB_OPTIONS = { removeOnComplete: true, removeOnFail: true, stackTraceLimit: 0 } satisfies JobsOptions

/** A lock that its worker has not renewed for this long is up for grabs. */
export const LOCK_MS = 60_000
/** Between two looks of all workers for jobs whose lock has run out. */
export const STALLED_CHECK_MS = 10_000

/** `workers/` gives the strategy of this name: exponential, capped, with jitter. */
const BACKOFF = 'dataferry'
const ITEM_ATTEMPTS = 8

/** Every job writes events that nothing reads: keep few. */
const EVENTS_KEPT = 100
const JOBS_A_CALL = 500
/** A batch must not get stuck because feeding or reporting met an outage. */
const TIRELESS = { attempts: Number.MAX_SAFE_INTEGER, backoff: { type: 'dataferry' } } satisfies JobsOptions

/** Every queue of one Redis, opened on first use. */
export class Queues {
  readonly #options: QueueOptions
  readonly #scopes = new Map<Scope, ScopeQueues>()

  constructor(options: QueueOptions) {
    this.#options = options
  }

  in(scope: Scope): ScopeQueues {
    const queues = this.#scopes.get(scope) ?? new ScopeQueues(this.#options, scope)
    this.#scopes.set(scope, queues)
    return queues
  }

  /** Jobs of one server in a scope. The scope of an attached batch, which is looked at and not worked on here, is not kept open. */
  async counts(server: string, scope: Scope): Promise<JobCounts> {
    const stays = scope === PUBLIC_SCOPE || scope === TOKEN_SCOPE || this.#scopes.has(scope)
    if (stays) return countJobs(this.in(scope).items(server))
    const settings = { ...settingsOf(this.#options), skipMetasUpdate: true }
    const queue = heard(new Queue(itemQueue(server, scope), settings), this.#options)
    try {
      return await countJobs(queue)
    } finally {
      await queue.close()
    }
  }

  /** Drops the queues of a batch that has ended or is left to workers; the bitmap of its ledger feeds what is open. */
  async drop(scope: Scope, servers: readonly string[]): Promise<void> {
    await Promise.all(
      this.in(scope)
        .of(servers)
        .map((queue) => queue.obliterate({ force: true })),
    )
  }

  /** Closes the queues; the connection stays. */
  async close(): Promise<void> {
    await Promise.all([...this.#scopes.values()].map((queues) => queues.close()))
  }
}

/** The queues of one scope. */
export class ScopeQueues {
  readonly scope: Scope
  readonly feed: FeedQueue
  readonly control: ControlQueue
  readonly #options: QueueOptions
  readonly #items = new Map<string, ItemQueue>()

  constructor(options: QueueOptions, scope: Scope) {
    this.scope = scope
    this.#options = options
    const settings = settingsOf(options)
    this.feed = heard(new Queue<FeedJob, void, 'feed'>(feedQueue(scope), settings), options)
    this.control = heard(new Queue<ControlJob, void, 'report'>(controlQueue(scope), settings), options)
  }

  /** The queue of one server's items, by its base URL. */
  items(server: string): ItemQueue {
    const name = itemQueue(server, this.scope)
    const open = this.#items.get(name)
    if (open) return open
    const made = new Queue<ItemJob | BundleJob, void, 'item' | 'bundle'>(name, settingsOf(this.#options))
    const queue = heard(made, this.#options)
    this.#items.set(name, queue)
    return queue
  }

  /** Every queue whose jobs a process that works for these servers may hold. */
  of(servers: readonly string[]): readonly Queue[] {
    return [...servers.map((server) => this.items(server)), this.feed, this.control]
  }

  /** Jobs of a server that are queued or running. */
  async windowSize(server: string): Promise<number> {
    return this.items(server).getJobCountByTypes('waiting', 'prioritized', 'delayed', 'active')
  }

  async close(): Promise<void> {
    await Promise.all([this.feed, this.control, ...this.#items.values()].map((queue) => queue.close()))
  }
}

function settingsOf({ connection, prefix = DEFAULT_PREFIX }: QueueOptions): QueueSettings {
  return { connection, prefix, defaultJobOptions: JOB_OPTIONS, streams: { events: { maxLen: EVENTS_KEPT } } }
}

/** An unhandled error event would end the process. */
function heard<Q extends Queue | ItemQueue | FeedQueue | ControlQueue>(queue: Q, { onError }: QueueOptions): Q {
  queue.on('error', (error) => onError?.(error))
  return queue
}

async function countJobs(queue: Pick<Queue, 'getJobCounts'>): Promise<JobCounts> {
  const counts = await queue.getJobCounts('waiting', 'prioritized', 'active', 'delayed')
  const { waiting = 0, prioritized = 0, active = 0, delayed = 0 } = counts
  return { waiting: waiting + prioritized, active, delayed }
}

export function openQueues(options: QueueOptions): Queues {
  return new Queues(options)
}

export interface AddOptions {
  /** Attempts for each item; 8 unless given. */
  readonly attempts?: number
  readonly signal?: AbortSignal
}

/**
 * Queues items. An item that is queued already is left as it is, so that repeating is harmless; and it is repeated,
 * since `addBulk` is a pipeline of which a lost connection may cut off any part.
 * Rejects with Redis' own error when it stays away for about half a minute, or the signal's reason.
 */
export async function addItems(queue: ItemQueue, items: readonly ItemJob[], options: AddOptions = {}): Promise<void> {
  const jobs = items.map((data) => ({
    name: 'item' as const,
    data,
    opts: jobOptions(itemKey(data.batch, data.n), options),
  }))
  await addAll(queue, jobs, options)
}

/** Queues bundles, as `addItems` does items. */
export async function addBundles(
  queue: ItemQueue,
  bundles: readonly BundleJob[],
  options: AddOptions = {},
): Promise<void> {
  const jobs = bundles.map((data) => ({
    name: 'bundle' as const,
    data,
    opts: jobOptions(bundleJobId(data), options),
  }))
  await addAll(queue, jobs, options)
}

/** Whether a bundle waits or is being worked on. */
export async function isBundleQueued(queue: ItemQueue, job: BundleJob): Promise<boolean> {
  return (await queue.getJobState(bundleJobId(job))) !== 'unknown'
}

/**
 * Removes orphans among these items' jobs: those that Redis has but no list names, which no worker would ever take, and which keep
 * new jobs from being added. A Redis that was killed while it wrote a transaction leaves them: the half that
 * reached its append-only file comes to life at its next start but one (https://github.com/valkey-io/valkey/pull/4342).
 */
export async function removeOrphans(queue: ItemQueue, items: readonly ItemJob[]): Promise<void> {
  await Promise.all(items.map(({ batch, n }) => removeOrphan(queue, itemKey(batch, n))))
}

/** Does nothing to a job that is in a list, or not there at all. */
async function removeOrphan(queue: ItemQueue | FeedQueue | ControlQueue, id: string): Promise<void> {
  if ((await queue.getJobState(id)) === 'unknown') await queue.remove(id)
}

async function addAll(
  queue: ItemQueue,
  all: Parameters<ItemQueue['addBulk']>[0],
  { signal }: AddOptions,
): Promise<void> {
  for (let i = 0; i < all.length; i += JOBS_A_CALL) {
    const jobs = all.slice(i, i + JOBS_A_CALL)
    await pRetry(() => queue.addBulk(jobs), {
      retries: 8,
      minTimeout: 100,
      maxTimeout: 10_000,
      randomize: true,
      shouldRetry: ({ error }) =>
        !/^(?:OOM|NOPERM|WRONGPASS|READONLY|MISCONF|NOREPLICAS|EXECABORT|Custom Id)/.test(messageOf(error)),
      ...(signal && { signal }),
    })
  }
}

function jobOptions(jobId: string, { attempts = ITEM_ATTEMPTS }: AddOptions): JobsOptions {
  return { jobId, attempts, backoff: { type: BACKOFF } }
}

/** Starts feeding a batch from one server; does nothing if it is being fed. */
export async function startFeeding(queues: ScopeQueues, batch: string, server: string): Promise<void> {
  const data: FeedJob = { v: 1, batch, server }
  const jobId = feedJobId(batch, server)
  await removeOrphan(queues.feed, jobId)
  await queues.feed.add('feed', data, { jobId, ...TIRELESS })
}

/** Lets the queues of a scope be worked on: a process that was killed while it dropped them leaves them paused. */
export async function resumeQueues(queues: ScopeQueues, servers: readonly string[]): Promise<void> {
  await Promise.all(queues.of(servers).map((queue) => queue.resume()))
}

/** Starts feeding a batch from each of its servers, in the scope that it is in; does nothing for those being fed. */
export async function feedBatch(queues: Queues, batch: Whose & { readonly servers: readonly string[] }): Promise<void> {
  for (const server of batch.servers) await startFeeding(queues.in(itemScope(batch, server)), batch.id, server)
}

/** Makes the next pass of feeding happen now if it is delayed. */
export async function feedNow(queues: ScopeQueues, batch: string, server: string): Promise<void> {
  const job = await queues.feed.getJob(feedJobId(batch, server))
  if (job) await promote(job)
}

/** Makes a delayed job ready at once; does nothing to any other. */
export async function promote(job: Pick<Job, 'promote'>): Promise<void> {
  await job.promote().catch((error: unknown) => {
    // It is not delayed: it never was, another process was faster, or its time came.
    if (!/not in the delayed state|Missing key for job/.test(messageOf(error))) throw error
  })
}

function feedJobId(batch: string, server: string): string {
  return itemQueue(server, batch)
}

/** Asks for the report of a batch; does nothing while one is being written. */
export async function askReport(queues: ScopeQueues, batch: string): Promise<void> {
  const jobId = `${batch}-report`
  await removeOrphan(queues.control, jobId)
  await queues.control.add('report', { v: 1, task: 'report', batch }, { jobId, ...TIRELESS })
}
