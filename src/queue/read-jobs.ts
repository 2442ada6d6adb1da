import { Job, type Queue } from 'bullmq'
import type { RedisClient } from '../ledger/redis/client.ts'

export interface ReadJob {
  readonly id: string
  readonly job: Job
}

/**
 * Jobs of a queue in one state, the next one first. A job that is not even JSON was not written by dataferry and could never be
 * worked on: it is removed.
 */
export async function readJobs(
  queue: Queue,
  redis: RedisClient,
  state: 'active' | 'delayed',
  most: number,
): Promise<readonly ReadJob[]> {
  const ids = await queue.getRanges([state], 0, most - 1, true)
  const jobs = await Promise.all(ids.map((id) => readJob(queue, redis, id)))
  return jobs.filter((one) => one !== undefined)
}

async function readJob(queue: Queue, redis: RedisClient, id: string): Promise<ReadJob | undefined> {
  try {
    const job = await Job.fromId(queue, id)
    return job && { id, job }
  } catch (error) {
    if (!(error instanceof SyntaxError) && !(error instanceof TypeError)) throw error
    await redis.del(`${queue.toKey(id)}:lock`)
    await queue.remove(id)
    return undefined
  }
}
