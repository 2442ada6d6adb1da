import type { Queue } from 'bullmq'
import type { RedisClient } from '../ledger/redis/client.ts'
import { run } from '../ledger/redis/script.ts'
import { SHORTEN_LOCKS } from './lock-scripts.ts'
import { LOCK_MS, promote, STALLED_CHECK_MS } from './queues.ts'
import { readJobs } from './read-jobs.ts'

/** Jobs of a queue that are looked at: those that are due first. */
const MOST = 200
/** Later than this a job is overdue, and not just about to be taken. */
const GRACE_MS = 2_000

/**
 * Keeps a clock that is set back from holding up the queues. BullMQ lets a delayed job go when the wall clock says so, and Redis lets a
 * lock run out likewise: after a day that was set back, both would be a day late. What is overdue is known here by a clock that nobody
 * can set.
 */
export class QueueClocks {
  readonly #redis: RedisClient
  readonly #now: () => number
  /** When each delay was seen first. */
  #seen: ReadonlyMap<string, number> = new Map()

  /** @param now milliseconds of a clock that is never set back */
  constructor(redis: RedisClient, now: () => number = () => performance.now()) {
    this.#redis = redis
    this.#now = now
  }

  /** To be called every few seconds. */
  async look(queues: readonly Queue[]): Promise<void> {
    const seen = new Map<string, number>()
    for (const queue of queues) {
      await run(this.#redis, SHORTEN_LOCKS, [queue.keys.active, queue.keys['stalled-check']].map(String), [
        queue.toKey(''),
        LOCK_MS,
        STALLED_CHECK_MS,
      ])
      for (const { id, job } of await readJobs(queue, this.#redis, 'delayed', MOST)) {
        const delay = `${queue.name} ${id} ${job.attemptsStarted}`
        const since = this.#seen.get(delay) ?? this.#now()
        if (this.#now() - since > job.delay + GRACE_MS) await promote(job)
        else seen.set(delay, since)
      }
    }
    this.#seen = seen
  }
}
