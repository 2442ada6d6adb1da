import { Worker, type Processor } from 'bullmq'
import { messageOf } from '../src/errors.ts'
import type { RedisClient } from '../src/ledger/redis/client.ts'
import type { BackoffLimits } from '../src/ledger/servers.ts'
import type { Logger } from '../src/log.ts'

export interface QueueWorkerOptions {
  readonly client: RedisClient
  readonly prefix: string
  readonly concurrency: number
  /** Wait before a job's second attempt, and the longest; each doubles the one before. */
  readonly retry: BackoffLimits
  readonly log: Logger
}

/** A lock that its worker does not renew for this long is anybody's. */
const LOCK_MS = 60_000
const STALLED_CHECK_MS = 10_000
const MAX_STALLED = 20

/** A BullMQ worker that does not run yet: nobody could tell whose a job is before its process has registered. */
export function queueWorker(name: string, processor: Processor, options: QueueWorkerOptions): Worker {
  const { client, prefix, concurrency, retry, log } = options
  const worker = new Worker(name, processor, {
    connection: client,
    prefix,
    concurrency,
    autorun: false,
    lockDuration: LOCK_MS,
    stalledInterval: STALLED_CHECK_MS,
    maxStalledCount: MAX_STALLED,
    // Waits for a throttled server are looked at this often, so that what a person changes acts soon.
    maximumRateLimitDelay: 5_000,
    removeOnComplete: { count: 0 },
    removeOnFail: { count: 0 },
    settings: { backoffStrategy: (attempts) => backoff(attempts, retry) },
  })
  // BullMQ itself lets a job run on whose lock it could not renew.
  worker.on('lockRenewalFailed', (ids: string[]) => {
    for (const id of ids) worker.cancelJob(id)
  })
  worker.on('error', (error) => log.warn({ queue: name, problem: messageOf(error) }, 'queue error'))
  return worker
}

/** Capped exponential with jitter: BullMQ's own has no cap. */
function backoff(attempts: number, { firstMs, maxMs }: BackoffLimits): number {
  const full = Math.min(maxMs, firstMs * 2 ** (attempts - 1))
  return Math.round(full * (0.75 + Math.random() / 4))
}
