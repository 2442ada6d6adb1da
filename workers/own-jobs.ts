import type { Processor, Queue } from 'bullmq'
import type { RedisClient } from '../src/ledger/redis/client.ts'
import { handBackLost, workerOf } from '../src/queue/reclaim.ts'

/**
 * The jobs that run in this process. A Redis that comes back without its last second may hold that one of them still runs
 * when it has long ended: its lock would keep everybody away for a minute, so it is handed back at once.
 */
export class OwnJobs {
  /** Names of queues → ids of jobs. */
  readonly #running = new Map<string, Set<string>>()
  /** Tokens of locks that were found without their job when this was looked at last. */
  #suspects: ReadonlySet<string> = new Set()

  /** A processor that does the same and is kept account of. */
  track(queue: string, processor: Processor): Processor {
    const running = this.#running.get(queue) ?? new Set<string>()
    this.#running.set(queue, running)
    // Exactly three plain parameters: BullMQ gives the abort signal to no other.
    return async (job, token, signal): Promise<unknown> => {
      const id = job.id ?? ''
      running.add(id)
      try {
        return await processor(job, token, signal)
      } finally {
        running.delete(id)
      }
    }
  }

  /**
   * Hands back what this process holds a lock of and does not run. Only at the second look in a row: at the first one the
   * job may just have ended.
   * @param workers ids of this process's BullMQ workers
   */
  async handBackLost(queues: readonly Queue[], redis: RedisClient, workers: ReadonlySet<string>): Promise<void> {
    const suspects = new Set<string>()
    for (const queue of queues) {
      await handBackLost(queue, redis, (token, id) => {
        if (!workers.has(workerOf(token)) || this.#running.get(queue.name)?.has(id) === true) return false
        suspects.add(token)
        return this.#suspects.has(token)
      })
    }
    this.#suspects = suspects
  }
}
