import { Worker } from 'bullmq'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { QueueClocks } from '../../src/queue/clocks.ts'
import { addItems, openQueues, type ItemQueue, type Queues } from '../../src/queue/queues.ts'
import { useRedis } from '../redis.ts'

const DAY_MS = 86_400_000
/** BullMQ puts 12 more bits behind the milliseconds. */
const SCORES_A_DAY = DAY_MS * 0x1000
const redis = useRedis()
let queues: Queues
let queue: ItemQueue
let now: number

beforeEach(() => {
  queues = openQueues({ connection: redis.client, prefix: redis.prefix })
  queue = queues.in('public').items('https://data.example.org')
  now = 0
})
afterEach(async () => {
  await queue.obliterate({ force: true })
  await queues.close()
})

it('a job that waits for a time goes on when its time has come, though the wall clock was set back a day', async () => {
  await addItems(queue, [{ v: 1, batch: 'b', n: 0 }])
  const worker = new Worker(queue.name, undefined, { connection: redis.client, prefix: redis.prefix, autorun: false })
  const job = await worker.getNextJob('t:1')
  await job.moveToDelayed(Date.now() + 5_000, 't:1')
  await redis.client.zincrby(queue.keys['delayed'] ?? '', SCORES_A_DAY, 'b-0')
  const clocks = new QueueClocks(redis.client, () => now)
  await clocks.look([queue])
  now = 5_000
  await clocks.look([queue])
  expect(await queue.getDelayedCount()).toBe(1)
  now = 8_000
  await clocks.look([queue])
  expect(await queue.getJobCounts('delayed', 'waiting')).toEqual({ delayed: 0, waiting: 1 })
  await worker.close()
})

it('locks and the mark of the last check run out in their time, though the clock of Redis was set back a day', async () => {
  await addItems(queue, [{ v: 1, batch: 'b', n: 0 }])
  const worker = new Worker(queue.name, undefined, { connection: redis.client, prefix: redis.prefix, autorun: false })
  await worker.getNextJob('t:1')
  const lock = queue.toKey('b-0:lock')
  const mark = queue.toKey('stalled-check')
  await redis.client.set(mark, '1')
  for (const key of [lock, mark]) await redis.client.pexpire(key, DAY_MS)
  await new QueueClocks(redis.client).look([queue])
  expect(await redis.client.pttl(lock)).toBeLessThanOrEqual(60_000)
  expect(await redis.client.pttl(mark)).toBeLessThanOrEqual(10_000)
  await worker.close()
})

it('a job that is not even JSON is removed, and stands in nobody’s way', async () => {
  await addItems(queue, [{ v: 1, batch: 'b', n: 0 }])
  await redis.client.hset(queue.toKey('b-0'), 'data', '{not json')
  const worker = new Worker(queue.name, () => Promise.resolve(), {
    connection: redis.client,
    prefix: redis.prefix,
    autorun: false,
  })
  worker.on('error', () => undefined)
  await worker.getNextJob('t:1', { block: false }).catch(() => undefined)
  await redis.client.lrem(queue.keys['active'] ?? '', 0, 'b-0')
  await redis.client.zadd(queue.keys['delayed'] ?? '', Date.now() * 0x1000, 'b-0')
  await new QueueClocks(redis.client).look([queue])
  expect(await queue.getJobCounts('delayed', 'waiting', 'active')).toEqual({ delayed: 0, waiting: 0, active: 0 })
  await worker.close()
})
