import { Worker, type Processor, type Queue } from 'bullmq'
import { messageOf } from '../src/errors.ts'
import type { RedisClient } from '../src/ledger/redis/client.ts'
import type { BackoffLimits } from '../src/ledger/servers.ts'
import type { Logger } from '../src/log.ts'
import { run } from '../src/ledger/redis/script.ts'
import { RENEW_LOCKS } from '../src/queue/lock-scripts.ts'
import { LOCK_MS, STALLED_CHECK_MS } from '../src/queue/queues.ts'
import { handBackLost, workerOf } from '../src/queue/reclaim.ts'
import type { RedisHold } from '../src/queue/redis-hold.ts'
import { MAX_CRASHES } from './settle.ts'

export interface QueueWorkerOptions {
  readonly client: RedisClient
  readonly prefix: string
  /** Wait before a job's second attempt, and the longest; each doubles the one before. */
  readonly retry: BackoffLimits
  readonly hold: Pick<RedisHold, 'heard' | 'over' | 'onChange'>
  readonly log: Logger
}

/** The BullMQ workers of this process, and the jobs that run in it. */
export class QueueWorkers {
  readonly #options: QueueWorkerOptions
  readonly #workers = new Map<string, Worker>()
  /** Names of queues → ids of jobs → tokens of their locks. */
  readonly #running = new Map<string, Map<string, string>>()
  /** Tokens of locks that the last look found without a running job. */
  #suspects: ReadonlySet<string> = new Set()

  constructor(options: QueueWorkerOptions) {
    this.#options = options
    // BullMQ repeats a refused question at once, again and again.
    options.hold.onChange((isHeld) => {
      for (const worker of this.#workers.values()) void (isHeld ? worker.pause(true) : worker.resume())
    })
  }

  /** Adds a worker, which takes no jobs before `run`. */
  open(queue: string, concurrency: number, processor: Processor): void {
    this.#workers.set(queue, queueWorker(queue, this.#tracked(queue, processor), { ...this.#options, concurrency }))
  }

  /** Jobs of a queue at the same time in this process. */
  setConcurrency(queue: string, concurrency: number): void {
    const worker = this.#workers.get(queue)
    if (worker) worker.concurrency = concurrency
  }

  /** The prefixes of its lock tokens. */
  ids(): readonly string[] {
    return [...this.#workers.values()].map(({ id }) => id)
  }

  /** Takes jobs until `close`. Resolves then, or rejects with the first failure. */
  async run(): Promise<void> {
    await Promise.all([...this.#workers.values()].map((worker) => worker.run()))
  }

  /** Takes no further job, and resolves when those that run have ended. */
  async close(): Promise<void> {
    await Promise.all([...this.#workers.values()].map((worker) => worker.close()))
  }

  /**
   * Renews the locks of running jobs, and stops jobs that another worker has by now. BullMQ's own renewal goes by the wall clock, and
   * would stop for as long as that was set back.
   */
  async renewLocks(): Promise<void> {
    for (const [queue, running] of this.#running) {
      const worker = this.#workers.get(queue)
      if (!worker || running.size === 0) continue
      const keys = [worker.keys.active, worker.keys.stalled].map(String)
      const jobs = [...running].flat()
      const lost = await run(this.#options.client, RENEW_LOCKS, keys, [worker.toKey(''), LOCK_MS, ...jobs])
      if (Array.isArray(lost)) for (const id of lost) worker.cancelJob(String(id))
    }
  }

  /**
   * Hands back jobs that this process holds a lock of but does not run: a Redis that came back without its last second may say that
   * a job still runs that has long ended, and its lock would block it for a minute. Only at the second look in a
   * row, as at the first one the job may just have ended.
   */
  async handBackLost(queues: readonly Queue[]): Promise<void> {
    const own = new Set(this.ids())
    const suspects = new Set<string>()
    for (const queue of queues) {
      await handBackLost(queue, this.#options.client, (token, id) => {
        if (!own.has(workerOf(token)) || this.#running.get(queue.name)?.has(id) === true) return false
        suspects.add(token)
        return this.#suspects.has(token)
      })
    }
    this.#suspects = suspects
  }

  #tracked(queue: string, processor: Processor): Processor {
    const running = new Map<string, string>()
    this.#running.set(queue, running)
    // Exactly three plain parameters: BullMQ gives the abort signal to no other.
    return async (job, token, signal): Promise<unknown> => {
      const id = job.id ?? ''
      running.set(id, token ?? '')
      try {
        const result: unknown = await processor(job, token, signal)
        // The end of a job that Redis does not take now would be told as a failure.
        await this.#options.hold.over()
        return result
      } finally {
        running.delete(id)
      }
    }
  }
}

/** A BullMQ worker that does not run yet: the jobs of a process that has not registered would look like a dead one's. */
export function queueWorker(
  name: string,
  processor: Processor,
  { client, prefix, concurrency, retry, hold, log }: QueueWorkerOptions & { readonly concurrency: number },
): Worker {
  const worker = new Worker(name, processor, {
    connection: client,
    prefix,
    concurrency,
    autorun: false,
    lockDuration: LOCK_MS,
    // See `renewLocks`.
    skipLockRenewal: true,
    stalledInterval: STALLED_CHECK_MS,
    maxStalledCount: MAX_CRASHES,
    removeOnComplete: { count: 0 },
    removeOnFail: { count: 0 },
    settings: { backoffStrategy: (attempts) => backoff(attempts, retry) },
  })
  worker.on('error', (error) => {
    if (!hold.heard(error)) log.warn({ queue: name, problem: messageOf(error) }, 'queue error')
  })
  return worker
}

/** Capped exponential with jitter: BullMQ's own has no cap. */
function backoff(attempts: number, { firstMs, maxMs }: BackoffLimits): number {
  const full = Math.min(maxMs, firstMs * 2 ** (attempts - 1))
  return Math.round(full * (0.75 + Math.random() / 4))
}
