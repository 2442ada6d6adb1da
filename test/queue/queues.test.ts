import { Worker } from 'bullmq'
import { afterEach, beforeEach, expect, it } from 'vitest'
import type { ItemJob } from '../../jobs/item.ts'
import { connect } from '../../src/queue/connection.ts'
import {
  addItems,
  feedNow,
  openQueues,
  removeOrphans,
  startFeeding,
  type Queues,
  type ScopeQueues,
} from '../../src/queue/queues.ts'
import { useRedis } from '../redis.ts'

const SERVER = 'https://data.example.org/sub'
const redis = useRedis()
let all: Queues
let queues: ScopeQueues
const workers: Worker[] = []

beforeEach(() => {
  all = openQueues({ connection: redis.client, prefix: redis.prefix })
  queues = all.in('public')
})
afterEach(async () => {
  await Promise.all(workers.splice(0).map((worker) => worker.close(true)))
  await queues.items(SERVER).obliterate({ force: true })
  await all.close()
})

it('an item is queued once, however often it is added', async () => {
  const items = jobs(1200)
  await addItems(queues.items(SERVER), items)
  await addItems(queues.items(SERVER), items)
  expect(await queues.windowSize(SERVER)).toBe(1200)
})

it('an item that has ended, well or not, leaves nothing and can be queued again', async () => {
  const queue = queues.items(SERVER)
  await addItems(queue, jobs(2))
  const worker = work((n) => (n === 1 ? Promise.reject(new Error('Broken for good.')) : Promise.resolve()))
  const ended = (name: 'completed' | 'failed'): Promise<void> =>
    new Promise((resolve) => worker.once(name, () => resolve()))
  await Promise.all([ended('completed'), ended('failed')])
  await worker.close()
  expect(await redis.client.exists(queue.toKey('b-0'), queue.toKey('b-1'))).toBe(0)
  await addItems(queue, jobs(2))
  expect(await queues.windowSize(SERVER)).toBe(2)
})

it('adding goes on where a lost connection cut it off', async () => {
  const queue = queues.items(SERVER)
  await queue.waitUntilReady()
  const id = await redis.client.client('ID')
  const other = await connect({ url: redis.url, role: 'worker' })
  const adding = addItems(queue, jobs(3000))
  expect(await other.call('CLIENT', 'KILL', 'ID', id)).toBe(1)
  await adding
  other.disconnect()
  expect(await queues.windowSize(SERVER)).toBe(3000)
})

it('a job that a torn transaction left in no list is in nobody’s way, and one that waits is left alone', async () => {
  const queue = queues.items(SERVER)
  await addItems(queue, jobs(2))
  const [lost = ''] = await redis.client.lrange(queue.toKey('wait'), 0, 0)
  await redis.client.lrem(queue.toKey('wait'), 0, lost)
  await addItems(queue, jobs(2))
  expect(await queues.windowSize(SERVER)).toBe(1)
  await removeOrphans(queue, jobs(2))
  expect(await queues.windowSize(SERVER)).toBe(1)
  await addItems(queue, jobs(2))
  expect(await queues.windowSize(SERVER)).toBe(2)
  await startFeeding(queues, 'b', SERVER)
  await redis.client.del(queues.feed.toKey('wait'))
  await startFeeding(queues, 'b', SERVER)
  expect(await queues.feed.getWaitingCount()).toBe(1)
  await queues.feed.obliterate({ force: true })
})

it('feeding that waits for its time goes on at once when it is told to, and is left alone otherwise', async () => {
  await feedNow(queues, 'b', SERVER)
  expect(await queues.feed.getJobCountByTypes('wait', 'delayed')).toBe(0)
  await startFeeding(queues, 'b', SERVER)
  await feedNow(queues, 'b', SERVER)
  const [job] = await queues.feed.getWaiting()
  await queues.feed.remove(job?.id ?? '')
  await queues.feed.add('feed', { v: 1, batch: 'b', server: SERVER }, { jobId: job?.id ?? '', delay: 60_000 })
  await Promise.all([feedNow(queues, 'b', SERVER), feedNow(queues, 'b', SERVER)])
  expect(await queues.feed.getJobCounts('wait', 'delayed')).toEqual({ wait: 1, delayed: 0 })
  await queues.feed.obliterate({ force: true })
})

it('the window counts what waits, what is delayed, what runs and what is paused', async () => {
  const queue = queues.items(SERVER)
  await addItems(queue, jobs(3))
  await queue.add('item', { v: 1, batch: 'b', n: 9 }, { jobId: 'b-9', delay: 60_000 })
  const held = hold()
  work(() => held.until, 1)
  await held.begun
  expect(await queues.windowSize(SERVER)).toBe(4)
  held.release()
})

it('what waits in one scope is seen in no other, and goes with it', async () => {
  const own = all.in('b-20260101-000000-aaaaaa')
  await addItems(queues.items(SERVER), jobs(3))
  await addItems(own.items(SERVER), jobs(5))
  await startFeeding(own, 'b', SERVER)
  expect([await queues.windowSize(SERVER), await own.windowSize(SERVER)]).toEqual([3, 5])
  await all.drop(own.scope, [SERVER])
  expect([await queues.windowSize(SERVER), await own.windowSize(SERVER)]).toEqual([3, 0])
  expect(await redis.client.keys(`${redis.prefix}:*${own.scope}*`)).toEqual([])
})

it('looking at what attached batches have queued opens nothing that stays', async () => {
  const own = all.in('b-20260101-000000-aaaaaa')
  await addItems(own.items(SERVER), jobs(5))
  const other = openQueues({ connection: redis.client, prefix: redis.prefix })
  const listeners = (): number => redis.client.listenerCount('error')
  const before = listeners()
  const counts = { waiting: 5, active: 0, delayed: 0 }
  expect(await other.counts(SERVER, own.scope)).toEqual(counts)
  expect(await other.counts(SERVER, 'b-20260101-000000-bbbbbb')).toEqual({ ...counts, waiting: 0 })
  expect(listeners()).toBe(before)
  expect(await redis.client.keys(`${redis.prefix}:*bbbbbb*`)).toEqual([])
  await other.close()
  await all.drop(own.scope, [SERVER])
})

it('few events are kept, since nobody reads them', async () => {
  await addItems(queues.items(SERVER), jobs(2000))
  expect(await redis.client.xlen(queues.items(SERVER).toKey('events'))).toBeLessThan(400)
})

function jobs(count: number): ItemJob[] {
  return Array.from({ length: count }, (_, n) => ({ v: 1, batch: 'b', n }))
}

function work(process: (n: number) => Promise<void>, concurrency = 1): Worker {
  const worker = new Worker<ItemJob>(queues.items(SERVER).name, ({ data }) => process(data.n), {
    connection: redis.client,
    prefix: redis.prefix,
    concurrency,
    settings: { backoffStrategy: () => -1 },
  })
  worker.on('error', () => undefined)
  workers.push(worker)
  return worker
}

function hold(): { begun: Promise<void>; until: Promise<void>; release: () => void } {
  let release = (): void => undefined
  let begin = (): void => undefined
  const begun = new Promise<void>((resolve) => (begin = resolve))
  const until = new Promise<void>((resolve) => (release = resolve))
  return {
    begun,
    release,
    get until() {
      begin()
      return until
    },
  }
}
