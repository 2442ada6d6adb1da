import { afterEach, expect, it } from 'vitest'
import { createLogger } from '../../src/log.ts'
import { addItems, openQueues } from '../../src/queue/queues.ts'
import { QueueWorkers } from '../../workers/queue-workers.ts'
import { useRedis } from '../redis.ts'

const redis = useRedis()
const ends: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

it('the lock of a running job that ran out while Redis was away is taken again; one that is another’s by now ends the job', async () => {
  const queues = openQueues({ connection: redis.client, prefix: redis.prefix })
  const queue = queues.in('public').items('https://locks.example.org')
  ends.push(
    () => queues.close(),
    () => queue.obliterate({ force: true }),
  )
  const workers = new QueueWorkers({
    client: redis.client,
    prefix: redis.prefix,
    retry: { firstMs: 1_000, maxMs: 1_000 },
    hold: { heard: () => undefined, over: () => Promise.resolve(), onChange: () => undefined },
    log: createLogger('silent'),
  })
  let stop: AbortSignal | undefined
  let finish = (): void => undefined
  const begun = new Promise<void>((begin) => {
    // Exactly three plain parameters, as BullMQ gives the signal to no other.
    workers.open(queue.name, 1, async (_job, _token, signal) => {
      stop = signal
      begin()
      await new Promise<void>((resolve) => (finish = resolve))
    })
  })
  void workers.run()
  ends.push(() => workers.close())
  await addItems(queue, [{ v: 1, batch: 'b', n: 0 }])
  await begun
  const lock = queue.toKey('b-0:lock')
  const token = await redis.client.get(lock)
  await redis.client.del(lock)
  await workers.renewLocks()
  expect(await redis.client.get(lock)).toBe(token)
  expect(await redis.client.pttl(lock)).toBeGreaterThan(50_000)
  expect(stop?.aborted).toBe(false)

  await redis.client.set(lock, 'another:1')
  await workers.renewLocks()
  expect(stop?.aborted).toBe(true)
  expect(await redis.client.get(lock)).toBe('another:1')
  finish()
})
