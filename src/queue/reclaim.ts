import type { Job, Queue } from 'bullmq'
import { bundleJobSchema } from '../../jobs/bundle.ts'
import { itemJobSchema, type ItemJob } from '../../jobs/item.ts'
import type { RedisClient } from '../ledger/redis/client.ts'
import type { HeldItem, Workers } from '../ledger/workers.ts'
import { livenessOf } from '../process/process-identity.ts'
import { readJobs } from './read-jobs.ts'

export interface ReclaimOptions {
  readonly connection: RedisClient
  /** The registry of working processes. */
  readonly workers: Workers
  /** Every queue whose jobs a dead process may hold. */
  readonly queues: readonly Queue[]
  /** Told the id of each dead process. */
  readonly onDead?: (id: string) => Promise<void>
}

/** An item that a dead process had. */
export interface Reclaimed extends ItemJob {
  /** Whether the process had reported receiving bytes of it. */
  readonly progressed: boolean
}

/**
 * Hands the jobs of dead processes back to the queue, so that they continue at once instead of when their locks expire.
 * Dead means proven dead: a process of this machine, boot and container that no longer exists. All others are
 * left to BullMQ's check for stalled jobs. Several processes may call it at once: each job is handed back once.
 * @returns the items handed back; the caller counts a crash for each without progress.
 */
export async function reclaim({ connection, workers, queues, onDead }: ReclaimOptions): Promise<readonly Reclaimed[]> {
  const records = await workers.list()
  const lives = await Promise.all(records.map(livenessOf))
  const dead = records.filter((_, i) => lives[i] === 'dead')
  if (dead.length === 0) return []
  const tokens = new Set(dead.flatMap((record) => record.tokens))
  const isLost = (token: string): boolean => tokens.has(workerOf(token))
  const items = await Promise.all(queues.map((queue) => handBackLost(queue, connection, isLost, countBundleCrash)))
  for (const { id } of dead) await onDead?.(id)
  await Promise.all(dead.map(({ id }) => workers.remove(id)))
  const held = dead.flatMap((record) => record.holds)
  return items.flat().map((item) => ({ ...item, progressed: held.some((one) => isProgress(one, item)) }))
}

/** Jobs of a queue that are looked at: more than all machines together run. */
const MOST_ACTIVE = 100_000

function isProgress({ batch, n, received }: HeldItem, item: ItemJob): boolean {
  return batch === item.batch && n === item.n && (received ?? 0) > 0
}

/** A bundle counts its crashes itself: it is split up instead of failed. */
async function countBundleCrash(job: Job): Promise<void> {
  const bundle = bundleJobSchema.safeParse(job.data).data
  if (bundle) await job.updateData({ ...bundle, crashes: (bundle.crashes ?? 0) + 1 })
}

/**
 * Hands back running jobs whose lock is abandoned, as `isLost` says; safe when several processes do so.
 * @param isLost is given the token of a lock, `<id of the BullMQ worker>:<count>`, and the job's id
 * @param before called for a job first; may be repeated
 * @returns the items among them
 */
export async function handBackLost(
  queue: Queue,
  redis: RedisClient,
  isLost: (token: string, jobId: string) => boolean,
  before: (job: Job) => Promise<void> = () => Promise.resolve(),
): Promise<ItemJob[]> {
  const active = await readJobs(queue, redis, 'active', MOST_ACTIVE)
  if (active.length === 0) return []
  // BullMQ keeps the token of a job's lock beside the job.
  const tokens = await redis.mget(active.map(({ id }) => `${queue.toKey(id)}:lock`))
  const handed: ItemJob[] = []
  for (const [i, { job, id }] of active.entries()) {
    const token = tokens[i]
    if (!token || !isLost(token, id)) continue
    if (!(await handBack(job, token, before))) continue
    const item = itemJobSchema.safeParse(job.data).data
    if (item) handed.push(item)
  }
  return handed
}

/** The BullMQ worker that holds a lock, by its token. */
export function workerOf(token: string): string {
  return token.slice(0, token.lastIndexOf(':'))
}

async function handBack(job: Job, token: string, before: (job: Job) => Promise<void>): Promise<boolean> {
  try {
    await before(job)
    await job.moveToWait(token)
    return true
  } catch (error) {
    // BullMQ's own codes are numbers: the lock is another's by now, or the job is gone. So another process was first.
    const isOthers = error instanceof Error && 'code' in error && typeof error.code === 'number'
    if (isOthers) return false
    throw error
  }
}
